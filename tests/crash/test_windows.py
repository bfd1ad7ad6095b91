# SPDX-License-Identifier: Apache-2.0
"""leat is killed again and again at windows and a join: what comes out, late events too, is what comes out without that.

What an event meets is a matter of event time, not of when a process dies; state, timers and watermarks have to be those of the
epoch that is gone on from. No service is needed.
"""

import collections
import json
import random
import time

from pipeline import PATIENCE

N = 40000
KILLS = 8
PIPELINE = """
pipeline: windows
sources:
  payments: {type: file, path: payments.jsonl, time: {field: ts, unit: ms, disorder: 30ms}}
  orders: {type: file, path: orders.jsonl, time: {field: ts, unit: ms, disorder: 30ms}}
  deliveries: {type: file, path: deliveries.jsonl, time: {field: ts, unit: ms, disorder: 30ms}}
operators:
  hopping: {type: window, input: payments, key: user, size: 2s, slide: 300ms, allow: 500ms, aggregate: {n: count(), s: sum(x)}}
  session: {type: window, input: payments, key: user, session: 150ms, aggregate: {n: count(), s: sum(x), d: distinct(x)}}
  sliding: {type: window, input: payments, key: user, sliding: 1s, aggregate: {n: count(), s: sum(x), last: last(x)}}
  delivered: {type: join, input: {left: orders, right: deliveries}, key: user, before: 20ms, after: 100ms, kind: left}
sinks:
  hopping_rows: {type: file, input: hopping, path: hopping.jsonl}
  session_rows: {type: file, input: session, path: session.jsonl}
  sliding_rows: {type: file, input: sliding, path: sliding.jsonl}
  pairs: {type: file, input: delivered, path: delivered.jsonl}
  late: {type: file, input: [hopping.late, session.late, sliding.late], path: late.jsonl}
  none: {type: file, input: [delivered.late, delivered.dead], path: none.jsonl}
"""
FILES = ["hopping.jsonl", "session.jsonl", "sliding.jsonl", "delivered.jsonl", "late.jsonl"]


def write_events(run, name, n, spread, rng):
    """A millisecond apart, in disorder; what is more than 30 ms late is behind the watermark."""
    rows = sorted(range(n), key=lambda i: i + rng.uniform(0, spread))
    lines = (json.dumps({"user": f"u{rng.randrange(40)}", "ts": i, "x": rng.randrange(100)}) + "\n" for i in rows)
    (run.folder / name).write_text("".join(lines))


def feed(run, seed):
    write_events(run, "payments.jsonl", N, 40, random.Random(f"payments {seed}"))
    # Of two sources, what is late depends on how far each was read. So nothing is.
    for name in ("orders", "deliveries"):
        write_events(run, f"{name}.jsonl", N // 4, 25, random.Random(f"{name} {seed}"))
    return run


def found(run, file):
    return collections.Counter(json.dumps(row, sort_keys=True) for row in run.lines(file))


def written(run):
    return sum((run.folder / file).stat().st_size for file in FILES if (run.folder / file).exists())


def kill_at(run, size, pause):
    """A pause after its files have so many bytes, as a machine may be of any speed. Whether it was still running."""
    run.start()
    deadline = time.monotonic() + PATIENCE
    while written(run) < size and run.process.poll() is None:
        assert time.monotonic() < deadline, f"{size} bytes did not come in {PATIENCE:g} s\n{run.log}"
        time.sleep(0.001)
    time.sleep(pause)
    died = run.process.poll() is None
    run.kill()
    return died


def test_windows_that_are_killed_have_the_same_rows(pipeline, seed):
    whole, killed = feed(pipeline(PIPELINE), seed), feed(pipeline(PIPELINE), seed)
    chance = random.Random(seed)
    assert whole.start().wait_exit() == 0
    shares = sorted(chance.uniform(0, 0.9) for _ in range(KILLS))
    deaths = sum(kill_at(killed, share * written(whole), chance.uniform(0, 0.02)) for share in shares)
    assert deaths > 2, "it was over too soon to be killed"
    assert killed.start().wait_exit() == 0
    for file in FILES:
        assert len(whole.lines(file)) > 100, file
        assert found(killed, file) == found(whole, file), file
    assert whole.lines("none.jsonl") == killed.lines("none.jsonl") == []
