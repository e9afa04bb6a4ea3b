"""Secrets, public ids, the keyring."""

import copy
import enum
import hashlib
import hmac
import pickle
from typing import Any
from zlib import crc32

import pytest
import spec_page
from parties import KEYS, LIVE_API_KEY, OLD, OTHER, OTHER_API_KEY

from rp_signing import Keyring, Secret
from rp_signing.keys import ApiKey, RetiredSecret, api_key_id, api_key_text, secret_text

API_KEY, SECRET = spec_page.API_KEY, spec_page.SECRET
LIVE = secret_text(bytes(32), live=True)
PLAIN = "s" * 32


def test_the_ids_of_the_spec() -> None:
    """The api key id and the key id of SPEC §1 are those of its keys."""
    assert api_key_id(API_KEY) == spec_page.API_KEY_ID
    assert Secret(SECRET).key_id == spec_page.KEY_ID


@pytest.mark.parametrize(
    "text", [SECRET, PLAIN, "~" * 256, "!" * 32, "X" * 32, "deadbeef" * 8, "c2VjcmV0" * 5, "s" * 64, "s" * 65]
)
def test_the_text_itself_is_the_key(text: str) -> None:
    """The bytes of the text key the HMAC, never what they might decode to, again and again."""
    secret = Secret(text)
    for message in (b"", b"message", b"x" * 1000):
        assert secret.mac(message) == hmac.new(text.encode(), message, hashlib.sha256).digest()
    assert secret.reveal() == text


def test_a_secret_knows_what_it_is_for() -> None:
    """The prefix says live or test, and a text without one says neither."""
    assert [Secret(text).live for text in (LIVE, SECRET, PLAIN, "rps_other_" + PLAIN)] == [True, False, None, None]


REFUSED = {
    "empty": ("", "empty"),
    "api key": (API_KEY, "exchanged"),
    "newline": (PLAIN + "\n", "ends in a newline"),
    "carriage return": (SECRET + "\r\n", "ends in a newline"),
    "space inside": ("s" * 20 + " " + "s" * 20, "space"),
    "space before": (" " + PLAIN, "space"),
    "newline inside": ("s" * 20 + "\n" + "s" * 20, "space or a newline"),
    "no-break space": ("s" * 40 + "\xa0", "space"),
    "letter outside ascii": ("é" * 40, "printable ASCII"),
    "control character": ("s" * 40 + "\x7f", "printable ASCII"),
    "nul": ("s" * 40 + "\0", "printable ASCII"),
    "surrogate": ("s" * 40 + "\ud800", "printable ASCII"),
    "short": ("s" * 31, "31 characters"),
    "long": ("s" * 257, "257 characters"),
    "truncated": (SECRET[:-1], "truncated"),
    "prefix alone": ("rps_test_", "truncated"),
    "one character more": (SECRET + "0", "truncated"),
    "mistyped": (SECRET.replace("AAEC", "AAED"), "checksum"),
    "live for test": (SECRET.replace("rps_test_", "rps_live_"), "checksum"),
    "checksum in capitals": (SECRET[:-8] + SECRET[-8:].upper(), "truncated or mistyped"),
}


@pytest.mark.parametrize(("text", "why"), REFUSED.values(), ids=REFUSED)
def test_a_bad_secret_is_refused_when_it_is_made(text: str, why: str) -> None:
    """A bad secret is a ValueError that says which rule it breaks, and never the text."""
    with pytest.raises(ValueError, match=why) as caught:
        Secret(text)
    assert not text or text not in str(caught.value)
    with pytest.raises(ValueError, match=f"api key 1: .*{why}"):
        Keyring.of({API_KEY: text})


@pytest.mark.parametrize("text", [None, b"s" * 40, 5, ["s" * 40]])
def test_a_secret_is_a_str(text: Any) -> None:
    """What is no str is a TypeError."""
    with pytest.raises(TypeError, match="must be a str"):
        Secret(text)


def test_a_secret_that_is_a_member_of_an_enum_keys_with_its_text() -> None:
    """A str that prints as something else keys with what was checked, not with what it prints."""
    Keys = enum.Enum("Keys", {"MAIN": SECRET}, type=str)  # a class
    assert Secret(Keys.MAIN).key_id == spec_page.KEY_ID  # type: ignore[arg-type]


def test_secrets_are_compared_by_key_id() -> None:
    """Two secrets of one text are equal; a secret equals nothing else."""
    assert Secret(SECRET) == Secret(SECRET) != Secret(PLAIN)
    assert Secret(SECRET) != SECRET
    assert {Secret(SECRET), Secret(SECRET), Secret(PLAIN)} == {Secret(PLAIN), Secret(SECRET)}


@pytest.mark.parametrize("spread", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_secret_does_not_spread(spread: Any) -> None:
    """A secret is neither copied nor pickled."""
    with pytest.raises(TypeError, match="neither pickled nor copied"):
        spread(Secret(SECRET))


def test_generated_texts_are_taken() -> None:
    """What keygen writes has the shape, the length and the checksum of SPEC §8."""
    assert secret_text(bytes(range(32)), live=False) == SECRET
    assert Secret(LIVE).live
    assert len(LIVE) == 60
    assert secret_text(bytes(32), live=True).startswith("rps_live_AAAA")
    assert api_key_text(bytes(16), live=True) == "rpx_live_" + "A" * 22
    assert ApiKey(api_key_text(b"\xff" * 16, live=False)).live is False


@pytest.mark.parametrize(("write", "length"), [(secret_text, 31), (secret_text, 33), (api_key_text, 15)])
def test_keys_are_made_of_enough_chance(write: Any, length: int) -> None:
    """Fewer or more random bytes than the format has are a mistake."""
    with pytest.raises(ValueError, match="random bytes"):
        write(bytes(length), live=True)


@pytest.mark.parametrize(
    ("api_key", "why"),
    [("", "must be"), (SECRET, "exchanged"), ("rps_", "exchanged"), ("rpx_test_abc", "must be"),
     (API_KEY + "\n", "must be"), ("rpx_prod_demo", "must be"), ("rpx_test_" + "x" * 121, "must be")],
)  # fmt: skip
def test_a_bad_api_key_is_refused(api_key: str, why: str) -> None:
    """An api key that breaks its grammar, or is a secret, is a ValueError without the text."""
    with pytest.raises(ValueError, match=why) as caught:
        ApiKey(api_key, [PLAIN])
    assert not api_key or api_key not in str(caught.value).replace("rps_…", "")


def test_an_api_key_is_a_str() -> None:
    """An api key in bytes is a TypeError."""
    with pytest.raises(TypeError, match="must be a str"):
        ApiKey(b"rpx_test_demo")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "options", "why"),
    [
        ((API_KEY, [c * 32 for c in "abcde"]), {}, "5 active secrets"),
        ((API_KEY, [PLAIN, OLD, PLAIN]), {}, "twice"),
        ((API_KEY, [PLAIN]), {"retired": [RetiredSecret(PLAIN, 1)]}, "both active and retired"),
        ((API_KEY, [LIVE]), {}, "live secret beside a test api key"),
        ((LIVE_API_KEY, [SECRET]), {}, "test secret beside a live api key"),
        ((API_KEY, []), {"require_signature": True}, "no active secret"),
    ],
)
def test_keys_that_do_not_fit_are_refused(arguments: Any, options: Any, why: str) -> None:
    """A contradiction among the keys of an api key is a ValueError that names it."""
    with pytest.raises(ValueError, match=why):
        ApiKey(*arguments, **options)


def test_an_api_key_holds_up_to_four_secrets() -> None:
    """One to four secrets, newest first, as texts or as Secrets; signing is then required by default."""
    entry = ApiKey(LIVE_API_KEY, [Secret(LIVE), "b" * 32, "c" * 32, "d" * 32], retired=[RetiredSecret(OLD, 17)])
    assert [secret.reveal()[:1] for secret in entry.secrets.values()] == ["r", "b", "c", "d"]
    assert (entry.api_key_id, entry.live, entry.require_signature) == (api_key_id(LIVE_API_KEY), True, True)
    assert [old.until for old in entry.retired.values()] == [17]
    assert [ApiKey(API_KEY).require_signature, ApiKey(API_KEY, [OLD], require_signature=False).require_signature] == [
        False,
        False,
    ]


@pytest.mark.parametrize("until", [-1, 1.5, "5", None, True])
def test_a_retired_secret_has_a_whole_second(until: Any) -> None:
    """The end of a retired secret is whole Unix seconds."""
    with pytest.raises(ValueError, match="whole Unix seconds"):
        RetiredSecret(PLAIN, until)


def test_a_keyring_finds_its_keys() -> None:
    """A keyring is made of plain data, and finds an entry by its text and by its id."""
    keyring = Keyring.of({**KEYS, "rpx_test_secret": Secret(PLAIN)})
    assert len(keyring) == len(list(keyring)) == 4
    for text in KEYS:
        entry = keyring.find(text)
        assert entry is not None
        assert keyring.find_id(api_key_id(text)) is entry
    assert keyring.find("rpx_test_nobody") is keyring.find_id("0" * 16) is None
    assert keyring.find(["unhashable"]) is None  # type: ignore[arg-type]
    assert list(keyring.find(OTHER_API_KEY).secrets) == [Secret(OTHER).key_id]  # type: ignore[union-attr]


def test_a_keyring_of_bad_keys_says_which() -> None:
    """A fault names the number of its entry, never the text."""
    with pytest.raises(ValueError, match=r"^api key 2: the secret is empty"):
        Keyring.of({API_KEY: [SECRET], OTHER_API_KEY: [""]})
    with pytest.raises(TypeError, match=r"^api key 1: the secret must be a str"):
        Keyring.of({API_KEY: [None]})  # type: ignore[list-item]
    with pytest.raises(TypeError, match="keys must be a mapping, api key"):
        Keyring.of([(API_KEY, SECRET)])  # type: ignore[arg-type]


def test_entries_stand_under_their_own_api_key() -> None:
    """An entry under another api key than its own, or under two, is refused."""
    entry = ApiKey(API_KEY, [SECRET])
    with pytest.raises(ValueError, match="another api key than its own"):
        Keyring({OTHER_API_KEY: entry})
    with pytest.raises(ValueError, match="share an api key id"):
        Keyring({API_KEY: entry, OTHER_API_KEY: entry})


@pytest.mark.parametrize("live", [True, False])
def test_generated_texts_are_spelled_as_the_spec_has_it(live: bool) -> None:
    """Known answers: 32 bytes of 0xff and 16 of 0xfe; the kind stands in the prefix (SPEC §8)."""
    kind = "live" if live else "test"
    secret = secret_text(b"\xff" * 32, live=live)
    assert secret[: 9 + 43] == f"rps_{kind}_" + "_" * 42 + "8"
    assert secret[9 + 43 :] == f"{crc32(secret[: 9 + 43].encode()):08x}"
    assert api_key_text(b"\xfe" * 16, live=live) == f"rpx_{kind}_" + "_v7-" * 5 + "_g"
    assert len({Secret(secret), Secret(secret)}) == 1


def test_a_secret_may_have_been_retired_at_any_second() -> None:
    """0 is a second, too."""
    assert RetiredSecret(Secret("a" * 32), 0).until == 0


def test_a_secret_may_have_retired_at_the_beginning_of_time() -> None:
    """`until` 0 verifies nothing at rest, and is a time as good as others."""
    assert RetiredSecret(Secret(PLAIN), 0).until == 0
