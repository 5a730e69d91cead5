#!/bin/sh
# setup.sh: makes a Debian (or Ubuntu) machine ready for the tests: installs the
# mail clients that they drive and Dovecot, their oracle, and starts no daemon.
# Courier-IMAP cannot be installed beside Dovecot, so its packages are unpacked into
# a folder that "setup.sh courier-dir" prints; nothing of the system refers to it.
# Does nothing where everything is there. What is missing and cannot be installed
# is named, and the script fails.
set -eu

# program:package
NEEDS="mbsync:isync offlineimap:offlineimap3 neomutt:neomutt curl:curl python3:python3
fetchmail:fetchmail tmux:tmux openssl:openssl gcc:gcc git:git make:make dovecot:dovecot-imapd
setpriv:util-linux prlimit:util-linux flock:util-linux mkfs.ext4:e2fsprogs unshare:util-linux perl:perl
mariadbd:mariadb-server pg_ctlcluster:postgresql slapd:slapd ldapadd:ldap-utils gsasl:gsasl systemd-socket-activate:systemd /usr/libexec/gam_server:gamin"
# What Courier's programs need: themselves, their libraries, and a passwd file of the test's own;
# fail2ban, which is a service where it is installed; and the mail servers and the delivery
# agent that ask for accounts, with their libraries.
UNPACK="courier-base courier-imap courier-authlib courier-authlib-userdb libcourier-unicode4 libgdbm6 libidn12 libnss-wrapper fail2ban
courier-authdaemon maildrop libpcre3 postfix libnsl2 libicu72 libsasl2-2 libdb5.3
exim4-daemon-heavy exim4-base libgnutls-dane0 libspf2-2 libunbound8"
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
GO_MIN=1.26

say() { echo "setup: $*" >&2; }

# missing prints the packages whose program is not there.
missing() {
	for n in $NEEDS; do
		command -v "${n%%:*}" >/dev/null 2>&1 || printf '%s ' "${n#*:}"
	done
	# the race detector needs the C library's headers
	[ -e /usr/include/stdlib.h ] || printf 'libc6-dev '
	# the program that asks PAM is built against it
	[ -e /usr/include/security/pam_appl.h ] || printf 'libpam0g-dev '
}

# courier_dir prints where Courier is unpacked: other users than root must be able
# to run it there.
courier_dir() {
	if [ -n "${POSTRIDER_TEST_CACHE:-}" ]; then
		printf '%s/courier\n' "$POSTRIDER_TEST_CACHE"
	elif [ "$(id -u)" = 0 ]; then
		printf '/var/cache/postrider-tests/courier\n'
	else
		printf '%s/postrider-tests/courier\n' "${XDG_CACHE_HOME:-$HOME/.cache}"
	fi
}

# courier_lacks prints the packages that are not unpacked yet. Each leaves its folder of
# documents behind.
courier_lacks() {
	for p in $UNPACK; do
		[ -d "$1/usr/share/doc/$p" ] || printf '%s ' "$p"
	done
}

# unpack_courier fills that folder. The first time it does so in one step: a run that is
# interrupted leaves none.
unpack_courier() (
	dir=$(courier_dir)
	UNPACK=$(courier_lacks "$dir")
	[ -n "$UNPACK" ] || return 0
	command -v dpkg-deb >/dev/null 2>&1 || { say "Courier-IMAP is missing in $dir, and only Debian's packages can be unpacked"; return 1; }
	say "unpacking Courier-IMAP into $dir"
	umask 022
	mkdir -p "$(dirname "$dir")"
	part=$(mktemp -d "$dir.part.XXXXXX")
	trap 'rm -rf "$part"' EXIT
	mkdir "$part/debs" "$part/root"
	cd "$part/debs"
	# shellcheck disable=SC2086
	if ! apt-get download -qq $UNPACK >"$part/log" 2>&1; then
		apt-get update -qq >>"$part/log" 2>&1 || true
		# shellcheck disable=SC2086
		apt-get download -qq $UNPACK >>"$part/log" 2>&1 || { tail -n 5 "$part/log" >&2; say "cannot download: $UNPACK"; return 1; }
	fi
	for deb in *.deb; do
		dpkg-deb -x "$deb" "$part/root"
	done
	# Only usr and etc are laid over the system, where lib is a link into usr.
	[ ! -d "$part/root/lib" ] || cp -a "$part/root/lib/." "$part/root/usr/lib"
	chmod 755 "$part/root"
	[ -d "$dir" ] || ! mv -T "$part/root" "$dir" 2>/dev/null || return 0
	cp -a "$part/root/." "$dir" # packages that are new in the list, beside the others
)

check_go() {
	command -v go >/dev/null 2>&1 || { say "no Go: install Go $GO_MIN or newer, see https://go.dev/doc/install"; exit 1; }
	have=$(go env GOVERSION | sed 's/^go//')
	first=$(printf '%s\n%s\n' "$GO_MIN" "$have" | sort -V | head -n 1)
	[ "$first" = "$GO_MIN" ] || { say "Go $have is too old: Go $GO_MIN or newer is needed"; exit 1; }
}

if [ "${1:-}" = courier-dir ]; then
	courier_dir
	exit 0
fi
check_go
want=$(missing)
[ -n "$want" ] || { unpack_courier; exit; }
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
	say "the tests need these Debian packages or their like: $want"
	say "run this as root on Debian to have them installed"
	exit 1
fi

# No daemon of an installed package may start by itself; the guard is taken away
# again if it was not there before.
guard=/usr/sbin/policy-rc.d
if [ ! -e "$guard" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$guard"
	chmod 755 "$guard"
	trap 'rm -f "$guard"' EXIT
fi
# Links into an unpacked Dovecot elsewhere would be written through.
for l in /usr/lib/dovecot /usr/bin/doveconf /usr/bin/doveadm; do
	[ ! -L "$l" ] || rm "$l"
done

say "installing: $want"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
# shellcheck disable=SC2086
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends \
	-o DPkg::Lock::Timeout=300 $want; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	say "apt-get failed, see $log"
	exit 1
fi
rm -f "$log"
want=$(missing)
[ -z "$want" ] || { say "still missing after the installation: $want"; exit 1; }
unpack_courier
