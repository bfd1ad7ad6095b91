# SPDX-License-Identifier: Apache-2.0
"""Runs the queries of Nexmark in leat and in DuckDB over the same events, and compares. `run` is its command line."""

import argparse
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import duckdb

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests/oracle"))

from oracle import same  # noqa: E402

QUERIES = sorted((path.stem for path in HERE.glob("q*.yaml")), key=lambda name: int(name[1:]))
COLUMNS = {
    "person": "id, name, email_address, credit_card, city, state, date_time, extra",
    "auction": "id, item_name, description, initial_bid, reserve, date_time, expires, seller, category, extra",
    "bid": "auction, bidder, price, channel, url, date_time, extra",
}
NUMBERS = {"id", "date_time", "initial_bid", "reserve", "expires", "seller", "category", "auction", "bidder", "price"}


def generate(build, folder, events, rate, disorder=100, partitions=1, seed=1):
    """Files of events in the folder, dealt to so many; the pattern that names them."""
    for left in folder.glob("events-*.jsonl"):
        left.unlink()
    paths = [str(folder / f"events-{i}.jsonl") for i in range(partitions)]
    options = {"events": events, "rate": rate, "disorder": disorder, "seed": seed}
    command = [str(build / "bench/nexmark/generate")]
    subprocess.run(command + [f"--{name}={value}" for name, value in options.items()] + paths, check=True)
    return str(folder / "events-*.jsonl") if partitions > 1 else paths[0]


def read_lines(files, columns):
    types = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
    return f"select * from read_json('{files}', format = 'newline_delimited', columns = {{{types}}})"


def open_oracle(events):
    """DuckDB with the tables person, auction and bid of these files."""
    columns = {name: "BIGINT" if name in NUMBERS else "VARCHAR" for text in COLUMNS.values() for name in text.split(", ")}
    duck = duckdb.connect()
    duck.execute("set threads = 2; set TimeZone = 'UTC'")
    duck.execute(f"create table event as {read_lines(events, {'type': 'VARCHAR', **columns})}")
    for kind, names in COLUMNS.items():
        duck.execute(f"create table {kind} as select {names} from event where type = '{kind}'")
    duck.execute("drop table event")
    return duck


def select(duck, sql):
    found = duck.execute(sql)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row)) for row in found.fetchall()]


def compare(duck, query, output):
    """How many rows there are, when leat's are those of DuckDB, each as often. What is equal to the last digit is found by DuckDB;
    what is left is compared as elsewhere, for reals that were added in another order."""
    sql = (HERE / f"{query}.sql").read_text()
    duck.execute(f"create or replace table expected as {sql}")
    columns = {name: kind for name, kind, *_ in duck.execute("describe expected").fetchall()}
    got = read_lines(output, columns) if output.exists() else "from expected limit 0"
    latest = re.search(r"^-- latest by: (.*)", sql, re.MULTILINE)
    if latest:
        # The pipeline writes a row each time that it changes; the last one with these fields is the result.
        got = f"select * exclude nth from (select *, row_number() over () as nth from ({got})) "
        got += f"qualify row_number() over (partition by {latest[1]} order by nth desc) = 1"
    duck.execute(f"create or replace table got as {got}")
    sides = [select(duck, f"from {one} except all from {other}") for one, other in (("got", "expected"), ("expected", "got"))]
    same(*sides, list(columns))
    return duck.execute("select count(*) from got").fetchone()[0]


class Run:
    """One query in leat until its end, across kills, and what that took."""

    def __init__(self, build, folder, query, **variables):
        self.build, self.folder, self.query = build, folder, query
        self.state, self.output, self.log = folder / f"{query}.state", folder / f"{query}.jsonl", folder / f"{query}.log"
        self.variables = {"OUTPUT": str(self.output), **variables}
        self.plugins = os.environ.get("LEAT_PLUGIN_PATH", str(build / "plugins/.libs"))

    def whole(self, workers, kills=()):
        """Killed so many seconds after its start, and started again, for each of `kills`."""
        shutil.rmtree(self.state, ignore_errors=True)
        for left in self.folder.glob(f"{self.query}.jsonl*"):
            left.unlink()
        self.seconds, self.cpu, self.peak, self.kills = 0.0, 0.0, 0, 0
        for kill in kills:
            if not self._once(workers, kill):
                return self
            self.kills += 1
        self._once(workers)
        return self

    def _once(self, workers, kill=None):
        """Returns whether it was killed."""
        summary = self.folder / "summary.json"
        command = [str(self.build / "leat"), "run", str(HERE / f"{self.query}.yaml"), "--workers", str(workers)]
        command += ["--state-dir", str(self.state), "--plugin-path", self.plugins]
        command += ["--status", "never", "--quiet", "--summary-json", str(summary)]
        began = time.monotonic()
        with open(self.log, "wb") as log:
            process = subprocess.Popen(command, env={**os.environ, **self.variables}, cwd=self.folder, stdout=log, stderr=log)
        status, used = self._wait(process.pid, None if kill is None else began + kill)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.seconds += time.monotonic() - began
        self.cpu += used.ru_utime + used.ru_stime
        if process.returncode == -signal.SIGKILL:
            return True
        assert process.returncode == 0, f"leat ended with {process.returncode}: {self.log.read_text()[-2000:]}"
        done = json.loads(summary.read_text())["pipelines"][0]
        assert done["dead_letters"] == 0, f"{done['dead_letters']} dead letters: {self.log.read_text()[:2000]}"
        self.read = done["events_in"]
        return False

    def _wait(self, pid, kill_at):
        """What wait4 says at the end, but for the peak: that would be one of this process before exec."""
        while True:
            mark = re.search(r"VmHWM:\s*(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())
            self.peak = max(self.peak, int(mark[1]) / 1024 if mark else 0)
            ended, status, used = os.wait4(pid, os.WNOHANG)
            if ended:
                return status, used
            if kill_at is not None and time.monotonic() >= kill_at:
                os.kill(pid, signal.SIGKILL)  # no one else waits for it, so the number is still its own
                kill_at = None
            time.sleep(0.005)


def kill_within(run, workers, events, attempts=10):
    """Two kills in the middle: the last start has read some of the events, but not all. When that is depends on the machine and
    what else it does, so first it runs without, and then later or earlier until it fits."""
    seconds = run.whole(workers).seconds
    rng = random.Random(run.query)
    for _ in range(attempts):
        run.whole(workers, [seconds * rng.uniform(0.3, 0.6), seconds * rng.uniform(0.2, 0.4)])
        if run.kills > 0 and 0 < run.read < events:
            return
        seconds *= 1.3 if run.read == events else 0.7
    raise AssertionError(f"{run.query} could not be killed in the middle")


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bench/nexmark/run", description=__doc__)
    parser.add_argument("--events", type=int, default=1000000, help="events (1000000)")
    parser.add_argument("--rate", type=int, default=10000, help="of them in a second of their own time (10000)")
    parser.add_argument("--disorder", type=int, default=100, help="of them in a group that is out of order (100; 1: in order)")
    parser.add_argument("--partitions", type=int, default=1, help="files that they are dealt to (1)")
    parser.add_argument("--workers", type=int, default=1, help="threads of leat (1)")
    parser.add_argument("--kill", action="store_true", help="kills leat in the middle, twice, and starts it again")
    parser.add_argument("--delivery", default="exactly-once", choices=["exactly-once", "at-least-once"])
    parser.add_argument("--keep", metavar="FOLDER", type=pathlib.Path, help="works in this folder and leaves it")
    parser.add_argument("query", nargs="*", metavar="q...", help="some of " + " ".join(QUERIES) + "; all without")
    asked = parser.parse_args(arguments)
    unknown = [query for query in asked.query if query not in QUERIES]
    if unknown:
        parser.error(f"there is no query {unknown[0]}")
    if asked.kill and asked.delivery != "exactly-once":
        parser.error("at least once, nothing is the same after a kill")
    return asked


def measure(asked, build, folder, events, duck, query):
    """One line of the table. Returns whether the rows are the same."""
    run = Run(build, folder, query, EVENTS=events, DELIVERY=asked.delivery)
    try:
        if asked.kill:
            kill_within(run, asked.workers, asked.events)
        else:
            run.whole(asked.workers)
        count, verdict = compare(duck, query, run.output), "yes"
    except (AssertionError, duckdb.Error) as difference:
        print(f"{query}:", *(line[:200] for line in str(difference).splitlines()), sep="\n", file=sys.stderr)
        count, verdict = "-", "NO"
    rate = asked.events / run.seconds
    print(f"| {query} | {count} | {verdict} | {run.kills} | {rate:.0f} | {run.cpu:.2f} | {run.peak:.0f} |", flush=True)
    return verdict == "yes"


def main(arguments):
    asked = parse(arguments)
    build = pathlib.Path(os.environ.get("LEAT_BUILD_DIR", HERE.parents[1] / "build"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        events = generate(build, folder, asked.events, asked.rate, asked.disorder, asked.partitions)
        with open_oracle(events) as duck:
            print("| query | rows | equal | kills | events/s | CPU s | peak MiB |\n|---|---|---|---|---|---|---|")
            good = [measure(asked, build, folder, events, duck, query) for query in asked.query or QUERIES]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
