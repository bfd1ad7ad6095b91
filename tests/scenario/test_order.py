# SPDX-License-Identifier: Apache-2.0
"""Order per key, from stage to stage, on several workers."""

import collections
import json

SCRIPT = """
function process(event, state)
  state.n = (state.n or 0) + 1
  emit({id = event.id, user = event.user, n = state.n})
end
"""

# The exchange between the two keyed stages stays: what the first one emits may have another key.
FILE = """
pipeline: order
delivery: at-least-once
sources:
  events: {type: file, path: events.jsonl}
operators:
  unique: {type: dedup, input: events, key: user, by: id, within: 10m, shards: 5}
  numbered: {type: lua, input: unique, key: user, script: number.lua, shards: 3}
sinks:
  out: {type: file, input: numbered, path: out.jsonl}
"""


def test_the_events_of_a_key_stay_in_order_through_two_keyed_stages(pipeline, tmp_path):
    events = [{"id": f"e{i}", "user": f"u{i * i % 41}"} for i in range(30000)]
    doubled = [event for i, event in enumerate(events) for _ in range(1 + (i % 3 == 0))]
    it = pipeline(FILE)
    (it.folder / "number.lua").write_text(SCRIPT)
    (it.folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in doubled))
    assert it.start("--workers", "2").wait_exit() == 0
    found, expected = collections.defaultdict(list), collections.defaultdict(list)
    for line in (it.folder / "out.jsonl").read_text().splitlines():
        event = json.loads(line)
        found[event["user"]].append((event["n"], event["id"]))
    for event in events:
        expected[event["user"]].append((len(expected[event["user"]]) + 1, event["id"]))
    assert found == expected
