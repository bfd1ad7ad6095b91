# SPDX-License-Identifier: Apache-2.0
"""A second broker beside the one of scripts/services, whose controller it registers with. It is there to be killed."""

import pathlib
import re
import socket
import subprocess
import time

from confluent_kafka import TopicPartition

HOST = "127.0.0.1"
PATIENCE_S = 60


def free_port():
    with socket.create_server((HOST, 0)) as server:
        return server.getsockname()[1]


def command_of(pid):
    return pathlib.Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")


def make_internal_topics(kafka):
    """Those of transactions and of offsets, which would be put on both brokers if they were first used later."""
    producer = kafka.producer(**{"transactional.id": "second-broker"})
    producer.init_transactions(PATIENCE_S)
    consumer = kafka.consumer()
    consumer.committed([TopicPartition("second-broker", 0)], PATIENCE_S)
    consumer.close()


class SecondBroker:
    """Runs as the first one does, with its options, in a folder of its own. Partitions are put on it by hand: it has nothing else."""

    ID = 2

    def __init__(self, kafka, first_pid, folder):
        make_internal_topics(kafka)
        *java, _, first = command_of(first_pid)
        first = pathlib.Path(first)
        port = free_port()
        self.address, self.folder, self.process = f"{HOST}:{port}", folder, None
        self.java = [word for word in java if not word.startswith("-Xlog:")]
        self.properties = folder / "server.properties"
        options = dict(line.split("=", 1) for line in first.read_text().splitlines())
        self.admin = kafka.admin
        options.update({
            "process.roles": "broker",
            "node.id": self.ID,
            "listeners": f"PLAINTEXT://{self.address}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "log.dirs": folder / "data",
        })
        self.properties.write_text("".join(f"{name}={value}\n" for name, value in options.items()))
        cluster = re.search(r"cluster\.id=(.*)", (first.parent / "data" / "meta.properties").read_text())[1]
        format = ["kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config", self.properties]
        subprocess.run([*self.java, *format], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def is_there(self):
        """As the first broker knows it."""
        return self.ID in self.admin.list_topics(timeout=10).brokers

    def wait_until(self, is_there):
        deadline = time.monotonic() + PATIENCE_S
        while self.is_there() != is_there:
            assert time.monotonic() < deadline, f"the second broker is {'not ' if is_there else ''}there after {PATIENCE_S} s"
            time.sleep(0.1)

    def start(self):
        with open(self.folder / "log", "ab") as log:
            command = [*self.java, "kafka.Kafka", self.properties]
            self.process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait_until(True)

    def crash(self):
        """Returns when its partitions have no leader any more, which takes the controller some seconds."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
        self.wait_until(False)
