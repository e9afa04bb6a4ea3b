"""Every mistake that `explain` knows with an event's own signature, made for real, as in `mistakes`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mistaken_sender import MEMBER, RICH, Sender, canonical
from mistakes import BODY_MISTAKES, HEADER_MISTAKES, KEY_MISTAKES, LINE_MISTAKES, Mistake

# Of a timestamp, a nonce and a key id that an event does not carry; of which event it was signed beside.
_OF_REQUESTS = (
    "timestamp_", "nonce_", "key_id_", "secret_other", "body_with_timestamp", "event_signature_sent", "purpose_swapped",
    "signed_before_event",
)  # fmt: skip


def _of_event(name: str, mistake: Mistake) -> bool:
    """Tell whether an event can be signed with this mistake; what becomes of a body on its way, its parser undoes."""
    sender = Sender(mistake.value)
    mistake.make(sender)
    return not sender.transit and not name.startswith(_OF_REQUESTS)


def _signed_of(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Mistake:
    return Mistake(lambda sender: setattr(sender, "text", canonical(change(sender.value))))


def _without(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda event: {member: value for member, value in event.items() if member != name}


_SHARED = {**KEY_MISTAKES, **LINE_MISTAKES, **BODY_MISTAKES}
EVENT_MISTAKES: dict[str, Mistake] = {
    **{name: mistake for name, mistake in _SHARED.items() if _of_event(name, mistake)},
    **{name: mistake for name, mistake in HEADER_MISTAKES.items() if name.startswith("mac_")},
    "purpose_swapped": Mistake(lambda sender: sender.lines.append(lambda lines, _: [lines[0], "request", *lines[2:]])),
    "dash_left_empty": Mistake(
        lambda sender: sender.lines.append(lambda lines, _: ["" if line == "-" else line for line in lines])
    ),
    "event_member_added": _signed_of(_without("messageId")),
    "event_signature_signed": _signed_of(lambda event: {**event, MEMBER: ""}),
    "event_signature_signed/null": _signed_of(lambda event: {**event, MEMBER: None}),
    "event_signature_signed/twice": _signed_of(lambda event: Sender(event).send_event()),
    "event_signature_malformed": Mistake(lambda sender: setattr(sender, "spell", lambda _: "made by hand")),
}


def event_after(*names: str) -> dict[str, Any]:
    """What arrives after these mistakes."""
    mistakes = [EVENT_MISTAKES[name] for name in names]
    sender = Sender(next((mistake.value for mistake in mistakes if mistake.value is not RICH), RICH))
    for mistake in mistakes:
        mistake.make(sender)
    return sender.send_event()
