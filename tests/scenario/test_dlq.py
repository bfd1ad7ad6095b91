# SPDX-License-Identifier: Apache-2.0
"""Dead letters that no sink reads: listed, mended, replayed exactly once and dropped, beside the pipeline and without it."""

import collections
import json
import re
import subprocess
import time

import pytest

# Every tenth amount is a text, which the rule does not expect; one line is no JSON.
COUNT = 2000
SHOP = """
pipeline: shop
sources:
  payments: {type: file, path: events.jsonl, follow: %s}
operators:
  rule: {type: lua, input: payments, key: user, script: rule.lua}
sinks:
  out: {type: file, input: rule, path: out.jsonl}
"""
RULE = """
function process(event, state)
  state.n = (state.n or 0) + 1
  event.high = event.amount > 100
  event.n = state.n
  emit(event)
end
"""
MENDED = RULE.replace("event.amount > 100", "tonumber(event.amount) > 100")


class Shop:
    """The pipeline, its events by the sink's file, and the verbs about its letters."""

    def __init__(self, leat, run):
        self.leat, self.run, self.folder = leat, run, run.folder
        with open(self.folder / "events.jsonl", "w") as events:
            for i in range(COUNT):
                events.write(json.dumps({"id": i, "user": f"u{i % 7}", "amount": str(i) if i % 10 == 0 else i}) + "\n")
            events.write("no json\n")
        self.rule(RULE)
        self.follow(False)

    def rule(self, text):
        (self.folder / "rule.lua").write_text(text)

    def follow(self, is_endless):
        self.run.rewrite(SHOP % ("true" if is_endless else "false"))

    def ids(self):
        """How often each event is in the sink."""
        return collections.Counter(event["id"] for event in self.run.lines("out.jsonl"))

    def dlq(self, *words):
        words = [self.leat, "dlq", words[0], "pipeline.yaml", *words[1:], "--state-dir", "state"]
        return subprocess.run(
            [str(word) for word in words], cwd=self.folder, env=self.run.environment, capture_output=True, text=True, timeout=60
        )

    def good(self, *words):
        done = self.dlq(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def letters(self, *words):
        return [json.loads(line) for line in self.good("list", "--json", *words).splitlines()]

    def to_end(self):
        assert self.run.start().wait_exit() == 0


@pytest.fixture
def shop(leat, pipeline):
    return Shop(leat, pipeline("pipeline: not yet"))


def test_letters_say_what_failed_where_and_why(shop):
    shop.to_end()
    letters = shop.letters()
    assert len(letters) == COUNT // 10 + 1
    assert [letter["number"] for letter in letters] == list(range(1, len(letters) + 1))
    bad = next(letter for letter in letters if letter["node"] == "payments")
    assert bad["failed"] == "message" and bad["payload"] == "no json" and "byte" in bad["reason"]
    mine = next(letter for letter in letters if letter["node"] == "rule" and letter["payload"]["id"] == 20)
    assert mine["where"] == "rule.lua:4" and "compare" in mine["reason"] and "traceback" in mine["detail"]
    assert (mine["failed"], mine["source"], mine["partition"], mine["key"]) == ("event", "payments", 0, "u6")
    assert mine["epoch"] > 0 and mine["payload"] == {"id": 20, "user": "u6", "amount": "20"}
    assert shop.letters("--node", "payments") == [bad]
    assert shop.letters("--limit", 3) == letters[-3:]


def test_a_list_is_a_table_with_a_line_for_each_letter(shop):
    shop.to_end()
    lines = shop.good("list", "--limit", 4).splitlines()
    assert len(lines) == 6 and lines[-1].startswith(f"{COUNT // 10 + 1} dead letters, ")
    column = lines[0].index("reason")
    assert all(line[column - 2 : column] == "  " for line in lines[1:-1])
    assert all(re.match(r" *\d+  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  (rule|payments) ", line) for line in lines[1:-1])
    assert all(len(line) <= 160 for line in lines)
    number = shop.letters("--node", "rule")[0]["number"]
    shown = shop.good("show", number)
    assert f'dead letter {number} of "rule"' in shown and "rule.lua:4" in shown and "stack traceback" in shown


def test_a_mended_rule_gets_its_letters_when_it_is_started(shop):
    shop.to_end()
    assert shop.good("replay", "--node", "rule") == f'{COUNT // 10} dead letters are replayed when pipeline "shop" is started\n'
    assert shop.good("list").count("  replay  ") == COUNT // 10
    shop.rule(MENDED)
    shop.to_end()
    assert shop.ids() == {i: 1 for i in range(COUNT)}
    assert [letter["node"] for letter in shop.letters()] == ["payments"]
    # State goes on where it was: each user's last event has as many as there are of it.
    events = shop.run.lines("out.jsonl")
    assert max(event["n"] for event in events if event["user"] == "u0") == len([i for i in range(COUNT) if i % 7 == 0])


def test_what_is_killed_in_a_replay_has_replayed_each_letter_once(shop):
    shop.to_end()
    shop.good("replay", "--node", "rule")
    shop.rule(MENDED)
    for i in range(6):
        shop.run.start()
        time.sleep(0.05 + 0.04 * i)
        shop.run.kill()
    shop.to_end()
    assert shop.ids() == {i: 1 for i in range(COUNT)}
    assert [letter["node"] for letter in shop.letters()] == ["payments"]


def test_a_running_pipeline_replays_and_drops_what_it_is_told(shop):
    shop.follow(True)
    shop.run.start()
    shop.run.wait_until(lambda: len(shop.run.lines("out.jsonl")) == COUNT - COUNT // 10, "all good events")
    first = shop.letters("--node", "rule")[0]["number"]
    told = shop.good("replay", first)
    assert told == f"1 dead letter was replayed\n1 dead letter is new since, from number {COUNT // 10 + 2} on\n"
    assert shop.good("drop", "--node", "payments") == "1 dead letter was dropped\n"
    assert len(shop.letters()) == COUNT // 10
    assert shop.run.stop() == 0
    shop.rule(MENDED)
    shop.run.start()
    shop.run.wait_until(lambda: shop.run.get("/readyz")[0] == 200)
    assert shop.good("replay", "--all") == f"{COUNT // 10} dead letters were replayed\n"
    assert shop.letters() == []
    shop.run.wait_until(lambda: len(shop.run.lines("out.jsonl")) == COUNT, "all events")
    assert shop.run.stop() == 0
    assert shop.ids() == {i: 1 for i in range(COUNT)}


def test_a_stopped_pipeline_drops_at_once(shop):
    shop.to_end()
    assert shop.good("drop", 1, "3-5") == "4 dead letters were dropped\n"
    assert [letter["number"] for letter in shop.letters()][:3] == [2, 6, 7]
    assert shop.good("drop", "--all") == f"{COUNT // 10 - 3} dead letters were dropped\n"
    assert shop.good("list") == "0 dead letters, 0 bytes\n"
    assert shop.good("drop", "--all") == "there is nothing to drop\n"
    assert shop.good("replay", "--all") == "there is nothing to replay\n"


def test_what_is_asked_for_wrongly_changes_nothing(shop):
    shop.to_end()
    for words, status, said in (
        (("replay", 1, 777), 1, "there is no dead letter 777"),
        (("drop", "700-800"), 1, "there is no dead letter in 700-800"),
        (("replay", "--node", "rul"), 1, 'there is no node "rul"; did you mean "rule"?'),
        (("show", 777), 1, "there is no dead letter 777"),
        (("replay",), 2, "expected one of: numbers of dead letters, --node, --all"),
        (("drop", 1, "--all"), 2, "expected one of"),
        (("drop", "x"), 2, 'not "x"'),
        (("drop", 2, 1), 2, "in their order"),
        (("show", "1-2"), 2, 'not "1-2"'),
    ):
        done = shop.dlq(*words)
        assert (done.returncode, done.stdout) == (status, "") and said in done.stderr, (words, done.stderr)
    assert len(shop.letters()) == COUNT // 10 + 1
    assert not list((shop.folder / "state" / "shop.state").glob("*.wish"))


def test_what_failed_in_a_timer_is_listed_and_cannot_be_replayed(shop):
    shop.rule("function process(event)\n  set_timer(0.01, 1)\nend\n\nfunction timer(key)\n  error('no ' .. key)\nend\n")
    shop.follow(True)
    shop.run.start()
    shop.run.wait_until(lambda: "  timer  " in shop.dlq("list").stdout, "a timer's letter")
    assert shop.run.stop() == 0
    letter = shop.letters("--node", "rule")[0]
    assert letter["failed"] == "timer" and "no u" in letter["reason"] and "payload" not in letter and "source" not in letter
    done = shop.dlq("replay", letter["number"])
    assert done.returncode == 1 and "1 of these cannot be replayed: a timer has no event" in done.stderr
    before = len(shop.letters())
    told = shop.good("replay", "--all")
    assert "of timers stay: there is no event to be replayed\n" in told and '1 dead letter is replayed when pipeline "shop"' in told
    assert shop.good("drop", letter["number"]) == "1 dead letter was dropped\n" and len(shop.letters()) == before - 1


JOINED = """
pipeline: shop
sources:
  orders: {type: file, path: orders.jsonl}
  customers: {type: file, path: customers.jsonl}
operators:
  known: {type: join, input: {left: orders, right: customers}, key: {left: customer, right: id}, match: table, deleted: %s}
sinks:
  out: {type: file, input: known, path: out.jsonl}
"""


def test_a_letter_goes_back_to_the_input_that_it_came_by(shop):
    shop.run.rewrite(JOINED % "gone + 1 > 1")
    customer, order = {"id": 7, "name": "Anna", "gone": "no"}, {"id": 1, "customer": 7}
    (shop.folder / "orders.jsonl").write_text("")
    (shop.folder / "customers.jsonl").write_text(json.dumps(customer) + "\n")
    shop.to_end()
    (letter,) = shop.letters()
    assert (letter["input"], letter["key"], letter["payload"]) == ("right", 7, customer)
    shop.run.rewrite(JOINED % "gone != 'no'")
    shop.good("replay", "--all")
    shop.to_end()
    (shop.folder / "orders.jsonl").write_text(json.dumps(order) + "\n")
    shop.to_end()
    assert shop.run.lines("out.jsonl") == [{"left": order, "right": customer}] and shop.letters() == []


def test_a_pipeline_without_state_says_where_its_letters_are(shop):
    shop.run.rewrite("delivery: at-least-once\n" + SHOP % "false")
    shop.to_end()
    done = shop.dlq("list")
    assert done.returncode == 1 and 'are in "state/pipeline.dead.jsonl"' in done.stderr
    assert len(shop.run.lines("state/pipeline.dead.jsonl")) == COUNT // 10 + 1


@pytest.mark.parametrize("verb", ["list", "show", "replay", "drop"])
def test_every_command_has_help(leat, verb):
    shown = subprocess.run([leat, "dlq", verb, "--help"], capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0 and shown.stderr == ""
    assert shown.stdout.startswith(f"NAME\n    leat dlq {verb} - ")
    assert max(len(line) for line in shown.stdout.splitlines()) <= 110


def test_rows_that_a_table_refused_are_replayed_when_it_takes_them(leat, postgres, table, pipeline):
    name = table("t", "id int, amount int check (amount < 900)")
    shop = Shop(leat, pipeline("pipeline: not yet"))
    shop.run.rewrite({
        "pipeline": "shop",
        "sources": {"payments": {"type": "file", "path": "events.jsonl"}},
        "sinks": {
            "rows": {"type": "postgres", "input": "payments", "url": "${POSTGRES_URL}", "table": name, "schema": name.split(".")[0]}
        },
    })
    (shop.folder / "events.jsonl").write_text("".join(json.dumps({"id": i, "amount": i}) + "\n" for i in range(1000)))
    shop.to_end()
    letters = shop.letters()
    assert {letter["payload"]["id"] for letter in letters} == set(range(900, 1000)) and len(letters) == 100
    assert {(letter["node"], letter["failed"]) for letter in letters} == {("rows", "event")} and "23514" in letters[0]["reason"]
    postgres.execute(f"alter table {name} drop constraint {name.split('.')[-1]}_amount_check")
    shop.good("replay", "--node", "rows")
    for i in range(3):
        shop.run.start()
        time.sleep(0.15 + 0.1 * i)
        shop.run.kill()
    shop.to_end()
    assert shop.letters() == []
    assert postgres.execute(f"select count(*), count(distinct id) from {name}").fetchone() == (1000, 1000)
