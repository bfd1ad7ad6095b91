# SPDX-License-Identifier: Apache-2.0
"""Too much at once: a sink that takes nothing while everything is read, and all timers due in the same moment.

LEAT_FAULTS_TIMERS  how many (300,000)
"""

import json
import os
import random
import time

import psycopg
import pytest
import yaml
from looks import is_read, memory, open_transactions
from pipeline import PATIENCE

pytestmark = pytest.mark.alone

MIB = 1 << 20

# What leat may have in flight, and read ahead of each partition. Its events, with what is made of them, are several times as much.
IN_FLIGHT = 16 * MIB
AHEAD = MIB // 4
RATE = 10000
STALLED_S = 10

# What a process may take beyond what it had: the above, 32 MiB of the store's, and what allocators and clients of systems keep.
ALLOWED = 6 * IN_FLIGHT


def read_less_ahead(run):
    description = yaml.safe_load(run.file.read_text())
    description["sources"]["events"]["prefetch"] = AHEAD
    run.rewrite(description)


def test_a_sink_that_stands_still_takes_no_memory(trial, where):
    run = trial.run
    read_less_ahead(run)
    run.start("--in-flight", f"{IN_FLIGHT // MIB}MiB")
    trial.wait_for_more()
    before = memory(run)
    with psycopg.connect(where["POSTGRES_URL"]) as rival:
        rival.execute(f"lock table {trial.found.steps}")
        trial.feeder.rate = RATE
        time.sleep(STALLED_S / 2)
        halfway = memory(run, "VmHWM")
        time.sleep(STALLED_S / 2)
        end = memory(run, "VmHWM")
        assert not is_read(run)
    n_waiting = sum(n for series, n in run.metrics().items() if series.startswith("leat_source_lag_records"))
    print(f"{before // MIB} MiB, {halfway // MIB} while nothing was taken, {end // MIB} at the end of that, {n_waiting:g} events to be read")
    assert n_waiting > RATE * STALLED_S / 4 and end - before < ALLOWED and end - halfway < 8 * MIB
    trial.feeder.rate = 0
    trial.finish()


FEWEST_TIMERS = 300_000
N_TIMERS = int(os.environ.get("LEAT_FAULTS_TIMERS", FEWEST_TIMERS))

# Until all of them are due: they are set and restored before. PATIENCE is 30, stretched where the machine is slow.
DUE_S = (10 + N_TIMERS / 30000) * PATIENCE / 30

SCRIPT = """
function process(event, state)
  state.n = event.n
  set_timer(math.max(0, (event.due - now()) / 1000000), 1)
end

function timer(key, state, tag)
  emit({key = key, n = state.n})
  state.n = nil
end
"""


def describe_storm(source, messages, rows, prefix):
    kafka = {"type": "kafka", "brokers": "${KAFKA_BROKERS}"}
    redis = {"type": "redis", "input": "alarms", "host": "${REDIS_HOST}", "port": "${REDIS_PORT}", "command": "incrby"}
    return {
        "pipeline": prefix.rstrip(":"),
        "sources": {"events": {**kafka, "topic": source, "start": "earliest"}},
        "operators": {"alarms": {"type": "lua", "input": "events", "key": "key", "script": "storm.lua"}},
        "sinks": {
            "messages": {**kafka, "input": "alarms", "topic": messages, "key": "{key}"},
            "rows": {"type": "postgres", "input": "alarms", "url": "${POSTGRES_URL}", "schema": rows.split(".")[0], "table": rows},
            "count": {**redis, "key": prefix + "count"},
            "sum": {**redis, "key": prefix + "sum", "by": "n"},
        },
    }


class Storm:
    """The pipeline with its timers, and what comes of them: a message, a row and two increments each."""

    def __init__(self, seed, kafka, topic, table, postgres, redis_client, prefix, pipeline):
        self.kafka, self.postgres, self.redis, self.prefix = kafka, postgres, redis_client, prefix
        self.source, self.messages = topic("events", partitions=4), topic("messages", partitions=4)
        self.rows = table("alarms", "key text, n bigint")
        self.run = pipeline(describe_storm(self.source, self.messages, self.rows, prefix))
        (self.run.folder / "storm.lua").write_text(SCRIPT)
        self.chance, self.due = random.Random(seed), time.time() + DUE_S
        self.sum = 0

    def write_events(self):
        def events():
            for i in range(N_TIMERS):
                n = self.chance.randrange(1 << 30)
                self.sum += n
                yield f"k{i}", {"key": f"k{i}", "n": n, "due": int(self.due * 1e6)}

        self.kafka.write(self.source, events())

    def start(self):
        # All state in memory, where it is counted.
        self.run.start("--in-flight", f"{IN_FLIGHT // MIB}MiB", "--state-memory", f"{1 + N_TIMERS // 500_000}GiB")

    def wait_for_state(self):
        def n():
            return sum(n for series, n in self.run.metrics().items() if series.startswith("leat_state_entries"))

        self.run.wait_until(lambda: n() == N_TIMERS, "all state", timeout=DUE_S)
        assert time.time() < self.due, "timers were due before all of them were there; let DUE_S be longer"

    def wait_for_alarms(self, n):
        def count():
            return self.postgres.execute(f"select count(*) from {self.rows}").fetchone()[0]

        self.run.wait_until(lambda: count() >= n, f"{n} timers", timeout=PATIENCE + DUE_S)

    def in_topic(self):
        """How many there are, of how many keys, and the sum."""
        keys, n, total = set(), 0, 0
        for message in self.kafka.each(self.messages):
            keys.add(message.key())
            n, total = n + 1, total + json.loads(message.value())["n"]
        return n, len(keys), total

    def faults(self):
        wanted = (N_TIMERS, N_TIMERS, self.sum)
        in_table = self.postgres.execute(f"select count(*), count(distinct key), sum(n)::bigint from {self.rows}").fetchone()
        in_redis = int(self.redis.get(self.prefix + "count")), N_TIMERS, int(self.redis.get(self.prefix + "sum"))
        found = {"Kafka": self.in_topic(), "PostgreSQL": in_table, "Redis": in_redis}
        differing = [f"{system}: number, keys and sum are {ones} of {wanted}" for system, ones in found.items() if ones != wanted]
        return differing + open_transactions(self.kafka, self.messages)


def test_timers_that_are_due_all_at_once_fire_once_each(
    seed, outcome, kafka, topic, table, postgres, redis_client, redis_prefix, pipeline
):
    storm = Storm(seed, kafka, topic, table, postgres, redis_client, redis_prefix, pipeline)
    storm.write_events()
    storm.start()
    storm.wait_for_state()
    storm.run.kill()
    storm.start()
    storm.wait_for_state()
    before = memory(storm.run)
    storm.wait_for_alarms(1)
    storm.wait_for_alarms(N_TIMERS * storm.chance.uniform(0.2, 0.6))
    more = memory(storm.run, "VmHWM") - before
    storm.run.kill()
    storm.start()
    storm.wait_for_alarms(N_TIMERS)
    print(f"{before // MIB} MiB with all timers set, {more // MIB} more when they fired, {time.time() - storm.due:.1f} s after they were due")
    assert storm.run.stop() == 0
    # Lists of what is gone and not yet in files have a few bytes of each; an event under way has 2,000.
    allowed = ALLOWED + 20 * max(0, N_TIMERS - FEWEST_TIMERS)
    outcome.violations = storm.faults() + ([f"memory: {more // MIB} MiB more"] if more > allowed else [])
    assert outcome.violations == []
