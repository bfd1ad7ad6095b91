# SPDX-License-Identifier: Apache-2.0
"""Schemas of sources: of those that decode and of one that makes events, and what becomes of their dead letters."""

import json
import subprocess

GATE = """
pipeline: gate
sources:
  lines: {type: file, path: events.jsonl, schema: line.json}
  made: {type: generate, count: 300, seed: 3, duplicates: 0, schema: made.json}
sinks:
  lines_out: {type: file, input: lines, path: lines.jsonl}
  made_out: {type: file, input: made, path: made.jsonl}
"""
LINE = {"required": ["id"], "properties": {"amount": {"type": "number"}}}
MADE = {"properties": {"amount": {"maximum": 60}}}


def write_schemas(run, line, made):
    (run.folder / "line.json").write_text(json.dumps(line))
    (run.folder / "made.json").write_text(json.dumps(made))


def dlq(leat, run, *words):
    command = [str(leat), "dlq", words[0], "pipeline.yaml", *words[1:], "--state-dir", "state"]
    done = subprocess.run(command, cwd=run.folder, env=run.environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_a_schema_refuses_is_replayed_when_the_schema_is_mended(leat, pipeline):
    run = pipeline(GATE)
    (run.folder / "events.jsonl").write_text('{"id":1,"amount":5}\n{"id":2,"amount":"x"}\n{"amount":7}\n')
    write_schemas(run, LINE, MADE)
    assert run.start().wait_exit() == 0
    assert [event["id"] for event in run.lines("lines.jsonl")] == [1]
    few = run.lines("made.jsonl")
    assert 0 < len(few) < 300 and all(event["amount"] <= 60 for event in few)
    letters = [json.loads(line) for line in dlq(leat, run, "list", "--json").splitlines()]
    mine = {letter["reason"]: letter["payload"] for letter in letters if letter["node"] == "lines"}
    assert mine['schema: /amount must be a number, is "x"'] == '{"id":2,"amount":"x"}'
    assert mine["schema: /id is missing"] == '{"amount":7}'
    assert len(letters) == 2 + 300 - len(few)

    write_schemas(run, {"required": ["id"]}, {})
    dlq(leat, run, "replay", "--all")
    assert run.start().wait_exit() == 0
    assert sorted(event["id"] for event in run.lines("lines.jsonl")) == [1, 2]
    assert len({event["id"] for event in run.lines("made.jsonl")}) == 300 == len(run.lines("made.jsonl"))
    (left,) = [json.loads(line) for line in dlq(leat, run, "list", "--json").splitlines()]
    assert left["reason"] == "schema: /id is missing"


def test_a_schema_with_an_unknown_keyword_is_refused_by_check(pipeline):
    run = pipeline(GATE)
    write_schemas(run, {"properties": {"amount": {"tpye": "number"}}}, {})
    done = run.check("--offline")
    assert done.returncode != 0
    expected = 'pipeline.yaml:4:51: error: cannot use schema "line.json": /properties/amount/tpye: this keyword is not supported'
    assert expected in done.stdout + done.stderr
