"""The vector files themselves; that the library agrees with them is tested where each suite belongs."""

import json
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest

ROOT = Path(__file__).resolve().parent.parent
CONFORMANCE = ROOT / "rp_signing" / "conformance"
SPEC = (ROOT / "SPEC.md").read_text(encoding="utf-8")
SCHEMA = json.loads((CONFORMANCE / "schema.json").read_text(encoding="utf-8"))
FILES: dict[str, Any] = {
    path.stem: json.loads(path.read_text(encoding="ascii")) for path in sorted((CONFORMANCE / "vectors").glob("*"))
}
VECTORS = [vector for file in FILES.values() for vector in file["vectors"]]
SUITES = {"canonical", "parse", "hmac", "keys", "signing-input", "sign", "verify", "events", "replay"}

# Rules that a file cannot show, and why.
NO_VECTOR = {
    "INP-5": "a nonce is random: only a running signer shows that each one is new",
    "WIN-7": "a store has to be full",
    "WIN-8": "a store has to be out of reach",
    "WIN-9": "it takes several servers",
    "EVT-7": "trust is what an endpoint stores",
    "EVT-8": "it takes an event store that holds something",
}

# What says MUST and states no rule of its own: the conventions, and the line above the list of [CAN-7] to [CAN-11].
NO_RULE = ("MUST, MUST NOT, SHOULD and MAY are used", "A value with one of these faults has no canonical form")
TAG = re.compile(r"\[([A-Z]{3}-\d+)\]")


def closed(schema: Any) -> bool:
    """Whether every object that a schema describes says what else may be in it."""
    if isinstance(schema, list):
        return all(closed(part) for part in schema)
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object" and "additionalProperties" not in schema:
        return False
    return all(closed(part) for part in schema.values())


def test_the_files_are_what_the_second_implementation_writes() -> None:
    """`make_vectors.py --check` finds no difference."""
    script = ROOT / "tests" / "make_vectors.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_second_implementation_is_on_its_own() -> None:
    """What writes the vectors imports the standard library and itself, and nothing of rp_signing."""
    sources = [path for name in ("make_vectors", "vector_*", "second_*") for path in ROOT.glob(f"tests/{name}.py")]
    mine = {path.stem for path in sources}
    assert len(mine) > 10
    for path in sources:
        imported = re.findall(r"^\s*(?:from|import) ([\w]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(imported) <= sys.stdlib_module_names | mine, path.name


def test_every_suite_is_there() -> None:
    """Each suite is one file of its name, and none is empty."""
    assert FILES.keys() == SUITES
    assert {file["suite"] for file in FILES.values()} == SUITES
    assert len(VECTORS) >= 500


def test_the_schema_is_closed() -> None:
    """The schema is valid, and leaves no object open."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert closed(SCHEMA)


@pytest.mark.parametrize("suite", sorted(SUITES))
def test_a_file_satisfies_the_schema(suite: str) -> None:
    """Every file satisfies the schema that is handed over with it."""
    jsonschema.Draft202012Validator(SCHEMA).validate(FILES[suite])


def test_the_schema_refuses_what_it_does_not_know() -> None:
    """A member that the schema does not know is refused in every vector."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for file in FILES.values():
        spoiled = {**file, "vectors": [{**file["vectors"][0], "surprise": 1}]}
        assert not validator.is_valid(spoiled), file["suite"]


def test_ids_are_unique() -> None:
    """An id names one vector over all files."""
    assert [name for name, count in Counter(vector["id"] for vector in VECTORS).items() if count > 1] == []


def test_every_flag_is_explained() -> None:
    """A file explains exactly the flags that its vectors carry, and all files explain one alike."""
    notes: dict[str, Any] = {}
    for file in FILES.values():
        assert file["flags"].keys() == {flag for vector in file["vectors"] for flag in vector["flags"]}
        assert all(notes.setdefault(flag, note) == note for flag, note in file["flags"].items())


def astray(spec: str, vectors: list[Any]) -> set[str]:
    """What rules and vectors have not of one another: a tag, the start of a sentence, or the id of a vector."""
    stated = set(TAG.findall(spec))
    shown = {tag for vector in vectors for tag in vector["tags"]}
    # One paragraph, one item of a list: a MUST in it belongs to a tag in it.
    items = re.split(r"\n(?=\s*\n|- |\d+\. |#)", spec)
    untagged = [" ".join(item.split()) for item in items if re.search(r"\bMUST\b", item) and not TAG.search(item)]
    return (
        (stated ^ shown ^ NO_VECTOR.keys())
        | {item for item in untagged if not item.startswith(NO_RULE)}
        | {vector["id"] for vector in vectors if not vector["tags"]}
    )


def test_rules_and_vectors_have_one_another() -> None:
    """Each MUST has a tag, each tag a vector or a reason why no file can show it, and each vector a tag of SPEC.md."""
    assert astray(SPEC, VECTORS) == set()
    assert all(NO_VECTOR.values())


def test_a_rule_without_a_vector_is_noticed() -> None:
    """A MUST that nobody tests, tagged or not, and a vector that tests no rule, are found out."""
    assert astray(SPEC + "\n- [CAN-99] It MUST shine.\n", VECTORS) == {"CAN-99"}
    assert astray(SPEC + "\nIt MUST shine,\nalways.\n", VECTORS) == {"It MUST shine, always."}
    first = VECTORS[0]
    assert astray(SPEC, [*VECTORS, {**first, "tags": ["CAN-99"]}]) == {"CAN-99"}
    assert astray(SPEC, [*VECTORS, {**first, "tags": []}]) == {first["id"]}


@pytest.mark.parametrize("tag", sorted({tag for vector in VECTORS for tag in vector["tags"]}))
def test_a_rule_that_lost_its_vectors_is_noticed(tag: str) -> None:
    """Without the vectors of a rule, and without the rule of vectors, the test above fails."""
    assert tag in astray(SPEC, [vector for vector in VECTORS if tag not in vector["tags"]])
    assert tag in astray(SPEC.replace(f"[{tag}]", ""), VECTORS)


def test_every_reason_of_the_gate_has_a_vector() -> None:
    """Each reason that a library can give without a server stands in a vector, with its public code."""
    table = SPEC[SPEC.index("### 6.3") : SPEC.index("[RSN-1]")]
    reasons = set(re.findall(r"`([a-z0-9_]+)`", table))
    server = {
        "route_unknown", "method_unsupported", "body_timeout", "message_id_conflict", "replay_key_full",
        "replay_store_full", "replay_store_unavailable", "event_store_unavailable",
    }  # fmt: skip
    expected = [vector["expect"] for vector in VECTORS if "expect" in vector]
    given = {expect["refused"] for expect in expected if "refused" in expect}
    given |= {error["reason"] for expect in expected for error in expect.get("errors", [])}
    for vector in FILES["replay"]["vectors"]:
        for step in vector["steps"]:
            given |= {step.get("expect", "accepted"), *step.get("expect_one_of", [])}
    assert given - {"accepted", "configuration", "usage"} == reasons - server


def test_scripts_do_what_a_receiver_meets() -> None:
    """Among the scripts are all kinds of steps: again, the clock ahead and back, other keys, a new start."""
    met = set()
    for script in FILES["replay"]["vectors"]:
        steps = script["steps"]
        sends = [step for step in steps if step["do"] == "send"]
        times = [float(step["now"]) for step in sends]
        met |= {step["do"] for step in steps} | {"ahead" for a, b in pairwise(times) if b > a}
        met |= {"back" for a, b in pairwise(times) if b < a}
        met |= {"again" for _, count in Counter(step["request"] for step in sends).items() if count > 1}
    assert met == {"send", "again", "ahead", "back", "keys", "restart"}


def test_strangers_are_told_one_code() -> None:
    """An unknown key id and a wrong MAC have one public code, all other reasons their own."""
    hidden = {"key_id_unknown", "signature_mismatch"}
    for vector in VECTORS:
        expect = vector.get("expect", {})
        if "public_code" in expect:
            wanted = "signature_invalid" if expect["refused"] in hidden else expect["refused"]
            assert expect["public_code"] == wanted, vector["id"]
