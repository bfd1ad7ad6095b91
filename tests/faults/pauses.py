# SPDX-License-Identifier: Apache-2.0
"""How long nothing has arrived in one of the systems, while it was fed. A system that does not answer is one where nothing arrives."""

import threading
import time

import psycopg
import redis
from confluent_kafka import TopicPartition
from workload import PARTITIONS

EVERY_S = 0.1


class Pauses:
    """One thread for each system that a trial's pipeline writes to."""

    def __init__(self, trial, where):
        self.trial, self.where = trial, where
        self.last, self.longest_s = {}, 0
        self.is_over = threading.Event()
        work = {"kafka": self.watch_kafka, "postgres": self.watch_postgres, "redis": self.watch_redis}
        self.threads = [threading.Thread(target=work[system]) for system in trial.systems]
        for thread in self.threads:
            thread.start()

    def note_arrival(self, system):
        now = time.monotonic()
        self.longest_s = max(self.longest_s, now - self.last.get(system, now))
        self.last[system] = now

    def watch(self, system, read):
        """`read` returns something that changes with each delivery."""
        before = read()
        while not self.is_over.wait(EVERY_S):
            now = read()
            if now != before:
                self.note_arrival(system)
            before = now

    def watch_kafka(self):
        consumer = self.trial.found.kafka.consumer(**{"group.id": "pauses", "enable.partition.eof": False})
        consumer.assign([TopicPartition(self.trial.found.topic, partition, 0) for partition in range(PARTITIONS)])
        while not self.is_over.is_set():
            messages = consumer.consume(1000, EVERY_S)
            if any(message.error() is None for message in messages):
                self.note_arrival("kafka")
        consumer.close()

    def watch_postgres(self):
        fences = self.trial.found.steps.split(".")[0] + ".leat_fences"
        while not self.is_over.wait(EVERY_S):
            try:
                with psycopg.connect(self.where["POSTGRES_URL"], autocommit=True) as connection:
                    self.watch("postgres", lambda: connection.execute(f"select sum(epoch) from {fences}").fetchone())
            except psycopg.Error:
                pass  # the test has stopped it, or leat has made no table yet

    def watch_redis(self):
        fences = [f"leat:fence:{self.trial.name}:{sink}" for sink in ("counts", "totals", "balances")]
        while not self.is_over.wait(EVERY_S):
            try:
                with redis.Redis.from_url(self.where["REDIS_URL"]) as client:
                    self.watch("redis", lambda: [client.hget(fence, "epoch") for fence in fences])
            except redis.RedisError:
                pass

    def stop(self):
        """Returns the longest pause in seconds; the time behind the last arrival is none."""
        self.is_over.set()
        for thread in self.threads:
            thread.join()
        return round(self.longest_s, 2)
