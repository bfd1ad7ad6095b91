# SPDX-License-Identifier: Apache-2.0
"""What is compared: how each engine is started on a topic, and what it is."""
import os
import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LEAT_BUILD_DIR", SOURCE / "build"))
PEERS = SOURCE / "build-peers"
JAVA = ("kafka-streams", "flink")
OPENED = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in ("java.lang", "java.util", "java.nio", "sun.nio.ch")]


def leat(pipeline):
    def command(names, state):
        return [BUILD / "leat", "run", SOURCE / f"bench/pipelines/{pipeline}.yaml", "--plugin-path", BUILD / "plugins/.libs",
                "--state-dir", state, "--status", "never", "--quiet"]
    return command


def limit(n_producers):
    def command(names, state):
        return [BUILD / "bench/limit", "--score", "--epoch", "20", "--producers", n_producers, names["BENCH_INPUT"],
                names["BENCH_OUTPUT"]]
    return command


def java(peer, *settings):
    def command(names, state):
        folder = PEERS / peer
        return ["java", *OPENED, "-cp", f"{folder}/{peer}-1.jar:{folder}/lib/*", "Score", os.environ["KAFKA_BROKERS"],
                names["BENCH_INPUT"], names["BENCH_OUTPUT"], names["BENCH_NAME"], state, *settings]
    return command


# A group.instance.id lets a member that was killed come back at once, where its session ends after 45 s.
TUNED = ("commit.interval.ms=10", "producer.linger.ms=0", "num.stream.threads=2", "statestore.cache.max.bytes=67108864",
         "group.instance.id=score")
BULK = ("commit.interval.ms=1000", "num.stream.threads=2", "statestore.cache.max.bytes=268435456", "producer.batch.size=131072",
        "producer.compression.type=lz4")
# Flink makes no checkpoints unless told to: each second is what its documentation shows.
ROCKSDB = ("state.backend.type=rocksdb", "execution.checkpointing.incremental=true")
FLINK = (*ROCKSDB, "execution.checkpointing.interval=1 s")
FLINK_TUNED = (*ROCKSDB, "execution.checkpointing.interval=100 ms", "execution.buffer-timeout.interval=1 ms",
               "pipeline.object-reuse=true", "taskmanager.memory.managed.size=256 mb")
FLINK_BULK = ("state.backend.type=hashmap", "execution.checkpointing.interval=5 s", "pipeline.object-reuse=true")
ENGINES = {
    "leat": leat("score"),
    "leat_lua": leat("score_lua"),
    "limit": limit(1),
    "limit_two": limit(2),
    "kafka_streams": java("kafka-streams"),
    "kafka_streams_tuned": java("kafka-streams", *TUNED),
    "kafka_streams_bulk": java("kafka-streams", *BULK),
    "flink": java("flink", *FLINK),
    "flink_tuned": java("flink", *FLINK_TUNED),
    "flink_bulk": java("flink", *FLINK_BULK),
}
# What is not measured, and why not.
BULKY = {"kafka_streams_bulk", "flink_bulk"}
NOT_FOR = {"latency": BULKY, "memory": BULKY, "restart": BULKY | {"limit", "limit_two"}}


def peer_of(engine):
    """The folder of a Java engine, None for the others."""
    return next((peer for peer in JAVA if engine.startswith(peer.replace("-", "_"))), None)


def setup():
    """Builds the peers; Maven needs the network the first time only."""
    for peer in JAVA:
        pom = SOURCE / f"bench/peers/{peer}/pom.xml"
        command = ["mvn", "-q", "-B", "-f", pom, "package"]
        if subprocess.run([*command, "-o"], cwd=SOURCE, capture_output=True).returncode and subprocess.run(command, cwd=SOURCE).returncode:
            sys.exit(f'Maven could not build "{pom}": see above; its artifacts come over the network the first time')


def missing():
    """Engines that cannot be started yet, and why not."""
    absent = {}
    for engine in ENGINES:
        peer = peer_of(engine)
        program = PEERS / peer / f"{peer}-1.jar" if peer else BUILD / ("bench/limit" if engine.startswith("limit") else "leat")
        if not program.exists():
            absent[engine] = f'there is no "{program}"; run {"bench/run --setup" if peer else "scripts/build"}'
    return absent
