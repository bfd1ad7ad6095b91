# SPDX-License-Identifier: Apache-2.0
"""Two instances of one pipeline, and a state folder that is not the last one: nobody delivers twice, and leat says why.

Two machines would not share the lock of the state folder, so a copy of it stands for the second machine.
"""

import re
import shutil
import signal
import time

import pytest

STOPPED_S = 5


def copy_state(run, to):
    shutil.copytree(run.folder / "state", to, dirs_exist_ok=True)


def take_over(trial, stopped_s, is_at_rest=False):
    """The pipeline stands still for so long while a second one goes on with a copy of its state."""
    first, second = trial.run, trial.make_run()
    first.start()
    trial.wait_for_more()
    if is_at_rest:
        trial.wait_for_rest()
    else:
        time.sleep(trial.chance.random())
    first.process.send_signal(signal.SIGSTOP)
    trial.feeder.is_paused.clear()
    begin = time.monotonic()
    copy_state(first, second.folder / "state")
    second.start()
    trial.wait_for_more(second)
    time.sleep(max(0, begin + stopped_s - time.monotonic()))
    first.process.send_signal(signal.SIGCONT)
    assert first.wait_exit() == 1
    assert re.search(r'sink "\w+": .*another instance owns', first.log), first.log
    trial.wait_for_more(second)
    trial.finish(second)


# At work it is most likely in the middle of a delivery. At rest it has nothing open that a server could end after a time.
@pytest.mark.parametrize("is_at_rest", [False, True], ids=["at_work", "at_rest"])
@pytest.mark.parametrize("systems", [("postgres",), ("redis",), ("kafka",)], ids=lambda systems: systems[0])
def test_who_was_stopped_while_a_copy_took_over_is_refused(trial, is_at_rest):
    take_over(trial, STOPPED_S, is_at_rest)


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
