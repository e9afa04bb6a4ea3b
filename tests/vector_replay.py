"""The vectors of single use: scripts of requests, SPEC.md §7 and step 11 of §6.1."""

from __future__ import annotations

from typing import Any

from second_replay import played
from second_wire import signed_headers
from vector_suite import ALONE, API, KEYS, NEW, NONCE, OLD, OTHER, OTHER_API, STRANGER, TIME, Json, Suite, hexed

T = int(TIME)
PAST, FUTURE = 300, 60
BODY = '{"event":"E","messageId":"m-1","type":"track","userId":"u"}'
SHARED: Json = {"api_keys": [{"api_key": key, "secrets": [NEW]} for key in (API, OTHER_API)]}
ROTATED: Json = {"api_keys": [{"api_key": API, "secrets": [NEW]}]}
BEFORE: Json = {"api_keys": [{"api_key": API, "secrets": [OLD]}]}
BOTH: Json = {"api_keys": [{"api_key": API, "secrets": [NEW, OLD]}]}


def request(time: int = T, nonce: str = NONCE, body: str = BODY, secret: str = NEW,
    api_key: str = API, named: bool = True) -> Json:  # fmt: skip
    """One signed request."""
    headers = signed_headers(api_key, secret, str(time), nonce, body.encode(), named)
    return {"headers": headers, "body": hexed(body)}


def send(name: str, now: int | str, *expect: str) -> Json:
    """A step; more than one word: any of them is right."""
    step: Json = {"do": "send", "request": name, "now": str(now)}
    return step | ({"expect": expect[0]} if len(expect) == 1 else {"expect_one_of": [*expect]})


def nonce(letter: str) -> str:
    """Another nonce."""
    return letter * 22


class Scripts:
    """The scripts of the file."""

    def __init__(self) -> None:
        self.suite = Suite("replay")

    def add(self, name: str, tags: str, flags: str, comment: str, requests: Json,
        steps: list[Json], **said: Any) -> None:  # fmt: skip
        """One script."""
        whole: Json = {"keys": KEYS, "past": PAST, "future": FUTURE, "born": 0} | said
        for forgets in (False, True):
            sends = [step for step in steps if step["do"] == "send"]
            for step, word in zip(sends, played(whole | {"requests": requests, "steps": steps}, forgets), strict=True):
                assert word in step.get("expect_one_of", [step.get("expect")]), (name, step, word)
        self.suite.add(f"replay-{name}", tags, flags, comment, None, **whole, requests=requests,
            steps=steps)  # fmt: skip


def again(s: Scripts) -> None:
    """The same request again."""
    one = {"a": request()}
    s.add("at-once", "WIN-3 VER-11", "nonce-not-kept", "the same bytes in the same second", one,
        [send("a", T, "accepted"), send("a", T, "replayed"), send("a", T, "replayed")])  # fmt: skip
    s.add("later", "WIN-3 WIN-4", "forgets-early", "the same bytes, minutes later", one,
        [send("a", T, "accepted"), send("a", T + 100, "replayed"), send("a", T + 299, "replayed")])  # fmt: skip
    s.add("last-second-of-window", "WIN-4", "forgets-early", "timestamp + past is still inside",
        one, [send("a", T, "accepted"), send("a", T + PAST, "replayed"),
            send("a", f"{T + PAST}.999", "replayed"),
            send("a", T + PAST + 1, "timestamp_expired")])  # fmt: skip
    s.add("first-in-last-second", "WIN-4", "forgets-early", "accepted in the last second, once",
        one, [send("a", T + PAST, "accepted"), send("a", T + PAST, "replayed"),
            send("a", T + PAST + 1, "timestamp_expired")])  # fmt: skip
    others = {f"n{i}": request(T + PAST, nonce(letter)) for i, letter in enumerate("bcd")}
    s.add("last-second-after-other-claims", "WIN-4", "forgets-early",
        "claims of that second drop nothing that is still inside", one | others,
        [send("a", T, "accepted"), *(send(name, T + PAST, "accepted") for name in others),
            send("a", T + PAST, "replayed")])  # fmt: skip
    early = {"a": request(T + FUTURE)}
    s.add("dated-ahead", "WIN-4", "forgets-counted-from-claim",
        "dated 60 s ahead: it can come for 360 s", early,
        [send("a", T, "accepted"), send("a", T + 1, "replayed"), send("a", T + PAST + 1, "replayed"),
            send("a", T + FUTURE + PAST, "replayed"),
            send("a", T + FUTURE + PAST + 1, "timestamp_expired")])  # fmt: skip
    s.add("refused-as-future-then-in-time", "VER-8 VER-12", "nonce-before-window",
        "what was too early leaves no nonce", {"a": request(T + FUTURE + 1)},
        [send("a", T, "timestamp_future"), send("a", T + 1, "accepted"),
            send("a", T + 1, "replayed")])  # fmt: skip
    s.add("short-window", "WIN-4 WIN-1", "window-fixed", "past 0, future 0: one second", one,
        [send("a", T, "accepted"), send("a", T, "replayed"), send("a", T + 1, "timestamp_expired")],
        past=0, future=0)  # fmt: skip
    s.add("clock-steps-back-a-little", "WIN-4", "nonce-not-kept",
        "the clock steps back inside the window", one,
        [send("a", T + 100, "accepted"), send("a", T + 10, "replayed"), send("a", T, "replayed")])  # fmt: skip


def what_is_unique(s: Scripts) -> None:
    """The triple, and nothing else."""
    for name, second, comment in (
        ("older-secret", request(secret=OLD), "signed under the older secret"),
        ("without-key-id", request(named=False), "signed without a key id"),
        ("older-without-key-id", request(secret=OLD, named=False), "older, and without a key id"),
        ("other-body", request(body='{"x":1}'), "another body"),
    ):
        flag = "nonce-scoped-by-body" if name == "other-body" else "nonce-scoped-by-key-id"
        s.add(f"same-triple-{name}", "WIN-2", flag, f"the same timestamp and nonce, {comment}",
            {"a": request(), "b": second},
            [send("a", T, "accepted"), send("b", T, "replayed"), send("a", T, "replayed")])  # fmt: skip
    for name, second, flag, comment in (
        ("other-timestamp", request(T + 1), "nonce-scoped-too-widely", "another timestamp"),
        ("other-api-key", request(secret=OTHER, api_key=OTHER_API), "nonce-scoped-too-widely", "another api key"),
        ("nonce-in-other-case", request(nonce=NONCE.swapcase()), "nonce-folded", "a nonce that differs in case"),
        (
            "nonce-of-same-decoding",
            request(nonce=NONCE[:-1] + "x"),
            "nonce-decoded",
            "a nonce that decodes to the same bytes",
        ),
        ("nonce-longer", request(nonce=NONCE + "A"), "nonce-cut", "a nonce that begins so"),
        ("nonce-dash-for-underscore", request(nonce=NONCE[:-1] + "-"), "nonce-folded", "another last character"),
    ):
        s.add(f"accepted-{name}", "WIN-2", flag, f"{comment}: another triple",
            {"a": request(), "b": second},
            [send("a", T, "accepted"), send("b", T, "accepted"), send("a", T, "replayed"),
                send("b", T, "replayed")])  # fmt: skip
    signs = [NONCE[:5] + sign + NONCE[6:] for sign in "-_"]
    s.add("accepted-nonce-of-other-sign", "WIN-2", "nonce-folded", "- and _ are two characters",
        {"a": request(nonce=signs[0]), "b": request(nonce=signs[1])},
        [send("a", T, "accepted"), send("b", T, "accepted"), send("a", T, "replayed"),
            send("b", T, "replayed")])  # fmt: skip
    s.add("accepted-in-the-same-second", "WIN-2", "nonce-scoped-too-widely", "the same second, another nonce",
        {"a": request(), "b": request(nonce=nonce("b"))},
        [send("a", T, "accepted"), send("b", T, "accepted"), send("b", T, "replayed")])  # fmt: skip
    s.add("accepted-shared-secret", "WIN-2", "nonce-scoped-too-widely",
        "two api keys that share a secret do not share nonces",
        {"a": request(), "b": request(api_key=OTHER_API)},
        [send("a", T, "accepted"), send("b", T, "accepted"), send("a", T, "replayed"),
            send("b", T, "replayed")], keys=SHARED)  # fmt: skip
    s.add("accepted-new-nonce", "WIN-2", "nonce-scoped-too-widely",
        "the same event, sent again as a new attempt",
        {"a": request(), "b": request(T + 2, nonce("b"))},
        [send("a", T, "accepted"), send("b", T + 2, "accepted")])  # fmt: skip


def no_trace(s: Scripts) -> None:
    """What was refused leaves no nonce."""
    bad = {
        "not-json": ("no", "payload_not_json"), "empty": ("", "payload_not_json"),
        "duplicate-key": ('{"a":1,"a":2}', "payload_duplicate_key"),
        "number-range": ("1e400", "payload_number_range"),
        "surrogate": ('"\\ud800"', "payload_surrogate"),
        "depth": ("[" * 65 + "]" * 65, "payload_depth"),
    }  # fmt: skip
    for name, (body, reason) in bad.items():
        s.add(f"no-nonce-left-by-{name}", "VER-12 VER-9", "claims-before-parse",
            "the same bytes get the same answer, and the nonce is free",
            {"bad": request(body=body), "good": request()},
            [send("bad", T, reason), send("bad", T, reason), send("good", T, "accepted"),
                send("good", T, "replayed")])  # fmt: skip
    forged = request()
    forged["headers"] = [[name, "sha256=" + "0" * 64 if name.endswith("Signature") else value]
        for name, value in forged["headers"]]  # fmt: skip
    altered = {**request(), "body": hexed(BODY.replace("m-1", "m-2"))}
    strange = request(secret=STRANGER)
    nobody = request(api_key="rpx_test_nobody")
    for name, first, reason in (
        ("forged-mac", forged, "signature_mismatch"),
        ("altered-body", altered, "signature_mismatch"),
        ("unknown-key-id", strange, "key_id_unknown"),
        ("unknown-api-key", nobody, "api_key_unknown"),
    ):
        s.add(f"no-nonce-left-by-{name}", "VER-12 VER-7", "claims-before-mac",
            "a stranger cannot burn a nonce", {"bad": first, "good": request()},
            [send("bad", T, reason), send("bad", T, reason), send("good", T, "accepted"),
                send("bad", T, reason), send("good", T, "replayed")])  # fmt: skip
    s.add("no-nonce-left-by-expired", "VER-12 VER-8", "claims-before-window",
        "a stale request leaves no nonce", {"a": request()},
        [send("a", T + PAST + 1, "timestamp_expired"), send("a", T + PAST, "accepted")])  # fmt: skip


def restarts(s: Scripts) -> None:
    """A store that was made anew knows not what was accepted before."""
    born = T + 10
    restart = {"do": "restart", "born": born}
    s.add("after-restart", "WIN-6", "restart-forgets", "accepted before the restart",
        {"a": request()}, [send("a", T, "accepted"), restart,
            send("a", born, "signed_before_start"), send("a", T + PAST, "signed_before_start"),
            send("a", T + PAST + 1, "timestamp_expired")])  # fmt: skip
    s.add("after-restart-dated-ahead", "WIN-6", "restart-forgets-future",
        "accepted before the restart, dated after it", {"a": request(T + FUTURE)},
        [send("a", T, "accepted"), restart, send("a", born, "signed_before_start"),
            send("a", T + FUTURE, "signed_before_start")])  # fmt: skip
    edge = {"in": request(born + FUTURE, nonce("i")), "out": request(born + FUTURE + 1, nonce("o"))}
    s.add("restart-edge", "WIN-6", "restart-off-by-one", "born + future is refused, 1 more is taken",
        edge, [restart, send("in", born + 1, "signed_before_start"),
            send("out", born + 1, "accepted"), send("out", born + 2, "replayed"),
            send("in", born + FUTURE + 100, "signed_before_start")])  # fmt: skip
    s.add("born-at-a-time", "WIN-6", "restart-off-by-one", "a store that was made, from the start",
        edge | {"now": request(born, nonce("n"))},
        [send("now", born, "signed_before_start"), send("in", born + 1, "signed_before_start"),
            send("out", born + 1, "accepted")], born=born)  # fmt: skip
    s.add("born-0", "WIN-6", "restart-too-strict", "born 0: nothing was accepted earlier",
        {"a": request()}, [send("a", T, "accepted"), send("a", T, "replayed")])  # fmt: skip
    s.add("restart-born-0", "WIN-6", "", "someone states that nothing was accepted earlier",
        {"a": request()}, [{"do": "restart", "born": 0}, send("a", T, "accepted"),
            send("a", T, "replayed")])  # fmt: skip
    s.add("restart-short-future", "WIN-6", "restart-off-by-one", "future 0: born itself is refused",
        {"at": request(born, nonce("i")), "after": request(born + 1, nonce("o"))},
        [restart, send("at", born, "signed_before_start"), send("after", born + 1, "accepted")],
        future=0)  # fmt: skip
    s.add("restart-forged", "WIN-6 VER-11", "order-of-checks",
        "the claim is last: a wrong MAC is named first",
        {"bad": {**request(), "body": hexed("{}")}, "no": request(body="no")},
        [restart, send("bad", born, "signature_mismatch"), send("no", born, "payload_not_json")])  # fmt: skip
    s.add("restart-twice", "WIN-6", "restart-forgets", "each restart is a birth",
        {"a": request(born + FUTURE + 1)},
        [restart, send("a", born + 1, "accepted"), {"do": "restart", "born": born + 2},
            send("a", born + 2, "signed_before_start")])  # fmt: skip


def rotations(s: Scripts) -> None:
    """Keys that change between requests."""
    old, new = request(secret=OLD), request(T + 1, nonce("n"))
    s.add("rotation", "KEY-5 KEY-6", "retired-taken nonce-not-kept", "old alone, both, new alone",
        {"old": old, "old2": request(T + 2, nonce("p"), secret=OLD), "new": new},
        [send("old", T, "accepted"), send("new", T + 1, "key_id_unknown"),
            {"do": "keys", "keys": BOTH}, send("old", T + 1, "replayed"),
            send("new", T + 1, "accepted"), send("old2", T + 2, "accepted"),
            {"do": "keys", "keys": ROTATED}, send("old2", T + 3, "key_id_unknown"),
            send("new", T + 3, "replayed")], keys=BEFORE)  # fmt: skip
    s.add("rotation-same-triple", "WIN-2 KEY-5", "nonce-scoped-by-key-id",
        "signed again under the new secret", {"old": old, "new": request()},
        [send("old", T, "accepted"), {"do": "keys", "keys": ROTATED}, send("new", T, "replayed")],
        keys=BEFORE)  # fmt: skip
    s.add("rotation-unnamed", "VER-7 KEY-6", "retired-taken",
        "without a key id, a secret that was removed is a wrong one",
        {"a": request(secret=OLD, named=False)},
        [{"do": "keys", "keys": ALONE}, send("a", T, "signature_mismatch"),
            {"do": "keys", "keys": BOTH}, send("a", T, "accepted")], keys=BEFORE)  # fmt: skip
    s.add("api-key-removed", "VER-4", "", "an api key that is removed is unknown", {"a": request()},
        [send("a", T, "accepted"), {"do": "keys", "keys": {"api_keys": [
            {"api_key": OTHER_API, "secrets": [OTHER]}]}}, send("a", T, "api_key_unknown")])  # fmt: skip


def clocks(s: Scripts) -> None:
    """Clocks that step back after something may have been forgotten."""
    far = [request(T + 400 + i, nonce(letter)) for i, letter in enumerate("pqrs")]
    later = {f"later{i}": made for i, made in enumerate(far)}
    steps = [send(name, T + 400 + i, "accepted") for i, name in enumerate(later)]
    both = ("timestamp_forgotten", "replayed")
    s.add("clock-steps-back", "WIN-5", "forgotten-accepted",
        "a store may have forgotten it, and must know that it may have", {"a": request()} | later,
        [send("a", T, "accepted"), *steps, send("a", T + 10, *both), send("a", T + PAST, *both)])  # fmt: skip
    s.add("clock-jumps-ahead-and-back", "WIN-5", "forgotten-accepted",
        "a clock that ran a day ahead opens nothing when it is set right",
        {"a": request(), "ahead": request(T + 86_400, nonce("h"))},
        [send("a", T, "accepted"), send("ahead", T + 86_400, "accepted"), send("a", T + 1, *both),
            send("ahead", T + 1, "timestamp_future")])  # fmt: skip
    s.add("clock-steps-back-other-api-key", "WIN-5", "forgotten-accepted",
        "what another api key did opens nothing",
        {"a": request()} | {"live": request(T + 400, nonce("l"), secret=OTHER, api_key=OTHER_API)},
        [send("a", T, "accepted"), send("live", T + 400, "accepted"), send("a", T + 10, *both)])  # fmt: skip
    s.add("older-but-inside", "WIN-5 WIN-1", "forgotten-too-strict",
        "older ones may be forgotten, this one comes late and for the first time",
        {"a": request(), "later": request(T + 400, nonce("l")), "late": request(T + 150, nonce("m"))},
        [send("a", T, "accepted"), send("later", T + 400, "accepted"), send("late", T + 401, "accepted"),
            send("late", T + 402, "replayed")])  # fmt: skip
    s.add("crowd-then-replay", "WIN-4 WIN-3", "nonce-not-kept", "twelve others in between",
        {"a": request()} | {f"n{c}": request(T + i, nonce(c)) for i, c in enumerate("bcdefghijklm")},
        [send("a", T, "accepted"), *(send(f"n{c}", T + i, "accepted")
            for i, c in enumerate("bcdefghijklm")), send("a", T + 60, "replayed")])  # fmt: skip


def suite() -> Suite:
    """The whole file."""
    scripts = Scripts()
    for section in (again, what_is_unique, no_trace, restarts, rotations, clocks):
        section(scripts)
    return scripts.suite
