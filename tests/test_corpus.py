"""What the corpus promises to the tests, the demo and the benchmarks that are fed from it."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator

import corpus
import pytest

CORPUS = corpus.events()
MEMBERS = frozenset(
    [
        "type",
        "messageId",
        "userId",
        "anonymousId",
        "event",
        "groupId",
        "properties",
        "traits",
        "context",
        "timestamp",
    ]
)
TIMESTAMP = re.compile(
    r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)


def walk(value: object, depth: int = 0) -> Iterator[tuple[object, int]]:
    """Yield each value and each key inside, with the depth at which it stands."""
    yield value, depth
    if isinstance(value, dict):
        for key, member in value.items():
            yield key, depth + 1
            yield from walk(member, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item, depth + 1)


VALUES = [value for value, _ in walk(CORPUS)]
STRINGS = {value for value in VALUES if isinstance(value, str)}
FLOATS = [value for value in VALUES if isinstance(value, float)]
INTS = {value for value in VALUES if type(value) is int}
OBJECTS = [value for value in VALUES if isinstance(value, dict)]
CHARACTERS = set().union(*STRINGS)


def compact(event: object) -> bytes:
    """Serialise without spaces, as UTF-8."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def test_there_are_at_least_200_of_all_three_types() -> None:
    """The default corpus has 240 events: track, identify and group, 20 or more of each."""
    kinds = [event["type"] for event in CORPUS]
    assert len(kinds) == 240
    assert all(kinds.count(kind) >= 20 for kind in ("track", "identify", "group"))
    assert set(kinds) == {"track", "identify", "group"}


def test_every_family_is_there() -> None:
    """At least five different events of e-commerce, B2B SaaS, video and mobile each are sent."""
    sent = {event.get("event") for event in CORPUS}
    assert all(len(sent & family.keys()) >= 5 for family in corpus.FAMILIES.values())


def test_the_same_seed_gives_the_same_events() -> None:
    """Two calls give equal text, down to the sign of zero and the order of keys."""
    assert json.dumps(corpus.events()) == json.dumps(CORPUS)
    assert corpus.events(seed=1) != CORPUS


def test_events_are_the_same_on_every_version_of_python() -> None:
    """The default corpus has the digest it had when it was written."""
    digest = hashlib.sha256(json.dumps(CORPUS).encode()).hexdigest()
    assert digest == "43e94f57d25bf906cc58addd8e004145603cf27838788e023391248436babb2c"


@pytest.mark.parametrize("count", [0, 1, 7, 239])
def test_fewer_events_are_the_first_of_more(count: int) -> None:
    """A test that takes a few events takes the first of those that the demo sends."""
    assert json.dumps(corpus.events(count)) == json.dumps(CORPUS[:count])


@pytest.mark.parametrize("seed", [0, 1, 8785])
def test_message_ids_are_unique_and_well_formed(seed: int) -> None:
    """No event counts as the duplicate of another, and each id is one that the endpoint takes."""
    ids = [str(event["messageId"]) for event in corpus.events(1000, seed)]
    assert len(set(ids)) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9._:-]{1,128}", value) for value in ids)


@pytest.mark.parametrize("seed", [0, 1, 8785])
def test_every_event_is_valid_by_the_member_table(seed: int) -> None:
    """Only known members, those required for the type, and each within its rule."""
    for event in corpus.events(1000, seed):
        assert event.keys() <= MEMBERS
        assert event.keys() & {"userId", "anonymousId"}
        assert {"track": "event", "group": "groupId"}.get(str(event["type"]), "type") in event
        for name in {"userId", "anonymousId", "event", "groupId"} & event.keys():
            value = event[name]
            assert isinstance(value, str)
            assert 1 <= len(value) <= 256
        assert all(isinstance(event.get(name, {}), dict) for name in ("properties", "traits"))
        assert isinstance(event.get("context", {}), dict)
        assert TIMESTAMP.fullmatch(str(event.get("timestamp", "2026-01-01T00:00:00Z")))


def test_a_track_needs_nothing_but_the_required_members() -> None:
    """Some events carry only what the table requires."""
    assert any(event.keys() <= {"type", "messageId", "userId", "event"} for event in CORPUS)


def test_timestamps_vary_in_precision_and_offset() -> None:
    """None, three, six and nine digits of fraction, UTC and offsets on both sides of it."""
    stamps = [str(event["timestamp"]) for event in CORPUS if "timestamp" in event]
    digits = {len(match[1]) - 1 if (match := re.search(r"(\.\d+)", s)) else 0 for s in stamps}
    assert {0, 3, 6, 9} <= digits
    assert all(any(stamp.endswith(offset) for stamp in stamps) for offset in ("Z", "+05:45", "-08:00"))


def test_identifiers_reach_both_ends_of_their_length() -> None:
    """There are user ids and event names of one character and of 256."""
    for name in ("userId", "event"):
        lengths = {len(str(event[name])) for event in CORPUS if name in event}
        assert {1, 256} <= lengths


def test_every_string_is_unicode_and_every_number_is_json() -> None:
    """No lone surrogate, no integer outside ±(2^53-1), no infinity and no NaN."""
    assert not any("\ud800" <= character <= "\udfff" for character in CHARACTERS)
    assert max(map(abs, INTS)) == 2**53 - 1
    assert all(abs(value) <= 1.7976931348623157e308 for value in FLOATS)


@pytest.mark.parametrize(
    "value", [5e-324, 1.7976931348623157e308, -1.7976931348623157e308, 1e21, 1e20, 1e-6, 1e-7, 10.0]
)
def test_the_edges_of_doubles_are_there(value: float) -> None:
    """The numbers where ECMAScript changes notation, and the smallest and largest doubles."""
    assert value in FLOATS


def test_floats_are_decimal_whole_and_negative_zero() -> None:
    """Hundreds of decimal and of whole-number floats, and a zero with a sign."""
    assert sum(value.is_integer() for value in FLOATS) >= 200
    assert sum(not value.is_integer() for value in FLOATS) >= 200
    assert "-0.0" in map(repr, FLOATS)


@pytest.mark.parametrize(
    "text",
    [
        "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
        "\U0001f44d\U0001f3fd",
        "\U0001f1e9\U0001f1ea",
    ],
    ids=["family", "skin tone", "flag"],
)
def test_emoji_of_several_code_points_are_there(text: str) -> None:
    """A ZWJ sequence, a skin tone and a flag are sent as they are."""
    assert text in STRINGS


@pytest.mark.parametrize("script", ["ARABIC", "HEBREW", "CJK", "HANGUL", "HALFWIDTH KATAKANA", "CYRILLIC"])
def test_scripts_are_there(script: str) -> None:
    """Right-to-left and East Asian text is sent."""
    assert any(unicodedata.name(character, "").startswith(script) for character in CHARACTERS)


def test_nfc_and_nfd_stand_in_one_object() -> None:
    """An object has two keys that normalisation would make one."""
    assert any({"Andr\u00e9", "Andre\u0301"} <= value.keys() for value in OBJECTS)


def test_an_object_is_sorted_otherwise_by_code_point() -> None:
    """Keys outside the BMP stand beside keys in U+E000 to U+FFFF."""
    assert any(sorted(value) != sorted(value, key=lambda key: key.encode("utf-16-be")) for value in OBJECTS)


def test_characters_that_serialisers_escape_are_there() -> None:
    """All control characters, quote, backslash, slash, U+2028, noncharacters and HTML."""
    assert {
        *map(chr, range(0x20)),
        *'"\\/<>&\x7f\u2028\u2029\ufeff\ufffe\uffff\U0010fffe',
    } <= CHARACTERS
    assert any("<script>" in value for value in STRINGS)


def test_empty_values_nulls_and_booleans_are_there() -> None:
    """Empty objects, lists, strings and keys, null, true and false are sent."""
    assert {} in VALUES
    assert [] in VALUES
    assert "" in STRINGS
    assert any(value is None for value in VALUES)
    assert any(value is True for value in VALUES)
    assert any(value is False for value in VALUES)
    assert any("" in value for value in OBJECTS)


def test_some_events_are_nested_nearly_40_deep() -> None:
    """The deepest value of an event stands between 36 and 40 levels down."""
    deepest = max(depth for event in CORPUS for _, depth in walk(event))
    assert 36 <= deepest <= 40


def test_long_lists_and_strings_are_there_and_limits_are_kept() -> None:
    """Lists of 200 and strings of 4,000; yet each event below 32 KiB and all below 512 KiB."""
    assert any(isinstance(value, list) and len(value) >= 200 for value in VALUES)
    assert max(map(len, STRINGS)) >= 4000
    assert max(len(compact(event)) for event in CORPUS) < 32 * 1024
    assert len(compact(CORPUS)) < 512 * 1024


@pytest.mark.parametrize("seed", [0, 1, 8785])
def test_the_events_of_benchmarks_weigh_about_900_bytes(seed: int) -> None:
    """Each is deterministic and weighs 850 to 950 bytes as compact UTF-8."""
    for make in (corpus.typical_event, corpus.float_event, corpus.astral_event):
        assert make(seed) == make(seed)
        assert 850 <= len(compact(make(seed))) <= 950


def test_the_typical_event_has_no_floats_and_is_ascii() -> None:
    """It has strings, integers, nulls and objects, which a fast path may take."""
    values = [value for value, _ in walk(corpus.typical_event())]
    assert {type(value) for value in values} == {str, int, type(None), dict, list}
    assert compact(corpus.typical_event()).isascii()


def test_the_float_event_has_decimal_and_whole_floats() -> None:
    """It is the typical event with both kinds of float."""
    floats = [value for value, _ in walk(corpus.float_event()) if isinstance(value, float)]
    assert {value.is_integer() for value in floats} == {True, False}


def test_the_astral_event_has_such_keys_and_text() -> None:
    """Keys and text outside the BMP, and an order of keys that code points get wrong."""
    event = corpus.astral_event()
    keys = [key for value, _ in walk(event) if isinstance(value, dict) for key in value]
    texts = [value for value, _ in walk(event) if isinstance(value, str)]
    assert max(map(max, keys)) > "\uffff"
    assert any(max(text) > "\uffff" for text in texts if text not in keys)
    assert sorted(keys) != sorted(keys, key=lambda key: key.encode("utf-16-be"))
