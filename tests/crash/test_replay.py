# SPDX-License-Identifier: Apache-2.0
"""leat dies while dead letters are replayed, at each step of an epoch: a letter is in the queue or was replayed, never both.

Half of the events are refused, then the rule is mended and all letters are wished for. No service is needed. Only builds with
--enable-developer have fault points.
"""

import collections
import json
import signal
import subprocess

import pytest

N = 6000
PIPELINE = """
pipeline: shop
sources:
  in: {type: file, path: events.jsonl}
operators:
  count: {type: lua, input: in, key: user, script: count.lua}
sinks:
  out: {type: file, input: count, path: out.jsonl}
"""
MENDED = "function process(event, state)\n  state.n = (state.n or 0) + 1\n  event.n = state.n\n  emit(event)\nend\n"
WRONG = MENDED.replace("emit(event)", "if event.id % 2 == 0 then error('even') end\n  emit(event)")

# Each passes with every epoch.
POINTS = ("epoch-close-before", "epoch-close-after", "store-write-before", "store-write-after", "release-before", "deliver-before",
          "deliver-after")


@pytest.fixture(scope="module")
def developer_build(leat):
    if POINTS[0].encode() not in leat.read_bytes():
        pytest.skip(f"{leat} was not built with --enable-developer")


def do(leat, run, *words):
    done = subprocess.run([str(leat), *words], cwd=run.folder, env=run.environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def letters_left(leat, run):
    state = json.loads(do(leat, run, "state", "list", "pipeline.yaml", "--format", "json", "--state-dir", "state"))
    return state["dead_letters"]["letters"]


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.usefixtures("developer_build")
def test_death_in_a_replay_neither_loses_a_letter_nor_doubles_it(leat, pipeline, point, n):
    run = pipeline(PIPELINE)
    (run.folder / "events.jsonl").write_text("".join(json.dumps({"id": i, "user": f"u{i % 7}"}) + "\n" for i in range(N)))
    (run.folder / "count.lua").write_text(WRONG)
    assert run.start().wait_exit() == 0
    assert letters_left(leat, run) == N // 2
    (run.folder / "count.lua").write_text(MENDED)
    do(leat, run, "dlq", "replay", "pipeline.yaml", "--all", "--state-dir", "state")
    run.environment["LEAT_FAULT"] = f"{point}:kill:{n}"
    assert run.start().wait_exit() == -signal.SIGKILL, run.log
    del run.environment["LEAT_FAULT"]
    assert n > 1 or letters_left(leat, run) > 0, "the first epoch had all of them: nothing was cut in two"
    assert run.start().wait_exit() == 0
    assert letters_left(leat, run) == 0
    events = run.lines("out.jsonl")
    assert collections.Counter(event["id"] for event in events) == {i: 1 for i in range(N)}
    counted = collections.defaultdict(list)
    for event in events:
        counted[event["user"]].append(event["n"])
    assert all(ns == list(range(1, len(ns) + 1)) for ns in counted.values())
