"""Words: every reason, and the errors that carry them."""

import pickle
import re

import pytest
from spec_page import rows, section

from rp_signing import CanonicalizationError, Reason, SigningError, StoreError, VerificationError

TABLE = [
    (word, int(status) if status.isdigit() else 422)
    for statuses, words in rows(section("### 6.3 Reasons"))
    for status, group in zip(
        [statuses] if statuses == "library only" else statuses.split(", "),
        words.split(", ") if "," in statuses else [words],
        strict=True,
    )
    for word in re.findall(r"`(\w+)`", group)
]


def test_reasons_are_those_of_the_spec() -> None:
    """SPEC §6.3 and the library name the same reasons with the same HTTP status."""
    assert {reason.value: reason.status for reason in Reason} == dict(TABLE)
    assert len(TABLE) == len(Reason) > 30


def test_a_reason_is_its_word() -> None:
    """A reason goes into logs and vectors as its word, and is found again by it."""
    assert str(Reason.REPLAYED) == f"{Reason.REPLAYED}" == "replayed"
    assert all(Reason(reason.value) is reason and reason.name.lower() == reason for reason in Reason)


def test_a_stranger_learns_of_one_signature_fault() -> None:
    """An unknown key id and a wrong MAC have one public code; every other reason is its own."""
    differing = {reason: reason.public_code for reason in Reason if reason.public_code != reason}
    assert differing == {Reason.KEY_ID_UNKNOWN: "signature_invalid", Reason.SIGNATURE_MISMATCH: "signature_invalid"}
    assert Reason.KEY_ID_UNKNOWN.summary == Reason.SIGNATURE_MISMATCH.summary


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence(reason: Reason) -> None:
    """Every reason has one sentence for people."""
    assert re.fullmatch(r"[A-Z][^.]+\.", reason.summary)


@pytest.mark.parametrize("reason", Reason)
def test_only_what_passes_by_itself_says_when(reason: Reason) -> None:
    """Every 429 and 503 carries seconds to wait, and no other reason does."""
    waits = VerificationError(reason, "why").retry_after
    assert waits == (1 if reason.status in (429, 503) else None)
    assert VerificationError(reason, "why", retry_after=17).retry_after == 17


def test_a_refusal_says_what_and_where() -> None:
    """A refusal reads as reason, detail and place, and carries each of them."""
    error = VerificationError(Reason.KEY_ID_UNKNOWN, "retired?", "/a/0")
    assert str(error) == "key_id_unknown: retired? (at /a/0)"
    assert (error.reason, error.detail, error.pointer) == (Reason.KEY_ID_UNKNOWN, "retired?", "/a/0")
    assert (error.status, error.public_code) == (401, "signature_invalid")
    assert str(VerificationError(Reason.REPLAYED, "again")) == "replayed: again"


def test_a_fault_of_a_value_says_what_and_where() -> None:
    """A value without a canonical form reads as reason, detail and place; the whole value has no place."""
    error = CanonicalizationError(Reason.PAYLOAD_DEPTH, "too deep", "/a")
    assert str(error) == "payload_depth: too deep (at /a)"
    assert (error.reason, error.detail, error.pointer) == (Reason.PAYLOAD_DEPTH, "too deep", "/a")
    assert str(CanonicalizationError(Reason.PAYLOAD_DEPTH, "too deep", "")) == "payload_depth: too deep"


def test_one_except_clause_catches_all() -> None:
    """Every error of the package is a SigningError, and the three kinds are not one another."""
    kinds = (CanonicalizationError, VerificationError, StoreError)
    assert all(issubclass(kind, SigningError) for kind in kinds)
    assert not any(issubclass(one, other) for one in kinds for other in kinds if one is not other)


@pytest.mark.parametrize(
    "error",
    [
        VerificationError(Reason.REPLAY_STORE_FULL, "full", "/a", retry_after=9),
        CanonicalizationError(Reason.PAYLOAD_DEPTH, "too deep", "/a"),
    ],
)
def test_errors_travel_between_processes(error: SigningError) -> None:
    """An error that comes back from a worker process says the same."""
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
    assert again.args == (error.reason, error.detail, error.pointer)  # type: ignore[attr-defined]
