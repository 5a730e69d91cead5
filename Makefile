# make run    a demonstration account and server on 127.0.0.1
# make test   everything: sets up what the tests need, then runs them
# make fuzz   each fuzz target for a minute
# make bench-growth  what one thing costs in folders of 1,000 to 1,000,000 messages
# make lint   gofmt, vet, staticcheck, known vulnerabilities

export CGO_ENABLED ?= 0
GO ?= go
FUZZTIME ?= 60s
DEMO ?= demo
RACE ?=

.PHONY: build run deliver test check bench-growth lint fuzz clean

build:
	$(GO) build -o bin/postrider ./cmd/postrider
	ln -sf postrider bin/imapd

run: build
	bin/postrider demo --dir $(DEMO)

deliver: build
	bin/postrider deliver --dir $(DEMO)

test:
	scripts/setup.sh
	$(MAKE) check

# check is the tests alone, for a machine that has what they need. RACE=-race
# looks for data races too.
check: build
	CGO_ENABLED=$(if $(RACE),1,0) $(GO) test $(RACE) -timeout 20m ./...

lint:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) tool govulncheck ./...

bench-growth:
	GO=$(GO) scripts/growth.sh

fuzz:
	GO=$(GO) FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

clean:
	rm -rf bin $(DEMO)
