# SPDX-License-Identifier: Apache-2.0
"""Event time over the partitions of a real topic: which of them hold a window open, and what is left after a kill."""

import json
import time
from collections import Counter

PANE = 10_000_000
FIRST = 1_700_000_000_000_000

SCRIPT = """
local size <const> = 10000000
function process(event, state)
  local start = event_time() - event_time() % size
  state[tostring(start)] = (state[tostring(start)] or 0) + 1
  set_event_timer(start + size, start)
end
function timer(key, state, tag)
  emit{user = key, start = tag, n = state[tostring(tag)]}
  state[tostring(tag)] = nil
end
"""

PIPELINE = """
pipeline: panes
sources:
  in: {{type: kafka, brokers: "${{KAFKA_BROKERS}}", topic: {source}, start: earliest, time: {{field: ts, unit: us{time}}}}}
operators:
  panes: {{type: lua, input: in, key: user, shards: 3, script: panes.lua}}
sinks:
  out: {{type: kafka, input: panes, brokers: "${{KAFKA_BROKERS}}", topic: {sink}}}
"""


def start(pipeline, source, sink, time=""):
    running = pipeline(PIPELINE.format(source=source, sink=sink, time=time))
    (running.folder / "panes.lua").write_text(SCRIPT)
    return running.start()


def events(first, n):
    """One a second of event time, from four users."""
    return [{"user": f"user{i % 4}", "ts": FIRST + i * 1_000_000} for i in range(first, first + n)]


def write(kafka, topic, partition, some):
    producer = kafka.producer()
    for event in some:
        producer.produce(topic, json.dumps(event), event["user"], partition=partition)
    assert producer.flush(30) == 0


def panes(some):
    return Counter((event["user"], event["ts"] - event["ts"] % PANE) for event in some)


def read(kafka, topic):
    """The panes that were closed: how many events each has, and none twice."""
    found = Counter()
    for message in kafka.read(topic):
        pane = json.loads(message.value())
        assert (pane["user"], pane["start"]) not in found
        found[pane["user"], pane["start"]] = pane["n"]
    return found


def closed(some, until):
    """The panes of those that end by then."""
    return Counter({pane: n for pane, n in panes(some).items() if pane[1] + PANE <= until})


def test_the_partition_that_is_behind_holds_panes_open_and_an_idle_one_does_not(kafka, topic, pipeline):
    source, sink = topic("in", partitions=3), topic("out")
    ahead, behind = events(0, 100), events(0, 50)
    write(kafka, source, 0, ahead)
    write(kafka, source, 1, behind)
    running = start(pipeline, source, sink, ", idle: 3s")
    # While partition 2 has said nothing, nothing is over. Then it is idle, and later partition 1 as well.
    running.wait_until(lambda: sum(read(kafka, sink).values()) > 0, "panes that the empty partition no longer holds open")
    want = closed(ahead + behind, ahead[-1]["ts"])
    running.wait_until(lambda: read(kafka, sink) == want, "panes that no partition holds open")
    more = events(100, 30)
    # All speak, and then go on: the first alone would make late what the others have yet to say.
    for some in (more[:1], more[1:]):
        for partition in (0, 1, 2):
            write(kafka, source, partition, some)
    want = closed(ahead + behind + 3 * more, more[-1]["ts"])
    running.wait_until(lambda: read(kafka, sink) == want, "panes of all three")
    figures = running.metrics()
    assert any("leat_watermark_seconds" in str(name) for name in figures)
    assert running.stop() == 0


def test_panes_are_closed_once_however_often_it_is_killed(kafka, topic, pipeline):
    source, sink = topic("in", partitions=3), topic("out")
    some = events(0, 3000)
    running = start(pipeline, source, sink)
    for part in range(6):
        for partition in (0, 1, 2):
            write(kafka, source, partition, some[part * 500 : (part + 1) * 500])
        want = closed(3 * some, some[part * 500 + 250]["ts"])
        running.wait_until(lambda want=want: sum(read(kafka, sink).values()) >= sum(want.values()), "some panes")
        running.kill()
        running.start()
    want = closed(3 * some, some[-1]["ts"])
    running.wait_until(lambda: len(read(kafka, sink)) >= len(want), "all panes")
    assert read(kafka, sink) == want
    assert running.stop() == 0


def test_an_event_without_a_time_or_far_ahead_is_a_dead_letter(kafka, topic, pipeline):
    source, sink = topic("in"), topic("out")
    some = events(0, 41)
    write(kafka, source, 0, [*some[:20], {"user": "u", "ts": "soon"}, {"user": "u", "ts": 99_999_999_999_999_999}, *some[20:]])
    running = start(pipeline, source, sink)
    want = closed(some, some[-1]["ts"])
    running.wait_until(lambda: read(kafka, sink) == want, "panes of the others")
    running.wait_log('field "ts" is not a number, and it is the time')
    running.wait_log('field "ts" is 5138-11-16T09:46:39.999999Z, further ahead of its arrival than time.future')
    assert running.stop() == 0


FOLLOWED = """
pipeline: followed
delivery: at-least-once
sources:
  in: {type: file, path: in.jsonl, follow: true, time: {field: ts, unit: us, idle: 1s}}
  ended: {type: file, path: ended.jsonl, time: {field: ts, unit: us}}
operators:
  panes: {type: window, input: [in, ended], key: user, size: 10s, aggregate: {n: count()}}
sinks:
  out: {type: file, input: panes, path: out.jsonl}
"""


def append(file, some):
    with open(file, "a") as out:
        out.writelines(json.dumps(event) + "\n" for event in some)


def test_event_time_reaches_every_shard_and_no_further_than_it_is(pipeline):
    """A mark that comes without records wakes the shard that it is for; a source that has ended takes none of the others along."""
    run = pipeline(FOLLOWED)
    append(run.folder / "in.jsonl", [{"user": f"u{i}", "ts": FIRST + i} for i in range(9)])
    append(run.folder / "ended.jsonl", [{"user": "u1", "ts": FIRST}])
    run.start("--workers", "4")
    append(run.folder / "in.jsonl", [{"user": "u1", "ts": FIRST + 2 * PANE}])
    run.wait_until(lambda: len(run.lines("out.jsonl")) == 9, "a pane of each user")
    time.sleep(2)  # all are idle
    for i in range(3):
        append(run.folder / "in.jsonl", [{"user": "u1", "ts": FIRST + 2 * PANE + i}])
        time.sleep(0.3)
    assert len(run.lines("out.jsonl")) == 9  # nothing has closed it
    append(run.folder / "in.jsonl", [{"user": "u2", "ts": FIRST + 5 * PANE}])
    run.wait_until(lambda: len(run.lines("out.jsonl")) == 10, "the pane that went on")
    assert run.lines("out.jsonl")[-1]["n"] == 4


GROWING = """
pipeline: growing
sources:
  in: {type: file, path: in.jsonl, time: {field: ts, unit: us}}
operators:
  unique: {type: dedup, input: in, key: user, by: id, within: 1m, clock: event}
  few: {type: throttle, input: unique, key: user, limit: 2, per: 1m, clock: event}
  panes: {type: window, input: few, key: user, size: 1m, aggregate: {n: count()}}
sinks:
  unique_out: {type: file, input: unique, path: unique.jsonl}
  few_out: {type: file, input: few, path: few.jsonl}
  panes_out: {type: file, input: panes, path: panes.jsonl}
"""


def run_to_its_end(run):
    assert run.start().wait_exit() == 0


def test_what_only_forgets_outlives_the_end_of_the_sources(pipeline):
    """The end closes windows; what dedup and throttle know is still there when the file has grown."""
    run = pipeline(GROWING)
    append(run.folder / "in.jsonl", [{"user": "ann", "id": i, "ts": FIRST} for i in (1, 2)])
    run_to_its_end(run)
    assert [row["n"] for row in run.lines("panes.jsonl")] == [2]
    append(run.folder / "in.jsonl", [{"user": "ann", "id": i, "ts": FIRST + 1} for i in (1, 3)])
    append(run.folder / "in.jsonl", [{"user": "ann", "id": 1, "ts": FIRST + 8 * PANE}])
    run_to_its_end(run)
    assert [row["id"] for row in run.lines("unique.jsonl")] == [1, 2, 3, 1]
    assert [row["ts"] - FIRST for row in run.lines("few.jsonl")] == [0, 0, 8 * PANE]
