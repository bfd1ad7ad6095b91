# SPDX-License-Identifier: Apache-2.0
"""The verbs for state: looked at, copied, put back, decided about and verified."""

import collections
import json
import re
import shutil
import subprocess
import time

import pytest

SHOP = """
pipeline: shop
sources:
  payments: {type: generate, count: 1000, keys: 50, duplicates: 0.01}
operators:
  once: {type: dedup, input: payments, key: id, within: 1h}
  spend: {type: aggregate, input: payments, key: user, field: amount}
  rule: {type: lua, input: once, key: user, script: rule.lua}
sinks:
  out: {type: file, input: rule, path: out.jsonl}
"""

RULE = """
function process(event, state)
  if not state.n then set_timer(3600, 7) end
  state.n = (state.n or 0) + 1
  state.last = event.id
  emit(event)
end

function timer(key, state, tag)
end
"""


class Shop:
    """The pipeline, its events by the sink's file, and the verbs about it."""

    def __init__(self, leat, run, name="shop", text=SHOP):
        self.leat, self.run, self.folder, self.text = leat, run, run.folder, text
        self.state = run.folder / "state" / f"{name}.state"
        (run.folder / "rule.lua").write_text(RULE)

    def events(self):
        """How often each event is in the sink."""
        return collections.Counter(event["id"] for event in self.run.lines("out.jsonl"))

    def read(self, count):
        """Runs until the source has ended, which is after `count` events in all."""
        self.run.rewrite(re.sub("count: [0-9]+", f"count: {count}", self.text))
        assert self.run.start().wait_exit() == 0

    def do(self, *words, state_dir=True):
        words = [self.leat, *words] + (["--state-dir", "state"] if state_dir else [])
        return subprocess.run(
            [str(word) for word in words], cwd=self.folder, env=self.run.environment, capture_output=True, text=True, timeout=60
        )

    def state_of(self):
        return json.loads(self.do("state", "list", "pipeline.yaml", "--format", "json").stdout)

    def rows(self, *words):
        done = self.do("state", *words)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def verify(self, *words):
        done = self.do("verify", "pipeline.yaml", "--format", "json", *words)
        found = json.loads(done.stdout)
        assert (done.returncode == 0) == (found["good"] and all(sink["good"] for sink in found["sinks"]))
        return found, {sink["sink"]: sink for sink in found["sinks"]}


@pytest.fixture
def shop(leat, pipeline):
    shop = Shop(leat, pipeline(SHOP))
    shop.read(1000)
    return shop


# ---- looking ----


def test_list_counts_what_is_there(shop):
    state = shop.state_of()
    assert state["pipeline"] == "shop" and state["epoch"] > 0 and state["incarnation"] == 1
    assert state["positions"] == [{"source": "payments", "partition": 0, "position": 1000, "note": "start 1767225600000000"}]
    tables = {(table["node"], table["table"]): table for table in state["tables"]}
    assert tables["once", "seen"]["rows"] == len(shop.events())
    assert tables["once", "seen"]["kind"] == "fixed" and tables["once", "seen"]["shards"] == 8
    assert tables["rule", "state"]["rows"] == tables["rule", None]["rows"] == 50
    out = next(sink for sink in state["sinks"] if sink["sink"] == "out")
    assert out["delivered"]["epoch"] == out["last_epoch"] > 0
    assert out["outbox"] == {"epochs": 0, "effects": 0, "bytes": 0}
    text = shop.do("state", "list", "pipeline.yaml").stdout
    assert f"epoch {state['epoch']}, incarnation 1" in text and "seen" in text
    by_folder = shop.do("state", "list", shop.state, "--format", "json", state_dir=False)
    assert json.loads(by_folder.stdout)["tables"] == state["tables"]


def test_rows_are_shown_by_their_fields(shop):
    last = {event["user"]: event["id"] for event in shop.run.lines("out.jsonl")}
    times = collections.Counter(event["user"] for event in shop.run.lines("out.jsonl"))
    user = next(iter(last))
    (row,) = shop.rows("get", "pipeline.yaml", "rule", user, "--table", "state")
    assert row["key"] == user and row["value"] == {"n": times[user], "last": last[user]}
    (same, timer) = shop.rows("get", "pipeline.yaml", "rule", json.dumps(user))
    if "clock" in same:
        same, timer = timer, same
    assert same == row
    assert timer["table"] == "timers" and timer["tag"] == 7 and timer["clock"] == "processing" and timer["due"].endswith("Z")
    (row,) = shop.rows("get", "pipeline.yaml", "spend", user)
    assert row["table"] == "figures" and row["value"]["count"] >= times[user] and row["changed"].endswith("Z")
    assert len(shop.rows("scan", "pipeline.yaml", "once", "--limit", "3")) == 3
    seen = shop.rows("scan", "pipeline.yaml", "once", "--table", "seen")
    assert {row["key"] for row in seen} == set(shop.events())
    everything = shop.rows("export", "pipeline.yaml")
    assert collections.Counter(row["node"] for row in everything) == {"once": len(seen), "spend": 50, "rule": 100}
    assert len(shop.rows("export", "pipeline.yaml", "rule")) == 100


def test_what_is_not_there_is_told(shop):
    def said(*words):
        done = shop.do("state", *words)
        assert done.returncode == 1 and done.stdout == ""
        return done.stderr

    assert 'operator "rule" keeps nothing for this key' in said("get", "pipeline.yaml", "rule", "nobody")
    assert 'there is no operator "rul"; did you mean "rule"?' in said("scan", "pipeline.yaml", "rul")
    assert 'operator "rule" has no table "figures"' in said("scan", "pipeline.yaml", "rule", "--table", "figures")
    shutil.move(shop.state, shop.folder / "elsewhere")
    assert "there is no state in" in said("list", "pipeline.yaml")
    assert "there is no state in" in said("accept-sink", "pipeline.yaml", "out")
    assert not shop.state.exists(), "a verb that looks has made the folder"


def test_a_running_pipeline_is_looked_at(shop):
    shop.run.rewrite(SHOP.replace("count: 1000", "rate: 2000"))
    shop.run.start()
    shop.run.wait_until(lambda: shop.state_of()["positions"][0]["position"] > 3000, "some epochs")
    found, sinks = shop.verify()
    assert found["running"] and found["good"] and sinks["out"]["good"]
    assert sinks["out"]["unread"] == "the pipeline is running"
    assert shop.do("state", "backup", "pipeline.yaml", "backup").returncode == 0
    refused = shop.do("state", "accept-sink", "pipeline.yaml", "out", "--again")
    assert refused.returncode == 1 and "is in use by another process" in refused.stderr
    assert shop.run.stop() == 0
    copied = json.loads(shop.do("state", "list", "backup", "--format", "json", state_dir=False).stdout)
    now = shop.state_of()
    assert 0 < copied["epoch"] < now["epoch"]
    seen = next(table["rows"] for table in copied["tables"] if table["table"] == "seen")
    assert seen <= copied["positions"][0]["position"]
    assert shop.events().total() == len(shop.events())


# ---- copies, and what they lead to ----


def restore_old_state(shop):
    """The state of 1000 events beside a sink of 1500."""
    assert shop.do("state", "backup", "pipeline.yaml", "backup").returncode == 0
    shop.read(1500)
    shutil.move(shop.state, shop.folder / "newer")
    assert shop.do("state", "restore", "backup", "state/shop.state", state_dir=False).returncode == 0
    again = shop.do("state", "restore", "backup", "state/shop.state", state_dir=False)
    assert again.returncode == 1 and "is there already, and is not overwritten" in again.stderr
    assert shop.run.start().wait_exit() == 1
    assert '"leat state accept-sink" lets you decide' in shop.run.log


def test_a_restored_state_is_refused_until_somebody_decides(shop):
    restore_old_state(shop)
    ids = set(shop.events())
    assert shop.verify()[1]["out"]["reason"].startswith("it is ahead")
    asked = shop.do("state", "accept-sink", "pipeline.yaml", "out")
    assert asked.returncode == 1
    assert "it is ahead" in asked.stdout and "--as-delivered: epoch" in asked.stdout and "--again: the sink" in asked.stdout
    assert shop.run.start().wait_exit() == 1, "asking decides nothing"
    sink_epoch = shop.verify()[1]["out"]["epoch"]
    assert shop.do("state", "accept-sink", "pipeline.yaml", "out", "--as-delivered").returncode == 0
    assert shop.state_of()["epoch"] >= sink_epoch
    shop.read(2000)
    assert shop.do("state", "accept-sink", "pipeline.yaml", "out", "--again").stdout.endswith(
        "there is nothing to decide, the pipeline can start\n"
    )
    found, sinks = shop.verify()
    assert found["good"] and all(sink["good"] for sink in sinks.values())
    assert sinks["out"]["epoch"] > sink_epoch
    counts = shop.events()
    assert ids < set(counts)
    assert {n for id, n in counts.items() if id not in ids} == {1}
    assert 400 < sum(n == 2 for n in counts.values()) <= 500, "what came after the backup was read again, and no more"


def test_a_sink_can_be_set_back_to_the_state(shop):
    restore_old_state(shop)
    sink_epoch = shop.verify()[1]["out"]["epoch"]
    assert shop.do("state", "accept-sink", "pipeline.yaml", "out", "--again").returncode == 0
    assert shop.verify()[1]["out"]["epoch"] < sink_epoch <= shop.state_of()["epoch"]
    shop.read(1500)
    found, sinks = shop.verify()
    assert sinks["out"]["good"] and sinks["out"]["epoch"] > sink_epoch


@pytest.mark.parametrize("choice", ["--as-delivered", "--again"])
def test_what_waits_in_the_outbox_is_dropped_or_delivered(shop, choice):
    """The fence goes while the pipeline runs, so that it stops with effects that it could not deliver."""
    shop.run.rewrite(SHOP.replace("count: 1000", "count: 1500, rate: 200"))
    shop.run.start()
    shop.run.wait_until(lambda: shop.state_of()["positions"][0]["position"] > 1050, "some epochs")
    while shop.run.process.poll() is None:  # a delivery that is under way writes it once more
        (shop.folder / "out.jsonl.fence").unlink(missing_ok=True)
        time.sleep(0.02)
    assert shop.run.wait_exit() == 1
    before = set(shop.events())
    assert shop.run.start().wait_exit() == 1
    assert "its fence is missing" in shop.run.log
    waiting = next(sink["outbox"] for sink in shop.state_of()["sinks"] if sink["sink"] == "out")
    assert waiting["epochs"] > 0
    decided = shop.do("state", "accept-sink", "pipeline.yaml", "out", choice)
    assert decided.returncode == 0, decided.stdout + decided.stderr
    assert f"{waiting['epochs']} epochs" in decided.stdout
    due = shop.verify()[1]["out"]["due"]
    assert due == (waiting["epochs"] if choice == "--again" else 0)
    shop.read(2000)
    assert shop.verify()[1]["out"]["good"]
    counts = shop.events()
    assert set(counts.values()) == {1} and before < set(counts)
    lost = {row["key"] for row in shop.rows("scan", "pipeline.yaml", "once", "--table", "seen")} - set(counts)
    assert len(lost) == (waiting["effects"] if choice == "--as-delivered" else 0)


SYSTEMS = """
pipeline: PIPELINE
sources:
  payments: {type: generate, count: 500, duplicates: 0}
sinks:
  rows: {type: postgres, input: payments, url: "${POSTGRES_URL}", table: TABLE, columns: {id: id}}
  sets: {type: redis, input: payments, host: "${REDIS_HOST}", port: "${REDIS_PORT}", key: "PREFIX{id}"}
  copies: {type: kafka, input: payments, brokers: "${KAFKA_BROKERS}", topic: TOPIC}
"""


@pytest.mark.parametrize("choice", ["--as-delivered", "--again"])
def test_every_system_is_decided_about(leat, pipeline, postgres, table, redis_client, redis_prefix, kafka, topic, choice):
    events, out = table("events", "id text"), topic("out")
    name = out.replace("-", "_")
    words = {"PIPELINE": name, "TABLE": events, "PREFIX": redis_prefix, "TOPIC": out}
    text = SYSTEMS
    for word, value in words.items():
        text = text.replace(word, value)
    shop = Shop(leat, pipeline(text), name, text)
    shop.read(500)
    assert shop.do("state", "backup", "pipeline.yaml", "backup").returncode == 0
    shop.read(800)
    found, sinks = shop.verify("--claim")
    assert found["good"] and all(sink["good"] for sink in sinks.values()), sinks
    assert shop.verify()[1]["copies"]["unread"] == "that needs --claim"
    shutil.move(shop.state, shop.folder / "newer")
    assert shop.do("state", "restore", "backup", f"state/{name}.state", state_dir=False).returncode == 0
    assert shop.run.start().wait_exit() == 1
    for sink in ["rows", "sets", "copies"]:
        asked = shop.do("state", "accept-sink", "pipeline.yaml", sink)
        assert asked.returncode == 1 and "it is ahead" in asked.stdout, asked.stdout + asked.stderr
        decided = shop.do("state", "accept-sink", "pipeline.yaml", sink, choice)
        assert decided.returncode == 0, decided.stdout + decided.stderr
    shop.read(1000)
    found, sinks = shop.verify("--claim")
    assert found["good"] and all(sink["good"] for sink in sinks.values()), sinks
    assert postgres.execute(f"select count(*), count(distinct id) from {events}").fetchone() == (1300, 1000)
    assert len(kafka.read(out)) == 1300
    assert len(list(redis_client.scan_iter(redis_prefix + "*", count=10000))) == 1000


# ---- verifying ----


def test_what_is_as_it_was_left_is_good(shop):
    found, sinks = shop.verify()
    state = shop.state_of()
    assert found["good"] and not found["running"] and found["rows"] == sum(table["rows"] for table in state["tables"])
    assert sinks["out"] == {
        "sink": "out", "good": True, "reason": None, "epoch": sinks["out"]["epoch"], "incarnation": 1, "due": 0, "unread": None
    }
    text = shop.do("verify", "pipeline.yaml")
    assert text.returncode == 0
    assert f'sink "out": good: epoch {sinks["out"]["epoch"]} of incarnation 1, 0 epochs to be delivered\n' in text.stdout
    before = sorted((path.name, path.stat().st_size) for path in (shop.state / "db").iterdir())
    shop.verify()
    assert sorted((path.name, path.stat().st_size) for path in (shop.state / "db").iterdir()) == before


def test_damaged_state_is_told(shop):
    """A damaged log is one that ends earlier, as after a power cut: the sink then has more than the store."""
    log = max((shop.state / "db").glob("*.log"), key=lambda path: path.stat().st_size)
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 1
    log.write_bytes(content)
    done = shop.do("verify", "pipeline.yaml")
    assert done.returncode == 1 and "it is ahead" in done.stdout
    (shop.state / "db" / "CURRENT").write_text("nothing")
    done = shop.do("verify", "pipeline.yaml")
    assert done.returncode == 1 and "could not open state in" in done.stderr


def test_dropped_nodes_need_the_option(shop):
    shop.run.rewrite(SHOP.replace("  spend:", "  cost:").replace("count: 1000", "count: 1200"))
    assert shop.run.start().wait_exit() == 1
    assert 'no longer has "spend"' in shop.run.log
    assert shop.run.start("--drop", "spend").wait_exit() == 0
    tables = {(table["node"], table["table"]): table["rows"] for table in shop.state_of()["tables"]}
    assert tables["spend", "figures"] == 0 and tables["cost", "figures"] == 50
    assert shop.run.start().wait_exit() == 0


# ---- words ----


@pytest.mark.parametrize("verb", ["list", "get", "scan", "export", "backup", "restore", "accept-sink"])
def test_every_command_has_help(leat, verb):
    shown = subprocess.run([leat, "state", verb, "--help"], capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0 and shown.stderr == ""
    assert shown.stdout.startswith(f"NAME\n    leat state {verb} - ")
    assert max(len(line) for line in shown.stdout.splitlines()) <= 110


@pytest.mark.parametrize(
    "words, message",
    [
        (["lst"], 'leat state: unknown command "lst"; did you mean "list"?'),
        (["list"], "leat state list: expected one pipeline file or state folder"),
        (["get", "f.yaml", "node"], "expected a pipeline file, an operator and a key"),
        (["scan", "f.yaml", "node", "--limit", "0"], 'option "--limit" is "0", expected a number from 1'),
        (["accept-sink", "f.yaml", "out", "--again", "--as-delivered"], "expected --as-delivered or --again, not both"),
    ],
)
def test_wrong_usage_is_told(leat, words, message):
    shown = subprocess.run([leat, "state", *words], capture_output=True, text=True, timeout=60)
    assert shown.returncode == 2 and shown.stdout == "" and message in shown.stderr
