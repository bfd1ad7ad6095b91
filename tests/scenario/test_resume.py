# SPDX-License-Identifier: Apache-2.0
"""A Kafka source that goes on where it was: after a crash, after a clean stop, with partitions that came while it ran."""

import collections
import json

import pytest
from confluent_kafka.admin import NewPartitions

PARTITIONS = 4


class Copy:
    """From one topic into another, and what the consumer group's offsets say."""

    def __init__(self, kafka, topic, pipeline):
        self.kafka, self.n = kafka, 0
        self.source, self.sink = topic("in", partitions=PARTITIONS), topic("out")
        brokers = "${KAFKA_BROKERS}"
        self.run = pipeline({
            "pipeline": "resume",
            "delivery": "at-least-once",
            "sources": {"in": {"type": "kafka", "brokers": brokers, "topic": self.source, "start": "stored", "group": self.source}},
            "sinks": {"out": {"type": "kafka", "input": "in", "brokers": brokers, "topic": self.sink}},
        })

    def write(self, n):
        self.kafka.write(self.source, [(f"user{i % 97}", {"i": i}) for i in range(self.n, self.n + n)])
        self.n += n

    def counts(self):
        """How often each event is in the sink."""
        return collections.Counter(json.loads(message.value())["i"] for message in self.kafka.read(self.sink))

    def wait_for_all(self):
        self.run.wait_until(lambda: len(self.counts()) >= self.n, f"{self.n} events")
        assert set(self.counts()) == set(range(self.n))

    def lag(self):
        return self.kafka.lag(self.source, self.source)

    def wait_for_no_lag(self):
        self.run.wait_until(lambda: self.lag() == 0, "the group's offsets")


@pytest.fixture
def copy(kafka, topic, pipeline):
    return Copy(kafka, topic, pipeline)


def test_a_crash_loses_nothing_and_goes_on_near_where_it_was(copy):
    copy.write(2000)
    assert copy.lag() == 2000
    copy.run.start()
    copy.wait_for_all()
    copy.wait_for_no_lag()
    for _ in range(2):
        before = sum(copy.counts().values())
        copy.write(5000)
        copy.run.wait_until(lambda: sum(copy.counts().values()) > before, "some of the new events")
        copy.run.kill()
        copy.write(100)
        copy.run.start()
        copy.wait_for_all()
        copy.wait_for_no_lag()
    counts = copy.counts()
    assert all(counts[i] == 1 for i in range(2000)), "what was committed long before the crash was read again"
    assert copy.run.stop() == 0


def test_a_clean_stop_leaves_nothing_to_be_read_twice(copy):
    copy.run.start()
    for _ in range(3):
        before = sum(copy.counts().values())
        copy.write(3000)
        copy.run.wait_until(lambda: sum(copy.counts().values()) > before, "some events")
        assert copy.run.stop() == 0
        assert copy.lag() == copy.n - len(copy.counts()), "the group's offsets are those of what was delivered"
        copy.run.start()
    copy.wait_for_all()
    assert copy.run.stop() == 0
    assert copy.lag() == 0
    assert set(copy.counts().values()) == {1}


def test_partitions_that_come_later_are_read_from_their_beginning(copy):
    copy.write(100)
    copy.run.start()
    copy.wait_for_all()
    copy.kafka.admin.create_partitions([NewPartitions(copy.source, PARTITIONS + 3)])[copy.source].result(timeout=30)
    # Before leat can have noticed them.
    producer = copy.kafka.producer()
    for partition in range(PARTITIONS, PARTITIONS + 3):
        producer.produce(copy.source, json.dumps({"i": copy.n}), partition=partition)
        copy.n += 1
    assert producer.flush(30) == 0
    copy.wait_for_all()
    copy.wait_for_no_lag()
    series = 'leat_source_partitions{pipeline="resume",node="in",role="source",type="kafka"}'
    assert copy.run.metrics()[series] == PARTITIONS + 3
    assert copy.run.stop() == 0
    assert set(copy.counts().values()) == {1}
    copy.run.start()
    copy.write(500)
    copy.wait_for_all()
    assert copy.run.stop() == 0
    assert set(copy.counts().values()) == {1}
