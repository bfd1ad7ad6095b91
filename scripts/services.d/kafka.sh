# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# One Kafka node in KRaft mode, broker and controller in one process, from the jars that scripts/deps fetches.

kafka_port=${LEAT_KAFKA_PORT:-19092}
kafka_controller_port=${LEAT_KAFKA_CONTROLLER_PORT:-19093}
kafka_stop=TERM

kafka_prepare() {
	[ -e "$kafka_jars/.complete" ] || { echo "no Kafka in $kafka_jars; run scripts/deps --services"; return 1; }
	find_java >/dev/null || { echo "no Java 17 or later; run scripts/deps --services"; return 1; }
	! answers "$kafka_controller_port" ||
		{ echo "port $kafka_controller_port of $host is taken; set LEAT_KAFKA_CONTROLLER_PORT to another"; return 1; }
	mkdir -p "$kafka_dir/tmp" && kafka_properties >"$kafka_dir/server.properties" || return
	[ -e "$kafka_dir/data/meta.properties" ] ||
		kafka_tool kafka.tools.StorageTool format --cluster-id "$(kafka_cluster_id)" \
			--config "$kafka_dir/server.properties"
}

# What is small here is small because a test machine is. What is quick is so for tests of crashes: a transaction that has
# timed out is aborted within a second (ten by default), and the registration of a broker that crashed, which keeps its
# successor out, ends after five (nine).
kafka_properties() {
	cat <<-END
		process.roles=broker,controller
		node.id=1
		controller.quorum.voters=1@$host:$kafka_controller_port
		controller.listener.names=CONTROLLER
		listeners=PLAINTEXT://$host:$kafka_port,CONTROLLER://$host:$kafka_controller_port
		advertised.listeners=PLAINTEXT://$host:$kafka_port
		log.dirs=$kafka_dir/data
		broker.heartbeat.interval.ms=1000
		broker.session.timeout.ms=5000
		auto.create.topics.enable=false
		offsets.topic.num.partitions=4
		offsets.topic.replication.factor=1
		transaction.state.log.num.partitions=4
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
		share.coordinator.state.topic.num.partitions=1
		share.coordinator.state.topic.replication.factor=1
		share.coordinator.state.topic.min.isr=1
		group.initial.rebalance.delay.ms=0
		log.cleaner.dedupe.buffer.size=8388608
		log.retention.ms=-1
	END
}

# 16 bytes in base64 without padding; hexadecimal digits are valid base64, and an A at the end leaves the spare bits zero.
kafka_cluster_id() { echo "$(tr -d '\n-' </proc/sys/kernel/random/uuid | cut -c 1-21)A"; }

# The heap is small on purpose: with 1 GB its collector paused 60-340 ms on small virtual machines. All pauses are written down, for
# bench to tell them beside what it measures.
kafka_command() {
	command=("$(find_java)" -server -cp "$kafka_jars/*"
		-Xms160m -Xmx160m -XX:+UseParallelGC -XX:+AlwaysPreTouch -XX:-UsePerfData -XX:+ExitOnOutOfMemoryError
		"-Xlog:safepoint:file=$kafka_dir/pauses:utctime:filecount=1,filesize=8m"
		-Djava.awt.headless=true "-Djava.io.tmpdir=$kafka_dir/tmp"
		-Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.log.kafka.server=info
		-Dorg.slf4j.simpleLogger.showDateTime=true
		"-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS"
		kafka.Kafka "$kafka_dir/server.properties")
}

# An open port is not enough: the broker has to be in its own list of brokers.
kafka_ready() { answers "$kafka_port" && kcat -b "$host:$kafka_port" -L -m 2 | grep -q '^ 1 brokers'; }

kafka_env() { printf 'export KAFKA_BROKERS=%s\nexport KAFKA_PAUSES=%q\n' "$host:$kafka_port" "$kafka_dir/pauses"; }

# One of Kafka's own tools, set for a quick start.
kafka_tool() {
	"$(find_java)" -cp "$kafka_jars/*" -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto \
		-Dorg.slf4j.simpleLogger.defaultLogLevel=warn "$@"
}

kafka_topic() {
	local tool=(kafka_tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$host:$kafka_port") name
	answers "$kafka_port" || die "could not reach Kafka on $host:$kafka_port; run scripts/services start kafka"
	if [ "${1-}" = --delete ] && (($# > 1)); then
		for name in "${@:2}"; do "${tool[@]}" --delete --if-exists --topic "$name"; done
	elif [[ ${1--} != -* && ${2-} =~ ^[1-9][0-9]*$ ]]; then
		"${tool[@]}" --create --if-not-exists --topic "$1" --partitions "$2" --replication-factor 1 "${@:3}"
	else
		misused "topic takes NAME PARTITIONS, or --delete NAME ..."
	fi
}
