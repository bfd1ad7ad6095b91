# SPDX-License-Identifier: Apache-2.0
"""The disk of the state folder: full, broken, and with nothing on it but what was synced."""

import re
import signal
import time

import pytest
from disk import Disk, build

# Whether each is between a write and its sync. At any other moment there is mostly nothing that is not synced.
POWER_CUTS = [False, True, True, False, True]


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    return build(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def disk(trial, shim):
    return Disk(shim, trial.run, trial.chance)


def cut_power(trial, disk, is_at_sync, tear=None):
    """At any time, or between the write of an epoch and its sync. Returns how many bytes of the log were not synced."""
    trial.run.start()
    trial.wait_for_more()
    time.sleep(trial.chance.uniform(0, 2))
    if is_at_sync:
        disk.die_at_sync(".log")
        assert trial.run.wait_exit() == -signal.SIGKILL
        disk.heal()
    trial.run.kill()
    return disk.lose_what_was_not_synced(tear)


def test_power_cuts_that_leave_what_was_synced_change_nothing(trial, disk):
    unsynced = [cut_power(trial, disk, is_at_sync) for is_at_sync in POWER_CUTS]
    print(f"bytes of the store's log that were not synced, each time: {unsynced}")
    assert any(unsynced), "all was synced, which cannot be"
    trial.run.start()
    trial.wait_for_more()
    trial.finish()


@pytest.mark.xfail(strict=True, reason="the store's log is refused when its last record, which was not synced, has a hole")
def test_power_cuts_that_leave_some_of_the_pages_change_nothing(trial, disk):
    for _ in range(3):
        trial.feeder.rate *= 1.2  # what it is late by comes at once, in an epoch of many pages
        assert cut_power(trial, disk, True, disk.with_holes) > 0
    trial.run.start()
    trial.wait_for_more()
    trial.finish()


def test_a_sync_that_fails_ends_leat_and_changes_nothing(trial, disk):
    trial.run.start()
    trial.wait_for_more()
    time.sleep(trial.chance.random())
    disk.fail_syncs(".log")
    assert trial.run.wait_exit() == 1
    said = rf'could not write state in "{re.escape(str(disk.folder))}/[^"]+\.state": .*Input/output error.*; ending'
    assert re.search(said, trial.run.log), trial.run.log
    disk.heal()
    disk.lose_what_was_not_synced()
    trial.run.start()
    trial.wait_for_more()
    trial.finish()
