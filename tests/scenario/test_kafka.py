# SPDX-License-Identifier: Apache-2.0
"""Pipelines between topics of a real Kafka: what arrives, what is resumed, what happens when a topic goes.

What happens when the broker goes is in test_outage.py.
"""

import json
import subprocess
import time

import pytest
from confluent_kafka import TopicPartition

COPY = """
pipeline: copy
delivery: at-least-once
sources:
  in: {{type: kafka, brokers: "${{KAFKA_BROKERS}}", topic: {source}, start: {start}}}
sinks:
  out: {{type: kafka, input: in, brokers: "${{KAFKA_BROKERS}}", topic: {sink}, timeout: {timeout}}}
"""


def copy(source, sink, start="earliest", timeout="30s"):
    return COPY.format(source=source, sink=sink, start=start, timeout=timeout)


def write(kafka, topic, first, n):
    """Event i has key user<i % 7>."""
    kafka.write(topic, [(f"user{i % 7}", {"i": i}) for i in range(first, first + n)])


def ends(kafka, topic):
    """The number of messages, by the offsets at the ends of the partitions."""
    consumer = kafka.consumer()
    try:
        partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
        return sum(consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1] for p in partitions)
    finally:
        consumer.close()


def wait_for(kafka, topic, pipeline, n):
    """Waits until events 0 to n - 1 are all there, and returns the messages."""
    deadline = time.monotonic() + 60
    while True:
        messages = kafka.read(topic)
        found = {json.loads(message.value())["i"] for message in messages}
        assert found <= set(range(n))
        if len(found) == n:
            return messages
        assert time.monotonic() < deadline, f"{n - len(found)} of {n} events did not come\n{pipeline.log}"
        time.sleep(0.5)


def assert_ordered(messages):
    """The last event of each key is its last, and new ones come in their order, whatever came twice."""
    highest = {}
    last = {}
    for message in messages:
        key, i = message.key(), json.loads(message.value())["i"]
        assert i <= highest.get(key, i % 7) + 7, f"event {i} of {key} came before its predecessor"
        highest[key] = max(i, highest.get(key, i))
        last[key] = i
    assert last == highest


def test_a_topic_is_copied_with_keys_headers_and_tombstones(kafka, topic, pipeline):
    source, sink = topic("in", partitions=4), topic("out", partitions=4)
    producer = kafka.producer(partitioner="murmur2_random")
    for i in range(100):
        producer.produce(source, json.dumps({"i": i}), f"user{i % 7}", headers=[("trace", f"t{i}"), ("empty", b"")])
    producer.produce(source, None, "gone", timestamp=1700000000123)
    assert producer.flush(30) == 0
    running = pipeline(copy(source, sink)).start()
    running.wait_until(lambda: len(kafka.read(sink)) >= 101, "all of the copy")
    assert running.stop() == 0

    def seen(name):
        return [
            (m.partition(), m.key(), m.value() and json.loads(m.value()), m.headers(), m.timestamp()[1])
            for m in sorted(kafka.read(name), key=lambda m: m.partition())
        ]

    assert seen(sink) == seen(source)


def test_stored_goes_on_where_the_last_run_ended(kafka, topic, pipeline):
    source, sink = topic("in", partitions=2), topic("out")
    one = pipeline(copy(source, sink, start="stored"))
    write(kafka, source, 0, 50)
    one.start()
    wait_for(kafka, sink, one, 50)
    assert one.stop() == 0
    write(kafka, source, 50, 50)
    one.start()
    messages = wait_for(kafka, sink, one, 100)
    assert one.stop() == 0
    assert len(messages) == 100, "a clean stop leaves nothing to be read twice"
    assert_ordered(messages)


def test_latest_skips_nothing_that_comes_while_leat_is_down(kafka, topic, pipeline, leat):
    """Also in a partition that had no event while leat ran: where reading began is in the state before any event."""
    source, sink = topic("in", partitions=2), topic("out")
    write(kafka, source, 1000, 20)
    one = pipeline(copy(source, sink, start="latest").replace("at-least-once", "exactly-once"))

    def positions():
        words = [leat, "state", "list", one.file, "--state-dir", one.folder / "state", "--format", "json"]
        words += ["--plugin-path", one.plugins] if one.plugins else []
        done = subprocess.run(words, capture_output=True, text=True, env=one.environment, timeout=60)
        return json.loads(done.stdout)["positions"] if done.returncode == 0 else []

    one.start()
    one.wait_until(lambda: len(positions()) == 2, "the positions of both partitions")
    one.kill()
    write(kafka, source, 0, 20)
    one.start()
    messages = wait_for(kafka, sink, one, 20)
    assert one.stop() == 0
    assert len(messages) == 20


def test_a_sink_moves_to_another_topic_and_back_and_a_source_does_not(kafka, topic, pipeline):
    source, first, second = topic("in", partitions=2), topic("first"), topic("second")
    one = pipeline(copy(source, first).replace("at-least-once", "exactly-once"))
    n_written = 0
    for sink in (first, second, first, second):
        one.rewrite(copy(source, sink).replace("at-least-once", "exactly-once"))
        write(kafka, source, n_written, 30)
        n_written += 30
        one.start()
        one.wait_until(lambda: len(kafka.read(first)) + len(kafka.read(second)) >= n_written, "all events in one of the two")
        assert one.stop() == 0
    events = [json.loads(message.value())["i"] for name in (first, second) for message in kafka.read(name)]
    assert sorted(events) == list(range(n_written)) and len(kafka.read(first)) == len(kafka.read(second)) == 60
    one.rewrite(copy(second, first).replace("at-least-once", "exactly-once"))
    assert one.start().wait_exit() == 1
    assert f'is kafka topic "{second}" now, its positions in' in one.log and f'are of kafka topic "{source}"' in one.log


def test_check_names_a_topic_that_is_not_there(kafka, topic, pipeline, leat):
    one = pipeline(copy("no-such-topic", topic("out")))
    command = [leat, "check", one.file] + (["--plugin-path", one.plugins] if one.plugins else [])
    done = subprocess.run(command, capture_output=True, text=True, env=one.environment, timeout=60)
    assert done.returncode != 0
    assert f'topic "no-such-topic" does not exist at {kafka.brokers}' in done.stdout + done.stderr


def test_a_deleted_topic_ends_the_pipeline(kafka, topic, pipeline):
    source, sink = topic("in"), topic("out")
    other = source + "_again"
    kafka.create_topic(other)
    write(kafka, other, 0, 5)
    running = pipeline(copy(other, sink)).start()
    wait_for(kafka, sink, running, 5)
    kafka.delete_topics([other])
    assert running.wait_exit() == 1
    assert f'topic "{other}" at {kafka.brokers} was deleted' in running.log
