# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# PostgreSQL with a superuser and a database "leat", trusted on loopback; no Unix socket.

postgres_port=${LEAT_POSTGRES_PORT:-15432}
postgres_stop="INT QUIT"	# "fast", which does not wait for clients, then "immediate"

# PostgreSQL refuses to run as root, so root runs it as the user that Debian's package brings.
postgres_as() {
	if ((EUID == 0)); then echo setpriv --reuid=postgres --regid=postgres --init-groups --; fi
}

postgres_bin() { find /usr/lib/postgresql/*/bin -name postgres -printf '%h\n' 2>/dev/null | sort -V | tail -n 1; }

postgres_prepare() {
	[ -n "$(postgres_bin)" ] || { echo "no PostgreSQL; run scripts/deps --services"; return 1; }
	postgres_is_alone || { echo "processes of the one before are still at work"; return 1; }
	[ -e "$postgres_dir/data" ] || { postgres_create "$postgres_dir/new" && mv "$postgres_dir/new" "$postgres_dir/data"; }
}

# After a crash the backends of the dead server end on their own, and it cannot start again before. Once nobody works in
# the data folder, a lock file there is of a dead process, even where nobody has waited for that process yet.
postgres_is_alone() {
	local tries=200
	while [ -n "$(find /proc/[0-9]*/cwd -maxdepth 0 -lname "$postgres_dir/data" 2>/dev/null)" ]; do
		((tries-- > 0)) || return
		sleep 0.05
	done
	rm -f "$postgres_dir/data/postmaster.pid"
}

postgres_create() {
	local as bin new=$1
	bin=$(postgres_bin)
	read -ra as <<<"$(postgres_as)"
	rm -rf "$new" && mkdir -m 700 "$new" && { ((EUID)) || chown postgres: "$new"; } && cd / &&
		"${as[@]}" "$bin/initdb" -D "$new" -U leat -A trust -E UTF8 --locale=C.UTF-8 --no-sync --no-instructions &&
		echo 'create database leat' | "${as[@]}" "$bin/postgres" --single -D "$new" postgres
}

postgres_command() {
	local as
	read -ra as <<<"$(postgres_as)"
	command=("${as[@]}" "$(postgres_bin)/postgres" -D "$postgres_dir/data" -p "$postgres_port"
		-c "listen_addresses=$host" -c unix_socket_directories= -c shared_buffers=64MB -c timezone=UTC
		-c logging_collector=off)
}

postgres_ready() { pg_isready -q -h "$host" -p "$postgres_port" -U leat -d leat; }

postgres_env() { echo "export POSTGRES_URL=postgresql://leat@$host:$postgres_port/leat"; }
