"""Probes of the headers: left out, doubled, joined, folded, spelled otherwise (SPEC §4).

Each request is signed rightly over the right values, so that a lenient server takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .. import wire
from ..errors import Reason
from .probe_sender import Request, Sender
from .probe_visit import Probe, Undecided, Visit, asks
from .probe_wants import ANY_400, refused

__all__ = ["PROBES"]

_OWN = {
    "api-key": wire.API_KEY,
    "key-id": wire.KEY_ID,
    "timestamp": wire.TIMESTAMP,
    "nonce": wire.NONCE,
    "signature": wire.SIGNATURE,
}
_MALFORMED = refused(Reason.HEADER_MALFORMED)
# A server that joins the lines of one name with a comma (as WSGI and Node do) has folded them on the way.
_DOUBLED = (refused(Reason.HEADER_DUPLICATE), _MALFORMED)
_UNCHECKED = "It takes a missing header as nothing to check."
_NBSP = "\xa0"
# The digits of another script, as UTF-8 in a header: an octet a character.
_ARABIC = str.maketrans({str(digit): chr(0x660 + digit).encode().decode("latin-1") for digit in range(10)})


def _missing() -> Iterator[Probe]:
    for word, reason in (
        ("api-key", Reason.API_KEY_MISSING),
        ("timestamp", Reason.HEADER_MALFORMED),
        ("nonce", Reason.HEADER_MALFORMED),
        ("signature", Reason.HEADER_MALFORMED),
    ):
        yield asks(
            f"missing-{word}",
            "HDR-5" if word == "api-key" else "HDR-4",
            f"a signed request without {_OWN[word]}",
            _UNCHECKED,
            _without(_OWN[word]),
            refused(reason),
        )
    rest = [wire.KEY_ID, wire.TIMESTAMP, wire.NONCE]
    yield asks("signature-header-alone", "HDR-4", f"{wire.API_KEY} and {wire.SIGNATURE} without the others",
               "It takes a MAC without timestamp and nonce, which stops no replay.", _without(*rest),
               _MALFORMED)  # fmt: skip
    yield asks("key-id-header-alone", "HDR-4", f"{wire.API_KEY} and {wire.KEY_ID} without the others",
               "It takes some of the signature headers as none.",
               _without(wire.TIMESTAMP, wire.NONCE, wire.SIGNATURE), _MALFORMED)  # fmt: skip
    yield asks("names-with-underscores", "HDR-4 VER-5", "the names of the signature headers with _ for -",
               "It takes _ for - in header names.", _underscored, refused(Reason.SIGNATURE_MISSING))  # fmt: skip
    yield asks("missing-content-type", "HDR-7", f"a signed request without {wire.CONTENT_TYPE}",
               "It does not ask for a media type.", _without(wire.CONTENT_TYPE),
               refused(Reason.MEDIA_TYPE_UNSUPPORTED))  # fmt: skip


def _without(*names: str) -> Callable[[Sender], Request]:
    return lambda sender: sender.request().without(*names)


def _underscored(sender: Sender) -> Request:
    request = sender.request()
    keep = (wire.API_KEY, wire.CONTENT_TYPE)
    renamed = tuple((name if name in keep else name.replace("-", "_"), value) for name, value in request.fields)
    return request._replace(fields=renamed)


_OTHER = {
    "api-key": "rpx_test_another-api-key",
    "key-id": "0123456789abcdef",
    "timestamp": "1000000000",
    "nonce": "AAAAAAAAAAAAAAAAAAAAAA",
    "signature": "sha256=" + "0" * 64,
}


def _doubled() -> Iterator[Probe]:
    for word, name in _OWN.items():
        for how, comment, bug in (
            ("same", "twice, with the same value", "It takes a header that stands twice."),
            ("other-behind", "twice, the right value first", "It takes the first of two header lines."),
            ("other-before", "twice, the right value last", "It takes the last of two header lines."),
        ):
            yield asks(f"doubled-{word}-{how}", "HDR-3", f"{name} {comment}", bug, _twice(word, how), *_DOUBLED)
    for name, value, other, reason in (
        (wire.CONTENT_TYPE, "application/json", "text/plain", Reason.MEDIA_TYPE_UNSUPPORTED),
        (wire.CONTENT_ENCODING, "identity", "gzip", Reason.ENCODING_UNSUPPORTED),
    ):
        for how, second in (("same", value), ("other", other)):
            yield asks(
                f"doubled-{name.lower()}-{how}",
                "HDR-3",
                f"{name} twice, with {'the same' if how == 'same' else 'another'} value",
                "It takes the first of two header lines.",
                _appending(name, value, second),
                refused(Reason.HEADER_DUPLICATE),
                refused(reason),
            )


def _twice(word: str, how: str) -> Callable[[Sender], Request]:
    def build(sender: Sender) -> Request:
        request = sender.request()
        value = request.value(_OWN[word]) if how == "same" else _OTHER[word]
        return request.adding(_OWN[word].lower() if how == "same" else _OWN[word], value, first=how == "other-before")

    return build


def _appending(name: str, value: str, second: str) -> Callable[[Sender], Request]:
    return lambda sender: sender.request().without(name).adding(name, value).adding(name, second)


def _joined_and_folded() -> Iterator[Probe]:
    for word, name in _OWN.items():
        yield asks(f"joined-{word}", "HDR-3 HDR-1", f"{name} with its value twice, a comma between",
                   "It takes one part of a folded header value.", _respelled(name, lambda value: f"{value}, {value}"),
                   _MALFORMED)  # fmt: skip
        # A server may also refuse the whole request, as RFC 9112 §5.2 lets it.
        yield asks(f"folded-{word}", "HDR-1", f"{name} with its value broken over two lines (obs-fold)",
                   "It puts a header value together that was broken over two lines.",
                   _respelled(name, lambda value: f"{value[:9]}\r\n {value[9:]}"), _MALFORMED, ANY_400)  # fmt: skip


def _respelled(name: str, change: Callable[[str], str]) -> Callable[[Sender], Request]:
    def build(sender: Sender) -> Request:
        request = sender.request()
        value = change(request.value(name))
        if value == request.value(name):
            raise Undecided("this key id has no letter, so it has no upper case")
        return request.having(name, value)

    return build


_NUMBER = "It reads a timestamp with its language's number reader."
_TRIMS = "It trims or unquotes header values."
_LAX = "It takes a value that its grammar does not make."
_UPPER = "It takes upper-case hex."

# word of the header, name of the spelling, comment, bug, the change
_SPELLINGS: list[tuple[str, str, str, str, Callable[[str], str]]] = [
    ("api-key", "upper-case", "its prefix in upper case", _LAX, lambda value: value[:8].upper() + value[8:]),
    ("api-key", "nbsp", "a no-break space behind it", _TRIMS, lambda value: value + _NBSP),
    ("api-key", "quoted", "in quotes", _TRIMS, lambda value: f'"{value}"'),
    ("api-key", "slash", "a character outside its alphabet", _LAX, lambda value: value + "/"),
    ("key-id", "upper-case", "in upper-case hex", _UPPER, str.upper),
    ("key-id", "dash", "a -, as in the fourth line", "It takes - as a key id.", lambda _: "-"),
    ("key-id", "long", "17 digits", "It compares a part of the key id.", lambda value: value + "0"),
    ("key-id", "quoted", "in quotes", _TRIMS, lambda value: f'"{value}"'),
    ("timestamp", "plus", "a plus sign before it", _NUMBER, lambda value: "+" + value),
    ("timestamp", "fraction", "with .0 behind it", _NUMBER, lambda value: value + ".0"),
    ("timestamp", "exponent", "with e0 behind it", _NUMBER, lambda value: value + "e0"),
    ("timestamp", "leading-zero", "with a leading zero", _NUMBER, lambda value: "0" + value),
    ("timestamp", "separator", "with an underscore in it", _NUMBER, lambda value: f"{value[:1]}_{value[1:]}"),
    ("timestamp", "space", "with a space in it", _NUMBER, lambda value: f"{value[:1]} {value[1:]}"),
    ("timestamp", "junk", "with a letter behind it", _NUMBER, lambda value: value + "s"),
    ("timestamp", "nbsp", "a no-break space behind it", _TRIMS, lambda value: value + _NBSP),
    ("timestamp", "arabic-digits", "in digits outside ASCII", "It takes digits outside ASCII.",
     lambda value: value.translate(_ARABIC)),
    ("nonce", "short", "of 21 characters", "It does not mind the bounds of a text.", lambda value: value[:21]),
    ("nonce", "long", "of 65 characters", "It does not mind the bounds of a text.", lambda value: (value * 3)[:65]),
    ("nonce", "padded", "with = behind it", "It decodes the nonce.", lambda value: value + "=="),
    ("nonce", "base64", "with + and / in it", "It decodes the nonce.", lambda value: "+/" + value[2:]),
    ("nonce", "not-ascii", "with a letter outside ASCII", _LAX, lambda value: "\xe9" + value[1:]),
    ("nonce", "nbsp", "a no-break space behind it", _TRIMS, lambda value: value + _NBSP),
    ("signature", "upper-case", "in upper-case hex", _UPPER, lambda value: value[:7] + value[7:].upper()),
    ("signature", "upper-case-name", "with SHA256=", _LAX, lambda value: value[:7].upper() + value[7:]),
    ("signature", "bare", "without sha256=", _LAX, lambda value: value[7:]),
    ("signature", "other-algorithm", "with sha512=", "It lets the sender choose the algorithm.",
     lambda value: "sha512=" + value[7:]),
    ("signature", "short", "of 62 digits", "It compares a part of the MAC.", lambda value: value[:-2]),
    ("signature", "long", "of 66 digits", "It compares a part of the MAC.", lambda value: value + "00"),
    ("signature", "space", "with a space behind the =", _TRIMS, lambda value: value[:7] + " " + value[7:]),
    ("signature", "quoted", "in quotes", _TRIMS, lambda value: f'"{value}"'),
]  # fmt: skip


def _malformed() -> Iterator[Probe]:
    for word, how, comment, bug, change in _SPELLINGS:
        name = _OWN[word]
        plain = how in ("nbsp", "arabic-digits", "not-ascii")  # a server may take no such octets at all
        wants = (_MALFORMED, ANY_400) if plain else (_MALFORMED,)
        yield asks(f"malformed-{word}-{how}", "HDR-1", f"{name} {comment}", bug, _respelled(name, change), *wants)
    for word, name in _OWN.items():
        yield asks(f"empty-{word}", "HDR-1 HDR-4", f"{name} without a value", _UNCHECKED,
                   _respelled(name, lambda _: ""), _MALFORMED)  # fmt: skip
    yield asks("milliseconds", "HDR-2", f"{wire.TIMESTAMP} in milliseconds",
               "It takes milliseconds as seconds, or does not say what is wrong.",
               lambda sender: sender.request(timestamp=sender.clock.earliest() * 1000),
               refused(Reason.TIMESTAMP_UNIT))  # fmt: skip


def _content() -> Iterator[Probe]:
    lax = "It takes a media type that is not JSON in UTF-8."
    for name, value in (
        ("text", "text/plain"),
        ("latin-1", "application/json; charset=iso-8859-1"),
        ("vendor", "application/vnd.api+json"),
        ("open", "application/json;"),
    ):
        yield asks(f"media-type-{name}", "HDR-7", f"{wire.CONTENT_TYPE}: {value}", lax,
                   _with_type(value), refused(Reason.MEDIA_TYPE_UNSUPPORTED))  # fmt: skip


def _with_type(value: str) -> Callable[[Sender], Request]:
    return lambda sender: sender.request().having(wire.CONTENT_TYPE, value)


def _order(visit: Visit) -> None:
    """What is wrong with a header is said before anything about the body that nobody has signed."""
    request = visit.sender.request(b"{").having(wire.NONCE, "short")
    visit.expect(request.having(wire.SIGNATURE, _OTHER["signature"]), _MALFORMED)


PROBES: list[Probe] = [
    *_missing(),
    *_doubled(),
    *_joined_and_folded(),
    *_malformed(),
    *_content(),
    Probe("order-headers-first", ("VER-1", "VER-2"), "a malformed header, a wrong MAC and a body that is no JSON",
          "It checks in another order than SPEC §6.1.", _order),
]  # fmt: skip
