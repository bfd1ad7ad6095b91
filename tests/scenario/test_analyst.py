# SPDX-License-Identifier: Apache-2.0
"""A rule as it is edited: what its author hears of mistakes, and that a mistake costs one event and not the pipeline."""

import json
import re

import pytest

LAST = 300
POISON = {57, 58, 200}


def event(n):
    return {"id": n, "user": f"u{n % 3}", "kind": "poison" if n in POISON else "plain"}


@pytest.fixture
def rule(kafka, topic, pipeline):
    """Makes a pipeline from a topic of events, some of them poison, through the rule into another topic."""

    def create(script, **options):
        source, copies = topic("in"), topic("out")
        kafka.write(source, [(event(n)["user"], event(n)) for n in range(LAST)])
        brokers = "${KAFKA_BROKERS}"
        run = pipeline({
            "pipeline": "rule",
            "delivery": "at-least-once",
            "sources": {"in": {"type": "kafka", "brokers": brokers, "topic": source, "start": "earliest"}},
            "operators": {"scored": {"type": "lua", "input": "in", "key": "user", "script": "rule.lua", **options}},
            "sinks": {
                "copies": {"type": "kafka", "input": "scored", "brokers": brokers, "topic": copies, "key": "{user}"},
                "rejected": {"type": "file", "input": "scored.dead", "path": "rejected.jsonl"},
            },
        })
        run.copies = copies
        (run.folder / "rule.lua").write_text(script)
        return run

    return create


def goes_on(run, kafka):
    """Every event arrives but the poison, which is in the dead letters; those are returned."""
    run.start()
    run.wait_until(lambda: len(kafka.read(run.copies)) >= LAST - len(POISON), "all good events", timeout=60)
    run.wait_until(lambda: len(run.lines("rejected.jsonl")) >= len(POISON), "dead letters")
    assert run.get("/healthz")[0] == 200 and run.get("/readyz")[0] == 200
    assert run.stop() == 0
    copies = kafka.read_json(run.copies)
    assert sorted(one["id"] for one in copies) == [n for n in range(LAST) if n not in POISON]
    letters = run.lines("rejected.jsonl")
    assert {letter["payload"]["id"] for letter in letters} == POISON
    for letter in letters:
        assert (letter["node"], letter["source"], letter["payload"]) == ("scored", "in", event(letter["offset"]))
    return letters, copies


@pytest.mark.parametrize("script, place, message", [
    ("function process(event)\n  emit(event\nend\n", 3, r"'\)' expected .*near 'end'"),
    ("function process(event)\n  local x = = 1\nend\n", 2, "unexpected symbol near '='"),
    ("function process(event)\n  _ENV.print = nil\nend\n", 2, 'cannot assign to global "print" in a function'),
    ("function process(event)\n  count = 1\nend\n", 2, 'cannot assign to global "count" in a function'),
    ("function process(event)\n  emit(event)\n", 3, "'end' expected"),
    ("local limit = settings.limit + 1\nfunction process(event) end\n", 1, "arithmetic on a nil value"),
    ("function proces(event) end\n", None, "process"),
])
def test_a_mistake_in_a_script_is_told_with_file_and_line(rule, script, place, message):
    run = rule(script)
    where = rf"rule\.lua:{place}: " if place else ""
    for shown in (run.check("--offline"), run.check()):
        assert shown.returncode == 78
        assert re.search(rf"pipeline\.yaml:\d+:\d+: error: .*{where}.*{message}", shown.stderr), shown.stderr
    assert run.start().wait_exit() == 78
    assert re.search(where + ".*" + message, run.log)


def test_a_script_that_is_mended_runs(rule, kafka):
    run = rule("function process(event)\n  emit(evnt)\n")
    assert run.start().wait_exit() == 78
    (run.folder / "rule.lua").write_text("function process(event)\n  if event.kind ~= 'plain' then error('poison') end\n  emit(event)\nend\n")
    goes_on(run, kafka)


def test_an_error_while_it_runs_costs_one_event(rule, kafka):
    """And what the event did to state and emitted before the error is undone."""
    run = rule("""
local function check(event)
  if event.kind == "poison" then
    event.missing.field = 1
  end
end

function process(event, state)
  state.n = (state.n or 0) + 1
  event.n = state.n
  emit(event)
  check(event)
end
""")
    letters, copies = goes_on(run, kafka)
    for letter in letters:
        assert re.search(r"(^|/)rule\.lua:4$", letter["where"])
        assert "'missing'" in letter["reason"] and "nil" in letter["reason"]
        trace = letter["detail"]
        assert trace.startswith("stack traceback:") and re.search(r"rule\.lua:4: .*check", trace) and "rule.lua:12:" in trace
    counted = {}
    for one in sorted(copies, key=lambda one: one["id"]):
        counted[one["user"]] = counted.get(one["user"], 0) + 1
        assert one["n"] == counted[one["user"]]
    assert len(re.findall(r'dead letter: .*rule\.lua:4: ', run.log)) >= 1


@pytest.mark.parametrize("bomb, reason", [
    ("while true do end", "used more than 1000000 instructions"),
    ("while true do pcall(function() while true do end end) end", "used more than 1000000 instructions"),
    ("local t = {} for i = 1, 1e9 do t[i] = 'x' .. i end", "needs more|used more"),
    ("local s = 'x' while true do s = s .. s end", "needs more"),
    ("event.note = ('x'):rep(1 << 40)", "needs more|used more|too large"),
    ("local function f() return 1 + f() end f()", "stack overflow|needs more|used more"),
    ("event.hit = ('a'):rep(3000):find(('a-'):rep(30) .. 'b')", "used more"),
], ids=["endless", "endless-in-pcall", "memory", "doubling", "rep", "recursion", "pattern"])
def test_a_rule_that_never_ends_or_eats_memory_costs_one_event(rule, kafka, bomb, reason):
    run = rule("function process(event)\n  if event.kind == 'poison' then\n    " + bomb + "\n  end\n  emit(event)\nend\n")
    letters, _ = goes_on(run, kafka)
    for letter in letters:
        assert re.search(reason, letter["reason"]), letter
        assert re.search(r"(^|/)rule\.lua:3$", letter["where"]), letter


def test_a_rule_cannot_reach_out(rule, kafka):
    """Files, the clock, other code: they are not there; globals cannot be written once the script is loaded."""
    attempts = ["io.open('/etc/passwd')", "os.execute('true')", "require('os')", "load('return 1')()", "debug.getinfo(1)",
                "string.rep = nil"]
    tried = "".join(f"  if not pcall(function() {attempt} end) then failed = failed + 1 end\n" for attempt in attempts)
    run = rule(f"""
function process(event)
  local failed = 0
{tried}  if event.kind == "poison" then error("all " .. failed .. " failed") end
  if failed == {len(attempts)} then emit(event) end
end
""")
    letters, _ = goes_on(run, kafka)
    assert {letter["reason"] for letter in letters} == {f"all {len(attempts)} failed"}


def test_a_dead_letter_is_one_line_of_json(rule, kafka):
    """Whatever text a script raises."""
    run = rule("function process(event)\n  if event.kind == 'poison' then error('a\\n\"b\" \\xff') end\n  emit(event)\nend\n")
    letters, _ = goes_on(run, kafka)
    assert {json.dumps(letter["reason"]) for letter in letters} == {json.dumps('a "b" ?')}
