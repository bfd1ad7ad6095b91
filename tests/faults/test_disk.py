# SPDX-License-Identifier: Apache-2.0
"""The disk of the state folder: full, broken, and with nothing on it but what was synced."""

import errno
import os
import re
import signal
import subprocess
import time

import psycopg
import pytest
from crash_fixtures import scenario
from disk import PAGE, Disk, build
from looks import is_read

# Whether each is between a write and its sync. At any other moment there is mostly nothing that is not synced.
POWER_CUTS = [False, True, True, False, True]


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    return build(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def disk(trial, shim):
    return Disk(shim, trial.run, trial.chance)


def cut_power_at_sync(trial, disk, least=0):
    """Between a write of so many bytes to the store's log and its sync."""
    disk.die_at_sync(".log", least)
    if least > 0:
        trial.feeder.rate *= 1.4  # what it is late by comes at once
    assert trial.run.wait_exit() == -signal.SIGKILL
    disk.heal()


def test_power_cuts_that_leave_what_was_synced_change_nothing(trial, disk):
    unsynced = []
    for is_at_sync in POWER_CUTS:
        trial.run.start()
        trial.wait_for_more()
        time.sleep(trial.chance.uniform(0, 2))
        if is_at_sync:
            cut_power_at_sync(trial, disk)
        else:
            trial.run.kill()
        unsynced.append(disk.lose_what_was_not_synced())
    print(f"bytes of the store's log that were not synced, each time: {unsynced}")
    assert any(unsynced), "all was synced, which cannot be"
    trial.run.start()
    trial.wait_for_more()
    trial.finish()


def test_power_cuts_that_leave_some_of_the_pages_change_nothing(trial, disk):
    for _ in range(3):
        trial.run.start()
        trial.wait_for_more()
        cut_power_at_sync(trial, disk, least=4 * PAGE)
        assert disk.lose_what_was_not_synced(disk.with_holes) >= 4 * PAGE
    trial.run.start()
    trial.wait_for_more()
    trial.finish()


def test_a_power_cut_that_takes_new_folders_changes_nothing(trial, disk):
    trial.run.start()
    trial.wait_for_more()
    trial.run.kill()
    disk.lose_what_was_not_synced(keeps_folders=False)
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


class SmallDisk:
    """A file system of its own for the state folder. What leat needs of it is a small part; the rest is taken by one large file."""

    SIZE = 256 << 20
    LOW = SIZE // 20  # where leat stops reading

    def __init__(self, folder):
        if os.geteuid() != 0:
            scenario.unavailable("only root may mount a file system")
        self.folder, self.ballast = folder, folder / "ballast"
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.SIZE}", "leat-test", folder], check=True)

    def left(self):
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize

    def fill(self, left):
        """Up to so many bytes. Leat may have taken some of what was left just before, so none of it is to be had then."""
        deadline = time.monotonic() + 10
        with open(self.ballast, "ab") as file:
            while True:
                try:
                    return os.posix_fallocate(file.fileno(), 0, max(1, file.tell() + self.left() - left))
                except OSError as error:
                    if error.errno != errno.ENOSPC or time.monotonic() > deadline:
                        raise

    def make_room(self):
        self.ballast.unlink()

    def close(self):
        subprocess.run(["umount", self.folder], check=True)


@pytest.fixture
def small_disk(trial):
    disk = SmallDisk(trial.run.folder / "state")
    yield disk
    trial.run.kill()
    disk.close()


def test_a_disk_that_gets_full_stops_the_reading_and_not_the_delivery(trial, small_disk, where):
    trial.run.start()
    trial.wait_for_more()
    with psycopg.connect(where["POSTGRES_URL"]) as rival:
        rival.execute(f"lock table {trial.found.steps}")  # PostgreSQL takes nothing until it is free again
        time.sleep(trial.chance.uniform(0.5, 1.5))
        small_disk.fill(SmallDisk.LOW // 2)
        trial.run.wait_log("sources are not read: the disk of")
        assert not is_read(trial.run)
        behind = rival.execute(f"select count(*) from {trial.found.steps}").fetchone()[0]
    trial.run.wait_until(lambda: trial.count() > behind, "what had been read")
    assert not is_read(trial.run)
    small_disk.make_room()
    trial.run.wait_log("sources are read again: the disk of")
    trial.wait_for_more()
    trial.finish()


def test_a_disk_that_is_full_changes_nothing(trial, small_disk):
    trial.run.start()
    trial.wait_for_more()
    small_disk.fill(0)
    # Whichever comes first: that it is seen, or a write of the store, which ends leat.
    trial.run.wait_log("sources are not read: the disk of|No space left on device")
    trial.run.kill()
    trial.run.start()
    assert trial.run.wait_exit() == 1
    small_disk.make_room()
    trial.run.start()
    trial.wait_for_more()
    trial.finish()


SPEND = """
pipeline: spend
sources: {payments: {type: generate, keys: 20000, rate: 20000}}
operators: {spend: {type: aggregate, input: payments, key: user, field: amount}}
sinks: {out: {type: discard, input: spend}}
"""


# Debian's RocksDB aborts by an assertion of its own when it cannot write a log of what it does: so it has none.
def test_a_start_on_a_disk_with_nothing_left_ends_with_the_reason(pipeline):
    run = pipeline(SPEND)
    disk = SmallDisk(run.folder / "state")
    try:
        run.start()
        run.wait_until(lambda: SmallDisk.SIZE - disk.left() > 1 << 20, "some state")
        run.kill()
        disk.fill(0)
        for _ in range(3):
            assert run.start().wait_exit() == 1
            said = f'could not open state in "{disk.folder}/spend.state": make room on its disk and start again: '
            assert said in run.log and "No space left on device" in run.log, run.log
        disk.make_room()
        run.start()
        run.wait_log("started from")
    finally:
        run.kill()
        disk.close()
