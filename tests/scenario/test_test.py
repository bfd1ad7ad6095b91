# SPDX-License-Identifier: Apache-2.0
"""`leat test` and `leat test-plugin` as their users meet them. No service is needed."""

import subprocess
import textwrap
import xml.etree.ElementTree

import pytest

PIPELINE = """
pipeline: payments
delivery: at-least-once
sources:
  payments: {type: file, path: payments.jsonl, time: {field: ts, unit: s, disorder: 5s}}
  limits: {type: file, path: limits.jsonl}
operators:
  unique: {type: dedup, input: payments, key: user, by: id, within: 10m}
  big: {type: filter, input: unique, where: amount > 100}
  rule: {type: lua, input: unique, key: user, script: rule.lua}
sinks:
  shown: {type: stdout, input: big}
  rest: {type: stdout, input: [rule, limits]}
"""

RULE = """
ports = {"first"}
function process(event, state)
  if not state.seen then emit("first", event) end
  state.seen = true
  event.count = 1
  emit(event)
end
"""

START = 1767225600
GOOD = f"""
- name: a payment counts once
  input:
    payments:
      - {{at: 0s, value: {{user: ann, id: 1, amount: 500, ts: {START}}}}}
      - {{at: 1s, value: {{user: ann, id: 1, amount: 500, ts: {START}}}}}
    limits: [{{value: {{limit: 3}}}}]
  expect: {{big: [{{amount: 500}}], rule.first: [{{id: 1}}], shown: [{{id: 1}}], rest: [{{count: 1}}, {{limit: 3}}]}}
"""


@pytest.fixture
def folder(leat, tmp_path):
    class Folder:
        def write(self, name, text):
            (tmp_path / name).write_text(text)
            return self

        def tests(self, text, name="payments.yaml"):
            return self.write(name, PIPELINE + "tests:\n" + textwrap.indent(text, "  "))

        def run(self, *words):
            return subprocess.run([leat, *map(str, words)], capture_output=True, text=True, timeout=60, cwd=tmp_path)

        path = tmp_path

    return Folder().write("rule.lua", RULE)


def test_what_holds_passes_with_crashes_too(folder):
    shown = folder.tests(GOOD).run("test", "payments.yaml", "--crash")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout == "payments.yaml\n  passed  a payment counts once\n1 passed, 0 failed\n"


def test_a_failure_shows_what_was_expected_and_what_came_and_where(folder):
    shown = folder.tests(GOOD.replace("big: [{amount: 500}]", "big: [{amount: 501}]")).run("test", "payments.yaml")
    assert shown.returncode == 1
    line = (folder.path / "payments.yaml").read_text().split("big: [{amount")[0].count("\n") + 1
    assert f"payments.yaml:{line}:14: big: expected 1 row (-), got 1 (+)" in shown.stdout
    assert f'      - {{"amount":501}}    (payments.yaml:{line}:20)\n' in shown.stdout
    assert '      + {"user":"ann","id":1,"amount":500,' in shown.stdout
    assert shown.stdout.endswith("0 passed, 1 failed\n")


@pytest.mark.parametrize(
    "rows, passes",
    [("[{id: 1}, {id: 2}]", True), ("[{id: 2}, {id: 1}]", False), ("[{id: 1}]", False), ("[{id: 1}, {id: 2}, {id: 2}]", False), ("[]", False)],
)
def test_all_rows_have_to_come_in_their_order(folder, rows, passes):
    events = ", ".join(f"{{value: {{user: ann, id: {i}, amount: 5, ts: {START}}}}}" for i in (1, 2))
    test = f"- {{name: t, input: {{payments: [{events}]}}, expect: {{unique: {rows}}}}}\n"
    assert folder.tests(test).run("test").returncode == (0 if passes else 1)


def test_any_order_and_exact_rows_can_be_asked_for(folder):
    row = "{user: ann, id: %d, amount: 5, ts: %d}"
    events = ", ".join(f"{{value: {row % (i, START)}}}" for i in (1, 2))
    test = f"- {{name: t, order: any, match: exact, input: {{payments: [{events}]}}, expect: {{unique: [%s, %s]}}}}\n"
    assert folder.tests(test % (row % (2, START), row % (1, START))).run("test").returncode == 0
    assert folder.tests(test % (row % (2, START), row % (2, START))).run("test").returncode == 1
    assert folder.tests(test % (row % (2, START), "{id: 1}")).run("test").returncode == 1


def test_a_dead_letter_that_is_not_expected_fails_a_test(folder):
    test = "- {name: t, input: {payments: [{value: {user: ann, id: 1}}]}, expect: {big: []%s}}\n"
    shown = folder.tests(test % "").run("test")
    assert shown.returncode == 1
    assert "payments.dead: a dead letter that the test does not expect" in shown.stdout
    assert folder.tests(test % ", payments.dead: [{node: payments}]").run("test").returncode == 0


def test_tests_lie_in_the_file_beside_too(folder):
    folder.write("payments.yaml", PIPELINE).write("payments.test.yaml", "tests:\n" + textwrap.indent(GOOD, "  "))
    for words in [(), (".",), ("payments.yaml",), ("payments.test.yaml",)]:
        shown = folder.run("test", *words)
        assert shown.returncode == 0 and "1 passed, 0 failed" in shown.stdout, words
    # Which is no pipeline.
    assert folder.run("check", "--offline", ".").returncode == 0


@pytest.mark.parametrize("words", ["a.yaml a.test.yaml", "a.test.yaml a.yaml", "a.yaml ./a.yaml", ". a.test.yaml", "a.test.yaml a.test.yaml"])
def test_what_is_named_twice_runs_once(folder, words):
    folder.write("payments.yaml", PIPELINE).write("payments.test.yaml", "tests:\n" + textwrap.indent(GOOD, "  "))
    shown = folder.run("test", *words.replace("a.", "payments.").split())
    assert shown.returncode == 0 and "1 passed, 0 failed" in shown.stdout, shown


def test_beside_a_link_stand_tests_of_its_own(folder):
    folder.tests(GOOD).write("same.test.yaml", "tests:\n" + textwrap.indent(GOOD, "  "))
    (folder.path / "same.yaml").symlink_to("payments.yaml")
    shown = folder.run("test", "payments.yaml", "same.test.yaml")
    assert shown.returncode == 0 and "2 passed, 0 failed" in shown.stdout, shown


def test_no_test_is_a_failure(folder):
    assert folder.write("payments.yaml", PIPELINE).run("test").returncode == 1
    shown = folder.tests(GOOD).run("test", "--filter", "twice")
    assert shown.returncode == 1
    assert "there are no tests with that in their names" in shown.stderr


@pytest.mark.parametrize(
    "test, finding",
    [
        ("- {name: t, input: {payment: []}, expect: {}}", 'the pipeline has no source "payment"; did you mean "payments"?'),
        ("- {name: t, input: {payments: [{id: 1}]}, expect: {}}", 'an event of a test has no "id"'),
        ("- {name: t, input: {}, expect: {rule.frist: []}}", 'node "rule" has no port "frist"'),
        ("- {name: t, input: {}, expect: {shown.dead: []}}", 'sink "shown" does not run in a test'),
        ("- {name: t, input: {}, expect: {big: 1}}", 'what is expected of "big" must be a list'),
        ("- {name: t, input: {}}", 'a test must have "expect"'),
        ("- {input: {}, expect: {}}", "a test must have a name"),
        ("- {name: t, start: soon, input: {}, expect: {}}", "start must be a span from the start"),
        ("- {name: t, input: {payments: [{at: 1s, value: 1, text: a}]}, expect: {}}", "an event has either a value or a text"),
        ("- {name: t, inptu: {}, input: {}, expect: {}}", 'a test has no "inptu"; did you mean "input"?'),
    ],
)
def test_a_broken_test_is_told_with_its_place(folder, test, finding):
    shown = folder.tests(test + "\n").run("test")
    assert shown.returncode == 78
    assert finding in shown.stderr and "payments.yaml:15:" in shown.stderr


def test_results_are_written_as_junit(folder):
    folder.tests(GOOD + GOOD.replace("once", "<never>").replace("id: 1}], shown", "id: 9}], shown")).run("test", "--junit", "r.xml")
    suite = xml.etree.ElementTree.parse(folder.path / "r.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert [(case.get("name"), len(case)) for case in suite] == [("a payment counts once", 0), ("a payment counts <never>", 1)]
    assert "rule.first: expected 1 row" in suite[1][0].text


def test_timers_fire_as_the_clock_moves(folder):
    folder.write("later.yaml", """
pipeline: later
delivery: at-least-once
sources: {in: {type: file, path: in.jsonl}}
operators: {op: {type: lua, input: in, key: user, script: later.lua}}
sinks: {out: {type: stdout, input: op}}
tests:
  - name: once it is time
    input: {in: [{value: {user: 1}}, {advance: 9s}, {at: 9s, value: {user: 2}}]}
    advance: 1s
    expect: {op: [{fired: 1}]}
""").write("later.lua", """
function process(event, state)
  state.user = event.user
  set_timer(10)
end
function timer(key, state, tag)
  emit({fired = state.user})
end
""")
    shown = folder.run("test", "later.yaml", "--crash")
    assert shown.returncode == 0, shown.stdout + shown.stderr


WINDOWS = """pipeline: windows
delivery: at-least-once
sources:
  payments: {type: file, path: p.jsonl, time: {field: ts, unit: s, disorder: 5s, idle: 30s}}
  refunds: {type: file, path: r.jsonl, time: {field: ts, unit: s, disorder: 5s}}
operators:
  minutes: {type: window, input: payments, key: user, size: 1m, aggregate: {n: count(), spent: sum(amount)}}
  hours: {type: window, input: minutes, key: user, size: 1h, aggregate: {n: sum(n)}}
  back: {type: join, input: {left: payments, right: refunds}, key: id, before: 0s, after: 1m, kind: left}
sinks:
  out: {type: stdout, input: [minutes, hours, back]}
  late: {type: stdout, input: minutes.late}
tests:
  - name: a minute is over when the watermark has come to its end
    input:
      payments:
        - {value: {user: 1, id: 1, amount: 5, ts: 1767225600}}
        - {value: {user: 1, id: 2, amount: 6, ts: 1767225659}}
        - {value: {user: 2, id: 3, amount: 7, ts: 1767225664}}
        - {value: {user: 1, id: 4, amount: 8, ts: 1767225665}}
        - {value: {user: 1, id: 5, amount: 9, ts: 1767225601}}
    expect:
      minutes: [{user: 1, n: 2, spent: 11, window_start: "2026-01-01T00:00:00.000000Z"}]
      minutes.late: [{id: 5}]
      hours: []
      back: []
  - name: at the end all of them are
    end: true
    input:
      payments:
        - {value: {user: 1, id: 1, amount: 5, ts: 1767225600}}
        - {value: {user: 1, id: 2, amount: 6, ts: 1767225670}}
      refunds: [{value: {id: 1, ts: 1767225630}}]
    expect:
      minutes: [{n: 1, spent: 5}, {n: 1, spent: 6}]
      hours: [{user: 1, n: 2}]
      back: [{left: {id: 1}, right: {id: 1}}, {left: {id: 2}, right: null}]
  - name: a partition that is idle holds nobody back
    input:
      payments:
        - {value: {user: 1, amount: 5, id: 1, ts: 1767225600}, partition: 1}
        - {at: 20s, value: {user: 1, id: 2, amount: 6, ts: 1767225700}}
        - {at: 25s, value: {user: 1, id: 2, amount: 6, ts: 1767225700}}
    advance: 10s
    expect:
      minutes: [{n: 1, spent: 5}]
"""


def test_windows_and_joins_go_by_the_watermarks_of_their_inputs(folder):
    shown = folder.write("windows.yaml", WINDOWS).run("test", "--crash")
    assert shown.returncode == 0 and "3 passed, 0 failed" in shown.stdout, shown.stdout + shown.stderr


def test_a_plugin_without_operator_is_a_failure(leat, folder):
    shown = folder.run("test-plugin", "stdout")
    assert shown.returncode == 1 and "has no operator" in shown.stderr
    assert folder.run("test-plugin", "no_such").returncode == 1
    assert folder.run("test-plugin").returncode == 2


def test_an_operator_is_tried_with_the_events_that_are_given(folder):
    folder.write("options.yaml", "options: {where: amount > 2}\n").write("events.jsonl", '{"amount": 1}\n{"amount": 3}\n')
    shown = folder.run("test-plugin", "filter", "--options", "options.yaml", "--sample", "events.jsonl")
    assert shown.returncode == 0, shown.stdout
    assert shown.stdout.startswith("filter (options.yaml:1), seed 1\n  passed  runs")
    folder.write("options.yaml", "options: {were: amount > 2}\n")
    shown = folder.run("test-plugin", "filter", "--options", "options.yaml")
    assert shown.returncode == 78 and 'did you mean "where"?' in shown.stderr
    folder.write("options.yaml", "options: {where: amount + 1}\n")
    shown = folder.run("test-plugin", "filter", "--options", "options.yaml", "--sample", "events.jsonl")
    assert shown.returncode == 1 and "every event is rejected, such as: dead: reason" in shown.stdout
