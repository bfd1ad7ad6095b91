# SPDX-License-Identifier: Apache-2.0
"""Redis dies, forgets its scripts, and has no memory left."""

import time

import pytest
from services import sync_always

pytestmark = pytest.mark.alone

STORM_S = 5
FULL_S = 3


def shorten_log(redis_client):
    """What tests before this one have written would be gone through at each start."""
    redis_client.bgrewriteaof()
    while redis_client.info("persistence")["aof_rewrite_in_progress"]:
        time.sleep(0.05)


def test_a_redis_that_syncs_always_and_dies_changes_nothing(trial, services, redis_client):
    shorten_log(redis_client)
    sync_always(redis_client)
    trial.run.start()
    for _ in range(2):
        trial.wait_for_more()
        time.sleep(trial.chance.random())
        services.crash("redis")
        time.sleep(trial.chance.uniform(0, 2))
        services.start("redis")
        sync_always(redis_client)
    trial.finish()
    redis_client.config_set("appendfsync", "everysec")


def test_scripts_that_redis_forgets_change_nothing(trial, redis_client):
    trial.run.start()
    trial.wait_for_more()
    end = time.monotonic() + STORM_S
    while time.monotonic() < end:
        time.sleep(trial.chance.uniform(0.01, 0.2))
        redis_client.script_flush()
    trial.finish()


def times_full(redis_client):
    return redis_client.info("errorstats").get("errorstat_OOM", {"count": 0})["count"]


def test_a_redis_without_memory_changes_nothing(trial, redis_client):
    trial.run.start()
    try:
        for _ in range(2):
            trial.wait_for_more()
            time.sleep(trial.chance.random())
            before = times_full(redis_client)
            redis_client.config_set("maxmemory", "1mb")
            trial.run.wait_until(lambda: times_full(redis_client) > before, "a refusal")
            time.sleep(FULL_S)
            redis_client.config_set("maxmemory", "0")
    finally:
        redis_client.config_set("maxmemory", "0")
    trial.finish()
