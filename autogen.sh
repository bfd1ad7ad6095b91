#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes configure. autoconf's configure sweeps core dumps away with `rm -f core ...`, which stumbles over our folder core/
# (rm fails, and what follows it in an && list is not run), so that word is taken out again.
set -e
cd "$(dirname "$0")"
mkdir -p m4
autoreconf --install --force
sed -e 's/rm -f core /rm -f /' configure >configure.tmp
if grep -n 'rm -f[^;]* core[ ;]' configure.tmp; then
	echo 'autogen.sh: configure still removes "core"' >&2
	exit 1
fi
cat configure.tmp >configure
rm configure.tmp
