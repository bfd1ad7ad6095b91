# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Redis with an append-only file, synced every second.

redis_port=${LEAT_REDIS_PORT:-16379}
redis_stop=TERM

# Its title would hide the path by which we know it again.
redis_prepare() {
	command -v redis-server || { echo "no redis-server; run scripts/deps --services"; return 1; }
	cat >"$redis_dir/redis.conf" <<-END
		bind $host
		port $redis_port
		dir "$redis_dir"
		appendonly yes
		appendfsync everysec
		save ""
		set-proc-title no
	END
}

redis_command() { command=(redis-server "$redis_dir/redis.conf"); }

# It says LOADING instead of PONG until its data is there.
redis_ready() { [ "$(redis-cli -h "$host" -p "$redis_port" ping)" = PONG ]; }

redis_env() {
	echo "export REDIS_URL=redis://$host:$redis_port/0"
	echo "export REDIS_HOST=$host"
	echo "export REDIS_PORT=$redis_port"
}
