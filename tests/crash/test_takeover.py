# SPDX-License-Identifier: Apache-2.0
"""Two instances of one pipeline, and a state folder that is not the last one: nobody delivers twice, and leat says why.

Two machines would not share the lock of the state folder, so a copy of it stands for the second machine.
"""

import re
import shutil
import time

import pytest

STOPPED_S = 5

# Where a delivery has begun, with what the system keeps for it: a lock, half a request, an open transaction.
MIDDLE = {"postgres": "postgres-fence-after", "redis": "redis-script-half", "kafka": "kafka-effect-after"}
each_alone = pytest.mark.parametrize("systems", [(system,) for system in MIDDLE], ids=lambda systems: systems[0])


def copy_state(run, to):
    shutil.copytree(run.folder / "state", to, dirs_exist_ok=True)


def start_work(trial):
    """At work it may be anywhere."""
    trial.run.start()
    trial.wait_for_more()
    time.sleep(trial.chance.random())


def take_over(trial, stopped_s):
    """The pipeline, which has started, stands still for so long while a second one goes on with a copy of its state."""
    first, second = trial.run, trial.make_run()
    first.pause()
    trial.feeder.is_paused.clear()
    begin = time.monotonic()
    copy_state(first, second.folder / "state")
    second.start()
    trial.wait_for_more(second)
    time.sleep(max(0, begin + stopped_s - time.monotonic()))
    first.resume()
    assert first.wait_exit() == 1
    assert re.search(r'sink "\w+": .*another instance owns', first.log), first.log
    trial.wait_for_more(second)
    trial.finish(second)


# At rest it has nothing open that a server could end after a time.
@pytest.mark.parametrize("is_at_rest", [False, True], ids=["at_work", "at_rest"])
@each_alone
def test_who_was_stopped_while_a_copy_took_over_is_refused(trial, is_at_rest):
    start_work(trial)
    if is_at_rest:
        trial.wait_for_rest()
    take_over(trial, STOPPED_S)


@pytest.mark.usefixtures("developer_build")
@each_alone
def test_who_was_stopped_in_the_middle_of_a_delivery_is_refused(trial, systems):
    trial.run.environment["LEAT_FAULT"] = f"{MIDDLE[systems[0]]}:stall:20"
    trial.run.start()
    trial.run.wait_fault(MIDDLE[systems[0]])
    del trial.run.environment["LEAT_FAULT"]
    take_over(trial, STOPPED_S)


def test_an_old_copy_of_the_state_is_refused_and_the_last_one_goes_on(trial, tmp_path):
    state = trial.run.folder / "state"
    trial.run.start()
    trial.wait_for_more()
    assert trial.run.stop() == 0
    copy_state(trial.run, tmp_path / "old")
    trial.run.start()
    trial.wait_for_more()
    assert trial.run.stop() == 0
    state.rename(tmp_path / "last")
    (tmp_path / "old").rename(state)
    trial.run.start()
    assert trial.run.wait_exit() == 1
    said = re.search(r'sink "(\w+)": it is ahead: it has epoch (\d+), the store in "[^"]+" ends at (\d+)', trial.run.log)
    assert said and int(said[2]) > int(said[3]), trial.run.log
    shutil.rmtree(state)
    (tmp_path / "last").rename(state)
    trial.run.start()
    trial.wait_for_more()
    trial.finish()
