"""The judge, and what it is given: which answers are right, what differs first, and what an adapter is shown."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from rp_signing.conformance.judge import cut, judge
from rp_signing.conformance.outcome import Status
from rp_signing.conformance.vectors import SUITES, load_flags, load_vectors, question

VECTORS = {vector["id"]: vector for vector in load_vectors()}
SECRET_MEMBERS = {"id", "tags", "flags", "comment", "expect", "expect_one_of", "intermediate", "repeat"}


def right(vector: dict[str, Any]) -> dict[str, Any]:
    """The right answer, with all intermediate values."""
    if "steps" in vector:
        sends = [step for step in vector["steps"] if step["do"] == "send"]
        return {"n": 1, "steps": [step["expect"] if "expect" in step else step["expect_one_of"][-1] for step in sends]}
    return {"n": 1, **copy.deepcopy(vector["expect"])}


def members(value: Any) -> Iterator[str]:
    """The name of every member, at whatever depth."""
    if isinstance(value, dict):
        yield from value
        for item in value.values():
            yield from members(item)
    elif isinstance(value, list):
        for item in value:
            yield from members(item)


def test_the_judge_needs_no_extra() -> None:
    """Judging loads no command line, no terminal, no template and no models."""
    code = "import sys, rp_signing.conformance.judge, rp_signing.conformance.driver; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "rp_signing.conformance.judge" in done.stdout.split()
    assert not {"click", "rich", "jinja2", "pydantic", "httpx2"} & set(done.stdout.split())


def test_an_adapter_never_sees_the_answer() -> None:
    """What is asked has every input of the vector, bytes written out, and nothing that says what is right or which."""
    assert len(VECTORS) >= 500
    for number, vector in enumerate(VECTORS.values()):
        asked = question(vector, number)
        assert not set(members(asked)) & SECRET_MEMBERS
        assert asked.keys() == vector.keys() - SECRET_MEMBERS | {"n"}
        assert vector["id"] not in str(asked)
        assert asked["n"] == number
        if "steps" in vector:
            pairs = zip(vector["steps"], asked["steps"], strict=True)
            assert all(other.keys() == step.keys() - SECRET_MEMBERS for step, other in pairs)
    assert len(question(VECTORS["parse-depth-100000-arrays"], 0)["text"]) == 2 * 200_000


def test_a_question_leaves_the_vector_as_it_is() -> None:
    """Asking changes nothing: the expectation is there for the judge."""
    vector = VECTORS["replay-at-once"]
    before = copy.deepcopy(vector)
    question(vector, 1)["steps"][0]["request"] = "spoiled"
    assert vector == before


def test_the_right_answer_passes() -> None:
    """Every vector's own expectation passes, whatever else the answer says."""
    for vector in VECTORS.values():
        answer = right(vector)
        if "ok" in answer:
            answer["ok"]["more"] = {"of": "mine"}
        outcome = judge(vector, {**answer, "took": 3})
        assert (outcome.status, outcome.differs, outcome.bugs) == (Status.PASSED, None, ()), outcome


WRONG = [
    {"ok": {}}, {"ok": {"canonical": ""}}, {"refused": ""}, {"refused": "header_malformed"}, {"refused": "Ok"},
    {"steps": []}, {"steps": ["accepted"] * 40}, {"ok": {"headers": []}}, {"ok": {"headers": 7}},
]  # fmt: skip


@pytest.mark.parametrize("answer", WRONG, ids=str)
def test_a_wrong_answer_fails_everywhere(answer: dict[str, Any]) -> None:
    """An answer that is nobody's own passes no vector, and each failure has its bugs, wanted and got."""
    for vector in VECTORS.values():
        outcome = judge(vector, answer)
        assert outcome.status is Status.FAILED, (vector["id"], answer)
        assert outcome.wanted is not None
        assert outcome.got is not None
        assert outcome.differs
        assert outcome.detail
        assert outcome.bugs == tuple(str(load_flags()[flag]) for flag in vector["flags"])


def spoiled(value: Any) -> Any:
    """A value of the same kind that is another one."""
    if isinstance(value, bool) or value is None:
        return int(value or 0)
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return value[:-1] + ("0" if value[-1:] != "0" else "1")
    return [spoiled(value[0]), *value[1:]] if value else [0]


def spoiled_object(value: dict[str, Any], name: str) -> dict[str, Any]:
    """An object with one member spoiled, or with one member of a member."""
    inner = value[name]
    if isinstance(inner, list) and inner and isinstance(inner[0], dict):
        first = next(iter(inner[0]))
        return {**value, name: [spoiled_object(inner[0], first), *inner[1:]]}
    return {**value, name: spoiled(inner)}


def test_every_member_counts() -> None:
    """Each member of each result is judged: spoiled it fails, and left out too, unless it is an intermediate value."""
    judged = 0
    for vector in VECTORS.values():
        for name in vector.get("expect", {}).get("ok", {}):
            answer = right(vector)
            assert judge(vector, {"ok": spoiled_object(answer["ok"], name)}).status is Status.FAILED, (vector, name)
            answer["ok"].pop(name)
            optional = vector["suite"] == "sign" or vector.get("do") == "sign_event"
            passes = optional and name in ("canonical", "signing_input", "mac")
            outcome = judge(vector, answer)
            assert outcome.status is (Status.PASSED if passes else Status.FAILED), (vector["id"], name)
            assert passes or outcome.detail == f"{name} is missing"
            judged += 1
    assert judged > 500


def test_a_refusal_counts_whole() -> None:
    """Reason, public code, rule, errors and the pointer that is judged: each fails when it is another or missing."""
    judged = set()
    for vector in VECTORS.values():
        expect = vector.get("expect", {})
        for name in expect.keys() - {"ok", "intermediate"}:
            answer = right(vector)
            without = {key: value for key, value in answer.items() if key != name}
            other = spoiled_object(answer, name)
            if expect[name] is None:
                assert {judge(vector, one).status for one in (without, other)} == {Status.PASSED}, vector["id"]
                continue
            assert judge(vector, other).differs == name
            missing = judge(vector, without)
            assert missing.status is (Status.CRASHED if name == "refused" else Status.FAILED), (vector["id"], name)
            judged.add(name)
    assert judged == {"refused", "public_code", "pointer", "rule", "errors"}


def test_every_bad_event_has_to_be_named() -> None:
    """One error too few, one too many and another order are wrong; what else is said of each is not looked at."""
    vector = VECTORS["ingest-batch-names-every-bad-event"]
    errors = vector["expect"]["errors"]

    def status(given: Any) -> Status:
        return judge(vector, {**vector["expect"], "errors": given}).status

    assert status([{**error, "detail": "in my words"} for error in errors]) is Status.PASSED
    for wrong in (errors[:-1], [*errors, errors[-1]], errors[::-1], [], None, {"0": errors[0]}):
        assert status(wrong) is Status.FAILED


def test_headers_come_in_any_order_and_case() -> None:
    """The headers of a signed request are a set; their values and their number are not free."""
    vector = VECTORS["sign-example-of-the-spec"]
    headers = vector["expect"]["ok"]["headers"]

    def status(given: Any) -> Status:
        return judge(vector, {"ok": {"headers": given}}).status

    assert status([[name.upper(), value] for name, value in reversed(headers)]) is Status.PASSED
    for wrong in (headers[1:], [*headers, headers[0]], [*headers, ["X", 1]], dict(headers), None, [1], [[1, 2]]):
        assert status(wrong) is Status.FAILED
    assert status([[name, value.upper()] for name, value in headers]) is Status.FAILED


def test_true_is_not_one() -> None:
    """JSON's true is no number, and a number no true; 2.0 is 2."""
    vector = VECTORS["input-request"]
    ok = vector["expect"]["ok"]
    assert judge(vector, {"ok": {**ok, "length": float(ok["length"])}}).status is Status.PASSED
    assert judge(vector, {"ok": {**ok, "length": str(ok["length"])}}).status is Status.FAILED
    live = VECTORS["keys-api-key-test"]
    assert judge(live, {"ok": {**live["expect"]["ok"], "live": 0}}).differs == "live"


@pytest.mark.parametrize(
    ("wrong", "first"),
    [
        (("mac", "signing_input", "integrity_signature", "signed", "canonical"), "canonical"),
        (("mac", "signing_input", "integrity_signature", "signed"), "signing_input"),
        (("mac", "integrity_signature", "signed"), "mac"),
        (("signed", "integrity_signature"), "integrity_signature"),
        (("signed",), "signed"),
    ],
)
@pytest.mark.parametrize("apart", [True, False])
def test_the_first_value_that_differs_is_named(wrong: tuple[str, ...], first: str, apart: bool) -> None:
    """Of several wrong values the one that the others are made of is named, wherever it stands in the answer."""
    vector = VECTORS["event-sign-example-of-the-spec"]
    ok = {name: spoiled(value) if name in wrong else value for name, value in vector["expect"]["ok"].items()}
    intermediate = {name: ok.pop(name) for name in ("canonical", "signing_input", "mac")} if apart else {}
    outcome = judge(vector, {"ok": ok, "intermediate": intermediate})
    assert (outcome.status, outcome.differs) == (Status.FAILED, first)


def test_a_wrong_intermediate_value_explains_a_refusal() -> None:
    """A verifier that refuses what is right names the line of the signing input that it got wrong."""
    vector = next(one for one in VECTORS.values() if one["suite"] == "verify" and "ok" in one["expect"])
    lines = bytes.fromhex(vector["expect"]["intermediate"]["signing_input"]).split(b"\n")
    lines[4] += b".0"
    answer = {"refused": "signature_mismatch", "intermediate": {"signing_input": b"\n".join(lines).hex()}}
    outcome = judge(vector, answer)
    assert outcome.differs == "signing_input"
    timestamp = vector["expect"]["ok"]["timestamp"]
    assert f'line 5 of signing_input: wanted "{timestamp}", got "{timestamp}.0"' in outcome.detail
    assert "it refuses this (signature_mismatch), and must take it" in outcome.detail
    assert judge(vector, {"ok": vector["expect"]["ok"], "intermediate": answer["intermediate"]}).status is Status.PASSED


def test_bytes_that_differ_are_shown_where_they_part() -> None:
    """Of two canonical forms the first byte that differs is named, with what stands there."""
    vector = VECTORS["canonical-astral-name-before-private-use"]
    given = '{"\ue000":1,"😀":2}'.encode().hex()
    outcome = judge(vector, {"ok": {"canonical": given}})
    assert outcome.detail.startswith('canonical differs at byte 2: wanted "😀')
    shouted = judge(vector, {"ok": {"canonical": vector["expect"]["ok"]["canonical"].upper()}})
    assert shouted.detail == "canonical: hex is written in lower case"


def test_a_script_is_judged_step_by_step() -> None:
    """The first step that is answered otherwise is named; each of several right answers passes; the count matters."""
    vector = next(one for one in VECTORS.values() if any("expect_one_of" in step for step in one.get("steps", [])))
    sends = [(number, step) for number, step in enumerate(vector["steps"], 1) if step["do"] == "send"]
    answer = right(vector)["steps"]
    index, (number, step) = next((i, pair) for i, pair in enumerate(sends) if "expect_one_of" in pair[1])
    for word in step["expect_one_of"]:
        assert judge(vector, {"steps": [*answer[:index], word, *answer[index + 1 :]]}).status is Status.PASSED
    outcome = judge(vector, {"steps": [*answer[:index], "other", *answer[index + 1 :]]})
    assert (outcome.differs, outcome.wanted, outcome.got) == (f"step {number}", step["expect_one_of"], "other")
    for steps in (answer[:-1], [*answer, "accepted"]):
        assert judge(vector, {"steps": steps}).differs == "steps"
    assert judge(vector, {"refused": "configuration"}).differs == "refused"


def test_a_skip_is_neither_right_nor_wrong() -> None:
    """An adapter that says that it cannot is believed, with its reason."""
    outcome = judge(VECTORS["replay-at-once"], {"n": 1, "skip": "no store"})
    assert (outcome.status, outcome.detail) == (Status.SKIPPED, "no store")


@pytest.mark.parametrize(
    "answer",
    [
        None, 1, "ok", [], [{"ok": {}}], {}, {"n": 1}, {"ok": None}, {"ok": []}, {"refused": None}, {"refused": 1},
        {"steps": "accepted"}, {"steps": [1]}, {"skip": True}, {"skip": None}, {"ok": {}, "refused": "x"},
        {"ok": {}, "skip": "x"}, object(), {"ok"}, b"{}",
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_answer_counts_as_a_crash(answer: object) -> None:
    """Whatever is not one of the four answers is none, in every suite."""
    for suite in SUITES:
        vector = next(one for one in VECTORS.values() if one["suite"] == suite)
        outcome = judge(vector, answer)
        assert outcome.status is Status.CRASHED
        assert "no answer" in outcome.detail


def test_what_came_is_cut() -> None:
    """A long text, a large answer and a deep one are kept short."""
    assert len(str(cut("x" * 10_000))) < 1000
    assert len(str(cut(["x" * 500] * 1000))) < 10_000
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert len(str(cut(deep))) < 50
    assert len(str(cut({"a": {"b": deep}}))) < 60
    assert cut([1, 2.5, None, True, float("nan")]) == [1, 2.5, None, True, "nan"]
    outcome = judge(VECTORS["canonical-pair-arrays"], {"ok": {"canonical": deep}})
    assert outcome.status is Status.FAILED
