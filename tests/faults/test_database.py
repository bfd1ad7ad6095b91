# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL ends in the middle of transactions, at their commit, behind it, and refuses them by the dozen."""

import os
import signal
import time

import pytest

STORM_S = 6
CUTS = 5


def ended_at_once(services):
    """As by `pg_ctl stop -m immediate`: backends end where they stand, and the next start recovers from the log."""
    services.ended.append("postgres")
    os.kill(services.pid("postgres"), signal.SIGQUIT)
    while services.pid("postgres"):
        time.sleep(0.05)


def test_an_immediate_stop_of_postgres_changes_nothing(trial, services):
    trial.run.start()
    for _ in range(2):
        trial.wait_for_more()
        time.sleep(trial.chance.random())
        ended_at_once(services)
        time.sleep(trial.chance.uniform(0, 2))
        services.start("postgres")
    trial.finish()


# What a trigger does with the transaction that it is in. A sequence counts it, as nothing rolls that back.
TRIGGER = """
create sequence {schema}.met;
create function {schema}.meet() returns trigger language plpgsql as $$
begin
  if random() < {chance} then
    perform nextval('{schema}.met');
    {act};
  end if;
  return null;
end $$;
"""


def arm(trial, postgres, trigger, chance, act):
    """A trigger on both tables, for STORM_S. Returns how often it has acted."""
    schema = trial.found.steps.split(".")[0]
    tables = [trial.found.steps, trial.found.postings]
    postgres.execute(TRIGGER.format(schema=schema, chance=chance, act=act))
    for table in tables:
        postgres.execute(trigger.format(table=table) + f" execute function {schema}.meet()")
    time.sleep(STORM_S)
    for table in tables:
        postgres.execute(f"drop trigger meet on {table}")
    return postgres.execute(f"select last_value from {schema}.met where is_called").fetchone()


def test_a_storm_of_serialization_failures_changes_nothing(trial, postgres):
    trial.run.start()
    trial.wait_for_more()
    trigger = "create trigger meet before insert on {table} for each statement"
    times = arm(trial, postgres, trigger, 0.5, "raise exception 'a rival was faster' using errcode = '40001'")
    assert times and times[0] > 10, "hardly a transaction was refused"
    trial.wait_for_more()
    trial.finish()


def test_a_connection_ended_within_its_commit_changes_nothing(trial, postgres):
    """The trigger is put off to the commit, and ends the backend that is at it: nothing is committed."""
    trial.run.start()
    trial.wait_for_more()
    trigger = "create constraint trigger meet after insert on {table} deferrable initially deferred for each row"
    times = arm(trial, postgres, trigger, 0.002, "perform pg_terminate_backend(pg_backend_pid())")
    assert times and times[0] >= 3, "hardly a commit was hit"
    trial.wait_for_more()
    trial.finish()


def set_standby(postgres, name):
    postgres.execute(f"alter system set synchronous_standby_names = '{name}'")
    postgres.execute("select pg_reload_conf()")


def cut_what_waits_for_a_standby(trial, postgres):
    """Such a transaction is committed; that it is, its client never hears. Returns whether there was one."""
    query = (
        "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'SyncRep' and application_name like %s"
    )
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if postgres.execute(query, [f"leat {trial.name}/%"]).fetchall():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.alone
def test_a_connection_ended_behind_its_commit_changes_nothing(trial, postgres):
    trial.run.start()
    trial.wait_for_more()
    n = 0
    try:
        for _ in range(CUTS):
            set_standby(postgres, "nobody")
            n += cut_what_waits_for_a_standby(trial, postgres)
            set_standby(postgres, "")
            time.sleep(trial.chance.random())
    finally:
        set_standby(postgres, "")
    assert n == CUTS, f"of {CUTS} commits {n} were hit"
    trial.wait_for_more()
    trial.finish()
