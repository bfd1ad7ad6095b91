# SPDX-License-Identifier: Apache-2.0
"""The services that the other scenarios stand on: each does the one thing that leat needs of it, and keeps its data."""

import urllib.request

import psycopg
import pytest
from services import addresses


def test_kafka_keeps_the_order_of_a_partition(kafka, topic):
    name = topic("ordered", partitions=3)
    kafka.write(name, [(f"key{i % 7}", {"n": i}) for i in range(1000)])
    messages = kafka.read(name)
    assert len(messages) == 1000
    for partition in range(3):
        offsets = [message.offset() for message in messages if message.partition() == partition]
        assert offsets == list(range(len(offsets)))


def test_kafka_shows_a_committed_transaction_and_hides_an_aborted_one(kafka, topic):
    name = topic("transactions")
    producer = kafka.producer(**{"transactional.id": name})
    producer.init_transactions(30)
    for value, end in [("kept", producer.commit_transaction), ("gone", producer.abort_transaction)]:
        producer.begin_transaction()
        producer.produce(name, value)
        producer.flush(30)
        end(30)
    assert [message.value() for message in kafka.read(name)] == [b"kept"]
    both = kafka.read(name, **{"isolation.level": "read_uncommitted"})
    assert [message.value() for message in both] == [b"kept", b"gone"]


def test_kafka_makes_no_topic_that_nobody_asked_for(kafka):
    kafka.admin.list_topics("never_created", timeout=10)
    assert "never_created" not in kafka.admin.list_topics(timeout=10).topics


def test_postgres_keeps_a_row(postgres, table):
    name = table("totals", "country text primary key, spent float8")
    postgres.execute(f"insert into {name} values (%s, %s)", ("se", 1.5))
    assert postgres.execute(f"select * from {name}").fetchall() == [("se", 1.5)]


def test_redis_keeps_a_value(redis_client, redis_prefix):
    redis_client.set(redis_prefix + "a", "1")
    assert redis_client.get(redis_prefix + "a") == "1"


def test_redis_syncs_its_file_every_second(redis_client):
    options = redis_client.config_get("append*")
    assert (options["appendonly"], options["appendfsync"]) == ("yes", "everysec")


def test_prometheus_reads_leat(prometheus):
    with urllib.request.urlopen(f"{prometheus}/api/v1/targets?state=active", timeout=10) as answer:
        assert '"job":"leat"' in answer.read().decode()


def test_starting_what_runs_changes_nothing(services):
    before = services.pid("redis")
    services.start("redis")
    assert services.pid("redis") == before


def test_a_stop_names_one_service_and_leaves_the_others(services):
    services.stop("redis")
    assert services.pid("redis") is None
    assert services.are_up("kafka", "postgres", "prometheus")


@pytest.fixture(params=["stop", "crash"])
def restart(request, services):
    """Ends a service, the gentle or the hard way, and starts it again."""

    def restart(name):
        if request.param == "stop":
            services.stop(name)
        else:
            services.crash(name)
        services.start(name)

    return restart


def test_redis_has_its_data_after_a_restart(restart, redis_client, redis_prefix):
    redis_client.set(redis_prefix + "a", "1")
    restart("redis")
    assert redis_client.get(redis_prefix + "a") == "1"


def test_postgres_has_its_data_after_a_restart(restart, where, postgres, table):
    name = table("kept", "id int")
    postgres.execute(f"insert into {name} values (1)")
    restart("postgres")
    with psycopg.connect(where["POSTGRES_URL"]) as connection:
        assert connection.execute(f"select id from {name}").fetchall() == [(1,)]


def test_kafka_has_its_data_after_a_restart(restart, kafka, topic):
    name = topic("kept")
    kafka.write(name, [("a", "1")])
    restart("kafka")
    assert [message.value() for message in kafka.read(name)] == [b"1"]


def test_the_environment_overrides_an_address(monkeypatch):
    monkeypatch.setenv("KAFKA_BROKERS", "127.0.0.1:1")
    assert addresses()["KAFKA_BROKERS"] == "127.0.0.1:1"
