# SPDX-License-Identifier: Apache-2.0
"""Too much at once: a sink that takes nothing while everything is read, and all timers due in the same moment.

LEAT_FAULTS_TIMERS  how many (300,000); ten million take some 5 GB
"""

import os
import random
import time

import psycopg
import yaml
from looks import is_read, memory
from pipeline import PATIENCE

MIB = 1 << 20

# What leat may have in flight, and read ahead of each partition. Its events, with what is made of them, are several times as much.
IN_FLIGHT = 16 * MIB
AHEAD = MIB // 4
RATE = 10000
STALLED_S = 10

# What a process may take beyond what it had: the above, and what allocators and clients of systems keep of it.
ALLOWED = 4 * IN_FLIGHT


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


N_TIMERS = int(os.environ.get("LEAT_FAULTS_TIMERS", "300000"))

# Until all of them are due: they are set and restored before.
DUE_S = 10 + N_TIMERS / 30000

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


def test_timers_that_are_due_all_at_once_fire_once_each(
    seed, outcome, kafka, topic, table, postgres, redis_client, redis_prefix, pipeline
):
    chance = random.Random(seed)
    source, messages = topic("events", partitions=4), topic("messages", partitions=4)
    rows = table("alarms", "key text, n bigint")
    run = pipeline(describe_storm(source, messages, rows, redis_prefix))
    (run.folder / "storm.lua").write_text(SCRIPT)
    n_of = {f"k{i}": chance.randrange(1 << 30) for i in range(N_TIMERS)}
    due = time.time() + DUE_S
    kafka.write(source, ((key, {"key": key, "n": n, "due": int(due * 1e6)}) for key, n in n_of.items()))

    def count():
        return postgres.execute(f"select count(*) from {rows}").fetchone()[0]

    def entries():
        return sum(n for series, n in run.metrics().items() if series.startswith('leat_state_entries'))

    def start():
        run.start("--in-flight", f"{IN_FLIGHT // MIB}MiB")

    start()
    run.wait_until(lambda: entries() == N_TIMERS, "all events", timeout=DUE_S)
    run.kill()
    start()
    run.wait_until(lambda: entries() == N_TIMERS, "all state", timeout=DUE_S)
    before = memory(run)
    assert time.time() < due, "the timers were due before all was there; let DUE_S be longer"
    run.wait_until(lambda: count() > N_TIMERS // 10, "the first timers", timeout=PATIENCE + DUE_S)
    run.wait_until(lambda: count() > N_TIMERS * chance.uniform(0.2, 0.6), "some timers")
    more = memory(run, "VmHWM") - before
    run.kill()
    start()
    run.wait_until(lambda: count() >= N_TIMERS, "all timers", timeout=PATIENCE + DUE_S)
    assert run.stop() == 0
    print(f"{before // MIB} MiB with all timers set, {more // MIB} more when they fired, {time.time() - due:.1f} s after they were due")

    found = [(event["key"], event["n"]) for event in kafka.read_json(messages)]
    outcome.violations = [
        *(["Kafka"] if sorted(found) != sorted(n_of.items()) else []),
        *(["PostgreSQL"] if sorted(postgres.execute(f"select key, n from {rows}").fetchall()) != sorted(n_of.items()) else []),
        *(["Redis, count"] if int(redis_client.get(redis_prefix + "count")) != N_TIMERS else []),
        *(["Redis, sum"] if int(redis_client.get(redis_prefix + "sum")) != sum(n_of.values()) else []),
        *([f"memory: {more // MIB} MiB"] if more > ALLOWED else []),
    ]
    assert outcome.violations == []
