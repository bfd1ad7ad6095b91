# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the scenario tests: the services, things in them that belong to one test, and leat.

A test whose service is missing is skipped; with CI=true it fails.
"""

import os
import pathlib
import urllib.request
import uuid

import psycopg
import pytest
import redis
from confluent_kafka import KafkaException
from pipeline import Pipeline
from services import SOURCE, Kafka, Services, addresses


def unavailable(message):
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: changes what other tests need, or measures what they disturb")


def pytest_collection_modifyitems(items):
    """Who may stop a service is alone: `pytest -n 3 -m "not alone"`, and then `pytest -m alone`."""
    for item in items:
        if "services" in item.fixturenames:
            item.add_marker("alone")


def unique(name):
    return f"{name}_{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def where():
    """The addresses of the services by variable: KAFKA_BROKERS, POSTGRES_URL, REDIS_URL, PROMETHEUS_URL, ..."""
    return addresses()


@pytest.fixture
def services():
    """To stop and start services in the middle of a test."""
    services = Services()
    if not services.are_up():
        unavailable("not all of scripts/services are up")
    yield services
    services.restore()


@pytest.fixture
def kafka(where):
    kafka = Kafka(where["KAFKA_BROKERS"])
    try:
        kafka.admin.list_topics(timeout=10)
    except KafkaException as error:
        unavailable(f"could not reach Kafka on {kafka.brokers}: {error}")
    return kafka


@pytest.fixture
def topic(kafka):
    """Makes topics: topic("payments", partitions=4) returns the name, which no other test has."""
    names = []

    def create(name="topic", partitions=1, **config):
        names.append(unique(name))
        kafka.create_topic(names[-1], partitions, **config)
        return names[-1]

    yield create
    if names:
        kafka.delete_topics(names)


@pytest.fixture
def postgres(where):
    """A connection where each statement is a transaction of its own."""
    try:
        connection = psycopg.connect(where["POSTGRES_URL"], autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        unavailable(f"could not reach PostgreSQL on {where['POSTGRES_URL']}: {error}")
    yield connection
    connection.close()


@pytest.fixture
def table(where, postgres):
    """Makes tables: table("totals", "country text primary key, spent float8") returns the name with its schema."""
    schema = unique("test")
    postgres.execute(f"create schema {schema}")

    def create(name, columns):
        postgres.execute(f"create table {schema}.{name} ({columns})")
        return f"{schema}.{name}"

    yield create
    # Not on the test's connection: it may have been cut.
    with psycopg.connect(where["POSTGRES_URL"], autocommit=True) as connection:
        connection.execute(f"drop schema {schema} cascade")


@pytest.fixture
def redis_client(where):
    client = redis.Redis.from_url(where["REDIS_URL"], decode_responses=True)
    try:
        client.ping()
    except redis.ConnectionError as error:
        unavailable(f"could not reach Redis on {where['REDIS_URL']}: {error}")
    yield client
    client.close()


@pytest.fixture
def redis_prefix(redis_client):
    """What the keys of this test begin with; they are deleted after it."""
    prefix = unique("test") + ":"
    yield prefix
    keys = list(redis_client.scan_iter(prefix + "*", count=10000))
    if keys:
        redis_client.delete(*keys)


@pytest.fixture
def prometheus(where):
    """The address of Prometheus."""
    url = where["PROMETHEUS_URL"]
    try:
        urllib.request.urlopen(f"{url}/-/ready", timeout=10).close()
    except OSError as error:
        unavailable(f"could not reach Prometheus on {url}: {error}")
    return url


@pytest.fixture(scope="session")
def leat():
    """The path of the program: LEAT, or where `mkdir build; cd build; ../configure; make` leaves it."""
    path = pathlib.Path(os.environ.get("LEAT", SOURCE / "build" / "leat")).resolve()
    if not os.access(path, os.X_OK):
        unavailable(f"there is no leat at {path}; set LEAT")
    return path


@pytest.fixture
def pipeline(leat, tmp_path, where):
    """Makes pipelines: pipeline(text).start(). Their files may use ${KAFKA_BROKERS} and the like."""
    made = []

    def create(description, **options):
        folder = tmp_path / f"pipeline{len(made)}"
        folder.mkdir()
        environment = {**where, **options.pop("environment", {})}
        plugins = os.environ.get("LEAT_PLUGIN_PATH")
        made.append(Pipeline(leat, folder, description, plugins, environment, **options))
        return made[-1]

    yield create
    for one in made:
        one.kill()
        if one.log_file.exists():
            print(f"--- {one.log_file}\n{one.log_file.read_text(errors='replace')}")
