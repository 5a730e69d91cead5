#!/bin/bash
# compare.sh [N [CASES]]: what docs/benchmark.md tells, measured again: Postrider and
# Dovecot, one after the other, on the same N messages (10,000), and a table of ratios.
# CASES are imapbench's (all), separated by commas. Above 1 Postrider is faster, or
# smaller, by that factor. Run as root, with Debian's dovecot-imapd installed and not
# running, and nothing else at work. Everything lies in a temporary folder that goes.
set -euo pipefail
N=${1:-10000} CASES=${2:-all}
TOP=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
MAIL_ID=14300 # as in peer.sh
DOVECOT=$(command -v dovecot || echo /usr/sbin/dovecot)

say() { echo "compare: $*" >&2; }
[ "$(id -u)" = 0 ] || { say "run this as root"; exit 1; }
[ -x "$DOVECOT" ] || { say "dovecot is not installed: apt-get install dovecot-imapd"; exit 1; }

D=$(mktemp -d)
export PEERS=$D
finish() {
  "$TOP/scripts/peer.sh" stop 2>/dev/null || true
  [ ! -s "$D/dovecot.conf" ] || "$DOVECOT" -c "$D/dovecot.conf" stop 2>/dev/null || true
  rm -rf "$D"
}
trap finish EXIT
chmod 755 "$D"
mkdir -p "$D/data" "$D/run"
chmod 755 "$D/data" "$D/run"

fill() { # SERVER: u1 has the corpus, by links; the others are empty
  local i at=$D/data/$1
  for ((i = 2; i <= 100; i++)); do mkdir -p "$at/u$i/Maildir"/{cur,new,tmp}; done
  mkdir -p "$at/u1"
  cp -a "$D/corpus" "$at/u1/Maildir"
  chown -R $MAIL_ID:$MAIL_ID "$at"
  sync
}

dovecot_conf() {
  local i
  for ((i = 1; i <= 100; i++)); do
    echo "u$i:{PLAIN}pass:$MAIL_ID:$MAIL_ID::$D/data/dovecot/u$i::"
  done >"$D/dovecot.users"
  chmod 644 "$D/dovecot.users"
  cat >"$D/dovecot.conf" <<CONF
base_dir = $D/run/dovecot
state_dir = $D/run/dovecot-state
log_path = $D/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
mail_location = maildir:~/Maildir
namespace inbox {
  inbox = yes
}
disable_plaintext_auth = no
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%u $D/dovecot.users
}
userdb {
  driver = passwd-file
  args = username_format=%u $D/dovecot.users
}
default_client_limit = 10000
default_process_limit = 2000
default_vsz_limit = 1G
service imap-login {
  service_count = 0
  client_limit = 4000
  process_min_avail = 2
  process_limit = 8
  inet_listener imap {
    port = 14361
  }
  inet_listener imaps {
    port = 0
  }
}
service anvil {
  client_limit = 20000
}
service auth {
  client_limit = 20000
}
service imap {
  process_limit = 2000
}
protocol imap {
  mail_max_userip_connections = 10000
}
CONF
}

greets() { # PORT: an IMAP greeting comes on it, within half a minute
  local i line
  for ((i = 0; i < 300; i++)); do
    if { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null && IFS= read -r -t 5 line <&3 && [[ $line == '* OK'* ]]; then
      exec 3>&-
      return 0
    fi
    sleep 0.1
  done
  return 1
}

measure() { # SERVER PORT PID
  say "$1, $N messages"
  "$D/imapbench" run -label "$1" -addr "127.0.0.1:$2" -maildir "$D/data/$1/u1/Maildir" -root "$3" -n "$N" -cases "$CASES" |
    tee -a "$D/figures" >&2
}

ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
(cd "$TOP/scripts/imapbench" && go build -o "$D/imapbench" .)
"$D/imapbench" gen -dir "$D/corpus" -n "$N"

fill postrider
"$TOP/scripts/peer.sh" start
measure postrider 14351 "$(cat "$D/run/postrider/postrider.pid")"
"$TOP/scripts/peer.sh" stop
rm -rf "$D/data/postrider"

fill dovecot
dovecot_conf
"$DOVECOT" -c "$D/dovecot.conf" </dev/null
greets 14361 || { say "dovecot does not answer:"; cat "$D/dovecot.log" >&2; exit 1; }
measure dovecot 14361 "$(cat "$D/run/dovecot/master.pid")"
"$DOVECOT" -c "$D/dovecot.conf" stop

awk -F'\t' -v n="$N" '
  $1 == "postrider" { order[++rows] = $2; ours[$2] = $3; unit[$2] = $4 }
  $1 == "dovecot" { theirs[$2] = $3 }
  END {
    printf "| %d messages | Postrider | Dovecot | ratio |\n|---|---|---|---|\n", n
    for (i = 1; i <= rows; i++) {
      c = order[i]; u = unit[c]; a = ours[c]; b = theirs[c]; r = "-"
      if (a + 0 > 0 && b + 0 > 0) r = sprintf("%.2g", u ~ /\/s$/ ? a / b : b / a)
      printf "| %s | %s %s | %s %s | %s |\n", c, a, u, b, u, r
    }
  }' "$D/figures"
