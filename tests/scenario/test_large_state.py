# SPDX-License-Identifier: Apache-2.0
"""More state than memory may hold: entries leave and come back, and a killed pipeline goes on with all of them.

LEAT_LARGE_KEYS  how many keys (300,000; with a budget of 1 MiB, from a million on of 256)
"""

import collections
import os
import re

KEYS = int(os.environ.get("LEAT_LARGE_KEYS", "300000"))
EVENTS = KEYS * 7 // 3
BUDGET = "1MiB" if KEYS < 1_000_000 else "256MiB"
PATIENCE_S = 120 + KEYS // 20000

# Some turns through the users, in another order each time. The file has the running count of each.
LARGE = f"""
pipeline: large
sources:
  payments: {{type: generate, count: {EVENTS}, keys: {KEYS}, duplicates: 0, anomalies: 0}}
operators:
  spend: {{type: aggregate, input: payments, key: user, field: amount}}
sinks:
  out: {{type: file, input: spend, path: out.jsonl}}
"""

FACT = re.compile(r'"user":"(u\d+)".*?"count":(\d+)')


def seen(run):
    """{user: its counts in the order of the file}"""
    counts = collections.defaultdict(list)
    with open(run.folder / "out.jsonl") as file:
        for line in file:
            user, count = FACT.search(line).groups()
            counts[user].append(int(count))
    return counts


def size(run):
    file = run.folder / "out.jsonl"
    return file.stat().st_size if file.exists() else 0


def figure(run, name):
    return sum(value for series, value in run.metrics().items() if series.startswith(name))


def test_state_that_does_not_fit_into_memory_is_exact_also_after_a_crash(pipeline):
    run = pipeline(LARGE)
    evicted = fetched = 0
    for bytes_written in (KEYS * 283, KEYS * 350):
        run.start("--state-memory", BUDGET)
        run.wait_until(lambda least=bytes_written: size(run) > least, "more output", PATIENCE_S)
        evicted += figure(run, "leat_state_evicted_total")
        fetched += figure(run, "leat_state_fetched_total")
        run.kill()
    run.start("--state-memory", BUDGET)
    assert run.wait_exit(PATIENCE_S) == 0
    counts = seen(run)
    assert len(counts) == KEYS
    assert all(of == list(range(1, len(of) + 1)) for of in counts.values())
    assert sum(map(len, counts.values())) == EVENTS
    assert evicted > 0 and fetched > 0
