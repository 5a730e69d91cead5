#!/bin/bash
# peer.sh start|stop: Postrider as a server to measure, on 127.0.0.1:14351
# (plain) and 14352 (TLS), users u1..u$USERS (100), password "pass", no
# connection limits, folders without prefix, fsync on.
# Everything lives below $PEERS (by default peers in the temporary folder):
# Maildirs in data/postrider/uN/Maildir, the pid in run/postrider/postrider.pid.
# Run as root; the server itself runs as uid 14300.
set -euo pipefail
PEERS=${PEERS:-${TMPDIR:-/tmp}/peers}
USERS=${USERS:-100}
MAIL_ID=14300
TOP=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
RUN=$PEERS/run/postrider ETC=$PEERS/etc/postrider LOG=$PEERS/log DATA=$PEERS/data/postrider
PIDFILE=$RUN/postrider.pid

say() { echo "peer: $*" >&2; }
die() { say "$*"; exit 1; }

# running prints the pid of the server that the pid file names, if it lives.
running() {
  local pid
  [ -s "$PIDFILE" ] || return 1
  read -r pid <"$PIDFILE" || true
  [[ $pid =~ ^[0-9]+$ ]] && [[ "$(readlink "/proc/$pid/exe" 2>/dev/null)" == */postrider* ]] && alive "$pid" && echo "$pid"
}

alive() { # not gone, and no zombie that nobody reaps
  local state
  state=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -c1) || return 1
  [ -n "$state" ] && [ "$state" != Z ]
}

greets() { # PORT: an IMAP greeting comes on it
  local line
  { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
  IFS= read -r -t 5 line <&3 || true
  exec 3>&-
  [[ $line == '* OK'* ]]
}

certificate() {
  [ -s "$ETC/tls.crt" ] && [ -s "$ETC/tls.key" ] && return 0
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
    -keyout "$ETC/tls.key" -out "$ETC/tls.crt" 2>/dev/null || die "openssl cannot make a certificate"
}

accounts() {
  local i hash
  hash="{SHA}$(printf pass | openssl dgst -sha1 -binary | base64)"
  for ((i = 1; i <= USERS; i++)); do
    printf 'u%d\tuid=%d|gid=%d|home=%s/u%d|mail=%s/u%d/Maildir|systempw=%s\n' \
      "$i" $MAIL_ID $MAIL_ID "$DATA" "$i" "$DATA" "$i" "$hash"
    [ -d "$DATA/u$i/Maildir/cur" ] && continue
    mkdir -p "$DATA/u$i/Maildir"/{cur,new,tmp}
    chmod -R u=rwX,go= "$DATA/u$i"
    chown -R $MAIL_ID:$MAIL_ID "$DATA/u$i"
  done >"$ETC/userdb.new"
  mv "$ETC/userdb.new" "$ETC/userdb"
}

start() {
  local pid i
  if pid=$(running); then say "already runs, pid $pid"; return 0; fi
  [ "$(id -u)" = 0 ] || die "run this as root"
  ! greets 14351 || die "another server listens on 14351 already"
  umask 022
  mkdir -p "$RUN" "$ETC" "$LOG" "$DATA"
  (cd "$TOP" && CGO_ENABLED=0 go build -o "$RUN/postrider" ./cmd/postrider) || die "it does not build"
  certificate
  (umask 077 && accounts)
  chown -R $MAIL_ID:$MAIL_ID "$DATA" "$ETC"
  chmod 711 "$ETC"; chmod 755 "$DATA"
  cat >"$ETC/postrider.conf" <<CONF
ADDRESS=127.0.0.1
PORT=14351
SSLADDRESS=127.0.0.1
SSLPORT=14352
MAXDAEMONS=0
MAXPERIP=0
TLS_CERTFILE=$ETC/tls.crt
TLS_PRIVATE_KEYFILE=$ETC/tls.key
USERDB=$ETC/userdb
RUN_AS=$MAIL_ID
CONF
  ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
  env -i PATH="$PATH" setsid "$RUN/postrider" serve --config "$ETC/postrider.conf" </dev/null >>"$LOG/postrider.log" 2>&1 &
  echo $! >"$PIDFILE"
  for ((i = 0; i < 200; i++)); do
    if greets 14351 && (exec 3<>/dev/tcp/127.0.0.1/14352) 2>/dev/null; then
      say "127.0.0.1:14351 (plain), 14352 (TLS), pid $(cat "$PIDFILE")"
      return 0
    fi
    alive "$(cat "$PIDFILE")" || die "it did not start, see $LOG/postrider.log"
    sleep 0.1
  done
  die "it does not answer, see $LOG/postrider.log"
}

stop() {
  local pid i
  pid=$(running) || { rm -f "$PIDFILE"; say "not running"; return 0; }
  kill -TERM "$pid"
  for ((i = 0; i < 300; i++)); do
    alive "$pid" || break
    sleep 0.1
  done
  ! alive "$pid" || kill -KILL "$pid"
  rm -f "$PIDFILE"
  say "stopped"
}

case ${1:-} in
start) start ;;
stop) stop ;;
*) die "usage: peer.sh start|stop" ;;
esac
