# SPDX-License-Identifier: Apache-2.0
"""Changed pipelines: what leat plan says of a change is what a start does, and nothing is lost that nobody has given up."""

import json
import re
import shutil
import signal
import subprocess
import time

import psycopg
import pytest
from services import SOURCE

SHOP = """
pipeline: shop
sources:
  payments: {type: generate, count: 1000, keys: 50}
operators:
  once: {type: dedup, input: payments, key: id, within: 1h}
  spend: {type: aggregate, input: payments, key: user, field: amount}
  large: {type: filter, input: payments, where: amount > 100}
sinks:
  out: {type: file, input: once, path: out.jsonl}
  totals: {type: file, input: spend, path: totals.jsonl}
  rest: {type: discard, input: large}
"""


def change(*pairs):
    text = SHOP.replace("count: 1000", "count: 1500")
    for was, becomes in pairs:
        assert was in text
        text = text.replace(was, becomes)
    return text


class Change:
    """A pipeline with state, and its file as it is to be."""

    def __init__(self, run):
        self.run = run

    def plan(self, *words, file="new.yaml"):
        command = [self.run.leat, "plan", *words, file, "--json"] + (["--plugin-path", self.run.plugins] if self.run.plugins else [])
        done = subprocess.run(
            [str(word) for word in command], cwd=self.run.folder, env=self.run.environment, capture_output=True, text=True, timeout=60
        )
        plan = json.loads(done.stdout)
        assert done.returncode == (0 if plan["starts"] else 1) and plan["starts"] == (plan["drop"] == [])
        plan["by"] = {(one["role"], one["node"], one["table"]): one for one in plan["findings"]}
        return plan

    def to(self, text):
        (self.run.folder / "new.yaml").write_text(text)

    def rows(self, node="users"):
        command = [self.run.leat, "state", "scan", "pipeline.yaml", node, "--state-dir", "state"]
        command += ["--plugin-path", self.run.plugins] if self.run.plugins else []
        done = subprocess.run(
            [str(word) for word in command], cwd=self.run.folder, env=self.run.environment, capture_output=True, text=True, timeout=60
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    def do(self, *words):
        command = [self.run.leat, *words, "--state-dir", "state"] + (["--plugin-path", self.run.plugins] if self.run.plugins else [])
        return subprocess.run(
            [str(word) for word in command], cwd=self.run.folder, env=self.run.environment, capture_output=True, text=True, timeout=60
        )

    def start(self, *options):
        """Until the source has ended."""
        self.run.rewrite((self.run.folder / "new.yaml").read_text())
        return self.run.start(*options).wait_exit()


@pytest.fixture
def shop(pipeline):
    shop = Change(pipeline(SHOP))
    shop.to(SHOP)
    assert shop.start() == 0
    return shop


CHANGES = {
    "nothing": (change(), [], []),
    "options": (change(("within: 1h", "within: 2h"), ("amount > 100", "amount > 200")), [], []),
    "key": (
        change(("key: user", "key: country")),
        ["spend"],
        ['operator "spend" is aggregate by "country" now', 'are of aggregate by "user"'],
    ),
    "type": (change(("{type: dedup, input: payments, key: id, within: 1h}", "{type: aggregate, input: payments, key: id}")), ["once"], ["once"]),
    "shards": (change(("key: user", "key: user, shards: 3")), ["spend"], ['operator "spend" has 3 shards']),
    "operator gone": (change(("  large: {type: filter, input: payments, where: amount > 100}\n", ""), ("input: large", "input: spend")), [], []),
    "table gone": (
        change(("  once: {type: dedup, input: payments, key: id, within: 1h}\n", ""), ("input: once", "input: spend")),
        ["once"],
        ['no longer has "once"'],
    ),
    "source renamed": (change(("payments:", "pays:"), ("input: payments", "input: pays")), ["payments"], ['no longer has "payments"']),
    "source changed": (
        change(("keys: 50", "keys: 60")),
        ["payments"],
        ['source "payments" is generate of seed 1, 60 users', "are of generate of seed 1, 50 users"],
    ),
    "sink moved": (change(("totals.jsonl", "totals2.jsonl")), [], []),
    "sink gone": (change(("  totals: {type: file, input: spend, path: totals.jsonl}\n", "  totals: {type: discard, input: spend}\n")), [], []),
    "sink renamed": (change(("totals: {", "sums: {"), ("totals.jsonl", "sums.jsonl")), [], []),
    "two at once": (
        change(("key: user", "key: country"), ("payments:", "pays:"), ("input: payments", "input: pays")),
        ["spend", "payments"],
        ["spend"],
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_plan_says_what_a_start_does(shop, name):
    text, drop, said = CHANGES[name]
    shop.to(text)
    plan = shop.plan("--state-dir", "state")
    assert plan["drop"] == drop
    by_file = shop.plan("pipeline.yaml")
    assert by_file["drop"] == drop and all(one["count"] is None for one in by_file["findings"])
    if drop:
        assert shop.start() == 1
        for part in said:
            assert part in shop.run.log
    assert shop.start(*[word for node in drop for word in ("--drop", node)]) == 0
    told = re.search("dropped rows, positions or undelivered effects of (.*)", shop.run.log)
    assert sorted(told[1].split(", ") if told else []) == sorted(f'"{node}"' for node in drop)
    assert shop.plan("--state-dir", "state")["starts"]


def test_a_plan_counts_what_is_there(shop):
    shop.to(change(("key: user", "key: country"), ("payments:", "pays:"), ("input: payments", "input: pays"), ("totals.jsonl", "totals2.jsonl")))
    by = shop.plan("pipeline.yaml", "--state-dir", "state")["by"]
    assert by["operator", "spend", None]["verdict"] == "changed" and by["operator", "spend", None]["count"] == 50
    assert by["table", "spend", "figures"]["verdict"] == "dropped" and by["table", "spend", "figures"]["count"] == 50
    assert by["table", "once", "seen"]["verdict"] == "keep"
    assert by["table", "once", "seen"]["count"] == len({event["id"] for event in shop.run.lines("out.jsonl")})
    assert by["source", "payments", None]["verdict"] == "dropped" and by["source", "payments", None]["count"] == 1
    assert by["source", "pays", None]["verdict"] == "new"
    assert by["sink", "totals", None]["verdict"] == "changed" and not by["sink", "totals", None]["needs_drop"]
    assert by["sink", "totals", None]["was"] == f'file "{shop.run.folder}/totals.jsonl"'
    assert by["sink", "out", None]["verdict"] == "keep"


def test_a_plan_is_made_beside_a_running_pipeline(shop):
    shop.run.rewrite(SHOP.replace("count: 1000", "rate: 2000"))
    shop.run.start().wait_log("started")
    shop.to(change(("key: user", "key: country")))
    assert shop.plan("--state-dir", "state")["drop"] == ["spend"]
    assert shop.run.stop() == 0


def test_what_cannot_be_compared_is_told(shop):
    def said(text, *words):
        shop.to(text)
        command = [shop.run.leat, "plan", *words, "new.yaml"] + (["--plugin-path", shop.run.plugins] if shop.run.plugins else [])
        done = subprocess.run(
            [str(word) for word in command], cwd=shop.run.folder, env=shop.run.environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 1 and done.stdout == ""
        return done.stderr

    assert 'pipeline "store" is not "shop"' in said(SHOP.replace("pipeline: shop", "pipeline: store"), "pipeline.yaml")
    assert "delivered at least once" in said(SHOP + "delivery: at-least-once\n", "pipeline.yaml")
    assert "there is no state in" in said(SHOP, "--state-dir", "elsewhere")


WHERE = """
pipeline: where
sources:
  in: {type: kafka, brokers: "a:1", topic: orders}
sinks:
  topic: {type: kafka, brokers: "a:1,b:2", topic: alerts, username: nobody, password: hidden, input: in}
  table: {type: postgres, url: "postgres://nobody:hidden@db.example:5433/shop?sslmode=disable", table: t, input: in}
  parts: {type: postgres, host: db, database: shop, user: nobody, password: hidden, schema: s, table: t, columns: {a: a, b: b}, input: in}
  keys: {type: redis, host: cache, password: hidden, database: 3, key: "k:{id}", input: in}
"""


def test_nodes_are_told_by_where_they_read_and_write_and_hold_no_secret(pipeline):
    """Brokers and who logs in may change; a topic has an id of its own."""
    one = Change(pipeline(WHERE))
    one.to(WHERE.replace("a:1", "c:3").replace("nobody", "somebody").replace("hidden", "secret"))
    plan = one.plan("pipeline.yaml")
    assert plan["starts"] and all(found["verdict"] == "keep" for found in plan["findings"])
    told = {found["node"]: found["is"] for found in plan["findings"]}
    assert told["in"] == 'kafka topic "orders"' and told["topic"] == 'kafka topic "alerts"'
    assert told["table"] == "postgres table public.t in database shop at db.example:5433"
    assert told["parts"] == "postgres table s.t (a, b) in database shop at db:5432"
    assert told["keys"] == "redis at cache:6379, database 3"
    one.to(WHERE.replace("orders", "returns").replace("shop", "store").replace("cache", "other"))
    by = one.plan("pipeline.yaml")["by"]
    assert [by["sink", name, None]["verdict"] for name in ("topic", "table", "parts", "keys")] == ["keep"] + ["changed"] * 3
    assert by["source", "in", None]["verdict"] == "changed" and by["source", "in", None]["needs_drop"]


def test_a_sink_that_has_moved_gets_every_event_once(shop):
    """Back and forth, the files together have each event once."""
    for count, name in ((2000, "b"), (3000, "c"), (4000, "b"), (5000, "out")):
        shop.to(SHOP.replace("out.jsonl", f"{name}.jsonl").replace("count: 1000", f"count: {count}"))
        assert shop.start() == 0
    ids = [event["id"] for name in ("out", "b", "c") for event in shop.run.lines(f"{name}.jsonl")]
    assert len(ids) == len(set(ids)) > 4900


def test_dead_letters_stay_when_the_file_is_renamed(shop):
    bad = SHOP.replace("filter, input: payments, where: amount > 100", "lua, input: payments, script: bad.lua")
    (shop.run.folder / "bad.lua").write_text("function process(event) error('no') end")
    shop.to(bad.replace("count: 1000", "count: 1100"))
    assert shop.start() == 0
    shop.run.file = shop.run.folder / "other.yaml"
    shop.to(bad.replace("count: 1000", "count: 1150"))
    assert shop.start() == 0
    assert len(shop.do("dlq", "list", "other.yaml", "--json").stdout.splitlines()) == 150


def test_a_dropped_source_begins_anew_and_a_kept_one_does_not(shop):
    assert len(shop.run.lines("totals.jsonl")) == 1000
    shop.to(change(("payments:", "pays:"), ("input: payments", "input: pays")))
    assert shop.start("--drop", "payments") == 0
    assert len(shop.run.lines("totals.jsonl")) == 2500
    assert shop.start() == 0
    assert len(shop.run.lines("totals.jsonl")) == 2500


def test_dropped_rows_do_not_come_back(shop):
    """Not even into the memory of this start: some of the keys are in a shard of the same number as before."""
    shop.to(change(("key: user", "key: user, shards: 3")))
    assert shop.start("--drop", "spend") == 0
    rows = shop.rows("spend")
    events = shop.run.lines("totals.jsonl")[1000:]
    assert {row["key"] for row in rows} == {event["user"] for event in events}
    assert sum(row["value"]["count"] for row in rows) == len(events) == 500


@pytest.mark.parametrize("choice", ["--as-delivered", "--again"])
def test_a_sink_that_is_new_to_the_state_and_has_a_fence_is_decided_about(shop, choice):
    """As after the state was removed, or the sink has come back after its name was given to nobody for a while."""
    shutil.rmtree(shop.run.folder / "state" / "shop.state")
    assert shop.start() == 1
    assert "it is ahead: it has epoch" in shop.run.log and '"leat state accept-sink" lets you decide' in shop.run.log
    for sink in ("out", "totals"):
        assert shop.do("state", "accept-sink", "pipeline.yaml", sink).returncode == 1
        assert shop.do("state", "accept-sink", "pipeline.yaml", sink, choice).returncode == 0
    shop.to(change())
    assert shop.start() == 0
    assert len(shop.run.lines("totals.jsonl")) == 2500
    assert shop.do("verify", "pipeline.yaml").returncode == 0


# ---- undelivered effects ----

COPY = """
pipeline: NAME
sources:
  payments: {type: generate, rate: 2000, keys: 50, duplicates: 0}
sinks:
  out: {type: postgres, url: "${POSTGRES_URL}", table: TABLE, columns: {id: id}, input: payments}
"""


def copy_to(table):
    """Of a name that no other test has, as fences are told by it."""
    return COPY.replace("NAME", table.split(".")[0]).replace("TABLE", table)


class Copy(Change):
    """Its sink is a table; there are effects that wait for it."""

    def __init__(self, run, postgres, where, tables):
        super().__init__(run)
        self.postgres, self.tables = postgres, tables
        self.run.start()
        self.run.wait_until(lambda: self.ids(0), "rows")
        with psycopg.connect(where["POSTGRES_URL"]) as other:
            other.execute(f"lock table {tables[0]} in access exclusive mode")
            self.run.wait_until(lambda: self.plan_of_old()["count"] > 500, "effects in the outbox")
            self.run.kill()
        postgres.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name like %s", (f"leat {tables[0].split('.')[0]}/%",))
        time.sleep(0.2)

    def plan_of_old(self):
        return self.plan("--state-dir", "state", file="pipeline.yaml")["by"]["sink", "out", None]

    def ids(self, table):
        return [row[0] for row in self.postgres.execute(f"select id from {self.tables[table]}").fetchall()]

    def run_for_a_while(self, *options):
        self.run.start(*options)
        self.run.wait_log("started")
        time.sleep(0.5)
        assert self.run.stop() == 0


@pytest.fixture
def copy(pipeline, postgres, table, where):
    tables = [table("a", "id text"), table("b", "id text")]
    one = Copy(pipeline(copy_to(tables[0])), postgres, where, tables)
    one.to(copy_to(tables[1]))
    return one


def test_a_sink_does_not_move_while_effects_wait_for_it(copy):
    sink = copy.plan("--state-dir", "state")["by"]["sink", "out", None]
    assert sink["verdict"] == "changed" and sink["needs_drop"] and sink["count"] > 500
    assert re.search(r"postgres table test_\w+\.b \(id\) in database \w+ at [\w.]+:\d+$", sink["is"])
    password = re.search("://[^:]+:([^@]+)@", copy.run.environment["POSTGRES_URL"])
    assert password is None or f":{password[1]}@" not in json.dumps(sink)
    assert copy.start() == 1
    assert f'sink "out" is {sink["is"]} now' in copy.run.log and "take that back until they are delivered" in copy.run.log
    assert copy.ids(1) == []
    copy.run.rewrite(copy_to(copy.tables[0]))
    copy.run_for_a_while()  # drained, it may move
    assert copy.plan("--state-dir", "state")["starts"]
    copy.run.rewrite(copy_to(copy.tables[1]))
    copy.run_for_a_while()
    ids = copy.ids(0) + copy.ids(1)
    assert copy.ids(1) and len(ids) == len(set(ids))


def test_what_waits_for_a_sink_is_dropped_by_name(copy):
    n_waiting = copy.plan("--state-dir", "state")["by"]["sink", "out", None]["count"]
    before = copy.ids(0)
    copy.run.rewrite(copy_to(copy.tables[1]))
    copy.run_for_a_while("--drop", "out")
    assert copy.ids(0) == before
    ids = before + copy.ids(1)
    assert copy.ids(1) and len(ids) == len(set(ids))
    copy.run.rewrite(copy_to(copy.tables[0]))
    copy.run_for_a_while()  # back again, where its fence is older
    assert n_waiting > 0 and len(copy.ids(0)) > len(before)


@pytest.mark.parametrize("choice", ["--again", "--as-delivered"])
def test_a_person_decides_where_effects_belong(copy, choice):
    """As after the server has got another address: here another table stands for it."""
    n_waiting = copy.plan("--state-dir", "state")["by"]["sink", "out", None]["count"]
    copy.run.rewrite(copy_to(copy.tables[1]))
    asked = copy.do("state", "accept-sink", "pipeline.yaml", "out")
    assert asked.returncode == 1 and "the outbox is for postgres table" in asked.stdout
    assert "--again: the" in asked.stdout and "--as-delivered: epoch" in asked.stdout
    assert copy.do("state", "accept-sink", "pipeline.yaml", "out", choice).returncode == 0
    assert "nothing to decide" in copy.do("state", "accept-sink", "pipeline.yaml", "out").stdout
    before = copy.ids(0)
    copy.run_for_a_while()
    assert copy.ids(0) == before
    ids = before + copy.ids(1)
    assert len(ids) == len(set(ids)) > n_waiting * (choice == "--again")


def test_a_dropped_sink_that_comes_back_goes_on(copy):
    """Its fence is still in the system, and is no sink's that is ahead."""
    before = copy.ids(0)
    copy.run.rewrite(copy_to(copy.tables[1]).replace("out:", "other:"))
    assert copy.run.start().wait_exit() == 1
    assert 'no longer has "out"' in copy.run.log
    copy.run_for_a_while("--drop", "out")
    copy.run.rewrite(copy_to(copy.tables[0]))
    copy.run_for_a_while()
    ids = copy.ids(0)
    assert len(ids) == len(set(ids)) > len(before)


# ---- another version of a plugin ----

TALLY_1 = """
#include <leat/plugin.h>
struct tally { int32_t events; };
static const struct leat_field fields[] = { LEAT_FIELD(struct tally, events, INT32), { 0 } };
static const struct leat_table_spec tables[] = {
	{ .name = "tally", .version = 1, .size = sizeof(struct tally), .fields = fields }, { 0 } };
static enum leat_status process(void *self, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	struct tally *tally = leat_table_get(ctx, 0, &record->key);
	(void)self, (void)err;
	tally->events++;
	return LEAT_OK;
}
static const struct leat_operator_ops ops = { .size = sizeof ops, .tables = tables, .process = process };
LEAT_PLUGIN(.name = "tally", .version = "1.0", .summary = "Counts.", .op = &ops);
"""

# In the middle of things: two of its rows are made over.
DIES = "if (old->events == 0)\n"

TALLYING = """
pipeline: tallying
sources:
  payments: {type: generate, count: 1000, keys: 50}
operators:
  users: {type: tally, input: payments, key: user}
sinks:
  none: {type: discard, input: users}
"""


@pytest.fixture
def tally(pipeline):
    """A pipeline with rows of version 1, and a function that puts another version of its plugin into place."""
    one = Change(pipeline(TALLYING))
    if shutil.which("cc") is None or not one.run.plugins:
        pytest.skip("there is no cc, or LEAT_PLUGIN_PATH is not set")

    def compile_version(text):
        (one.run.folder / "tally.c").write_text(text)
        command = ["cc", "-std=c11", "-shared", "-fPIC", f"-I{SOURCE}/core/include", "-o", "tally.so", "tally.c"]
        subprocess.run(command, cwd=one.run.folder, check=True)

    one.compile = compile_version
    one.compile(TALLY_1)
    one.run.plugins = f"{one.run.plugins}:{one.run.folder}"
    one.to(TALLYING)
    assert one.start() == 0
    return one


def documented(name):
    """The example of docs/plugin-authors.md."""
    text = (SOURCE / "docs" / "plugin-authors.md").read_text()
    return re.search(rf"```c\n(/\* {name}: .*?)```", text, re.DOTALL)[1]


def test_rows_of_an_older_plugin_are_made_over(tally):
    tally.compile(documented("tally.c"))
    found = tally.plan("--state-dir", "state")["by"]["table", "users", "tally"]
    assert found["verdict"] == "migrate" and found["count"] == 50 and not found["needs_drop"]
    tally.to(TALLYING.replace("count: 1000", "count: 1500"))
    assert tally.start() == 0
    assert "migrated 50 rows to version 2, dropped 0" in tally.run.log
    rows = tally.rows()
    assert len(rows) == 50
    assert sum(row["value"]["events"] for row in rows) == 1500 and sum(row["value"]["summed"] for row in rows) == 500
    tally.compile(TALLY_1)
    assert tally.start() == 1
    assert 'table "tally" of operator "users" is version 1, its rows in' in tally.run.log


def test_a_migration_that_is_killed_leaves_everything_as_it_was(tally):
    """In its 25th row of 50, and then it is made again."""
    before = tally.rows()
    version_2 = documented("tally.c")
    assert DIES in version_2
    killing = version_2.replace(DIES, "static int n;\n\tif (++n == 25)\n\t\traise(SIGKILL);\n\t" + DIES)
    tally.compile("#include <signal.h>\n" + killing)
    assert tally.start() == -signal.SIGKILL
    tally.compile(TALLY_1)
    assert tally.rows() == before
    tally.compile(version_2)
    assert tally.start() == 0
    after = {row["key"]: row["value"]["events"] for row in tally.rows()}
    assert after == {row["key"]: row["value"]["events"] for row in before}


def test_a_migration_that_fails_names_the_row(tally):
    tally.compile(documented("tally.c").replace("old->events < 0", "old->events > 0"))
    assert tally.start() == 1
    assert re.search(r'could not migrate the row of "u\d+" in table "tally" of operator "users" from version 1 to 2', tally.run.log)
    assert "it has counted" in tally.run.log and "nothing was changed" in tally.run.log
    assert tally.start("--drop", "users") == 0
    assert tally.rows() == []
