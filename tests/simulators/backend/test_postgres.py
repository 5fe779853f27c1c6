"""The backend on PostgreSQL: the contract that SQLite fulfils, by the same tests; a cluster that leaves no trace."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy import create_engine, insert, select, text

from kiosk.visit.policy import SiteKind
from simulators.backend import key_life, schema
from simulators.backend.authority import open_authority
from simulators.backend.cards import all_personas, seed
from simulators.backend.clock import system_utc_s
from simulators.backend.clock import utc as moment
from simulators.backend.database import Database
from simulators.backend.enrolment import Enrolled, create_ticket, enrol
from simulators.backend.files import DataDir
from simulators.backend.private_postgres import PrivatePostgres, private_postgres
from tests.simulators.backend.kiosk_side import LIMIT_S
from tests.simulators.backend.test_centre import (
    test_a_conversation_belongs_to_its_kiosk,
    test_a_repeated_message_gets_the_stored_answer_and_the_conversation_goes_on,
    test_a_second_start_ends_the_older_conversation,
    test_a_whole_update_then_nothing_is_due,
    test_the_close_can_be_repeated_but_no_package_of_a_closed_conversation,
)
from tests.simulators.backend.test_channel import (
    test_a_bug_in_a_route_is_a_signed_internal_error_that_keeps_nothing,
    test_a_nonce_is_kept_past_the_last_moment_of_its_message_then_forgotten,
    test_a_nonce_works_once_even_under_another_signature,
    test_an_answer_with_card_commands_ends_with_their_life,
    test_an_idempotency_key_belongs_to_its_kiosk,
    test_the_same_key_and_body_give_the_stored_answer_and_another_body_a_conflict,
)
from tests.simulators.backend.test_codes import (
    test_a_code_has_four_digits_fifteen_minutes_and_one_use,
    test_a_new_code_replaces_the_older_one,
    test_a_retry_within_its_life_gives_the_same_code_and_later_gone,
    test_tries_are_counted_for_each_card,
)
from tests.simulators.backend.test_documents import (
    test_a_quarantine_is_one_order_lifted_by_a_newer_one,
    test_only_newer_documents_are_sent_and_the_latest_numbers_always,
)
from tests.simulators.backend.test_enrolment import (
    csr,
    test_a_further_enrolment_retires_the_older_key,
    test_a_repeat_gives_the_same_and_other_keys_are_refused_and_counted,
    ticket,
)
from tests.simulators.backend.test_intake import (
    test_a_batch_has_at_most_a_thousand_events,
    test_a_batch_sent_again_under_its_key_gets_its_answer_until_it_is_acknowledged,
    test_a_number_below_the_last_and_never_seen_is_stale_and_nothing_else,
    test_a_number_with_two_contents_is_a_fork_and_quarantines,
    test_events_are_applied_once_and_known_afterwards,
    test_order_is_kept_within_an_aggregate_only,
    test_the_state_of_a_batch,
)
from tests.simulators.backend.test_tidying import (
    test_a_conversation_is_forgotten_when_nothing_it_says_can_count_any_more,
    test_a_late_repeat_of_a_poll_is_refused_by_its_time_and_one_signed_anew_is_answered_anew,
    test_a_message_of_a_time_far_ahead_is_not_remembered_until_then,
    test_a_message_that_was_forgotten_is_not_new_when_the_clock_goes_back,
    test_a_ticket_is_forgotten_long_after_it_has_expired,
    test_a_turn_takes_so_many_rows_and_says_whether_there_are_more,
    test_of_many_conversations_a_turn_takes_so_many,
    test_polls_leave_no_more_than_those_of_the_last_minutes,
    test_what_was_done_is_remembered_for_ever,
)

__all__ = [
    "test_a_batch_has_at_most_a_thousand_events",
    "test_a_batch_sent_again_under_its_key_gets_its_answer_until_it_is_acknowledged",
    "test_a_bug_in_a_route_is_a_signed_internal_error_that_keeps_nothing",
    "test_a_code_has_four_digits_fifteen_minutes_and_one_use",
    "test_a_conversation_belongs_to_its_kiosk",
    "test_a_conversation_is_forgotten_when_nothing_it_says_can_count_any_more",
    "test_a_further_enrolment_retires_the_older_key",
    "test_a_late_repeat_of_a_poll_is_refused_by_its_time_and_one_signed_anew_is_answered_anew",
    "test_a_message_of_a_time_far_ahead_is_not_remembered_until_then",
    "test_a_message_that_was_forgotten_is_not_new_when_the_clock_goes_back",
    "test_a_new_code_replaces_the_older_one",
    "test_a_nonce_is_kept_past_the_last_moment_of_its_message_then_forgotten",
    "test_a_nonce_works_once_even_under_another_signature",
    "test_a_number_below_the_last_and_never_seen_is_stale_and_nothing_else",
    "test_a_number_with_two_contents_is_a_fork_and_quarantines",
    "test_a_quarantine_is_one_order_lifted_by_a_newer_one",
    "test_a_repeat_gives_the_same_and_other_keys_are_refused_and_counted",
    "test_a_repeated_message_gets_the_stored_answer_and_the_conversation_goes_on",
    "test_a_retry_within_its_life_gives_the_same_code_and_later_gone",
    "test_a_second_start_ends_the_older_conversation",
    "test_a_ticket_is_forgotten_long_after_it_has_expired",
    "test_a_turn_takes_so_many_rows_and_says_whether_there_are_more",
    "test_a_whole_update_then_nothing_is_due",
    "test_an_answer_with_card_commands_ends_with_their_life",
    "test_an_idempotency_key_belongs_to_its_kiosk",
    "test_events_are_applied_once_and_known_afterwards",
    "test_of_many_conversations_a_turn_takes_so_many",
    "test_only_newer_documents_are_sent_and_the_latest_numbers_always",
    "test_order_is_kept_within_an_aggregate_only",
    "test_polls_leave_no_more_than_those_of_the_last_minutes",
    "test_the_close_can_be_repeated_but_no_package_of_a_closed_conversation",
    "test_the_same_key_and_body_give_the_stored_answer_and_another_body_a_conflict",
    "test_the_state_of_a_batch",
    "test_tries_are_counted_for_each_card",
    "test_what_was_done_is_remembered_for_ever",
    "ticket",
]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PrivatePostgres]:
    with private_postgres() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def started(postgres: PrivatePostgres, first_start: Path) -> str:
    """A database as its first start leaves it."""
    url, now_s = postgres.new_database(), system_utc_s()
    open_authority(DataDir(first_start), moment(now_s))
    database = Database(url)
    database.run(lambda connection: seed(connection, all_personas(), now_s))
    database.close()
    return url


@pytest.fixture
def database_url(postgres: PrivatePostgres, started: str) -> str:
    return postgres.new_database(like=started)


def test_a_cluster_is_durable_private_and_leaves_nothing() -> None:
    with private_postgres() as cluster:
        assert cluster.folder.stat().st_mode & 0o077 == 0
        server = psutil.Process(cluster.pid)
        assert server.uids().effective != 0
        with psycopg.connect(cluster.new_database().replace("+psycopg", "")) as connection:
            for setting, value in (("fsync", "on"), ("synchronous_commit", "on"), ("listen_addresses", "")):
                assert connection.execute(f"SHOW {setting}".encode()).fetchone() == (value,)
    assert not cluster.folder.exists()
    assert not server.is_running()


def test_an_enrolment_waits_for_another_one_or_a_renewal_of_its_kiosk(database_url: str, first_start: Path) -> None:
    authority, now_s = open_authority(DataDir(first_start), moment(system_utc_s())), system_utc_s()
    database, other = Database(database_url), create_engine(database_url)
    told = database.run(lambda c: create_ticket(c, authority, "borne-0001", SiteKind.AGENCY, now_s))
    asked = base64.b64encode(csr(told))
    with other.connect() as holder, other.connect() as watcher:
        holder.execute(select(schema.kiosk.c.id).where(schema.kiosk.c.id == "borne-0001").with_for_update())
        enrolled = database.submit(lambda c: enrol(c, authority, told, asked, now_s))
        while not watcher.execute(text("SELECT 1 FROM pg_locks WHERE NOT granted")).first():
            assert not enrolled.done()
        holder.execute(
            insert(schema.kiosk_key).values(
                keyid="borne-0001/1", kiosk="borne-0001", alg="ed25519", spki=b"", state=key_life.PENDING
            )
        )
        holder.commit()
        result = enrolled.result(LIMIT_S)
        assert isinstance(result, Enrolled)
        assert result.record.keyid == "borne-0001/2"
        states = watcher.execute(select(schema.kiosk_key.c.state).order_by(schema.kiosk_key.c.keyid)).scalars().all()
        assert states == [key_life.RETIRED, key_life.ACTIVE]
    other.dispose()
    database.close()


OWNER = """
from simulators.backend.private_postgres import private_postgres
with private_postgres() as cluster:
    print(cluster.folder, cluster.pid, flush=True)
    input()
"""


@pytest.mark.parametrize("victim", ["owner", "keeper"])
def test_a_cluster_outlives_nobody(victim: str) -> None:
    owner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            OWNER,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdin is not None
    assert owner.stdout is not None
    folder, pid = owner.stdout.readline().split()
    server = psutil.Process(int(pid))
    keeper = server.parent()
    assert keeper is not None
    os.kill(owner.pid if victim == "owner" else keeper.pid, signal.SIGKILL)
    psutil.wait_procs([server], timeout=20)
    assert not server.is_running()
    if victim == "owner":
        psutil.wait_procs([keeper], timeout=20)
        assert not Path(folder).exists()
    shutil.rmtree(folder, ignore_errors=True)  # nobody is left to do it when the keeper was killed
    owner.kill()
    owner.wait()
    owner.stdin.close()
    owner.stdout.close()
