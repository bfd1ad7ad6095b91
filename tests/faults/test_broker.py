# SPDX-License-Identifier: Apache-2.0
"""The broker dies, cannot be reached, and gets the end of a transaction when another one is open."""

import time

import pytest
from proxy import Proxy

# The brokers abort a transaction of leat's that is open for longer than 15 s, TRANSACTION_MS in plugins/kafka/producer.c.
UNREACHABLE_S = 20

LOST_ANSWERS = 10

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
