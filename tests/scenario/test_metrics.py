# SPDX-License-Identifier: Apache-2.0
"""The figures of a running pipeline, read by a Prometheus and compared with what is in the topics."""

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import pytest
from conftest import unavailable

GOOD, BAD, ALERTS = 5000, 7, 50

SCRIPT = """
ports = {"alerts"}
function process(event)
  if event.n % 100 == 0 then emit("alerts", event) end
  emit(event)
end
"""


def describe(source, copies, alerts):
    brokers = "${KAFKA_BROKERS}"
    return {
        "pipeline": "measured",
        "delivery": "at-least-once",
        "sources": {"in": {"type": "kafka", "brokers": brokers, "topic": source, "start": "earliest", "group": source}},
        "operators": {"scored": {"type": "lua", "input": "in", "key": "user", "script": "score.lua"}},
        "sinks": {
            "copies": {"type": "kafka", "input": "scored", "brokers": brokers, "topic": copies},
            "alerts": {"type": "kafka", "input": "scored.alerts", "brokers": brokers, "topic": alerts},
            "rejected": {"type": "file", "input": "in.dead", "path": "rejected.jsonl"},
        },
    }


class Prometheus:
    """One of the test's own: leat takes a free port, and the shared one has its target in its configuration."""

    def __init__(self, folder, target):
        folder.mkdir()
        with contextlib.closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        file = folder / "prometheus.yml"
        file.write_text(json.dumps({
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms"},
            "scrape_configs": [{"job_name": "leat", "static_configs": [{"targets": [target]}]}],
        }))
        command = ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder}/data", "--log.level=warn"]
        self.log = open(folder / "log", "wb")
        self.process = subprocess.Popen([*command, f"--web.listen-address={self.address}"], stdout=self.log, stderr=self.log)

    def ask(self, query):
        """The value of each series: {(("node", "a"), ...): value}, without name, instance and job."""
        url = f"http://{self.address}/api/v1/query?" + urllib.parse.urlencode({"query": query})
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                body = json.load(answer)
        except OSError:
            return {}  # it has not started yet
        left_out = ("__name__", "instance", "job")
        return {
            tuple(sorted((k, v) for k, v in one["metric"].items() if k not in left_out)): float(one["value"][1])
            for one in body["data"]["result"]
        }

    def number(self, query):
        found = self.ask(query)
        assert len(found) <= 1, found
        return next(iter(found.values()), None)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


@pytest.fixture
def measured(kafka, topic, pipeline):
    source, copies, alerts = topic("in", partitions=3), topic("out"), topic("alerts")
    kafka.write(source, [(f"u{n % 11}", {"n": n, "user": f"u{n % 11}"}) for n in range(GOOD)])
    kafka.write(source, [(f"u{n}", '{"n": ') for n in range(BAD)])
    run = pipeline(describe(source, copies, alerts))
    (run.folder / "score.lua").write_text(SCRIPT)
    run.source, run.copies, run.alerts = source, copies, alerts
    return run.start()


@pytest.fixture
def scraper(measured, tmp_path):
    if shutil.which("prometheus") is None:
        unavailable("there is no prometheus; run scripts/deps --services")
    scraper = Prometheus(tmp_path / "prometheus", measured.wait_log(r"http://([\d.:]+)")[1])
    yield scraper
    scraper.stop()


def test_prometheus_counts_what_is_in_the_topics(measured, scraper, kafka):
    measured.wait_until(lambda: len(kafka.read(measured.copies)) >= GOOD and len(kafka.read(measured.alerts)) >= ALERTS, "all events")

    def sees(query, number):
        measured.wait_until(lambda: scraper.number(query) == number, f"{query} = {number}, last {scraper.number(query)}")

    n_read, n_copies, n_alerts = (len(kafka.read(name)) for name in (measured.source, measured.copies, measured.alerts))
    assert (n_read, n_copies, n_alerts) == (GOOD + BAD, GOOD, ALERTS)
    sees('up{job="leat"}', 1)
    sees('sum(leat_records_in_total{role="source"})', n_read)
    sees('leat_records_out_total{node="in"}', n_copies)
    sees('leat_records_in_total{node="scored",type="lua"}', n_copies)
    sees('leat_records_out_total{node="copies"}', n_copies)
    sees('leat_records_out_total{node="alerts"}', n_alerts)
    sees("leat_alerts_total", n_alerts)
    sees('leat_dead_letters_total{node="in"}', BAD)
    sees("sum(leat_dead_letters_total)", BAD)
    sees('leat_records_out_total{node="rejected"}', BAD)
    sees('leat_edge_records_total{from="scored",port="out",to="copies"}', n_copies)
    sees('leat_edge_records_total{from="scored",port="alerts",to="alerts"}', n_alerts)
    sees("leat_source_lag_records", 0)
    sees("leat_source_partitions", 3)
    sees("leat_in_flight_bytes", 0)
    sees('leat_pipeline_state{state="running"}', 1)
    sees("sum(leat_pipeline_state)", 1)
    # Every record that a sink has delivered is in the histogram, and nothing else.
    sees("sum(leat_end_to_end_latency_seconds_count)", n_copies + n_alerts + BAD)
    sees('sum(leat_end_to_end_latency_seconds_bucket{le="+Inf"})', n_copies + n_alerts + BAD)
    p99 = scraper.number("histogram_quantile(0.99, sum by (le) (leat_end_to_end_latency_seconds_bucket))")
    assert 0 < p99 < 30

    # And it goes on counting.
    kafka.write(measured.source, [("u1", {"n": 1, "user": "u1"}) for _ in range(100)])
    sees('leat_records_out_total{node="copies"}', n_copies + 100)
    sees("leat_source_lag_records", 0)


PHASES = ["source", "queue", "operators", "epoch", "store", "outbox", "delivery", "commit"]


def phases(run, node):
    """Of a sink of pipeline `split`: how many events each phase has counted, and the seconds of all of them."""
    page, labels = run.metrics(), f'{{pipeline="split",node="{node}",phase='
    return {
        phase: tuple(page.get(f'leat_latency_phase_seconds_{what}{labels}"{phase}"}}', 0) for what in ("count", "sum")) for phase in PHASES
    }


def test_phases_are_where_the_time_goes(kafka, topic, pipeline):
    """All together they are the latency; and what is before the delivery is what the broker's timestamps say."""
    source, copies = topic("in", partitions=3), topic("out", message_timestamp_type="LogAppendTime")
    run = pipeline({
        "pipeline": "split",
        "sources": {"in": {"type": "kafka", "brokers": "${KAFKA_BROKERS}", "topic": source, "start": "earliest"}},
        "operators": {"scored": {"type": "lua", "input": "in", "key": "user", "script": "score.lua"}},
        "sinks": {"copies": {"type": "kafka", "input": "scored", "brokers": "${KAFKA_BROKERS}", "topic": copies}},
    })
    (run.folder / "score.lua").write_text(SCRIPT)
    run.start()
    run.wait_until(lambda: run.get("/readyz")[0] == 200, "a pipeline that runs")
    for begin in range(0, GOOD, 500):
        kafka.write(source, [(f"u{n % 11}", {"n": n, "user": f"u{n % 11}"}) for n in range(begin, begin + 500)])
    run.wait_until(lambda: phases(run, "copies")["commit"][0] == GOOD, "all events")

    found, page = phases(run, "copies"), run.metrics()
    assert [found[phase][0] for phase in PHASES] == [GOOD] * len(PHASES)
    assert all(found[phase][1] > 0 for phase in PHASES), found
    total = page['leat_end_to_end_latency_seconds_sum{pipeline="split"}']
    assert page['leat_end_to_end_latency_seconds_count{pipeline="split"}'] == GOOD
    assert abs(sum(found[phase][1] for phase in PHASES[1:]) - total) < 1e-6 * total

    # Here the broker has stamped the messages, in milliseconds, when it took them: somewhere in the delivery.
    written, delivered = ({json.loads(m.value())["n"]: m.timestamp()[1] / 1000 for m in kafka.read(name)} for name in (source, copies))
    stamped = sum(delivered[n] - written[n] for n in range(GOOD)) / GOOD
    before, delivery = sum(found[phase][1] for phase in PHASES[:6]) / GOOD, found["delivery"][1] / GOOD
    assert before - 0.002 < stamped < before + delivery + 0.002, (before, stamped, delivery)


def test_lag_is_what_is_not_read_yet(measured, kafka):
    """Its own figure and the one of Kafka's tools go to nothing together."""
    series = 'leat_source_lag_records{pipeline="measured",node="in",role="source",type="kafka"}'
    measured.wait_until(lambda: len(kafka.read(measured.copies)) >= GOOD, "all events")
    measured.wait_until(lambda: measured.metrics().get(series) == 0, "a lag of 0")
    measured.wait_until(lambda: kafka.lag(measured.source, measured.source) == 0, "the group's offsets")


def test_lag_grows_while_a_sink_is_away(kafka, topic, pipeline, services):
    """Nothing is read that cannot go on, so what is not read is counted."""
    source = topic("in")
    run = pipeline({
        "pipeline": "stuck",
        "delivery": "at-least-once",
        "sources": {"in": {"type": "kafka", "brokers": "${KAFKA_BROKERS}", "topic": source, "start": "earliest", "prefetch": "64KiB"}},
        "sinks": {"out": {"type": "redis", "input": "in", "host": "${REDIS_HOST}", "port": "${REDIS_PORT}", "command": "publish",
                          "key": "nobody-listens"}},
    })
    series = 'leat_source_lag_records{pipeline="stuck",node="in",role="source",type="kafka"}'
    bytes_in_flight = 'leat_in_flight_bytes{pipeline="stuck"}'
    run.start("--in-flight", "1MiB")
    run.wait_until(lambda: run.get("/readyz")[0] == 200, "a pipeline that runs")
    services.stop("redis")
    filling = "x" * 1000
    kafka.write(source, [(None, {"n": n, "filling": filling}) for n in range(10000)])
    run.wait_until(lambda: run.metrics().get(series, 0) > 5000, "a lag of most of it")
    assert 0 < run.metrics()[bytes_in_flight] < 2 << 20
    services.start("redis")
    run.wait_until(lambda: run.metrics()[series] == 0, "a lag of 0")
    run.wait_until(lambda: run.metrics()[bytes_in_flight] == 0, "nothing in flight")
    assert run.stop() == 0


def test_promtool_accepts_the_page(measured, kafka):
    measured.wait_until(lambda: len(kafka.read(measured.copies)) >= GOOD, "all events")
    status, text = measured.get("/metrics")
    assert status == 200 and text.endswith("\n")
    promtool = shutil.which("promtool")
    if promtool is None:
        unavailable("there is no promtool; run scripts/deps --services")
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest.mark.alone
def test_reading_the_page_costs_little(measured):
    """A scraper that asks much too often must not slow anything down."""
    measured.wait_log("started from")
    fastest = 0
    for _ in range(10):  # the best second counts: the machine has other work too
        began, asked = time.monotonic(), 0
        while time.monotonic() - began < 1:
            assert measured.get("/metrics")[0] == 200
            asked += 1
        fastest = max(fastest, asked)
        if fastest > 20:
            break
    assert fastest > 20, f"{fastest} pages in a second"
