# SPDX-License-Identifier: Apache-2.0
"""The services as tests see them: scripts/services, and a client of Kafka that is not leat's."""

import json
import os
import pathlib
import signal
import subprocess
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = SOURCE / "scripts" / "services"


def addresses():
    """What `scripts/services env` exports; the environment, where it has the same variable, comes first."""
    lines = subprocess.run([SCRIPT, "env"], check=True, capture_output=True, text=True).stdout.splitlines()
    pairs = (line.removeprefix("export ").split("=", 1) for line in lines)
    return {name: os.environ.get(name, value) for name, value in pairs}


class Services:
    """Stops and starts services in the middle of a test. What a test has ended is started again after it."""

    def __init__(self):
        self.ended = []

    def stop(self, *names):
        self.ended += names
        self.run("stop", *names)

    def crash(self, *names):
        """They are gone when it returns: a start that still saw one would wait for it."""
        for name in names:
            self.ended.append(name)
            os.kill(self.pid(name), signal.SIGKILL)
            while self.pid(name):
                time.sleep(0.05)

    def start(self, *names):
        self.run("start", *names)
        self.ended = [name for name in self.ended if name not in names]

    def restore(self):
        if self.ended:
            self.start(*self.ended)

    def are_up(self, *names):
        return subprocess.run([SCRIPT, "status", *names], capture_output=True).returncode == 0

    def pid(self, name):
        """As `scripts/services status` prints it, None if the service is down."""
        table = subprocess.run([SCRIPT, "status", name], capture_output=True, text=True).stdout
        pid = table.splitlines()[1].split()[2]
        return None if pid == "-" else int(pid)

    def run(self, *arguments):
        done = subprocess.run([SCRIPT, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def sync_always(redis_client):
    """Until its next start. What it has answered, it has on its disk: with everysec, it may not even have written it."""
    redis_client.config_set("appendfsync", "always")


# Clients would print every attempt to reach a broker that a test has stopped.
SILENT = {"log_level": 2}


class Kafka:
    def __init__(self, brokers):
        self.brokers = brokers
        self.admin = AdminClient({"bootstrap.servers": brokers, **SILENT})

    def create_topic(self, name, partitions=1, replica_assignment=None, **config):
        """Options of the topic are keywords with underscores: cleanup_policy="compact". An assignment has the brokers of each partition."""
        config = {option.replace("_", "."): value for option, value in config.items()}
        if replica_assignment:
            topic = NewTopic(name, num_partitions=len(replica_assignment), replica_assignment=replica_assignment, config=config)
        else:
            topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=config)
        self.admin.create_topics([topic])[name].result(timeout=30)

    def delete_topics(self, names):
        """A client whose broker has crashed may ask on a connection that is gone, and hear nothing: then a new one asks."""
        left = self.try_to_delete(names)
        if left:
            self.admin = AdminClient({"bootstrap.servers": self.brokers, **SILENT})
            left = self.try_to_delete(left)
        assert not left, f"topics could not be deleted: {left}"

    def try_to_delete(self, names):
        """Returns those that may be there still."""
        asked = self.admin.delete_topics(names, operation_timeout=10, request_timeout=20)
        return [name for name, done in asked.items() if not self.is_gone(done)]

    @staticmethod
    def is_gone(done):
        try:
            done.result(timeout=30)
        except TimeoutError:
            return False
        except KafkaException as error:
            return error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART
        return True

    def producer(self, **config):
        return Producer({"bootstrap.servers": self.brokers, "linger.ms": 5, **SILENT, **config})

    def consumer(self, **config):
        defaults = {
            "bootstrap.servers": self.brokers,
            "group.id": "scenario",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            **SILENT,
        }
        return Consumer({**defaults, **config})

    def write(self, topic, records):
        """Records are (key, value); a value that is neither text nor bytes is written as JSON. Waits for all of them."""
        producer, refused = self.producer(acks="all"), []

        def delivered(error, _message):
            if error:
                refused.append(error)

        for key, value in records:
            if not isinstance(value, (str, bytes)):
                value = json.dumps(value)
            while True:
                try:
                    producer.produce(topic, value, key, on_delivery=delivered)
                    break
                except BufferError:
                    producer.poll(0.1)
        left = producer.flush(60)
        assert not left and not refused, f"{left} records not delivered, refused: {refused[:3]}"

    @staticmethod
    def partitions(client, topic):
        """Of a topic that there is: a broker that is busy may say for a moment that it knows of none."""
        deadline = time.monotonic() + 30
        while True:
            found = client.list_topics(topic, timeout=30).topics[topic]
            if found.error is None and found.partitions:
                return list(found.partitions)
            assert time.monotonic() < deadline, f"topic {topic} has no partitions: {found.error}"
            time.sleep(0.1)

    def each(self, topic, **config):
        """All committed messages that are in the topic now, one after another, ordered within each partition."""
        consumer = self.consumer(**config)
        try:
            partitions = self.partitions(consumer, topic)
            consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
            unread = set(partitions)
            while unread:
                message = consumer.poll(30)
                assert message is not None, f"the end of {topic} was not reached, unread: {unread}"
                if message.error() is None:
                    yield message
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    unread.discard(message.partition())
                else:
                    raise KafkaException(message.error())
        finally:
            consumer.close()

    def read(self, topic, **config):
        return list(self.each(topic, **config))

    def lag(self, topic, group):
        """As a tool of Kafka's computes it: the ends of the partitions minus what the group has committed."""
        consumer = self.consumer(**{"group.id": group})
        try:
            partitions = [TopicPartition(topic, p) for p in self.partitions(consumer, topic)]
            committed = consumer.committed(partitions, timeout=10)
            return sum(consumer.get_watermark_offsets(one, timeout=10)[1] - max(one.offset, 0) for one in committed)
        finally:
            consumer.close()

    def read_json(self, topic):
        return [json.loads(message.value()) for message in self.read(topic)]
