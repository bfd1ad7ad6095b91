# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a pipeline is told before it runs: in its file, and in the systems that it names."""

import contextlib
import re
import socket
import time

import psycopg
import psycopg.sql
import pytest
from conftest import unique
from services import SOURCE

BROKEN = sorted((SOURCE / "tests" / "broken").glob("*.yaml"))

SOURCES = {"in": {"type": "kafka", "brokers": "${KAFKA_BROKERS}", "topic": "no-such-topic"}}
GENERATED = {"in": {"type": "generate", "count": 10}}


def describe(sources, **sinks):
    sinks = sinks or {"out": {"type": "discard", "input": "in"}}
    return {"pipeline": "checked", "delivery": "at-least-once", "sources": sources, "sinks": sinks}


def kafka_sink(**options):
    return {"type": "kafka", "input": "in", "brokers": "${KAFKA_BROKERS}", **options}


def postgres_sink(**options):
    return {"type": "postgres", "input": "in", "url": "${POSTGRES_URL}", **options}


def redis_sink(**options):
    return {"type": "redis", "input": "in", "host": "${REDIS_HOST}", "port": "${REDIS_PORT}", "key": "never:{id}", **options}


@pytest.fixture
def nobody():
    """A port of loopback where nobody listens: bound, so that no one else takes it."""
    with contextlib.closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


# ---- files ----


def test_there_are_thirty_broken_files():
    assert len(BROKEN) >= 30


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_a_broken_file_gets_exactly_these_findings(pipeline, file):
    """With the plugins themselves; tests/unit/test_description.c does the same with stand-ins."""
    broken = pipeline("")
    broken.file = file
    wanted = [line.removeprefix("# expect:") for line in file.read_text(errors="replace").splitlines() if line.startswith("# expect:")]
    assert wanted, "the file does not say what is wrong with it"
    shown = broken.check()
    found = [line.removeprefix(f"{file}:") for line in shown.stderr.splitlines()]
    assert [line.strip() for line in found] == [line.strip() for line in wanted]
    assert (shown.returncode, shown.stdout) == (78, "")


# ---- systems ----


def assert_told(one, message, before_start=True):
    """By `check` with exit status 1, and by `run`, which does not start; offline nothing is wrong."""
    shown = one.check()
    assert shown.returncode == 1
    assert len(re.findall(message, shown.stderr)) == 1, shown.stderr
    assert one.check("--offline").returncode == 0
    if before_start:
        assert one.start().wait_exit() == 1
        assert len(re.findall(rf"error pipeline .*{message}", one.log)) == 1, one.log


def test_a_topic_to_read_that_is_not_there(kafka, pipeline):
    assert_told(pipeline(describe(SOURCES)), f'topic "no-such-topic" does not exist at {kafka.brokers}')


def test_a_topic_to_write_that_is_not_there(kafka, pipeline):
    one = pipeline(describe(GENERATED, out=kafka_sink(topic="no-such-topic")))
    assert_told(one, f'topic "no-such-topic" does not exist at {kafka.brokers}')


def test_a_table_that_is_not_there(postgres, pipeline):
    one = pipeline(describe(GENERATED, rows=postgres_sink(table="no_such_table")))
    assert_told(one, rf'table "no_such_table" does not exist in database "leat" at 127\.0\.0\.1:{postgres.info.port}')


def test_a_column_that_is_not_there(postgres, table, pipeline):
    name = table("t", "id text, amount numeric")
    one = pipeline(describe(GENERATED, rows=postgres_sink(table=name, columns={"id": "id", "amuont": "amount"})))
    assert_told(one, rf'column "amuont" does not exist in table "{name}" of database "leat" at 127\.0\.0\.1:{postgres.info.port}')


def test_an_upsert_without_a_unique_index(table, pipeline):
    name = table("t", "id text, amount numeric")
    one = pipeline(describe(GENERATED, rows=postgres_sink(table=name, upsert="id")))
    assert_told(one, "no unique or exclusion constraint")


@pytest.mark.parametrize("make", [kafka_sink, postgres_sink, redis_sink], ids=["kafka", "postgres", "redis"])
def test_a_host_that_does_not_answer(nobody, pipeline, make):
    """`run` waits for it instead, see test_outage.py."""
    address = {
        kafka_sink: {"brokers": f"127.0.0.1:{nobody}", "topic": "any"},
        postgres_sink: {"url": f"postgresql://leat@127.0.0.1:{nobody}/leat", "table": "any"},
        redis_sink: {"port": nobody},
    }[make]
    message = rf'error: sink "out": could not (reach|connect to) .*127\.0\.0\.1:{nobody}.*: connection refused'
    assert_told(pipeline(describe(GENERATED, out=make(**address))), message, before_start=False)


def test_everything_that_is_wrong_is_told_in_one_run(kafka, postgres, nobody, pipeline):
    shown = pipeline(describe(
        SOURCES,
        copy=kafka_sink(topic="no-such-topic-either"),
        rows=postgres_sink(table="no_such_table"),
        latest=redis_sink(port=nobody),
    )).check()
    assert shown.returncode == 1
    for word in ("no-such-topic", "no-such-topic-either", "no_such_table", f"127.0.0.1:{nobody}"):
        assert word in shown.stderr
    assert len(shown.stderr.splitlines()) == 4


# ---- passwords ----


@pytest.fixture
def redis_user(redis_client):
    name = unique("user")
    redis_client.acl_setuser(name, enabled=True, passwords="+right", keys=["*"], categories=["+@all"])
    yield name
    redis_client.acl_deluser(name)


def wait_until_refused(url):
    """The server reads its file again some time after it was asked to."""
    for _ in range(100):
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            return
        time.sleep(0.1)
    raise AssertionError("the server goes on trusting a role that needs its password")


@pytest.fixture
def postgres_user(where, postgres):
    """A role that needs its password, on a server that trusts everybody else."""
    name = unique("user")
    file = postgres.execute("show hba_file").fetchone()[0]
    before = postgres.execute("select pg_read_file(%s)", (file,)).fetchone()[0]

    def write(text):
        lines = psycopg.sql.SQL(",").join(psycopg.sql.SQL("({})").format(psycopg.sql.Literal(line)) for line in text.splitlines())
        query = psycopg.sql.SQL("copy (select * from (values {}) t) to {} with (delimiter '\x01')")
        postgres.execute(query.format(lines, psycopg.sql.Literal(file)))
        postgres.execute("select pg_reload_conf()")

    postgres.execute(f"create role {name} login superuser password 'right'")
    write(f"host all {name} 127.0.0.1/32 scram-sha-256\n" + before)
    wait_until_refused(where["POSTGRES_URL"].replace("//leat@", f"//{name}:no@"))
    yield name
    write(before)
    postgres.execute(f"drop role {name}")


def test_a_wrong_password_for_redis(redis_user, redis_prefix, pipeline):
    def one(password):
        return pipeline(describe(GENERATED, out=redis_sink(user=redis_user, password=password, key=redis_prefix + "{id}")))

    assert one("right").check().returncode == 0
    wrong = one("wrong-secret")
    assert_told(wrong, r"redis at 127\.0\.0\.1:\d+.*(WRONGPASS|wrong)")
    assert "wrong-secret" not in wrong.check().stderr + wrong.log


def test_a_wrong_password_for_postgres(where, postgres_user, table, pipeline):
    name = table("t", "id text")

    def one(password):
        url = where["POSTGRES_URL"].replace("//leat@", f"//{postgres_user}:{password}@")
        return pipeline(describe(GENERATED, out=postgres_sink(url=url, table=name)))

    assert one("right").check().returncode == 0
    wrong = one("wrong-secret")
    assert_told(wrong, rf'postgres at 127\.0\.0\.1:\d+.*password authentication failed for user "{postgres_user}"')
    assert "wrong-secret" not in wrong.check().stderr + wrong.log
