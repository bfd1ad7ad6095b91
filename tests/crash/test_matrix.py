# SPDX-License-Identifier: Apache-2.0
"""The list of cases and the results of a long run, without leat."""

import re

import matrix
from matrix import AFTER, AT_THE_END, BACKUP, FEW, POINTS, RECOVERY, Case, Results, actions, chains, full, sample, whens
from table import table


def pairs(cases):
    return sorted((case.point, case.action) for case in cases)


def test_there_is_one_sorted_list_of_many_points():
    assert len(POINTS) >= 30 and list(POINTS) == sorted(POINTS)
    assert all(re.fullmatch("OK|RETRY|UNKNOWN|FATAL", error) for error in POINTS.values())


def test_what_is_said_of_points_is_said_of_some_that_exist():
    assert set(RECOVERY) | set(AT_THE_END) | set(AFTER) | set(AFTER.values()) <= set(POINTS)
    assert all(any(point.startswith(start) for point in POINTS) for start in FEW)


def test_the_sample_has_each_point_with_each_action_once():
    cases = [case for chain in chains(4711) for case in chain] if not matrix.FULL else sample(4711)
    assert pairs(cases) == sorted((point, action) for point in POINTS if point not in BACKUP for action in actions(point))


def test_the_full_matrix_has_all_cases_so_many_times(monkeypatch):
    monkeypatch.setattr(matrix, "FULL", 2)
    wanted = [Case(p, action, when) for p in POINTS if p not in BACKUP for action in actions(p) for when in whens(p)]
    assert sorted(full(4711)) == sorted(2 * wanted)


def test_the_seed_decides():
    assert sample(1) == sample(1) != sample(2)


def test_a_run_goes_on_where_the_last_one_was(tmp_path):
    line = {"seed": 7, "chain": 0, "violation": "", "point": "claim-after", "action": "kill", "when": "first"}
    assert Results(tmp_path / "results").seed() is None
    Results(tmp_path / "results").append([line, {**line, "chain": 3}])
    results = Results(tmp_path / "results")
    assert results.seed() == 7 and results.done(7) == {0, 3} and results.done(8) == set()


def test_the_table_has_a_line_for_each_point():
    line = {"seed": 7, "chain": 0, "violation": "", "point": "claim-after", "pause_s": 0.5}
    lines = table([line, {**line, "chain": 1, "violation": "lost", "pause_s": 1.25}, {**line, "point": "claim-before"}])
    assert lines[2:4] == ["| claim-after | 2 | 1 | 1.2 s |", "| claim-before | 1 | 0 | 0.5 s |"]
    assert lines[-2] == "3 faults in 2 trials, 1 trials with a violation."


def test_the_table_adds_up_what_was_done_in_several_runs():
    kills = {"fault": "kill -9", "seed": 7, "part": 0, "runs": 40, "violations": 0, "commit": "abc"}
    fault = {"fault": "a full disk", "seed": 7, "violations": 2, "longest_pause_s": 3.25, "commit": "def"}
    lines = table([kills, {**kills, "part": 1, "runs": 10}, fault, {**fault, "longest_pause_s": None}])
    assert lines[2:4] == ["| kill -9 | 50 | 0 |  |", "| a full disk | 2 | 4 | 3.2 s |"]
    assert lines[-1] == "Lines of each commit: abc 2, def 2."


def test_results_say_which_commit_was_tried(tmp_path):
    Results(tmp_path / "results").append([{"seed": 7}])
    assert Results(tmp_path / "results").read() == [{"seed": 7, "commit": matrix.COMMIT}] and matrix.COMMIT
