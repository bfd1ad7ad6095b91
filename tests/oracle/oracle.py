# SPDX-License-Identifier: Apache-2.0
"""Runs operators over rows in leat, and queries over the same rows in DuckDB, and compares."""

import collections
import json
import math
import os
import random
import subprocess

import duckdb
import yaml

SEED = int(os.environ.get("LEAT_ORACLE_SEED", "1"))

# In seconds, for one run. Sanitizers and slow machines stretch it.
PATIENCE = 60 * float(os.environ.get("LEAT_TEST_STRETCH", "1"))


def cases(n, name=""):
    """`n` random generators, each of its own, the same ones for the same seed and name: [(0, Random), (1, Random), ...]."""
    return [(case, random.Random(f"{SEED} {name} {case}")) for case in range(n)]


class Oracle:
    def __init__(self, leat, plugins, folder):
        self.leat, self.plugins, self.folder = leat, plugins, folder
        self.duck = duckdb.connect()
        self.duck.execute("set threads = 1; set TimeZone = 'UTC'")
        self.tables = {}

    def close(self):
        self.duck.close()

    def table(self, name, columns, rows, time=None, partitions=1, **options):
        """Rows (dictionaries) that leat reads as source `name` and DuckDB as a table of that name. `columns`: DuckDB's type by
        column; a field that a row lacks is null there. `time` and `options` go into the source's description."""
        path = self.folder / f"{name}.jsonl"
        for partition in range(partitions):
            part = path if partitions == 1 else self.folder / f"{name}-{partition}.jsonl"
            part.write_text("".join(json.dumps(row) + "\n" for row in rows[partition::partitions]))
        if partitions > 1:
            path = self.folder / f"{name}-*.jsonl"
        types = ", ".join(f"'{column}': '{kind}'" for column, kind in columns.items())
        self.duck.execute(
            f"create or replace table {name} as "
            f"select * from read_json('{path}', format = 'newline_delimited', columns = {{{types}}})"
        )
        self.tables[name] = {"type": "file", "path": str(path), **({"time": time} if time else {}), **options}

    def run(self, operators, outputs, workers=1, delivery="at-least-once", goes_on=False):
        """What comes out of nodes or ports, in order: {"windows": [row, ...], "windows.late": [...]}. All tables are sources.
        With `goes_on`, exactly once, what the run before has written is kept, and comes first."""
        sinks = {}
        for i, output in enumerate(outputs):
            if not goes_on:
                (self.folder / f"out{i}.jsonl").unlink(missing_ok=True)
            sinks[f"out{i}"] = {"type": "file", "input": output, "path": str(self.folder / f"out{i}.jsonl")}
        file = self.folder / "pipeline.yaml"
        description = {
            "pipeline": "oracle",
            "delivery": delivery,
            "sources": self.tables,
            "operators": operators,
            "sinks": sinks,
        }
        file.write_text(yaml.safe_dump(description, sort_keys=False))
        command = [self.leat, "run", str(file), "--workers", str(workers)]
        command += ["--state-dir", str(self.folder / "state")] if delivery == "exactly-once" else []
        command += ["--plugin-path", self.plugins] if self.plugins else []
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=self.folder)
        assert done.returncode == 0, f"{file}:\n{file.read_text()}\n{done.stderr[-4000:]}"
        return {output: self._lines(self.folder / f"out{i}.jsonl") for i, output in enumerate(outputs)}

    @staticmethod
    def _lines(path):
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def query(self, sql):
        """Rows of a query over the tables, as dictionaries."""
        found = self.duck.execute(sql)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row)) for row in found.fetchall()]


def _comparable(value, digits):
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        number = float(value)
        # 3 and 3.0 are one number; integers beyond a double stay exact.
        if number == value and abs(number) < 2**53 and number == int(number):
            return int(number)
        return float(f"%.{digits}g" % number) if isinstance(value, float) else value
    if isinstance(value, (list, tuple)):
        return tuple(_comparable(item, digits) for item in value)
    if isinstance(value, dict):
        return tuple(sorted((name, _comparable(item, digits)) for name, item in value.items()))
    return value


def same(got, expected, columns, digits=9):
    """Both have the same rows, each as often, in these columns; reals are equal to so many significant digits. Prints what
    one side has and the other has not."""
    sides = [
        collections.Counter(tuple(_comparable(row.get(column), digits) for column in columns) for row in rows)
        for rows in (got, expected)
    ]
    if sides[0] == sides[1]:
        return
    # A value at the edge of two roundings: equal all the same when it is close.
    more, fewer = sides[0] - sides[1], sides[1] - sides[0]
    left = [row for row in more.elements()]
    right = [row for row in fewer.elements()]
    for row in list(left):
        match = next((other for other in right if _close(row, other, digits)), None)
        if match is not None:
            left.remove(row)
            right.remove(match)
    if not left and not right:
        return
    text = [f"{len(got)} rows of leat, {len(expected)} of the oracle, columns {columns}"]
    text += [f"only leat:   {row}" for row in sorted(left, key=repr)[:10]]
    text += [f"only oracle: {row}" for row in sorted(right, key=repr)[:10]]
    raise AssertionError("\n".join(text))


def _close(a, b, digits):
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(_close(x, y, digits) for x, y in zip(a, b))
    if isinstance(a, (int, float)) and isinstance(b, (int, float)) and not isinstance(a, bool) and not isinstance(b, bool):
        return math.isclose(a, b, rel_tol=1.01 * 10.0 ** (1 - digits), abs_tol=10.0**-digits)
    return a == b
