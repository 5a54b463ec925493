#!/bin/sh
# Fetches the mail servers that the conformance tests use besides Dovecot: Cyrus IMAP and Courier IMAP. Their Debian packages
# conflict with Dovecot's, so they are not installed: the packages are downloaded and unpacked into a folder of their own.
# Nothing is installed, started or configured, and no package database changes. Says first what it does; silent when all
# is there.
#
#   scripts/test-mailservers.sh           fetch what is missing (no root needed; root only to refresh old package lists)
#   scripts/test-mailservers.sh --check   only look; exit 1 when something is missing
#
# The folder is $KONTROL_TEST_MAILSERVERS, or else /var/cache/kontrol-tests/mailservers for root (whose home the servers'
# account cannot read) and ${XDG_CACHE_HOME:-~/.cache}/kontrol-tests/mailservers for everybody else. About 30 MB.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
if [ -n "${KONTROL_TEST_MAILSERVERS-}" ]; then
	root=$KONTROL_TEST_MAILSERVERS
elif [ "$(id -u)" = 0 ]; then
	root=/var/cache/kontrol-tests/mailservers
else
	root=${XDG_CACHE_HOME:-$HOME/.cache}/kontrol-tests/mailservers
fi

servers='cyrus-imapd cyrus-common courier-imap courier-base gamin sasl2-bin libsasl2-modules'
binaries='usr/lib/cyrus/bin/master usr/lib/cyrus/bin/imapd usr/lib/cyrus/bin/lmtpd usr/lib/cyrus/bin/idled usr/bin/imapd usr/sbin/saslpasswd2'

# What this script makes of the packages; a cache made by another version is made anew.
version=1

if [ "$(cat "$root/complete" 2>/dev/null)" = "$version" ]; then exit 0; fi

instead() {
	echo "$1"
	echo "The tests that need Cyrus and Courier fail without them. To skip those: KONTROL_TEST_SKIP_SERVERS=1, or make test-bare"
	exit 1
}

[ "${1-}" != --check ] || instead "Cyrus and Courier are not in $root; scripts/test-mailservers.sh fetches them."
command -v apt-get >/dev/null && command -v dpkg >/dev/null ||
	instead "Cyrus and Courier are unpacked from Debian packages, and this system has no apt-get."

if command -v cc >/dev/null; then compiler=cc; else compiler=gcc; fi

echo "Fetching Cyrus and Courier for the conformance tests: Debian packages, unpacked into"
echo "  $root"
echo "and not installed."

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# The libraries the servers need, and theirs, as far as this machine does not have them.
wanted() {
	apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
		cyrus-imapd courier-imap gamin sasl2-bin 2>/dev/null | grep -E '^(lib[a-z0-9]|courier-authlib$)' | grep -v -e '-perl$' -e '^libnewt' -e '^libsecret' | sort -u |
		while read -r package; do installed "$package" || echo "$package"; done
	echo "$servers" | tr ' ' '\n'
}

fetch() {
	packages=$(wanted)
	# shellcheck disable=SC2086
	if ! apt-get -o APT::Sandbox::User=root -qq download $packages >/dev/null 2>&1; then
		# A name in the list may be virtual, and then none is fetched. What is really missing shows below.
		for package in $packages; do
			apt-get -o APT::Sandbox::User=root -qq download "$package" >/dev/null 2>&1 || true
		done
	fi
	ls ./cyrus-imapd_*.deb ./courier-imap_*.deb >/dev/null 2>&1
}

mkdir -p "$root"
# The servers' account must be able to read it.
chmod 755 "$root"
work=$root/packages
rm -rf "$work" && mkdir "$work" && cd "$work"
if ! fetch; then
	# Old package lists name files that the mirror no longer has.
	[ "$(id -u)" = 0 ] || instead "The packages cannot be downloaded. Refresh the package lists as root (apt-get update), then try again."
	apt-get -qq update
	fetch || instead "The packages cannot be downloaded."
fi
for package in ./*.deb; do dpkg -x "$package" "$root"; done
for package in ./*.deb; do dpkg-deb -W --showformat='${Package} ${Version}\n' "$package"; done >../versions
cd "$root" && rm -rf "$work"

libraries=
for dir in "$root"/usr/lib/*-linux-gnu* "$root"/lib/*-linux-gnu* "$root"/usr/lib; do
	if [ -d "$dir" ]; then libraries=$libraries${libraries:+:}$dir; fi
done
for binary in $binaries; do
	missing=$(LD_LIBRARY_PATH=$libraries ldd "$root/$binary" | grep 'not found' || true)
	[ -z "$missing" ] || instead "$binary lacks libraries: $missing"
done
if command -v "$compiler" >/dev/null; then
	"$compiler" -O1 -shared -fPIC -o "$root/syslog-to-file.so" "$here/syslog-to-file.c"
fi
echo "$version" >"$root/complete"
