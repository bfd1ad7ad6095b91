# SPDX-License-Identifier: Apache-2.0
"""leat dies, or a step of it fails, at the fault points of core/base/fault.c: one after the other, so in the recovery from the last.

Only builds with --enable-developer have fault points. matrix.py has what is tried.
"""

import re
import signal
import subprocess
import time

import pytest
from conftest import SEED
from matrix import AFTER, AT_THE_END, BACKUP, FULL, POINTS, RECOVERY, Case, Results, actions, chains, passing
from pipeline import PATIENCE
from workload import ALL_SYSTEMS

pytestmark = pytest.mark.usefixtures("developer_build")

# How often leat is told to end for a point that it passes only if there is something left to be written.
LIVES = 20

# In a full run: until all sinks have had something, after the second death.
PAUSE_S = 60


def pytest_generate_tests(metafunc):
    if "chain" in metafunc.fixturenames:
        done = Results().done(SEED) if FULL else set()
        metafunc.parametrize("chain", [i for i in range(len(chains(SEED))) if i not in done], ids=lambda i: f"chain{i}")


@pytest.fixture
def systems():
    return ALL_SYSTEMS


@pytest.fixture
def odd_share():
    return 0.05


@pytest.fixture
def rate():
    """Enough for each point to be passed often; what is more takes the time of other cases."""
    return 500


def kill_soon(trial):
    time.sleep(trial.chance.uniform(0, 0.3))
    trial.run.kill()


def has_read(run):
    is_source = re.compile(r'leat_records_out_total\{.*role="source"')
    return any(n for series, n in run.metrics().items() if is_source.match(series))


def end_after_error(trial, point):
    """An error of the store or of a sync ends the process. All others are got over, and it dies of something else."""
    if POINTS[point] == "FATAL":
        assert trial.run.wait_exit() == 1, trial.run.log
        return
    trial.run.wait_log(r": works again$")
    kill_soon(trial)


def is_passed_at_the_end(trial, point):
    """Tells leat to end. Not passed is what writes the rest, when all that was read is written by then."""
    run = trial.run
    # What the last life left is delivered at once; without anything new there is nothing to be written at the end.
    run.wait_until(lambda: has_read(run), "an event that was read")
    trial.wait_for_more(n=1)
    run.process.send_signal(signal.SIGTERM)
    status = run.process.wait(PATIENCE)
    if status != 0 or f"fault point {point}: " in run.log:
        return True
    run.kill()
    return False


def live(trial, case):
    """One life of leat, with the case at its end. Returns what LEAT_FAULT was."""
    fault = f"{case.point}:{case.action}:{passing(case, trial.chance)}"
    print(f"{time.monotonic():.3f} {fault}", flush=True)
    trial.run.environment["LEAT_FAULT"] = fault
    for _ in range(LIVES):
        trial.run.start()
        if case.point not in AT_THE_END or is_passed_at_the_end(trial, case.point):
            break
    else:
        pytest.fail(f"{LIVES} times leat has ended without {fault}", pytrace=False)
    if case.action == "kill":
        assert trial.run.wait_exit() == -signal.SIGKILL, f"leat did not die of {fault}\n{trial.run.log}"
    else:
        trial.run.wait_fault(case.point)
        end_after_error(trial, case.point)
    del trial.run.environment["LEAT_FAULT"]
    return fault


def die_again(trial):
    """In the recovery from the last death."""
    return live(trial, Case(trial.chance.choice(RECOVERY), "kill", "random"))


def has_delivered(run):
    """Each sink of this process, but for that of dead letters, of which there are none."""
    is_sink = re.compile(r'leat_records_out_total\{.*node="(?!dead_letters).*role="sink"')
    delivered = [n for series, n in run.metrics().items() if is_sink.match(series)]
    return len(delivered) > 0 and all(delivered)


def seconds_until_more(trial):
    """From nothing to the first delivery of the slowest sink, without a fault."""
    begin = time.monotonic()
    trial.run.start()
    trial.run.wait_until(lambda: has_delivered(trial.run), "a delivery of each sink", PAUSE_S)
    pause_s = time.monotonic() - begin
    trial.run.kill()
    return pause_s


def go_through(trial, cases, lines):
    trial.run.start()
    trial.wait_for_more()
    trial.run.kill()
    for case in cases:
        if case.point in AFTER:
            live(trial, Case(AFTER[case.point], "kill", "first"))
        line = {"fault": live(trial, case), **case._asdict()}
        if FULL:
            line["second"] = die_again(trial)
            line["pause_s"] = round(seconds_until_more(trial), 3)
        lines.append(line)
    trial.run.start()
    trial.wait_for_more()
    trial.finish()


def test_faults_change_nothing(trial, seed, chain):
    lines, violation = [], ""
    try:
        go_through(trial, chains(seed)[chain], lines)
    except (Exception, pytest.fail.Exception) as failure:
        violation = str(failure)[:2000]
        raise
    finally:
        Results().append({"seed": seed, "chain": chain, "violation": violation, **line} for line in lines)


def backup(run, to, fault):
    command = [run.leat, "state", "backup", run.file, to, "--state-dir", run.folder / "state"]
    command += ["--plugin-path", run.plugins] if run.plugins else []
    return subprocess.run(command, env={**run.environment, "LEAT_FAULT": fault}, capture_output=True, text=True, timeout=60)


def is_state(run, folder):
    return subprocess.run([run.leat, "state", "list", folder], env=run.environment, capture_output=True, timeout=60).returncode == 0


@pytest.mark.alone
@pytest.mark.parametrize("systems", [("postgres",)], ids=["postgres"])
def test_a_backup_that_is_broken_off_is_none_and_holds_nobody_up(trial, tmp_path):
    trial.run.start()
    trial.wait_for_more()
    for point in BACKUP:
        for action in actions(point):
            to = tmp_path / f"{point}-{action}"
            done = backup(trial.run, to, f"{point}:{action}")
            assert done.returncode == (-signal.SIGKILL if action == "kill" else 1), f"{point}\n{done.stderr}"
            # Once it has its name it is whole.
            assert to.exists() == (point == "backup-rename-after") and to.exists() == is_state(trial.run, to), point
    to = tmp_path / "whole"
    assert backup(trial.run, to, "").returncode == 0 and is_state(trial.run, to)
    trial.wait_for_more()
    trial.finish()
