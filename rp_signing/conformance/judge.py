"""The judge: a vector and an answer to it make an outcome.

What stands in ``ok`` must be right, member by member; members that the vector does not have are not looked at. A
refusal must have its reason, its public code, its rule and its errors, and its pointer where one is judged.
Intermediate values may be left out. Given in ``intermediate`` they say where it went wrong, and never that it did.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

from .differences import MADE_IN_ORDER, Difference, differences
from .outcome import Outcome, Status
from .vectors import load_flags

__all__ = ["NOT_ASKED", "crashed", "cut", "judge", "unasked"]

NOT_ASKED = "not asked: the program crashed too often in a row"
"""The detail of a vector that was not asked."""

_KINDS: dict[str, tuple[type, str]] = {
    "ok": (dict, "an object"),
    "refused": (str, "a text"),
    "steps": (list, "a list"),
    "skip": (str, "a text"),
}
# Values on the way to the result: a right result may come without them.
_OPTIONAL = {"sign": {"signing_input", "mac"}, "events": {"canonical", "signing_input", "mac"}}
_LONG_TEXT, _LONG_ANSWER, _DEEPEST = 600, 8000, 12


def judge(vector: dict[str, Any], answer: object) -> Outcome:
    """Judge one answer.

    Args:
        vector: one of `load_vectors`.
        answer: the JSON value that came, whatever it is; its ``n`` is the driver's to check.

    Returns:
        What became of it. What is no answer at all counts as a crash.
    """
    why = _no_answer(answer)
    if why or not isinstance(answer, dict):
        return crashed(vector, f"it wrote a line that is no answer: {why}", cut(answer))
    got = cut({name: value for name, value in answer.items() if name != "n"})
    if "skip" in answer:
        return _outcome(vector, Status.SKIPPED, got=got, detail=answer["skip"][:_LONG_TEXT])
    if "steps" in vector:
        return _judge_script(vector, answer, got)
    wrong = _wrong(vector, answer)
    if not wrong:
        return _outcome(vector, Status.PASSED, got=got)
    first = min([*_wrong_intermediate(vector, answer), *wrong], key=lambda one: one.rank)
    detail = "; ".join(dict.fromkeys(one.sentence() for one in (first, wrong[0])))
    wanted = cut(_judged(vector["expect"]))
    return _outcome(vector, Status.FAILED, wanted=wanted, got=got, differs=first.name, detail=detail)


def crashed(vector: dict[str, Any], detail: str, got: Any = None) -> Outcome:
    """Give the outcome of a vector to which no answer came.

    Args:
        vector: one of `load_vectors`.
        detail: what happened instead.
        got: the start of what came, if anything.
    """
    wanted = cut(_judged(vector["expect"])) if "expect" in vector else [_right(step) for _, step in _sends(vector)]
    return _outcome(vector, Status.CRASHED, wanted=wanted, got=got, detail=detail)


def unasked(vector: dict[str, Any]) -> Outcome:
    """Give the outcome of a vector that the program no longer lived to be asked."""
    return _outcome(vector, Status.CRASHED, detail=NOT_ASKED)._replace(bugs=())


def cut(value: Any) -> Any:
    """Give a JSON value short enough to be shown; what is no JSON comes as the name of its type."""
    short = _cut(value, _DEEPEST)
    written = json.dumps(short)
    return short if len(written) <= _LONG_ANSWER else f"{written[:_LONG_ANSWER]}…"


def _cut(value: Any, room: int) -> Any:
    if isinstance(value, str) and len(value) > _LONG_TEXT:
        return f"{value[:_LONG_TEXT]}… ({len(value):,} characters)"
    if isinstance(value, dict):
        return {str(_cut(name, 0)): _cut(item, room - 1) for name, item in value.items()} if room else "{…}"
    if isinstance(value, list | tuple):
        return [_cut(item, room - 1) for item in value] if room else "[…]"
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float) else type(value).__name__


def _no_answer(answer: object) -> str | None:
    """Say why this is no answer by the protocol; None when it is one."""
    if not isinstance(answer, dict):
        return "it is no JSON object"
    kinds = [kind for kind in _KINDS if kind in answer]
    if len(kinds) != 1:
        return f"it has {' and '.join(kinds)}" if kinds else "it has none of ok, refused, steps and skip"
    given, (kind, called) = answer[kinds[0]], _KINDS[kinds[0]]
    if not isinstance(given, kind):
        return f"its {kinds[0]} is not {called}"
    if isinstance(given, list) and not all(isinstance(one, str) for one in given):
        return "a step is not a text"
    return None


def _wrong(vector: dict[str, Any], answer: dict[str, Any]) -> list[Difference | _OtherKind]:
    """Give what is not as it must be; nothing when the answer is right."""
    expect = vector["expect"]
    if "ok" in expect and "ok" in answer:
        published = {**expect.get("intermediate", {}), **expect["ok"]}
        may_be_left_out = {*_OPTIONAL.get(vector["suite"], ()), *expect.get("intermediate", ())}
        judged = {name: published[name] for name in published if name in answer["ok"] or name not in may_be_left_out}
        return list(differences(judged, answer["ok"]))
    if "refused" in expect and "refused" in answer:
        return list(differences(_judged(expect), answer))
    return [_OtherKind(expect, answer)]


def _judged(expect: dict[str, Any]) -> dict[str, Any]:
    """Give what must be in the answer; a pointer that is null is not judged."""
    return {name: value for name, value in expect.items() if name != "intermediate" and value is not None}


def _wrong_intermediate(vector: dict[str, Any], answer: dict[str, Any]) -> list[Difference]:
    expect, given = vector["expect"], answer.get("intermediate")
    if not isinstance(given, dict):
        return []
    known = {**expect.get("ok", {}), **expect.get("intermediate", {})}
    return list(differences({name: known[name] for name in MADE_IN_ORDER if name in known and name in given}, given))


class _OtherKind:
    """It took what it must refuse, refused what it must take, or answered by steps where there are none."""

    rank = len(MADE_IN_ORDER)

    def __init__(self, expect: dict[str, Any], answer: dict[str, Any]) -> None:
        self.name = _kind_of(answer)
        self._right = f"must refuse it: {expect['refused']}" if "refused" in expect else "must take it"
        refused = str(answer.get("refused"))[:_LONG_TEXT]
        self._did = {"ok": "takes this", "refused": f"refuses this ({refused})"}.get(self.name, "answers by steps")

    def sentence(self) -> str:
        """Say what it did instead, in one line."""
        return f"it {self._did}, and {self._right}"


def _judge_script(vector: dict[str, Any], answer: dict[str, Any], got: Any) -> Outcome:
    """Judge the answers to each step that sends; the first that differs is the one shown."""
    sends = _sends(vector)
    if "steps" not in answer:
        wanted, detail = [_right(step) for _, step in sends], "it must answer by steps"
        return _outcome(vector, Status.FAILED, wanted=wanted, got=got, differs=_kind_of(answer), detail=detail)
    told = answer["steps"]
    for (number, step), one in zip(sends, told, strict=False):
        right = _right(step)
        if one != right and one not in (right if isinstance(right, list) else ()):
            name, words = f"step {number}", right if isinstance(right, str) else " or ".join(right)
            detail = f"{name}, {step['request']} at {step['now']}: wanted {words}, got {one[:_LONG_TEXT]}"
            return _outcome(vector, Status.FAILED, wanted=right, got=cut(one), differs=name, detail=detail)
    if len(sends) == len(told):
        return _outcome(vector, Status.PASSED, got=got)
    wanted, detail = [_right(step) for _, step in sends], f"{len(told)} answers to {len(sends)} steps that send"
    return _outcome(vector, Status.FAILED, wanted=wanted, got=got, differs="steps", detail=detail)


def _sends(vector: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    return [(number, step) for number, step in enumerate(vector["steps"], start=1) if step["do"] == "send"]


def _kind_of(answer: dict[str, Any]) -> str:
    return next(kind for kind in _KINDS if kind in answer)


def _right(step: dict[str, Any]) -> str | list[str]:
    right: str | list[str] = step["expect_one_of"] if "expect_one_of" in step else step["expect"]
    return right


def _outcome(vector: dict[str, Any], status: Status, **rest: Any) -> Outcome:
    bugs: tuple[str, ...] = ()
    if status in (Status.FAILED, Status.CRASHED):
        bugs = tuple(str(load_flags()[flag]) for flag in vector["flags"])
    return Outcome(vector["id"], vector["suite"], status, tuple(vector["tags"]), vector["comment"], bugs=bugs, **rest)
