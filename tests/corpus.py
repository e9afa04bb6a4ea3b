"""Analytics events as people send them, made from a seed; imports nothing of this library.

Names and properties are those that SDKs document for e-commerce, B2B SaaS, video and mobile.
"""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


# fmt: off
# The tables read by row, so the formatter keeps out of this file.
class Draw(random.Random):
    """Seeded choices that are the same on every Python: built on random() and getrandbits()."""

    def below(self, limit: int) -> int:
        """An integer from 0 to limit - 1."""
        return int(self.random() * limit)

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return choices[self.below(len(choices))]

    def chance(self, probability: float) -> bool:
        """Whether something of this probability (0 to 1) happens."""
        return self.random() < probability

    def hex(self, digits: int) -> str:
        """That many lowercase hex digits."""
        return f"{self.getrandbits(4 * digits):0{digits}x}"

    def double(self) -> float:
        """Any finite double, each bit pattern as likely as another."""
        while True:
            (value,) = struct.unpack("<d", struct.pack("<Q", self.getrandbits(64)))
            if math.isfinite(value):
                return float(value)


Maker = Callable[[Draw], object]
MAX_INT = 2**53 - 1
EDGE_INTS = (0, -1, 1, 10, 2**31, -(2**31) - 1, 2**32, 10**15, MAX_INT - 1, MAX_INT, -MAX_INT)
EDGE_DOUBLES = (-0.0, 0.1, 0.1 + 0.2, 1 / 3, 1e-6, 1e-7, 1.5e-7, 1e20, 1e21, 1.5e21, 1e22, 1e23,
    4.35, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -1.7976931348623157e308,
    123456789012345.67, 9007199254740992.0, 333333333.3333333, 295147905179352830000.0)
WHOLE_DOUBLES = (0.0, 1.0, -1.0, 10.0, 100.0, 4096.0, 1e6, 1e15, 1e16, 1e20, 2.0**53, -(2.0**63))
EMOJI = ("\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",  # a family, joined by ZWJ
    "\U0001f9d1\U0001f3ff\u200d\U0001f680", "\U0001f44d\U0001f3fd",  # skin tones
    "\U0001f1e9\U0001f1ea", "\U0001f1ef\U0001f1f5", "\U0001f3f3\ufe0f\u200d\U0001f308",  # flags
    "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # a flag of tags
    "\u2764\ufe0f", "1\ufe0f\u20e3", "\U0001f600", "\U0001f6d2", "\U0001fae0")
# Right-to-left text is escaped because editors reorder the line around it: Arabic, Hebrew, Persian.
RIGHT_TO_LEFT = ("\u0645\u062d\u0645\u062f \u0627\u0644\u0633\u0639\u064a\u062f",
    "\u05e9\u05e8\u05d4 \u05db\u05d4\u05df", "\u05d0\u05b7\u05d1\u05e8\u05b8\u05d4\u05b8\u05dd",
    "\u0639\u0644\u06cc \u200fAcme\u200f (\u06f1\u06f2)")
EAST_ASIAN = ("山田太郎", "王小明", "김민준", "ﾃｽﾄ会社", "\U00020bb7野家", "\U00029e3d")
COMBINING = ("Andr\u00e9", "Andre\u0301", "\u00c5ngstr\u00f6m", "A\u030angstro\u0308m", "\ufb01n",
    "\u212bngstr\u00f6m", "Nguy\u1ec5n", "Nguye\u0302\u0303n", "q\u0323\u0307", "q\u0307\u0323",
    "\ud55c", "\u1112\u1161\u11ab", "\u0958", "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d")
ESCAPES = ("".join(map(chr, range(0x20))), 'say "hi"', "C:\\temp\\new\\u0041", "a/b//c", "%00%F0",
    "</script><script>alert('x' & \"y\")</script>", "line\u2028paragraph\u2029end", "\x7f\x80\x9f",
    '{"a":"\\u0000","b":"\\ud800"}', "\ufeffbom", "zero\u200bwidth\u00ad", "tab\there", " ")
NONCHARACTERS = ("\ufffe", "\uffff", "\ufdd0", "\U0001fffe", "\U0010fffe", "\U0010ffff", "\ufffd")
NAMES = ("Ada Lovelace", "Grace O'Malley", "Zoë Müller", "Łukasz Żak", "Ólafur Þór", *EAST_ASIAN,
         *RIGHT_TO_LEFT, *COMBINING[:4])
# In UTF-16 the astral keys come before those in U+E000 to U+FFFF, by code point after them.
UTF16_KEYS = ("\U0001f600", "\ue000", "\ufb33", "\uff5e", "\ufffd", "\U00010000", "\U0010fffd",
              "\ud7ff", "\u20ac", "\u00f6", "\u0080", "\r", "1", "")
OTHER_KEYS = ("10", "2", "01", "a", "A", "aa", "a\x00", "a b", 'a"b', "a\\b", "a/b", "</script>",
              "__proto__", "constructor", "$set", "é", "e\u0301", "ключ", "名前", "\ufffe")
EDGE_TIMES = ("2024-02-29T23:59:59.999999999+14:00", "1969-12-31T23:59:59.9-12:00")


def uuid(d: Draw) -> str:
    """A text in the form of a version 4 UUID."""
    h = d.hex(32)
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{d.pick('89ab')}{h[17:20]}-{h[20:]}"


def timestamp(d: Draw) -> str:
    """A date-time of RFC 3339 with none to nine digits of fraction and one of many offsets."""
    if d.chance(0.05):
        return d.pick(EDGE_TIMES)
    day = f"{2015 + d.below(12)}-{1 + d.below(12):02}-{1 + d.below(28):02}"
    time = f"{d.below(24):02}:{d.below(60):02}:{d.below(60):02}"
    digits = d.pick((0, 0, 3, 3, 3, 6, 6, 9, 1 + d.below(9)))
    fraction = "." + str(10**9 + d.below(10**9))[1 : digits + 1] if digits else ""
    offset = d.pick(("Z", "Z", "Z", "+00:00", "-00:00", "-08:00", "+05:30", "+05:45", "-03:30"))
    return f"{day}T{time}{fraction}{offset}"


def money(d: Draw) -> int | float:
    """An amount as shops send it: decimals, whole-number floats, integers."""
    return d.pick((d.below(10**5) / 100, float(d.below(500)), d.below(500), d.below(10**6) / 1000))


def fill(d: Draw, names: str) -> dict[str, object]:
    """An object of these properties; now and then one is left out, as senders do."""
    return {name: MAKERS[name](d) for name in names.split() if not d.chance(0.08)}


def nested(d: Draw) -> object:
    """Objects and lists by turns, 32 to 38 deep, with something beside each level."""
    value: object = {"leaf": d.double(), "name": d.pick(NAMES)}
    for level in range(31 + d.below(7)):
        value = [level, value] if d.chance(0.4) else {f"level {level}": value, "é": None, "a": 0.5}
    return value


def keyed(d: Draw, keys: Sequence[str]) -> object:
    """An object with all these keys, starting at any of them."""
    start = d.below(len(keys))
    return {key: d.pick((key, d.below(99), None)) for key in (*keys[start:], *keys[:start])}


def some(make: Maker, least: int, most: int) -> Maker:
    """A maker of a list of `least` to `most` values of another maker."""
    return lambda d: [make(d) for _ in range(least + d.below(most - least + 1))]


def one_of(*choices: object) -> Maker:
    """A maker of one of these values."""
    return lambda d: d.pick(choices)


ITEM = "product_id sku name brand category variant price quantity coupon currency position url"
MAKERS: dict[str, Maker] = {name: make for names, make in (
    ("product_id cart_id order_id list_id coupon_id review_id",
     lambda d: d.pick((d.hex(24), str(d.below(10**9)), str(2**53 + d.below(10**9))))),
    ("session_id asset_id pod_id id", uuid), ("content_asset_ids ad_ids", some(uuid, 0, 5)),
    ("sku", lambda d: f"G-{d.below(9999)}/{d.hex(2)}"), ("phone", one_of("+1 555 0100", None)),
    ("name username firstName lastName title program publisher", one_of(*NAMES)),
    ("brand provider affiliation", one_of("Acme, Inc.", "ﾃｽﾄ株式会社", "Müller & Söhne", "")),
    ("category genre industry", one_of("Games", "Men's / Shoes", "家電", "Électronique", None)),
    ("variant coupon reason query", one_of("black", "SUMMER-20%", "-50% \U0001f525", "", None)),
    ("description message", one_of(*ESCAPES, "Great!", "très bien", "\U0001f44d" * 9)),
    ("price value revenue total shipping tax discount subtotal balance", money),
    ("quantity step age logins employees season rating", lambda d: 1 + d.below(60)),
    ("position total_length build", lambda d: d.pick((d.below(7200), d.below(9) * 0.5))),
    ("products", some(lambda d: fill(d, ITEM), 0, 6)), ("bitrate width", lambda d: d.below(4096)),
    ("framerate density progress", one_of(23.976, 29.97, 60.0, 2.625, 3.0, 0.25, 1e-7)),
    ("currency", one_of("USD", "EUR", "JPY")), ("plan role", one_of("pro", "admin", "free", None)),
    ("url path referrer website", one_of("https://example.com/a?b=1&c=%20#d", "/", "", None)),
    ("email", lambda d: f"u{d.below(10**6)}@example.{d.pick(('com', 'org', 'みんな'))}"),
    ("full_screen livestream from_background opt_in", one_of(True, False)),
    ("version previous_version", lambda d: f"{d.below(9)}.{d.below(30)}.{d.below(99)}"),
    ("createdAt birthday airdate trial_start_date trial_end_date", timestamp),
    ("quality type method action", one_of("hd1080", "pre-roll", "visa", "Accept", "")),
    ("keywords sorts tags", some(one_of(*NAMES, *EMOJI), 0, 6)),
    ("campaign", lambda d: {"source": "push", "name": d.pick(EMOJI), "content": {}, "term": None}),
    ("company", lambda d: fill(d, "id name industry employees plan")),
    ("address", lambda d: {"street": "1 Main St.", "city": d.pick(("東京", "Zürich"))}),
    ("filters", lambda d: [{"type": "price", "value": "<$25"}, {"value": d.below(50) / 2}]),
    ("stack", lambda d: [f"at {d.hex(6)}.run\u00a0(a.kt:{d.below(999)})\n\t" for _ in range(9)]),
) for name in names.split()}

ORDER = "order_id affiliation subtotal total revenue shipping tax discount coupon currency products"
COUPON = "order_id cart_id coupon_id coupon discount"
VIDEO = "session_id content_asset_ids ad_ids position total_length bitrate framerate full_screen"
CONTENT = "session_id asset_id pod_id title description keywords season genre position livestream"
FAMILIES: dict[str, dict[str, str]] = {
    "e-commerce": {
        "Products Searched": "query", "Product List Filtered": "list_id filters sorts products",
        "Product Viewed": ITEM, "Product Added": ITEM + " cart_id", "Cart Viewed": "products",
        "Checkout Started": ORDER + " value", "Checkout Step Completed": "order_id step method",
        "Order Completed": ORDER, "Order Refunded": ORDER, "Coupon Applied": COUPON,
        "Coupon Denied": COUPON + " reason", "Product Reviewed": "review_id message rating"},
    "B2B SaaS": {
        "Account Created": "name plan", "Account Added User": "role", "Signed In": "username",
        "Signed Up": "type firstName lastName email phone username title", "Trial Ended": "plan",
        "Trial Started": "trial_start_date trial_end_date plan", "Invited User": "email name role",
        "Feature Used": "name progress tags opt_in"},
    "video": {
        "Video Playback Started": VIDEO + " width", "Video Content Started": CONTENT + " airdate",
        "Video Playback Paused": VIDEO, "Video Content Playing": CONTENT + " progress",
        "Video Ad Started": "session_id asset_id pod_id type title publisher total_length quality"},
    "mobile": {
        "Application Installed": "version build", "Application Updated": "previous_version version",
        "Application Opened": "version build from_background url", "Install Attributed": "campaign",
        "Application Crashed": "version build stack message", "Deep Link Opened": "provider url",
        "Push Notification Received": "campaign", "Push Notification Tapped": "action campaign",
        "\U0001f6d2 \u0634\u0631\u0627\u0621 購入": "value"},
}
TRAITS = {
    "identify": "id email firstName lastName age birthday company createdAt address phone logins",
    "group": "id name email website industry employees plan description address balance tags"}

# Each event carries one of these in turn, so that no corpus of that length misses one.
ODDITIES: tuple[tuple[str, Maker], ...] = (
    ("edge_doubles", some(one_of(*EDGE_DOUBLES), 9, 30)), ("tree", nested),
    ("edge_ints", some(one_of(*EDGE_INTS), 5, 20)), ("utf16", lambda d: keyed(d, UTF16_KEYS)),
    ("keys", lambda d: keyed(d, OTHER_KEYS)), ("doubles", some(Draw.double, 5, 40)),
    ("empty", lambda d: {"list": [], "object": {}, "text": "", "null": None, "in": [[], {}, [[]]]}),
    ("whole", some(one_of(*WHOLE_DOUBLES), 4, 12)), ("reactions", some(one_of(*EMOJI), 4, 12)),
    ("\u0645\u0627\u0644\u0643", one_of(*RIGHT_TO_LEFT)), ("\U0001f6d2", money),
    ("escapes", lambda d: list(ESCAPES)), ("combining", lambda d: keyed(d, COMBINING)),
    ("ids", some(lambda d: d.below(2 * MAX_INT) - MAX_INT, 200, 400)),
    ("notes", lambda d: (d.pick(NAMES) + ", " + d.pick(EMOJI) + "\n") * (60 + d.below(60))),
    ("noncharacters", lambda d: {"list": list(NONCHARACTERS), d.pick(NONCHARACTERS): "\ufffe"}),
    ("größe", one_of(38.5, 42.0, "XL", None)), ("\ufb33", one_of(True, 1)),
    ("mixed", lambda d: [1, 1.0, "1", True, False, None, [1], {"1": 1}, -0.0, 0, "", "null", 1e3]),
    ("nulls", lambda d: dict.fromkeys(NAMES)), ("", one_of("", None, 0)),
    ("items", some(lambda d: fill(d, ITEM), 9, 12)), ("日本語", one_of(*EAST_ASIAN)),
    ("blob", lambda d: d.hex(4096)), ("rates", some(money, 150, 250)),
)


def context(d: Draw) -> dict[str, object]:
    """What an SDK says about app, device, page and place."""
    everything: dict[str, object] = {
        "library": {"name": "analytics-node", "version": "2.1"}, "ip": f"203.0.113.{d.below(256)}",
        "device": {"model": "iPhone15,2", "adTracking": d.chance(0.5)}, "app": fill(d, "version"),
        "locale": d.pick(("en-US", "ar-EG", "he-IL")), "screen": fill(d, "width density"),
        "location": {"latitude": d.below(180 * 10**6) / 10**6 - 90, "speed": 0.0},
        "network": {"wifi": True, "carrier": None}, "page": fill(d, "path referrer title url")}
    return {key: value for key, value in everything.items() if d.chance(0.6)}


def identity(d: Draw) -> dict[str, object]:
    """`userId`, `anonymousId` or both, of 1 to 256 characters."""
    user = d.pick((uuid(d), f"user_{d.below(9999)}", str(2**53 + d.below(99)), "0", d.pick(NAMES),
                   d.pick(EMOJI), d.hex(256), "\U0001f600" * 256, 'a b\t"c"\\'))
    members: dict[str, object] = {"userId": user, "anonymousId": uuid(d)}
    only = d.pick((None, "userId", "anonymousId"))
    return {only: members[only]} if only else members


def _event(d: Draw, index: int) -> dict[str, object]:
    """The event at this place of the corpus."""
    kind = ("track", "identify", "group", *["track"] * 5, "identify", "track")[index % 10]
    # The index in each id keeps them apart whatever is drawn.
    ids = (f"{index}", f"{uuid(d)}:{index}", f"ajs-{index}.{d.hex(9)}", f"{index}_".ljust(128, "Z"))
    event: dict[str, object] = {"messageId": d.pick(ids), **identity(d), "type": kind}
    body = fill(d, TRAITS.get(kind, ""))
    if kind == "track":
        family = FAMILIES[d.pick(tuple(FAMILIES))]
        name = d.pick(tuple(family))
        body = fill(d, family[name])
        event["event"] = d.pick((*[name] * 8, name[0], name.ljust(256, "!")))
    if kind == "group":
        event["groupId"] = d.pick((uuid(d), "Acme / 株式会社", str(d.below(10**6))))
    turn = index % (len(ODDITIES) + 1)
    if turn == len(ODDITIES):
        return event  # only what the table requires
    key, make = ODDITIES[turn]
    body[key] = make(d)
    event["properties" if kind == "track" else "traits"] = body
    if d.chance(0.7):
        event["context"] = context(d)
    if d.chance(0.85):
        event["timestamp"] = timestamp(d)
    return event


def events(count: int = 240, seed: int = 8785) -> list[dict[str, object]]:
    """Make that many varied valid events; fewer of the same seed are the first of these."""
    d = Draw(seed)
    return [_event(d, index) for index in range(count)]


def _order(
    seed: int, price: Callable[[int], object], mark: Callable[[str], str]
) -> dict[str, object]:
    """An Order Completed; `price` takes hundredths, `mark` changes keys and names."""
    d = Draw(seed)
    items = [{mark("product_id"): d.hex(12), mark("name"): mark("Chess"), "quantity": d.below(10),
              mark("price"): price(1000 + d.below(9000)), "coupon": None} for _ in range(3)]
    page = {"title": mark("Thank you"), "url": "https://example.com/checkout/thank-you"}
    return {
        "type": "track", "messageId": uuid(d), "userId": f"user_{d.hex(8)}", "anonymousId": uuid(d),
        "event": "Order Completed", "timestamp": f"2026-01-{10 + d.below(19)}T12:34:56.789Z",
        "properties": {"order_id": d.hex(16), mark("total"): price(20000 + d.below(9999)),
                       mark("tax"): price(500), "currency": "USD", "affiliation": None,
                       "coupon": "SUMMER", mark("products"): items},
        "context": {"library": {"name": "analytics-node", "version": "2.1.3"}, "page": page,
                    "ip": "203.0.113.9", "locale": "en-US", "timezone": "America/New_York",
                    "userAgent": "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36"}}


def typical_event(seed: int = 8785) -> dict[str, object]:
    """Make about 900 bytes of ASCII strings, integers, nulls and nested objects, to benchmark."""
    return _order(seed, int, str)


def float_event(seed: int = 8785) -> dict[str, object]:
    """Make the typical event with decimal and whole-number floats, about 900 bytes."""
    return _order(seed, lambda hundredths: hundredths / 100, str)


def astral_event(seed: int = 8785) -> dict[str, object]:
    """Make the typical event with keys and text outside the BMP, about 900 bytes."""
    # Half the keys begin in U+E000 to U+FFFF, so that sorting by code point would be wrong.
    return _order(seed, int, lambda text: ("\uff0b", "\U0001f6d2")[len(text) % 2] + text)
