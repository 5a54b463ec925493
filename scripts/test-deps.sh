#!/bin/sh
# Makes sure that what the tests need is on this machine: a private Dovecot and a private PostgreSQL to start, a C compiler
# for the race detector. Says what is missing and why before it installs anything; silent when nothing is missing.
#
#   scripts/test-deps.sh           install what is missing (as root, or through sudo that asks no password)
#   scripts/test-deps.sh --check   only look; exit 1 when something is missing
#
# Nothing it installs is started or set to start: the tests run their own servers, in temporary folders, on loopback.
# Debian and Ubuntu; elsewhere it prints what to install by hand. Go itself is expected to be there.
set -eu

self=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
missing=''   # packages
reasons=''   # one line for each

need() { # package, reason
	missing="$missing $1"
	reasons="$reasons  $1: $2
"
}

have() { command -v "$1" >/dev/null 2>&1; }

# Programs of Debian's that stand outside an ordinary user's PATH.
PATH=$PATH:/usr/sbin:/sbin

any() { # reports whether one of the paths exists
	for path in "$@"; do [ -e "$path" ] && return 0; done
	return 1
}

look() {
	missing='' reasons=''
	any /usr/lib/dovecot/imap /usr/libexec/dovecot/imap && have dovecot ||
		need dovecot-imapd 'the IMAP server that the mailbox engine is tested against'
	any /usr/lib/dovecot/lmtp /usr/libexec/dovecot/lmtp ||
		need dovecot-lmtpd 'delivers letters into that server'
	any /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb || have initdb ||
		need postgresql 'the database that the store is tested on, beside SQLite'
	have cc || have gcc || need gcc 'go test -race needs a C compiler'
	compiles || need libc6-dev 'go test -race needs the C headers'
	any /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem ||
		need ca-certificates 'go downloads modules over TLS'
	have git || need git 'go stamps the version of a build from it'
}

compiles() {
	if have cc; then compiler=cc; elif have gcc; then compiler=gcc; else any /usr/include/stdlib.h; return; fi
	printf '#include <stdlib.h>\n#include <pthread.h>\n' | "$compiler" -E - >/dev/null 2>&1
}

by_hand() {
	if have apt-get; then
		echo "Run this as root, then try again:"
		echo "  sh $self"
		echo "It does no more than this, and keeps the servers from being started:"
		echo "  apt-get update && apt-get install -y --no-install-recommends$missing"
	else
		echo "This system has no apt-get. Install what is named above with its own package manager, then try again."
	fi
	echo "To run the tests without the private servers: make test-bare"
}

# Debian starts a daemon as soon as it is installed, unless this file says no (exit code 101). One that is there already
# is the administrator's and stays as it is.
policy=/usr/sbin/policy-rc.d
policy_is_ours=no
# PostgreSQL's packages make and start a cluster "main", unless this drop-in says no.
cluster=/etc/postgresql-common/createcluster.d/kontrol-tests.conf

put_guards() {
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		policy_is_ours=yes
		chmod 755 "$policy"
	fi
	case $missing in *postgresql*)
		mkdir -p "$(dirname "$cluster")"
		echo 'create_main_cluster = false' >"$cluster"
		;;
	esac
}

take_guards_away() {
	if [ "$policy_is_ours" = yes ]; then rm -f "$policy"; fi
	rm -f "$cluster"
	rmdir "$(dirname "$cluster")" 2>/dev/null || true
}

apt() { DEBIAN_FRONTEND=noninteractive apt-get -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 "$@"; }

# Old package lists name files that the mirror no longer has: then once more with new lists.
# shellcheck disable=SC2086
install_missing() {
	apt -s install --no-install-recommends $missing >/dev/null 2>&1 || apt update
	apt install --no-install-recommends $missing || { apt update && apt install --no-install-recommends $missing; }
}

# The package enables its unit: a freshly installed Dovecot would come up at the next boot.
keep_from_booting() {
	if ! have systemctl; then return 0; fi
	case $missing in *dovecot*) systemctl disable --quiet dovecot.service dovecot.socket 2>/dev/null || true ;; esac
}

look
[ -n "$missing" ] || exit 0
echo "The tests need what this machine does not have:"
printf '%s' "$reasons"
if [ "${1-}" = --check ]; then by_hand; exit 1; fi
if ! have apt-get; then by_hand; exit 1; fi
if [ "$(id -u)" != 0 ]; then
	if have sudo && sudo -n true 2>/dev/null; then
		echo "Installing through sudo."
		exec sudo -n sh "$self" "$@"
	fi
	by_hand
	exit 1
fi

echo "Installing:$missing (their daemons are neither started nor enabled)"
trap take_guards_away EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
put_guards
install_missing
keep_from_booting

look
if [ -n "$missing" ]; then
	echo "Still missing after the installation:"
	printf '%s' "$reasons"
	by_hand
	exit 1
fi
