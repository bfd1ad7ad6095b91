#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""table.py FILE...: what LEAT_FAULTS_RESULTS has gathered, as a table: fault, runs, violations, longest pause."""

import json
import sys


def rows(lines):
    """[(fault, runs, violations, longest pause or None)], in the order in which the faults came first."""
    by_fault = {}
    for line in map(json.loads, lines):
        by_fault.setdefault(line["fault"], []).append(line)
    for fault, ones in by_fault.items():
        pauses = [one["longest_pause_s"] for one in ones if one["longest_pause_s"] is not None]
        yield fault, len(ones), sum(one["violations"] for one in ones), max(pauses, default=None)


def main(files):
    lines = [line for file in files for line in open(file)]
    print("| fault | runs | violations | longest pause |\n|---|---|---|---|")
    for fault, runs, violations, pause in rows(lines):
        print(f"| {fault} | {runs} | {violations} | {'' if pause is None else f'{pause:.1f} s'} |")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    main(sys.argv[1:])
