#!/bin/sh
# Installs the programs beside which Kontrol is measured (make bench), where there is a way; what cannot be installed is
# left out of the tables and named there. Kontrol itself needs none of them.
set -u

missing=
want() { # program package
	if ! command -v "$1" >/dev/null 2>&1; then missing="$missing $2"; fi
}
want imapfilter imapfilter
want mbsync isync
want offlineimap offlineimap3
want getmail getmail6
want fdm fdm

if [ -n "$missing" ]; then
	echo "Other programs to measure beside:$missing"
	if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
		for p in $missing; do
			DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=120 install --no-install-recommends "$p" >/dev/null ||
				echo "$p could not be installed; it is left out"
		done
	else
		echo "They are left out. To install them: sudo apt-get install --no-install-recommends$missing"
	fi
fi

# ImapFlow, a library for Node: only where npm is, into the user's cache.
home="${XDG_CACHE_HOME:-$HOME/.cache}/kontrol-bench"
if command -v npm >/dev/null 2>&1 && command -v node >/dev/null 2>&1; then
	if [ ! -e "$home/node_modules/imapflow/package.json" ]; then
		echo "Installing the npm package imapflow into $home"
		mkdir -p "$home"
		npm install --prefix "$home" --no-fund --no-audit --silent imapflow@2.10.2 || echo "imapflow could not be installed; it is left out"
	fi
else
	echo "No npm: ImapFlow is left out."
fi
exit 0
