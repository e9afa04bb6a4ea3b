"""The mistakes that are known by name, one sentence each: what happened, and what to do.

Rule: each mistake has its own id, and stands here once. No sentence takes a key or a secret; ids alone.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CAUSES", "Cause", "cause"]


class Cause(NamedTuple):
    """One mistake.

    Attributes:
        cause: its id, a key of `CAUSES`, or the word of a `Reason` where that says it all.
        detail: what happened and what to do, one or two sentences; never with a key, a secret or a MAC in it.
    """

    cause: str
    detail: str


CAUSES = {
    # Which secret, and how it was read
    "secret_newline": "The secret was used with a newline at its end. Strip it where it is read.",
    "secret_space": "The secret was used with white space around it. Strip it where it is read.",
    "secret_quoted": "The secret was used with the quotes around it. Take them off: an .env file's are not part of it.",
    "secret_bytes_repr": "The secret was bytes and was turned into text as b'…'. Decode it instead of calling str().",
    "secret_prefix_added": "The secret was used with {prefix} in front of it. It is used exactly as it was made.",
    "secret_prefix_cut": "The secret was used without its prefix. The whole text is the key, prefix included.",
    "secret_truncated": "The secret was cut: its first {length} characters were used. Use all of it.",
    "secret_case": "The secret was used in {case} case. Its case counts.",
    "secret_base64_decoded": "The secret was base64-decoded. The text itself is the key, never what it decodes to.",
    "secret_hex_decoded": "The secret was hex-decoded. The text itself is the key, never what it decodes to.",
    "secret_base64_encoded": "The secret was used in base64, as a Kubernetes secret holds it. Decode it first.",
    "secret_hex_encoded": "The secret was used written as hex. The text itself is the key.",
    "secret_hashed": "The SHA-256 of the secret was used as the key. The text itself is the key.",
    "secret_utf16": "The secret was encoded as UTF-16. Encode it as UTF-8.",
    "secret_empty": "The key was empty: the variable that should hold the secret is not set where it was signed.",
    "secret_unset": "The key was the word {word}: the variable that should hold the secret is not set.",
    "api_key_as_secret": "The api key was used as the secret.",
    "key_id_as_secret": "The key id was used as the secret.",
    "secret_other": "It was signed with another active secret of this api key: {key_id}. Send that key id.",
    "secret_retired": "Signed with the retired secret {key_id} (until {until}). Sign with an active one: {active}.",
    "secret_of_other_api_key": "It was signed with {key_id}, a secret of another api key: {api_key_id}.",
    "test_for_live": "A live api key was sent, but it was signed with test keys: key id {key_id} of {api_key_id}.",
    "live_for_test": "A test api key was sent, but it was signed with live keys: key id {key_id} of {api_key_id}.",
    "api_key_other": "It was signed for another api key, {api_key_id}, than the one that was sent, {sent}.",
    "api_key_unknown": "The api key that was sent, id {sent}, is not known{hint}. Mistyped, or another environment?",
    "key_id_wrong": "The key id {sent} is not that of the secret that signed, which is {key_id}.",
    # How the MAC was made
    "hmac_arguments_swapped": "Key and message of the HMAC were exchanged: the secret is the key.",
    "hash_without_hmac": "A plain SHA-256 of the secret and the signing input was taken. Use HMAC-SHA256.",
    "signing_input_hashed": "The signing input was hashed before it was MACed. HMAC takes the eight lines themselves.",
    # The eight lines
    "lines_crlf": "The lines of the signing input were joined with CR LF. Join them with LF.",
    "lines_final_newline": "The signing input ended in a newline. There is none after the eighth line.",
    "lines_escaped_newline": "The lines were joined with a backslash and an n, two characters. Join them with LF.",
    "lines_other_separator": "The lines were joined with {joint}. Join them with LF.",
    "lines_order": "Two lines of the signing input stood in the wrong order: {first} and {second}.",
    "version_line_missing": "The first line of the signing input, the version, was left out.",
    "purpose_swapped": "The second line was {signed}; here it has to be {wanted}.",
    "api_key_in_line": "The third line was the api key itself. It has to be the api key id.",
    "api_key_id_uncut": "The api key id was not cut to its first 16 hex digits.",
    "api_key_id_unlabelled": "The api key id was made without hashing the label and the line feed before the api key.",
    "key_id_dash": "The fourth line was a dash, yet the key id was sent. Write what is sent.",
    "key_id_header_lost": "The fourth line was the key id {key_id}, but none arrived. Send it, or look who drops it.",
    "dash_left_empty": "A line that has to be a dash was left empty.",
    "timestamp_milliseconds": "The timestamp was in milliseconds. Use whole seconds, in the header and in the line.",
    "timestamp_microseconds": "The timestamp has microseconds or nanoseconds. Use whole seconds.",
    "timestamp_rendered": "The timestamp was written as {shape}. Write ten digits, and sign the text that is sent.",
    "timestamp_read_twice": "The clock was read twice: signed at {signed}, sent as {sent}. Read it once.",
    "timestamp_expired": "Signed {seconds:,} s before now; {past:,} are taken.{hint}",
    "timestamp_future": "Dated {seconds:,} s ahead of now; {future:,} are taken.{hint}",
    "nonce_padded": "The nonce was signed with base64 padding and sent without. Sign the text that is sent.",
    "nonce_rewritten": "The nonce was signed in another spelling than it was sent in. Sign the text that is sent.",
    "nonce_missing": "The nonce was left out of the signing input.",
    "length_in_characters": "The length was counted in characters ({characters}). Count bytes.",
    "digest_uppercase": "The digest was written in upper case. Write lower-case hex.",
    "digest_base64": "The digest was written in base64. Write lower-case hex.",
    "digest_prefixed": "The digest was written with sha256= before it. Write the 64 hex digits alone.",
    "digest_twice": "The digest was hashed once more. The eighth line is the SHA-256 of the body itself.",
    "digest_alone": "Just the digest of the body was MACed. MAC the eight lines.",
    "body_for_digest": "The eighth line was the body itself. It has to be the SHA-256 of it.",
    "body_alone": "Just the body was MACed. MAC the eight lines, which bind the timestamp and the nonce too.",
    "body_with_timestamp": "The timestamp, a dot and the body were MACed. MAC the eight lines.",
    "event_signature_sent": "The header carries the signature of the event inside. Sign the request itself too.",
    # The body, from end to end
    "body_newline_added": "A newline came to the end of the body after it was signed. Send the bytes that were signed.",
    "body_newline_lost": "The newline at the end of the body was signed but not sent. Sign the bytes that are sent.",
    "body_crlf": "The line ends of the body became CR LF after it was signed. Send it as bytes, not as text.",
    "body_crlf_lost": "The line ends of the body were CR LF when it was signed, and came as LF. Send it as bytes.",
    "body_bom_added": "A byte order mark came before the body after it was signed. Write UTF-8 without one.",
    "body_bom_lost": "A byte order mark was signed with the body but not sent. Write UTF-8 without one.",
    "body_nul_signed": "The body was signed with the NUL after its end. Sign its length and no more.",
    "body_white_space": "White space came around the body after it was signed. Send the bytes that were signed.",
    "body_empty": "The body is empty here. Something read it before, or it was never sent: keep the raw bytes.",
    "signed_empty": "An empty body was signed. Sign after the body has been set, and sign its bytes.",
    "body_latin1": "The body was sent in Latin-1 and signed in UTF-8. Send UTF-8.",
    "body_latin1_twice": "The body was read as Latin-1 (or Windows-1252) on the way and encoded again. Pass bytes on.",
    "signed_latin1": "The text was encoded as Latin-1 (or Windows-1252) for signing. Sign the UTF-8 that is sent.",
    "signed_latin1_twice": "The bytes were read as Latin-1 (or Windows-1252) for signing. Sign the bytes themselves.",
    "body_replaced": "Nothing matched, and the body holds U+FFFD: characters were lost in decoding, it seems.",
    "signed_replaced": "The body was decoded with replacement characters for signing. Sign the bytes themselves.",
    "signed_question_marks": "The text was encoded as ASCII for signing, with ? for every other character. Sign UTF-8.",
    "body_utf16": "The body was sent in UTF-16 and signed in UTF-8. Send UTF-8.",
    "signed_utf16": "The body was encoded as UTF-16 for signing. Sign the UTF-8 bytes that are sent.",
    "signed_nfc": "The text was normalised (NFC) for signing. Text is never normalised.",
    "body_nfc": "The text was normalised (NFC) after it was signed. Text is never normalised.",
    "body_gzip": "The body came compressed, and {signed}. Send it as it is.",
    "body_base64": "The body came in base64, as from a serverless gateway. Decode it where isBase64Encoded is true.",
    "signed_base64": "The body was put into base64 for signing. Sign the bytes that are sent.",
    "body_json_string": "The body was serialised twice: it came as a JSON string of the JSON. Send it as bytes.",
    "signed_json_string": "The body was serialised twice for signing, into a JSON string. Sign what is sent.",
    "body_form": "The body came form-encoded. Send it as application/json, as it is.",
    "body_bytes_repr": "The body came as Python writes bytes, b'…'. Decode it instead of calling str().",
    "digest_of_text": "The digest is that of the text b'…', as str() writes bytes. Hash the bytes themselves.",
    # The body, written again
    "reserialized": "The JSON was parsed and written again on the way; by what is not known. Pass the bytes on.",
    "reserialized_code_point_order": "The JSON was written again, its names sorted by code point, not by UTF-16.",
    "reserialized_json_stringify": "The JSON was written again as JSON.stringify writes. Send what was signed.",
    "reserialized_json_dumps": "The JSON was written again as Python's json.dumps writes. Send what was signed.",
    "reserialized_json_dumps_compact": "The JSON was written again as json.dumps with separators=(',', ':') writes.",
    "reserialized_indented": "The JSON was written again with indentation. Send what was signed.",
    "reserialized_php_json_encode": "The JSON was written again as PHP's json_encode writes. Send what was signed.",
    "reserialized_go_json_marshal": "The JSON was written again as Go's json.Marshal writes (< as \\u003c).",
    "reserialized_dotnet_json": "The JSON was written again as System.Text.Json writes (+ as \\u002B).",
    "reserialized_python_repr": "The body is a Python value made into text by str(). Send what was signed.",
    "signed_code_point_order": "What was signed has its names in code-point order. The canonical form sorts by UTF-16.",
    "signed_json_stringify": "What was signed is what JSON.stringify writes, not {wanted}.",
    "signed_json_dumps": "What was signed is what Python's json.dumps writes, not {wanted}.",
    "signed_json_dumps_compact": "What was signed is what json.dumps with separators=(',', ':') writes, not {wanted}.",
    "signed_indented": "What was signed is the JSON with indentation, not {wanted}.",
    "signed_php_json_encode": "What was signed is what PHP's json_encode writes, not {wanted}.",
    "signed_go_json_marshal": "What was signed is what Go's json.Marshal writes (< as \\u003c), not {wanted}.",
    "signed_dotnet_json": "What was signed is what System.Text.Json writes (+ as \\u002B), not {wanted}.",
    "signed_python_repr": "What was signed is a Python value turned into text by str(), not {wanted}.",
    "signed_nulls_dropped": "Members that are null were dropped for signing, and sent. Nothing is dropped.",
    "php_empty_array": "Empty objects came as empty arrays, as PHP makes of json_decode(…, true). Pass the bytes on.",
    "signed_php_empty_array": "Empty objects were signed as empty arrays, as PHP makes of json_decode(…, true).",
    "signed_before_event": "The request was signed before its events were. Sign the events first, then the bytes.",
    "event_member_added": "The member {member} was added or changed after the event was signed.",
    "event_signature_signed": "The event was signed along with its own signature. Take {member} out before signing.",
    "event_signature_malformed": "The event's signature must be {shape}.",
    # The headers
    "header_missing": "Missing: {names}. Send them, or look who drops them on the way.",
    "header_duplicate": "{name} came twice. Send each header once.",
    "header_folded": "{name} holds a comma: it came twice and was folded into one.",
    "header_white_space": "{name} has white space or a newline around its value. Strip it.",
    "header_quoted": "{name} came with quotes around its value. Take them off.",
    "header_underscores": "{name} came with underscores. Send it with hyphens.",
    "header_malformed": "{name} must be {shape}.",
    "mac_base64": "The MAC was sent in base64. Write it as 64 lower-case hex digits after sha256=.",
    "mac_uppercase": "The MAC was sent in upper case. Write lower-case hex.",
    "mac_prefix_missing": "The MAC was sent without sha256= before it.",
    "mac_other_hash": "The MAC has {bits} bits: another hash, or cut. HMAC-SHA256 has 256.",
    "key_id_uppercase": "The key id was sent in upper case. Write lower-case hex.",
    "key_id_uncut": "The key id was not cut to its first 16 hex digits.",
    "nonce_malformed": "The nonce must be {shape}.",
    "secret_as_api_key": "The secret was sent in the place of the api key. Retire it: it has been on the wire.",
    "api_key_bearer": "The api key came with Bearer before it. Send the api key alone.",
    "media_type": "{name} must be {wanted}{hint}.",
    "content_encoding": "The body came with {name}. Send it as it is.",
}
"""Id → sentence. What stands in braces is filled in."""


def cause(name: str, /, **shown: object) -> Cause:
    """Give a mistake with its sentence filled in."""
    return Cause(name, CAUSES[name].format(**shown))
