"""The bugs that vectors hunt, by flag: what the faulty program does, and its CWE where one fits."""

from __future__ import annotations

# The table reads by row, so the formatter keeps out of it.
# fmt: off
_TABLE = """
algorithm-chosen-by-sender | It lets the sender choose the algorithm. | CWE-347
api-key-grammar | It takes an api key that its grammar does not make. | CWE-20
api-key-outside-input | The api key id is not part of its signing input. | CWE-347
api-key-unchecked | It does not look the api key up, or not the whole of it. | CWE-287
array-sorted | It sorts arrays as well as names. |
batch-limit | It counts the events of a batch in another way, or not at all. | CWE-770
batch-shape | It takes a batch that is none. | CWE-20
big-integer-rounded | It rounds an integer that a double cannot hold, so that two ids become one. | CWE-681
body-alone-signed | It takes the MAC of the body alone, without timestamp and nonce. | CWE-294
body-trimmed | It trims the body before it verifies. | CWE-345
bounds | It does not mind the bounds or the alphabet of a text. | CWE-1284
checksum-ignored | It takes a secret that was truncated or mistyped. | CWE-354
claims-before-mac | It uses the nonce up before the MAC holds, so that strangers burn nonces. | CWE-696
claims-before-parse | It uses the nonce up before it parses: the honest retry is then a replay. | CWE-696
claims-before-window | It uses the nonce up before it looks at the window. | CWE-696
code-point-order | It sorts names by code point or UTF-8 byte instead of UTF-16 code unit. |
code-units-counted | It counts UTF-16 code units or bytes instead of characters. | CWE-135
converted | It converts a value of another type, or takes null for `not there`. | CWE-704
crash | It crashes on a value of another shape. | CWE-248
credentials-swapped | It takes an api key in the place of a secret, or the reverse. | CWE-522
deep-member-removed | It leaves out `integrity_signature` at every depth: what is inside goes unsigned. | CWE-345
depth-off-by-one | It counts depth in another way. | CWE-193
depth-unbounded | It does not bound the nesting, and exhausts its stack. | CWE-674
digest-of-canonical | It hashes the canonical form of a request's body instead of its bytes. | CWE-345
digest-of-text | It hashes a text made of the body instead of the bytes. | CWE-176
digits-not-shortest | It writes more or fewer digits than the shortest that read back. |
digits-unicode | It takes digits or letters outside ASCII. | CWE-176
downgraded | It takes a present but wrong signature as none. | CWE-757
duplicate-taken | It takes the first or last of two members of one name. | CWE-694
empty-body-taken | It takes an empty body as a payload. | CWE-20
encoding-decoded | It takes compressed bodies. | CWE-409
encoding-guessed | It guesses the encoding, or skips a byte order mark. | CWE-436
escapes | It escapes more or fewer characters than RFC 8785. |
event-unsigned-taken | In a signed request it takes an event whose own signature is not right. | CWE-347
empty-body-signed | It signs a request without a body. |
exponent-threshold | It begins to write exponents at another size. |
first-fault-only | It stops at the first bad event. |
first-header-wins | It takes the first of two header lines. | CWE-444
folded-header-split | It takes one part of a folded header value. | CWE-444
foreign-converted | It converts what is not JSON, on the way. | CWE-704
forgets-counted-from-claim | It counts a nonce's life from the claim instead of the timestamp. | CWE-294
forgets-early | It forgets a nonce while its request would still be taken. | CWE-294
forgotten-accepted | It takes a timestamp of which it has forgotten nonces. | CWE-294
forgotten-too-strict | It refuses what it has forgotten nothing of. |
grammar-too-lax | It takes a text that is no JSON. | CWE-436
grammar-too-strict | It refuses a text that is JSON. |
header-name-case | It compares header names with their case, or takes _ for -. |
hex-upper-case | It takes upper-case hex. | CWE-20
hmac-wrong | Its HMAC-SHA256 is wrong, as with keys over 64 bytes. | CWE-327
id-otherwise | It makes api key ids or key ids in another way. |
input-otherwise | It builds the eight lines in another way. |
key-id-dash | It takes - as a key id. | CWE-20
key-id-ignored | It ignores the key id and tries every secret. | CWE-347
key-id-outside-input | The key id is not part of its signing input. | CWE-347
key-id-unscoped | It looks key ids up over all api keys. | CWE-639
large-double-refused | It refuses a large double that is spelled as RFC 8785 writes it. |
last-header-wins | It takes the last of two header lines. | CWE-444
length-in-characters | Its length counts characters. | CWE-135
length-left-out | The length is not part of its signing input. |
limit-too-low | It takes less than every receiver has to take. |
live-and-test-mixed | It lets live and test credentials stand side by side. |
locale-order | It sorts names by a locale, by length, or as numbers. |
long-number-crash | It crashes or stalls on a long number. | CWE-1333
mac-prefix-compared | It compares a part of the MAC. | CWE-187
mac-unchecked | It does not check the MAC, or not against these bytes. | CWE-347
media-type-too-lax | It takes a media type that is not JSON in UTF-8. | CWE-436
media-type-too-strict | It refuses a way to say JSON. |
member-included | It covers `integrity_signature` itself. |
members-by-type | It refuses a member because of the event's type. |
milliseconds-taken | It takes milliseconds as seconds, or does not say what is wrong. |
missing-means-unchecked | It takes a missing header or member as `nothing to check`. | CWE-306
name-eaten-by-host | A name such as `__proto__` sets something in its objects. | CWE-1321
negative-zero | It writes -0. |
no-future-bound | It takes a timestamp that lies too far ahead. | CWE-294
no-past-bound | It takes a timestamp that is too old. | CWE-294
non-finite-taken | It reads a number as an infinity. | CWE-20
non-finite-written | It writes an infinity or NaN, or null for it. | CWE-20
nonce-before-window | It uses up a nonce that it refuses for its timestamp. | CWE-696
nonce-cut | It keeps a part of the nonce. | CWE-187
nonce-decoded | It compares nonces after it has decoded them. | CWE-187
nonce-folded | It compares nonces without regard to case or signs. | CWE-178
nonce-left-out | The nonce is not part of its signing input. | CWE-294
nonce-not-kept | It does not remember nonces. | CWE-294
nonce-scoped-by-body | It remembers the body with the nonce. | CWE-294
nonce-scoped-by-key-id | It remembers nonces by key id: signed under a second secret, a request replays. | CWE-294
nonce-scoped-too-widely | It takes another sender's or time's nonce for this one. |
noncharacter-dropped | It drops or replaces noncharacters or U+FEFF. | CWE-176
normalised | It normalises text. | CWE-176
now-not-floored | It does not floor its clock to whole seconds. | CWE-193
null-dropped | It drops members that are null or empty. |
null-signature-skipped | It takes a null signature as none to check. | CWE-347
number-as-host-writes | It writes numbers as its language does: 1.0, 1e-07. |
number-too-lax | It reads a timestamp with its language's number reader. | CWE-20
oldest-signs | It signs with a secret that is not the newest. |
only-newest-tried | It tries the newest secret only. |
order-as-received | It covers the event as received instead of its canonical form. |
order-of-checks | It checks in another order. | CWE-696
parse-before-mac | It parses what nobody has signed. | CWE-345
pointer-otherwise | It points at another place, or does not escape ~ and /. |
purpose-left-out | The purpose is not part of its signing input: an event's MAC signs a request. | CWE-347
required-member | It does not miss a required member. | CWE-20
reserialized-limit | It does not bound the second try, or bounds it elsewhere. | CWE-770
reserialized-marked-always | It marks a request that verified as it was. |
reserialized-reason-leaks | It names a fault of the second try. | CWE-209
reserialized-refused | The option does not do what it says, or tries something else. |
reserialized-unasked | It takes a re-serialised body unasked. | CWE-345
restart-forgets | After a restart it takes what it has accepted before. | CWE-294
restart-forgets-future | After a restart it takes what was dated ahead and accepted before. | CWE-294
restart-off-by-one | It draws the line after a restart a second too early or late. | CWE-193
restart-too-strict | It refuses although nothing was accepted earlier. |
retired-refused | It refuses at rest what a retired secret signed in its time. |
retired-taken | It takes a retired or removed secret. | CWE-324
rfc8785-pair | Its canonical form is not RFC 8785's. |
safe-integer-refused | It refuses an integer that is exact. |
secret-decoded | It decodes the secret instead of taking its characters. |
secret-trimmed | It takes a secret with white space, or trims it silently. | CWE-20
secrets-miscounted | It takes more or fewer than 1 to 4 active secrets. |
signed-twice | It signs an event that has a signature. |
size-off-by-one | It refuses what is as long as the limit. | CWE-193
size-unbounded | It does not mind the limit, or counts characters. | CWE-770
sorted-escaped | It sorts names by their escaped spelling. |
stranger-told | It tells a stranger whether it was the key id or the MAC. | CWE-203
surrogate-replaced | It replaces, drops or writes a lone surrogate. | CWE-176
surrogates-encoded-apart | It encodes each half of a pair for itself. | CWE-176
time-too-lax | It takes a time that does not exist, or in another spelling. | CWE-20
time-too-strict | It refuses a time of the grammar. |
timestamp-32-bit | It keeps seconds in 31 bits, or stops at a year. | CWE-190
timestamp-outside-input | The timestamp is not part of its signing input. | CWE-294
trust-taken | It takes the sender's word for the trust, or as any other member. | CWE-290
type-unbound | It does not hold the type against the route. | CWE-843
underflow-refused | It refuses a number that rounds. |
unknown-dropped | It drops a member that it does not know. | CWE-915
until-off-by-one | It draws the line at `until` a second too early. | CWE-193
utf8-too-lax | It decodes what is no UTF-8. | CWE-176
value-too-lax | It takes a second spelling of a value. | CWE-20
value-too-strict | It refuses a value of the grammar. |
value-trimmed | It trims or unquotes header values. | CWE-20
version-left-out | The version is not part of its signing input. | CWE-757
weak-secret | It takes a secret that is none. | CWE-326
white-space | It writes white space between tokens, or drops it from strings. |
window-fixed | It does not use the window that it was given. |
window-off-by-one | It refuses the edge of the window. | CWE-193
"""
# fmt: on

FLAGS: dict[str, tuple[str, str | None]] = {}
for _row in _TABLE.strip().splitlines():
    _flag, _bug, _cwe = (part.strip() for part in _row.split("|"))
    FLAGS[_flag] = (_bug, _cwe or None)
