# SPDX-License-Identifier: Apache-2.0
"""Events that cannot be taken, by the source, a rule or one of the sinks, among others and with kills in between: one dead letter each.

What else is said about a bad event, and each way in which it may be bad: tests/scenario/test_bad_events.py.
"""

import collections
import json
import random
import time

import pytest
from checker import differences
from looks import open_transactions

ROUNDS, EVENTS = 5, 2000
KEYS = 50
MAX_BYTES, MAX_MESSAGE = 4096, 2000

SCRIPT = """
function process(event, state)
  local value = event.value + 1
  state.n = (state.n or 0) + 1
  event.n = state.n
  emit(event)
end
"""


def event(chance, i, **other):
    return {"id": i, "key": f"k{chance.randrange(KEYS)}", "value": 1, "bucket": f"b{chance.randrange(10)}", "note": "", **other}


# What makes an event so that this node refuses it.
POISON = [
    ("events", lambda chance, i: b'{"id": 1, amount}'),
    ("events", lambda chance, i: bytes(range(256))),
    ("events", lambda chance, i: b""),
    ("events", lambda chance, i: b'{"key": "k1", "note": "' + b"x" * chance.choice([MAX_BYTES, 900_000]) + b'"}'),
    ("counted", lambda chance, i: None),
    ("counted", lambda chance, i: event(chance, i, value=[])),
    ("rows", lambda chance, i: event(chance, (1 << 31) + i)),
    ("counts", lambda chance, i: event(chance, i, bucket="word")),
    ("messages", lambda chance, i: event(chance, i, note="x" * (MAX_MESSAGE + 1))),
]


def describe(source, messages, dead, rows, prefix):
    kafka = {"type": "kafka", "brokers": "${KAFKA_BROKERS}"}
    nodes = ["events", "counted", "messages", "rows", "counts"]
    postgres = {"type": "postgres", "url": "${POSTGRES_URL}", "schema": rows.split(".")[0]}
    redis = {"type": "redis", "host": "${REDIS_HOST}", "port": "${REDIS_PORT}", "command": "incrby"}
    return {
        "pipeline": prefix.rstrip(":"),
        "sources": {"events": {**kafka, "topic": source, "start": "earliest", "max_bytes": MAX_BYTES}},
        "operators": {"counted": {"type": "lua", "input": "events", "key": "key", "script": "count.lua"}},
        "sinks": {
            "messages": {**kafka, "input": "counted", "topic": messages, "key": "{key}", "max_message": MAX_MESSAGE},
            "rows": {**postgres, "input": "counted", "table": rows},
            "counts": {**redis, "input": "counted", "key": prefix + "{bucket}"},
            "dead": {**kafka, "input": [node + ".dead" for node in nodes], "topic": dead},
        },
    }


SINKS = ["messages", "rows", "counts"]


class Expected:
    """Each event is taken by all nodes, or refused by one. What gets past the rule is counted by key, and goes to all sinks but that one."""

    def __init__(self):
        self.letters, self.n_of = collections.Counter(), collections.Counter()
        self.taken = {sink: collections.defaultdict(list) for sink in SINKS}  # {key: [(count, id), ...]}
        self.buckets = collections.Counter()

    def add(self, refused_by, one):
        if refused_by:
            self.letters[refused_by] += 1
        if refused_by in ("events", "counted"):
            return
        key = one["key"]
        self.n_of[key] += 1
        for sink in SINKS:
            if sink != refused_by:
                self.taken[sink][key].append((self.n_of[key], one["id"]))
        self.buckets[one["bucket"]] += refused_by != "counts"

    @property
    def n_rows(self):
        return sum(map(len, self.taken["rows"].values()))


def generate(chance, n, begin, expected):
    for i in range(begin, begin + n):
        refused_by, make = chance.choice(POISON) if chance.random() < 0.1 else (None, event)
        one = make(chance, i)
        expected.add(refused_by, one)
        yield one["key"] if isinstance(one, dict) else f"k{i % KEYS}", one


def by_key(found):
    """Of (key, count, id), as Expected has it."""
    pairs = collections.defaultdict(list)
    for key, *pair in sorted(found):
        pairs[key].append(tuple(pair))
    return pairs


def letters(kafka, dead):
    """By the node that has refused; and the origins of those that have one, which a refusal told again after a crash has not."""
    found = kafka.read_json(dead)
    origins = [(letter["node"], letter["partition"], letter["offset"]) for letter in found if "offset" in letter]
    return collections.Counter(letter["node"] for letter in found), origins


def twice(what, ones):
    return [f"{what}: {one} is there {n} times" for one, n in collections.Counter(ones).items() if n > 1][:3]


def test_poison_among_events_becomes_dead_letters_once_each(
    seed, outcome, kafka, topic, table, postgres, redis_client, redis_prefix, pipeline
):
    chance, expected = random.Random(seed), Expected()
    source, messages, dead = topic("events", partitions=4), topic("messages", partitions=4), topic("dead", partitions=2)
    rows = table("events", "id int, key text, n int")
    run = pipeline(describe(source, messages, dead, rows, redis_prefix))
    (run.folder / "count.lua").write_text(SCRIPT)
    redis_client.set(redis_prefix + "word", "no number")

    for i in range(ROUNDS):
        run.start()
        run.wait_log("started from")
        kafka.write(source, generate(chance, EVENTS, i * EVENTS, expected))
        time.sleep(chance.uniform(0, 0.3))
        assert run.process.poll() is None, run.log
        run.kill()
    run.start()
    run.wait_until(lambda: postgres.execute(f"select count(*) from {rows}").fetchone()[0] >= expected.n_rows, "all rows")
    run.wait_until(lambda: letters(kafka, dead)[0].total() >= expected.letters.total(), "all dead letters")
    assert run.stop() == 0

    in_topic = by_key((one["key"], one["n"], one["id"]) for one in kafka.read_json(messages))
    in_table = by_key(postgres.execute(f"select key, n, id from {rows}").fetchall())
    counts = {bucket: int(redis_client.get(redis_prefix + bucket)) for bucket in expected.buckets if bucket != "word"}
    by_node, origins = letters(kafka, dead)
    print(f"{by_node.total()} dead letters, {by_node.total() - len(origins)} of them told again without their events")
    outcome.violations = [
        *differences("dead letters", by_node, expected.letters),
        *twice("dead letters", origins),
        *differences("Kafka", in_topic, expected.taken["messages"]),
        *differences("PostgreSQL", in_table, expected.taken["rows"]),
        *differences("Redis", counts, +expected.buckets),
        *(one for written in (messages, dead) for one in open_transactions(kafka, written)),
    ]
    if outcome.violations:
        pytest.fail("\n".join([f"seed {seed}:", *outcome.violations]), pytrace=False)
