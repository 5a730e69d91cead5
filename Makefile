# make run         a demonstration account and server on 127.0.0.1
# make test        everything: sets up what the tests need, then runs them
# make fuzz        each fuzz target for a minute
# make storm       ten minutes of a program that renames files while we read
# make kill        some thousand kills under load, each judged
# make crowd       ten minutes of many processes on one Maildir, killed at random
# make coexist     Courier and Postrider on one Maildir at once, 10,000 operations
# make bench-idle  how fast IDLE tells 200 sessions, and what 10,000 quiet ones cost
# make bench-quiet what 10,000 sleeping sessions cost, each on an account of its own
# make bench-system  what the processes for system accounts keep in memory
# make bench-growth  what one thing costs in folders of 1,000 to 1,000,000 messages
# make bench-promises  what each promise costs, with it and without
# make pam         the program that asks PAM; it alone links C
# make bench-dovecot  the table of docs/benchmark.md, both servers measured (root)
# make lint        gofmt, vet, staticcheck, known vulnerabilities

export CGO_ENABLED ?= 0
GO ?= go
FUZZTIME ?= 60s
DEMO ?= demo
RACE ?=
SEED ?= 1

# The names of Courier's programs and modules that the program goes by, too.
NAMES = imapd imaplogin authuserdb authdaemon authdaemond couriertcpd courierlogger couriertls imapd.rc imapd-ssl \
	imapd-ssl.rc mkimapdcert authtest authpasswd authenumerate userdb makeuserdb userdbpw pw2userdb

.PHONY: build pam run deliver test check coexist lint fuzz storm kill crowd bench-idle bench-system bench-quiet bench-growth bench-promises bench-dovecot clean

build:
	$(GO) build -o bin/postrider ./cmd/postrider
	$(GO) build -o bin/postrider-front ./cmd/postrider-front
	for name in $(NAMES); do ln -sf postrider bin/$$name; done

# pam is the program that asks PAM for the server: it alone links C, and needs
# libpam0g-dev. It is not needed where authmodulelist does not name authpam.
pam:
	CGO_ENABLED=1 $(GO) build -o bin/postrider-pam ./cmd/postrider-pam

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

coexist:
	scripts/setup.sh
	$(GO) test -count=1 -timeout 20m -v -run 'TestTogether$$' ./e2e -coexist 10000 -coexist-seed $(SEED)

lint:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) tool govulncheck ./...

bench-growth:
	GO=$(GO) scripts/growth.sh

MESSAGES ?= 10000

bench-dovecot:
	scripts/compare.sh $(MESSAGES)

bench-promises:
	GO=$(GO) scripts/promises.sh

fuzz:
	GO=$(GO) FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

# bench-idle prints figures and judges none; it takes about ten minutes. The limit of
# open files must allow the crowd: ulimit -n 20000.
bench-idle:
	$(GO) test ./e2e -run TestIdleFigures -figures -v -timeout 30m

# bench-system prints what the processes for system accounts keep in memory, and what a
# session costs beside Dovecot's and Courier's; as root.
bench-system:
	$(GO) test ./e2e -run 'TestSystemFigures|TestSessionMemory' -figures -v -timeout 30m

# bench-quiet takes about half an hour, and TMPDIR's file system some gigabytes: by default
# 10,000 Maildirs of 500 messages. QUIET='-quiet-accounts 1000 -quiet-mail 5000' has others.
bench-quiet:
	ulimit -n 20000; $(GO) test ./e2e -run TestQuietFigures -quiet-figures $(QUIET) -v -count=1 -timeout 3h

# What "make check" does for seconds, for long. Each way of "storm" takes its time.
KILLS ?= 3000
LONG ?= 10m

storm:
	$(GO) test ./account -run RenamesWithoutPause -v -count=1 -timeout 0 -storm $(LONG)

kill:
	$(GO) test ./e2e -run KilledUnderLoad -v -count=1 -timeout 0 -kills $(KILLS)

crowd:
	$(GO) test ./e2e -run ManyProcesses -v -count=1 -timeout 0 -crowd $(LONG)

clean:
	rm -rf bin $(DEMO)
