# SPDX-License-Identifier: Apache-2.0
"""The broker dies, cannot be reached, gets the end of a transaction when another one is open, and does not answer."""

import time

import pytest
from proxy import Proxy

# The brokers abort a transaction of leat's that is open for longer than 15 s, TRANSACTION_MS in plugins/kafka/producer.c.
UNREACHABLE_S = 20

LOST_ANSWERS = 10

# Half of what librdkafka waits for an answer by itself; leat waits for a tenth, NOTEBOOK_TIMEOUT_MS in plugins/kafka/notebook.c.
ANSWER_S = 30

# What a broker says to a producer that has been taken over.
INVALID_PRODUCER_EPOCH, PRODUCER_FENCED = 47, 90


@pytest.fixture
def proxy(trial, where):
    """Only leat goes through it."""
    proxy = Proxy(where["KAFKA_BROKERS"])
    trial.run.environment["KAFKA_BROKERS"] = proxy.address
    yield proxy
    trial.run.kill()
    proxy.close()


def test_a_broker_that_dies_changes_nothing(trial, services):
    trial.run.start()
    trial.wait_for_more()
    time.sleep(trial.chance.random())
    services.crash("kafka")
    time.sleep(trial.chance.uniform(0, 2))
    services.start("kafka")
    trial.finish()


def test_a_broker_out_of_reach_for_longer_than_its_transactions_last_changes_nothing(trial, proxy):
    trial.run.start()
    trial.wait_for_more()
    time.sleep(trial.chance.random())
    proxy.swallow()
    time.sleep(UNREACHABLE_S)
    proxy.let_through()
    trial.finish()


def test_the_end_of_a_transaction_that_comes_during_the_next_one_changes_nothing(trial, proxy):
    trial.run.start()
    for _ in range(2):
        trial.wait_for_more()
        time.sleep(trial.chance.random())
        proxy.hold_end_of_transaction()
        trial.run.wait_until(lambda: proxy.late_answer is not None, "the next transaction of the producer whose end is held")
        assert proxy.late_answer in (INVALID_PRODUCER_EPOCH, PRODUCER_FENCED), f"the broker has ended another transaction: {proxy.late_answer}"
    trial.finish()


def test_commits_whose_answers_are_lost_change_nothing(trial, proxy):
    trial.run.start()
    trial.wait_for_more()
    for n in range(LOST_ANSWERS):
        proxy.lose_answer_to_end_of_transaction()
        trial.run.wait_until(lambda: proxy.n_lost > n, "a commit")
        time.sleep(trial.chance.uniform(0, 0.3))
    trial.wait_for_more()
    trial.finish()


QUIET = """
pipeline: quiet
sources: {{events: {{type: kafka, brokers: "{brokers}", topic: {topic}, start: earliest, group: {topic}}}}}
sinks: {{out: {{type: discard, input: events}}}}
"""


def test_offsets_of_the_group_go_on_within_seconds_when_their_coordinator_does_not_answer(pipeline, kafka, topic, where):
    name = topic("quiet")
    proxy = Proxy(where["KAFKA_BROKERS"])
    run = pipeline(QUIET.format(brokers=proxy.address, topic=name))
    try:
        kafka.write(name, [("k", "1")])
        run.start()
        run.wait_until(lambda: kafka.lag(name, name) == 0, "the offset of the first event")
        for n in range(2):
            proxy.keep_answer_to_offset_commit()
            kafka.write(name, [("k", "2")])
            run.wait_until(lambda n=n: proxy.n_kept > n, "a commit of offsets")
            kafka.write(name, [("k", "3")])
            since = time.monotonic()
            run.wait_until(lambda: kafka.lag(name, name) == 0, "the offset of the last event", ANSWER_S)
            print(f"the commit behind one without an answer: {time.monotonic() - since:.1f} s")
    finally:
        run.kill()
        proxy.close()
