# SPDX-License-Identifier: Apache-2.0
"""What is fed to leat, and the pipeline that has to bring it into three systems, each effect once.

Steps: numbers seq = 1, 2, 3, ... of a key with a random value. A script keeps count, sum, xor and the last seq of its key, so a
step that is lost, doubled or out of order shows in all that follow.

Transfers: an amount from one account to another. A script makes two postings of it, which two shards of the next script add
to the balances. Both belong to one event, so to one epoch, so no reader may ever see one without the other.

Windows over the steps, in event time: a sliding one, a session, and a join of every tenth step with every third one near it. What
comes of them follows from the steps of a key alone, as nothing is late: a partition has its events in the order of their times.

Odd ones, where a test wants them: one in ten is refused by PostgreSQL and by Redis, and has to become a dead letter of each, once.
"""

import json
import random
import threading
import time

PARTITIONS = 4
KEYS, ACCOUNTS = 200, 100

# Beside the pipeline file, by name.
SCRIPTS = {
    "split.lua": """
ports = {"steps", "postings", "odd", "tenth", "third"}

function process(event)
  if event.kind == "step" then
    emit("steps", event)
    if event.seq % 10 == 0 then emit("tenth", event) end
    if event.seq % 3 == 0 then emit("third", event) end
  elseif event.kind == "mark" then
    return
  elseif event.kind == "odd" then
    emit("odd", {id = event.id, digit = event.id % 10})
  else
    emit("postings", {kind = "posting", id = event.id, key = event.from, amount = -event.amount})
    emit("postings", {kind = "posting", id = event.id, key = event.to, amount = event.amount})
  end
end
""",
    "count.lua": """
function process(event, state)
  local last = state.last or 0
  state.n, state.total = (state.n or 0) + 1, (state.total or 0) + event.value
  state.mix, state.last = (state.mix or 0) ~ event.value, event.seq
  event.n, event.total, event.mix, event.last = state.n, state.total, state.mix, last
  emit(event)
end
""",
    "balance.lua": """
function process(event, state)
  state.n, state.balance = (state.n or 0) + 1, (state.balance or 0) + event.amount
  event.n, event.balance = state.n, state.balance
  emit(event)
end
""",
}

STEPS = "key text, seq bigint, value bigint, n bigint, total bigint, mix bigint, last bigint"
POSTINGS = "key text, n bigint, id bigint, amount bigint, balance bigint"
WINDOWS = "kind text, key text, a bigint, b bigint, n bigint, total bigint"
ODD = "id bigint check (id % 10 <> 0), digit bigint"


SYSTEMS = ("postgres", "redis", "kafka")
ALL_SYSTEMS = (*SYSTEMS, "file")

# Of the sink `file`, in the pipeline's folder; it begins another one about every second.
LINES, LINES_BYTES = "lines.jsonl", 64 << 10


# In ms. An event is one behind the one before, which comes every 2/3 ms.
SLIDING, GAP, NEAR = 2000, 400, 300
BEGIN, CLOSING = 1_700_000_000_000, 3_600_000


def describe_windows(postgres, table):
    """Operators and sinks by name. Each result is a row of the same shape, and so is an event that is late, which none may be."""
    totals = {"n": "count()", "total": "sum(value)"}

    def rows(input, **fields):
        return {"type": "map", "input": input, "select": ["key"], "set": {"b": "0", "n": "0", "total": "0", **fields}}

    operators = {
        "sliding": {"type": "window", "input": "split.steps", "key": "key", "sliding": f"{SLIDING}ms", "aggregate": totals},
        "sessions": {"type": "window", "input": "split.steps", "key": "key", "session": f"{GAP}ms", "aggregate": totals},
        "near": {"type": "join", "input": {"left": "split.tenth", "right": "split.third"}, "key": "key", "kind": "left",
                 "before": f"{NEAR}ms", "after": f"{NEAR}ms", "shards": 3},
        "sliding_rows": rows("sliding", kind="'sliding'", a="seq", n="n", total="total"),
        "session_rows": rows("sessions", kind="'session'", a="integer(window_start)", b="integer(window_end)", n="n", total="total"),
        "near_rows": rows("near", kind="'near'", key="left.key", a="left.seq", b="coalesce(right.seq, 0)"),
        "late_rows": rows(["sliding.late", "sessions.late", "near.late"], kind="'late'", a="seq"),
    }
    sinks = {"windows": {**postgres, "input": [name for name in operators if name.endswith("_rows")], "table": table}}
    return operators, sinks


def describe_odd(postgres, redis, table, prefix):
    """Sinks by name. A test has to put a text under prefix + "odd0", which is then no hash."""
    return {
        "odd_rows": {**postgres, "input": "split.odd", "table": table},
        "odd_counts": {**redis, "input": "split.odd", "key": prefix + "odd{digit}", "field": "{id}"},
    }


def describe(name, source, topic, steps, postings, prefix, systems=SYSTEMS, odd=None, windows=None):
    """The pipeline file, with sinks in these systems. No effect is the same twice as once: messages, rows without a key, increments."""
    kafka = {"type": "kafka", "brokers": "${KAFKA_BROKERS}"}
    postgres = {"type": "postgres", "url": "${POSTGRES_URL}", "schema": steps.split(".")[0]}
    redis = {"type": "redis", "host": "${REDIS_HOST}", "port": "${REDIS_PORT}", "command": "incrby", "field": "{key}"}
    sinks = {
        "lines": {"type": "file", "input": ["counted", "balanced"], "path": LINES, "rotate_size": LINES_BYTES, "rotate_keep": 1000},
        "messages": {**kafka, "input": ["counted", "balanced"], "topic": topic, "key": "{key}"},
        "steps": {**postgres, "input": "counted", "table": steps},
        "postings": {**postgres, "input": "balanced", "table": postings},
        "counts": {**redis, "input": ["counted", "balanced"], "key": prefix + "counts"},
        "totals": {**redis, "input": "counted", "key": prefix + "totals", "by": "value"},
        "balances": {**redis, "input": "balanced", "key": prefix + "balances", "by": "amount"},
    }
    sinks = {sink: options for sink, options in sinks.items() if options["type"] in systems}
    if odd:
        sinks.update(describe_odd(postgres, redis, odd, prefix))
    operators = {
        "split": {"type": "lua", "input": "events", "script": "split.lua"},
        # Of the same key, so in the same shards as what it counts for; it has state and lets all through.
        "paced": {"type": "throttle", "input": "split.steps", "key": "key", "shards": 5, "limit": 10**6, "per": "10s"},
        "counted": {"type": "lua", "input": "paced", "key": "key", "script": "count.lua", "shards": 5},
        "balanced": {"type": "lua", "input": "split.postings", "key": "key", "script": "balance.lua", "shards": 3},
    }
    if windows and "postgres" in systems:
        more_operators, more_sinks = describe_windows(postgres, windows)
        operators.update(more_operators)
        sinks.update(more_sinks)
    # A partition that has nothing for a while must not let another one's events be late.
    time = {"field": "at", "unit": "ms", "idle": "0s"}
    return {
        "pipeline": name,
        "delivery": "exactly-once",
        "sources": {"events": {**kafka, "topic": source, "start": "earliest", "time": time}},
        "operators": operators,
        "sinks": sinks,
    }


def generate(seed, odd_share=0.0):
    """Endless (key, event), the same for the same seed."""
    for at, (key, event) in enumerate(generate_events(seed, odd_share), BEGIN):
        yield key, {**event, "at": at}


def generate_events(seed, odd_share):
    chance, seq = random.Random(seed), [0] * KEYS
    transfer = odd = 0
    while True:
        if chance.random() < odd_share:
            odd += 1
            yield f"k{chance.randrange(KEYS)}", {"kind": "odd", "id": odd}
        elif chance.random() < 0.7:
            i = chance.randrange(KEYS)
            seq[i] += 1
            yield f"k{i}", {"kind": "step", "key": f"k{i}", "seq": seq[i], "value": chance.randrange(1, 1 << 40)}
        else:
            transfer += 1
            giver, taker = (f"a{i}" for i in chance.sample(range(ACCOUNTS), 2))
            yield giver, {"kind": "transfer", "id": transfer, "from": giver, "to": taker, "amount": chance.randrange(1, 1000)}


# Messages that wait for the broker, less than the 100,000 that the client has room for.
WAITING = 50000


class Feeder:
    """Writes events at a steady pace, also while the broker is away, until stop(). While it is paused it writes none."""

    EVERY_S = 0.01

    def __init__(self, kafka, topic, seed, odd_share, rate):
        self.kafka = kafka
        self.producer = kafka.producer(**{"enable.idempotence": True, "partitioner": "murmur2_random"})
        self.topic, self.events, self.rate, self.refused = topic, generate(seed, odd_share), rate, []
        self.is_over, self.is_paused = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def delivered(self, error, _message):
        if error:
            self.refused.append(error)

    def write(self, n):
        for _ in range(n):
            key, event = next(self.events)
            while len(self.producer) >= WAITING:
                self.producer.poll(0.1)
            self.producer.produce(self.topic, json.dumps(event), key, on_delivery=self.delivered)
        self.producer.poll(0)

    def work(self):
        begin, written = time.monotonic(), 0
        while not self.is_over.wait(self.EVERY_S):
            due = int((time.monotonic() - begin) * self.rate) - written
            if not self.is_paused.is_set():
                self.write(due)
            written += due

    def close(self):
        self.is_over.set()
        self.thread.join()

    def write_marks(self):
        """Far behind all events, one in each partition, so that every window ends."""
        at = next(self.events)[1]["at"] + CLOSING
        for partition in range(PARTITIONS):
            mark = json.dumps({"kind": "mark", "at": at})
            self.producer.produce(self.topic, mark, "mark", partition=partition, on_delivery=self.delivered)

    def stop(self):
        """Returns all that is in the topic now, the events of a key in order."""
        self.close()
        self.write_marks()
        assert self.producer.flush(60) == 0 and not self.refused, self.refused[:3]
        return self.kafka.read_json(self.topic)
