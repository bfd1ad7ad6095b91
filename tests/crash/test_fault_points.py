# SPDX-License-Identifier: Apache-2.0
"""leat dies at every fault point of core/base/fault.c: when it passes there first, and at a later time chosen by the seed.

Only builds with --enable-developer have fault points.
"""

import re
import signal

import pytest
from services import SOURCE

POINTS = re.findall(r'^\t\{ "((?!backup|drain|file|finish)[a-z-]+)", LEAT_\w+ \},$', (SOURCE / "core" / "base" / "fault.c").read_text(), re.MULTILINE)

# Passed once in the life of a process, or once for each sink. All others are passed with every epoch.
ONCE = {"incarnation-before", "incarnation-after", "store-open-after", "store-close-before"}
BY_SINK = {"claim-before", "claim-after", "recover-before", "recover-after"}


def later_time(point, chance):
    """Which passing besides the first."""
    if point in ONCE:
        return 1
    return chance.randint(2, 5 if point in BY_SINK else 40)


@pytest.fixture(scope="module")
def developer_build(leat):
    names = set(re.findall(rb"[a-z-]+", leat.read_bytes()))
    if not all(point.encode() in names for point in POINTS):
        pytest.skip(f"{leat} was not built with --enable-developer")


def die_at(run, point, n):
    run.environment["LEAT_FAULT"] = f"{point}:kill:{n}"
    run.start()
    if point == "store-close-before":
        run.wait_log(r"incarnation \d+")
        run.process.send_signal(signal.SIGTERM)
    assert run.wait_exit() == -signal.SIGKILL, f"leat did not die at {point}, passing {n}\n{run.log}"
    del run.environment["LEAT_FAULT"]


def test_there_are_fault_points():
    assert len(POINTS) >= 10 and POINTS == sorted(POINTS)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.usefixtures("developer_build")
def test_death_at_a_fault_point_changes_nothing(trial, point):
    trial.run.start()
    trial.wait_for_more()
    trial.run.kill()
    die_at(trial.run, point, 1)
    die_at(trial.run, point, later_time(point, trial.chance))
    trial.run.start()
    trial.wait_for_more()
    trial.finish()
