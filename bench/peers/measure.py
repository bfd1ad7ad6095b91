# SPDX-License-Identifier: Apache-2.0
"""One run of each figure: starts what is needed, returns the values, ends what it has started.

A run in which the load was late, the machine was full, or not every result came raises Refused with the reason.
"""
import contextlib
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from engines import BUILD, ENGINES, SOURCE

PATIENCE_S, CHECKED, CHECKED_KEYS, SPOIL = 600, 20000, 300, 10
ALONE = {"aggregate": 10000000, "sliding": 1000000, "rule": 2000000, "dedup": 3000000}  # two seconds or so


class Refused(Exception):
    """Why a run says nothing."""


# ---- topics and processes --------------------------------------------------------------------------------------------------

@functools.cache
def admin():
    """Kept, as futures end with their client."""
    return AdminClient({"bootstrap.servers": os.environ["KAFKA_BROKERS"]})


def make_topic(name):
    """Until its partitions answer, which they may not for a moment after the broker has said that they are there."""
    for future in admin().create_topics([NewTopic(name, 4, 1)]).values():
        future.result(30)
    consumer, deadline = Consumer({"bootstrap.servers": os.environ["KAFKA_BROKERS"], "group.id": "bench-run"}), time.monotonic() + 30
    for partition in range(4):
        while True:
            try:
                consumer.get_watermark_offsets(TopicPartition(name, partition), 10)
                break
            except KafkaException as error:
                if time.monotonic() > deadline:
                    raise Refused(f'topic "{name}" does not answer: {error}') from None
                time.sleep(0.05)
    consumer.close()


def delete_topics(tag):
    """All whose names begin with the tag: engines make topics of their own as well."""
    client = admin()
    names = [name for name in client.list_topics(timeout=30).topics if name.startswith(tag)]
    for future in (client.delete_topics(names) if names else {}).values():
        with contextlib.suppress(Exception):
            future.result(30)


def figures_of(text):
    return {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if len(line.split()) == 2}


def load_command(topic, **options):
    return [BUILD / "bench/load", *(str(word) for name, value in options.items() for word in (f"--{name}", value)), topic]


def write(topic, **options):
    return figures_of(subprocess.run(load_command(topic, **options), check=True, capture_output=True, text=True).stdout)


@contextlib.contextmanager
def started(command, **options):
    process = subprocess.Popen(list(map(str, command)), **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def arrivals(topic, *options):
    """A reader of what is committed from now on."""
    with started([BUILD / "bench/arrivals", *options, topic], stdout=subprocess.PIPE, text=True) as process:
        if process.stdout.readline() != "ready\n":
            raise Refused("the reader does not start")
        yield process


@contextlib.contextmanager
def scratch(tag, source=None):
    """Names and a folder for one run of an engine; they are gone afterwards."""
    name = f"{tag}_{time.monotonic_ns()}"
    names = {"BENCH_INPUT": source or f"{name}_in", "BENCH_OUTPUT": f"{name}_out", "BENCH_NAME": name}
    folder = tempfile.mkdtemp(prefix="leat-bench-")
    for topic in {f"{name}_out", names["BENCH_INPUT"]} - {source}:
        make_topic(topic)
    try:
        yield names, pathlib.Path(folder)
    finally:
        delete_topics(name)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def engine_on(engine, names, folder):
    with open(folder / "log", "a") as log, started(ENGINES[engine](names, folder / "state"), env=os.environ | names, stdout=log,
                                                   stderr=log) as process:
        yield process


def await_reader(reader, process, folder, watch=lambda: None):
    """The reader's figures; it ends by itself when it has everything. Calls watch meanwhile, again and again."""
    deadline = time.monotonic() + PATIENCE_S
    while reader.poll() is None:
        if process.poll() is not None:
            raise Refused(f"ended with status {process.returncode}: {(folder / 'log').read_text()[-300:].strip()}")
        if time.monotonic() > deadline:
            raise Refused(f"not every result came within {PATIENCE_S} s")
        watch()
        time.sleep(0.02)
    return figures_of(reader.stdout.read())


def used(process):
    """CPU-seconds and peak MiB so far."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), peak / 1024


def machine_ticks():
    """Ticks of idle processors, and of all."""
    ticks = [int(n) for n in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


@contextlib.contextmanager
def broker_pauses():
    """How long the broker's Java stood still within the block, where its log is known: all of it, and at the longest."""
    log = pathlib.Path(os.environ.get("KAFKA_PAUSES", os.devnull))
    pauses, before = {}, log.stat().st_size if log.exists() else 0
    yield pauses
    if log.is_file():
        size = log.stat().st_size
        text = log.read_bytes()[before if before <= size else 0:].decode()
        ms = [int(ns) / 1e6 for ns in re.findall(r"Total: *(\d+) ns", text)]
        pauses.update(broker_paused_ms=sum(ms), broker_longest_ms=max(ms, default=0))


# ---- figures ---------------------------------------------------------------------------------------------------------------

def check(engine, source, tag):
    """What bench/peers/check says of the engine's results, the empty text when nothing differs."""
    with scratch(tag, source) as (names, folder):
        with arrivals(names["BENCH_OUTPUT"], "--count", str(CHECKED)) as reader, engine_on(engine, names, folder) as process:
            await_reader(reader, process, folder)
            time.sleep(1)  # for what should not come
        command = [sys.executable, SOURCE / "bench/peers/check", source, names["BENCH_OUTPUT"]]
        checked = subprocess.run(command, capture_output=True, text=True)
        return "" if checked.returncode == 0 else (checked.stdout + checked.stderr).strip()


def cpu_at(samples, wanted):
    """CPU-seconds at a time between two samples."""
    for (t0, cpu0), (t1, cpu1) in zip(samples, samples[1:]):
        if wanted <= t1:
            return cpu0 + (cpu1 - cpu0) * max(0, wanted - t0) / (t1 - t0)
    return samples[-1][1]


def backlog(engine, tag, source, count):
    """On a topic that is full. The rate is that of the last four fifths, so that nobody's start is in it."""
    with scratch(tag, source) as (names, folder):
        with arrivals(names["BENCH_OUTPUT"], "--count", str(count), "--mark", str(count // 5)) as reader:
            began = time.time()
            samples = []
            with engine_on(engine, names, folder) as process:
                watch = lambda: samples.append((time.time(), used(process)[0]))
                figures = await_reader(reader, process, folder, watch)
                cpu_s, peak = used(process)
    first = figures["first_realtime_us"] / 1e6
    return {"cpu_s_per_million": cpu_s / count * 1e6, "started_cpu_s": (cpu_s - cpu_at(samples, first)) / count * 1e6,
            "events_per_s": count * 0.8 / figures["mark_seconds"], "peak_mib": peak, "first_s": first - began}


def prime(names, process, folder, rate, seconds, keys):
    """Until the engine works, and its compiler is done; ids are others than those measured."""
    for rate, count, start in ((100, 100, 10**9), (rate, rate * seconds, 10**9 + 100)):
        with arrivals(names["BENCH_OUTPUT"], "--count", str(count)) as reader:
            write(names["BENCH_INPUT"], rate=rate, count=count, keys=keys, **{"from": start})
            await_reader(reader, process, folder)


def latency(engine, tag, rate, seconds, warm, keys):
    """From the writing of an event until a consumer of committed messages has it."""
    count = rate * seconds
    with scratch(tag) as (names, folder), engine_on(engine, names, folder) as process:
        prime(names, process, folder, rate, warm, keys)
        cpu_before, _ = used(process)
        with arrivals(names["BENCH_OUTPUT"], "--count", str(count), "--skip", "1") as reader, broker_pauses() as pauses:
            idle, total = machine_ticks()
            load = write(names["BENCH_INPUT"], rate=rate, count=count, keys=keys)
            idle, total = (after - before for after, before in zip(machine_ticks(), (idle, total)))
            figures = await_reader(reader, process, folder)
        cpu_s = used(process)[0] - cpu_before
    if load["rate"] < 0.99 * rate:
        raise Refused(f"the load reached {load['rate']:.0f} events/s instead of {rate}")
    if idle < total / 5:
        raise Refused(f"{100 * idle / total:.0f} % of the processors' time was idle, 20 % have to be")
    return {"p50_ms": figures["latency_p50_ms"], "p99_ms": figures["latency_p99_ms"], "p999_ms": figures["latency_p999_ms"],
            "max_ms": figures["latency_max_ms"], "cpu_s_per_million": cpu_s / count * 1e6, "idle": idle / total,
            "load_late_ms": load["late_max_ms"], **pauses}


def restart(engine, tag, count):
    """Killed with a state of as many keys, while the load goes on, and started again: from there to the first result."""
    with scratch(tag) as (names, folder), contextlib.ExitStack() as later:
        source, output = names["BENCH_INPUT"], names["BENCH_OUTPUT"]
        steady = load_command(source, rate=1000, seconds=PATIENCE_S, keys=count, **{"from": 10**9})
        with arrivals(output, "--count", str(count)) as reader, engine_on(engine, names, folder) as process:
            write(source, rate=0, count=count, keys=count)
            await_reader(reader, process, folder)
            later.enter_context(started(steady, stdout=subprocess.DEVNULL))
            time.sleep(3)
        reader = later.enter_context(arrivals(output, "--first"))
        began = time.time()
        with engine_on(engine, names, folder) as process:
            figures = await_reader(reader, process, folder)
    return {"restart_s": figures["first_realtime_us"] / 1e6 - began}


def alone(pipeline, workers, count=None, partitions=1):
    """leat without a broker, into nothing. No more workers read than there are partitions."""
    count = count or ALONE[pipeline]
    with tempfile.TemporaryDirectory(prefix="leat-bench-") as folder:
        environment = os.environ | {"COUNT": str(count), "INPUT": f"{folder}/payments.jsonl", "PARTITIONS": str(partitions)}
        for name in (["make_input"] if pipeline == "rule" else []) + [pipeline]:
            command = [BUILD / "leat", "run", SOURCE / f"bench/pipelines/{name}.yaml", "--plugin-path", BUILD / "plugins/.libs",
                       "--state-dir", folder, "--workers", str(workers), "--quiet", "--summary-json", f"{folder}/summary.json"]
            ended = subprocess.run(list(map(str, command)), env=environment, cwd=folder, capture_output=True, text=True)
            if ended.returncode:
                raise Refused(ended.stderr.strip()[-300:])
        summary = json.loads(pathlib.Path(folder, "summary.json").read_text())
    summary = summary[0] if isinstance(summary, list) else summary
    return {name: value for name, value in flat(summary).items() if name in ("events_in_per_second", "cpu_seconds")}


def flat(value):
    """The first number of each name, however deep."""
    found = {}
    for name, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        found = {name: inner} | found if isinstance(inner, (int, float)) else flat(inner) | found
    return found


def warm_up(tag, seconds):
    with scratch(tag) as (names, folder), engine_on("limit", names, folder):
        write(names["BENCH_INPUT"], rate=15000, seconds=seconds)
