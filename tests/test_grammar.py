"""The one spelling of each field that travels."""

import pytest

from rp_signing import grammar

H16, H64 = "0123456789abcdef", "0123456789abcdef" * 4
TAKEN = [
    (grammar.API_KEY, ["rpx_test_demo", "rpx_live_AZaz09-_", "rpx_test_" + "x" * 120, "rpx_live_rpx_"]),
    (grammar.KEY_ID, [H16, "0" * 16, "f" * 16]),
    (grammar.TIMESTAMP, ["1000000000", "1795424400", "9999999999"]),
    (grammar.MILLISECONDS, ["1795424400000"]),
    (grammar.NONCE, ["A" * 22, "AZaz09-_" * 8, "-" * 22, "_" * 64]),
    (grammar.SIGNATURE, ["sha256=" + H64]),
]
# A good value, and other spellings of it that someone's reader takes.
RESPELLED = [
    lambda text: " " + text,
    lambda text: text + " ",
    lambda text: text + "\n",
    lambda text: "\n" + text,
    lambda text: text + "\r\n",
    lambda text: text + "\0",
    lambda text: "\ufeff" + text,
    lambda text: "+" + text,
    lambda text: text + "," + text,
    lambda text: text[:-1] + "é",
    lambda text: text[:-1] + "\u0661",
    lambda text: text[:-1] + "\uff11",
    lambda text: text[:5] + "." + text[6:],
    lambda text: text[:5] + " " + text[6:],
    lambda text: "",
]
REFUSED = [
    (grammar.API_KEY, ["rpx_test_abc", "rpx_test_" + "x" * 121, "rpx_demo_abcd", "RPX_test_abcd", "rpx_Test_abcd",
                       "rps_test_abcd", "rpx_testdemo", "rpx_test_a.bc"]),
    (grammar.KEY_ID, ["-", H16[:-1], H16 + "0", H16.upper(), "g" * 16]),
    (grammar.TIMESTAMP, ["0795424400", "179542440", "17954244001", "1795424400.0", "1.79542e09", "-179542440",
                         "1_95424400", "1795424400000"]),
    (grammar.MILLISECONDS, ["0795424400000", "1795424400", "17954244000000"]),
    (grammar.NONCE, ["A" * 21, "A" * 65, "A" * 22 + "==", "A" * 21 + "+", "A" * 21 + "/"]),
    (grammar.SIGNATURE, [H64, "sha256:" + H64, "SHA256=" + H64, "sha256=" + H64.upper(), "sha256=" + H64[1:],
                         "sha256=" + H64 + "0", "sha256=0x" + H64[2:], "sha1=" + H64[:40], "sha256= " + H64[1:]]),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in TAKEN for text in texts])
def test_what_the_grammar_says_is_taken(rule: grammar.Rule, text: str) -> None:
    """Both ends of each length and each alphabet are taken."""
    assert rule.matches(text)


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in REFUSED for text in texts])
def test_what_the_grammar_does_not_say_is_refused(rule: grammar.Rule, text: str) -> None:
    """One character too many or too few, another case, another alphabet: refused."""
    assert not rule.matches(text)


@pytest.mark.parametrize("respell", RESPELLED)
@pytest.mark.parametrize(("rule", "texts"), TAKEN)
def test_no_other_spelling_of_a_value_is_taken(rule: grammar.Rule, texts: list[str], respell: object) -> None:
    """Spaces, line feeds, signs, separators and digits outside ASCII: 0 spellings beside the one."""
    assert [text for text in texts if rule.matches(respell(text))] == []  # type: ignore[operator]


@pytest.mark.parametrize("value", [None, 1795424400, b"1795424400", ["1795424400"], 1.0])
def test_a_field_is_text(value: object) -> None:
    """What is no str is no field, whatever it looks like."""
    assert not any(rule.matches(value) for rule, _ in TAKEN)


def test_a_signature_is_read_as_it_is_written() -> None:
    """The 32 bytes of a MAC and its one spelling are the same thing."""
    mac = bytes(range(32))
    assert grammar.spell_mac(mac) == "sha256=" + mac.hex()
    assert grammar.mac_of(grammar.spell_mac(mac)) == mac


@pytest.mark.parametrize("value", [None, True, 5, b"sha256=" + b"0" * 64, "", "sha256=" + "0" * 63, "0" * 64])
def test_what_is_no_signature_has_no_mac(value: object) -> None:
    """Whatever is not exactly a signature gives no bytes to compare."""
    assert grammar.mac_of(value) is None
