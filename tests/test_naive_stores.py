"""Each way to fail has a test that refuses it: shown on the stores and gates that fail so."""

import ast
from pathlib import Path

import pytest
import test_stores
import test_stores_bounds
from naive_rows import NAIVE, Naive
from store_trial import Trial

from rp_signing import VerificationError

CONTRACT = "test_stores::TestContract::"
HELD: dict[str, list[str]] = {
    "R1": [
        f"{CONTRACT}test_the_last_second_is_still_remembered",
        f"{CONTRACT}test_a_window_that_is_raised_later_opens_nothing",
        "test_stores_redis::test_a_nonce_lives_from_its_claim",
        "test_stores_redis::test_a_window_that_is_raised_opens_nothing",
        "test_stores_postgres::test_a_drop_beside_a_claim_with_an_older_snapshot",
    ],
    "R2": [
        "test_stores_bounds::TestBounded::test_a_store_that_is_full_refuses",
        "test_stores_redis_faults::test_a_full_server_refuses",
        "test_stores_redis_faults::test_a_server_that_evicts_is_not_used",
        "test_stores_postgres_faults::test_a_full_disk_has_a_reason_of_its_own",
    ],
    "R3": [
        "test_stores_bounds::TestBounded::test_one_sender_cannot_fill_the_store",
        "test_stores_redis_faults::test_one_sender_cannot_fill_the_server",
    ],
    "R4": [
        f"{CONTRACT}test_a_store_that_is_opened_again_takes_no_copy",
        "test_stores_redis_faults::test_a_durable_server_is_killed_and_remembers",
        "test_stores_redis_faults::test_the_doctor_says_what_would_be_lost",
    ],
    "R5": [
        f"{CONTRACT}test_a_store_that_is_opened_again_takes_no_copy",
        "test_stores_redis_faults::test_a_replica_is_waited_for",
        "test_stores_redis_cluster::test_a_failover_of_a_cluster_is_followed",
        "test_stores_postgres_faults::test_a_commit_without_its_standby_is_no_success",
    ],
    "R6": [
        f"{CONTRACT}test_a_store_that_is_opened_again_takes_no_copy",
        "test_stores_postgres::test_a_claim_is_committed_durably",
        "test_stores_postgres_faults::test_a_server_that_was_killed_is_found_again",
    ],
    "R7": [
        f"{CONTRACT}test_a_store_that_is_opened_again_takes_no_copy",
        "test_stores_apart::test_a_file_outlives_its_process",
        "test_event_store::test_what_was_acknowledged_survives_a_kill",
    ],
    "R8": [
        f"{CONTRACT}test_a_nonce_is_taken_once",
        f"{CONTRACT}test_a_forked_process_is_refused",
        "test_serve::test_workers_share_one_memory_of_nonces",
        "test_serve::test_a_memory_store_behind_workers_is_refused",
    ],
    "R9": [
        f"{CONTRACT}test_a_new_store_refuses_what_an_old_one_could_have_taken",
        f"{CONTRACT}test_a_store_is_born_now",
        f"{CONTRACT}test_a_store_that_is_opened_again_takes_no_copy",
        "test_stores_redis::test_a_flush_under_a_running_verifier_opens_nothing",
        "test_stores_postgres::test_a_table_that_is_gone_is_not_made_in_silence",
    ],
    "R10": [
        f"{CONTRACT}test_a_copy_that_comes_during_the_claim_is_refused",
        f"{CONTRACT}test_threads_take_each_nonce_once",
        f"{CONTRACT}test_coroutines_take_a_request_once",
        "test_stores_apart::test_processes_take_each_nonce_once",
    ],
    "R11": [f"{CONTRACT}test_forged_requests_leave_nothing"],
    "R12": [
        f"{CONTRACT}test_a_release_acts_once",
        f"{CONTRACT}test_a_token_releases_its_own_claim",
        "test_event_store::test_nonce_and_events_are_one_transaction",
        "test_stores_postgres_faults::test_a_release_that_gets_no_answer_is_an_error",
    ],
    "R13": [
        f"{CONTRACT}test_a_nonce_is_taken_once",
        "test_stores_redis_faults::test_a_try_whose_answer_was_lost_knows_itself",
        "test_stores_redis_faults::test_a_client_that_tries_again_does_not_delay",
    ],
    "R14": [
        f"{CONTRACT}test_a_store_that_is_down_lets_nothing_through",
        "test_verifier_claims::test_a_broken_store_refuses",
        "test_stores_redis_faults::test_a_stopped_server_is_refused_in_time",
        "test_stores_postgres_faults::test_a_server_that_is_stopped_is_unavailable",
    ],
    "R15": [
        f"{CONTRACT}test_a_clock_that_steps_back_opens_nothing",
        f"{CONTRACT}test_a_clock_that_steps_back_shuts_nobody_out",
        f"{CONTRACT}test_a_clock_that_jumps_for_good_opens_nothing",
        "test_stores_redis::test_a_clock_that_ran_ahead_opens_nothing",
        "test_stores_postgres::test_a_clock_that_runs_ahead_of_the_server_drops_nothing",
    ],
    "R16": [
        f"{CONTRACT}test_the_last_second_is_still_remembered",
        "test_stores_redis::test_clocks_that_are_apart_are_refused",
        "test_stores_redis::test_a_nonce_lives_from_its_claim",
        f"{CONTRACT}test_a_clock_that_jumps_for_good_opens_nothing",
    ],
    "R17": [
        f"{CONTRACT}test_a_claim_that_stalled_is_refused",
        "test_ingest_body::test_a_stalled_body_has_a_deadline_of_its_own",
        "test_ingest_body::test_a_body_that_trickles_has_no_more_time",
    ],
    "R18": [
        f"{CONTRACT}test_each_part_of_the_triple_counts",
        f"{CONTRACT}test_other_api_keys_do_not_meet",
        f"{CONTRACT}test_the_same_request_under_a_second_secret_is_a_replay",
    ],
    "R19": [
        f"{CONTRACT}test_the_future_is_bounded",
        f"{CONTRACT}test_a_request_dated_ahead_is_refused",
        "test_replay::test_both_edges_of_the_window_are_inside",
    ],
    "R20": ["test_stores_bounds::TestDropping::test_what_left_the_window_is_dropped"],
}
"""Row of the list of failures → the tests that hold it."""


def named_in(module: str) -> set[str]:
    """Every test of a module, with its class if it has one."""
    tree = ast.parse((Path(__file__).parent / f"{module}.py").read_text(encoding="utf-8"))
    found = {(node.name,) for node in tree.body if isinstance(node, ast.FunctionDef)}
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    found |= {(one.name, node.name) for one in classes for node in one.body if isinstance(node, ast.FunctionDef)}
    return {"::".join([module, *names]) for names in found if names[-1].startswith("test_")}


def test_every_row_has_its_tests() -> None:
    """Each of R1 to R20 is held by tests that are there, and each naive version by one of its row's."""
    assert list(HELD) == [f"R{number}" for number in range(1, 21)]
    named = [test for tests in HELD.values() for test in tests]
    there = set().union(*(named_in(test.partition("::")[0]) for test in named))
    assert [test for test in named if test not in there] == []
    assert [one.name for one in NAIVE if one.test not in [test.partition("::")[2] for test in HELD[one.row]]] == []


@pytest.mark.parametrize("naive", NAIVE, ids=lambda naive: naive.name)
def test_the_contract_refuses_the_naive_version(naive: Naive) -> None:
    """The test that is named for it fails on it."""
    group, _, name = naive.test.partition("::")
    module = test_stores if hasattr(test_stores, group) else test_stores_bounds
    test = getattr(getattr(module, group)(), name)
    with pytest.raises((AssertionError, pytest.fail.Exception, VerificationError)):
        test(Trial(naive.kind()))
