# SPDX-License-Identifier: Apache-2.0
"""More state than memory may hold: entries leave and come back, and a killed pipeline goes on with all of them."""

import collections
import re

EVENTS, KEYS = 700_000, 300_000

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
    for bytes_written in (85_000_000, 105_000_000):
        run.start("--state-memory", "1MiB")
        run.wait_until(lambda least=bytes_written: size(run) > least, "more output")
        evicted += figure(run, "leat_state_evicted_total")
        fetched += figure(run, "leat_state_fetched_total")
        run.kill()
    run.start("--state-memory", "1MiB")
    assert run.wait_exit(120) == 0
    counts = seen(run)
    assert len(counts) == KEYS
    assert all(of == list(range(1, len(of) + 1)) for of in counts.values())
    assert sum(map(len, counts.values())) == EVENTS
    assert evicted > 0 and fetched > 0
