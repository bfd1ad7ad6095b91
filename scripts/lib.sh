# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# What the scripts share: messages, where downloads are kept, and how to find Java, Kafka and Python.
# Sourced, never run.

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${LEAT_CACHE:-${HOME:-/root}/.cache/leat}
kafka_version=4.3.0
kafka_jars=$cache/kafka-$kafka_version

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }
misused() { say "$*; see --help"; exit 2; }

# The comment block at the top of a script is its help.
usage() { sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"; }

# Print the first Java that can run Kafka, which needs 17.
find_java() {
	local java
	for java in ${JAVA_HOME:+"$JAVA_HOME/bin/java"} java /usr/lib/jvm/*/bin/java; do
		command -v "$java" >/dev/null || continue
		if (($(java_major "$java") >= 17)); then
			command -v "$java"
			return
		fi
	done
	return 1
}

# "1.8.0_392" is 8, "17.0.15" is 17.
java_major() {
	local version
	version=$("$1" -version 2>&1 | sed -n 's/.*version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p' | head -n 1)
	echo "${version:-0}"
}

# The Python environment of the tests. Its name holds a hash of what is in it, so that two checkouts with different
# requirements do not undo each other's work.
venv_dir() {
	local hash
	hash=$(sha256sum <"$source_dir/tests/requirements.txt")
	echo "$cache/python-${hash:0:12}"
}
