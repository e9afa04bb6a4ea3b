"""The gate in front of an ASGI application: Starlette, FastAPI, Django, or a plain one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ..errors import Reason, VerificationError
from ..verifier import Unsigned, Verified
from .body import Disconnected, Message, Receive, Send, read_body
from .problem import Reply
from .rules import UNSIGNED, VERIFIED, Door, refuse_method, refuse_without_type

__all__ = ["VerifyRequests", "send_reply"]

App = Callable[[Message, Receive, Send], Awaitable[None]]


class VerifyRequests(Door):
    """ASGI middleware: the application finds ``scope["rp_signing.verified"]``, and reads the bytes that verified.

    An unsigned request that was let through has ``scope["rp_signing.unsigned"]`` instead; one of the two is always
    there. Of a request that verified in its canonical form (``accept_reserialized``), the body is that form. WebSockets
    are closed; the server's start and stop pass.
    """

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        # Taken before the body is read: some servers add a body's trailers to the headers.
        headers = list(scope["headers"])
        body = None
        try:
            refuse_method(scope["method"])
            body = await read_body(receive, headers, self._max_body, self._body_timeout)
            outcome = await self._judge(headers, body)
        except Disconnected:
            return
        except VerificationError as error:
            reply = self._refused(error, body)
            if error.reason is Reason.BODY_TIMEOUT and scope["http_version"].startswith("1"):
                reply = reply._replace(further=(("connection", "close"),))  # RFC 9110 §15.5.9
            await send_reply(reply, send)
            return
        place, read = self._taken(outcome, body)
        inner = {key: value for key, value in scope.items() if key not in (VERIFIED, UNSIGNED)}
        inner["headers"] = headers if read is body else _with_length(headers, len(read))
        inner[place] = outcome
        await self._app(inner, _receive_again(read, receive), send)

    async def _judge(self, headers: list[tuple[bytes, bytes]], body: bytes) -> Verified | Unsigned:
        refuse_without_type(name.decode("latin-1").lower() for name, _ in headers)
        return self._unsigned(headers, body) or await self._verifier.averify(headers, body)


async def send_reply(reply: Reply, send: Send) -> None:
    """Send an answer whole."""
    body = reply.body()
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers(len(body))]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _with_length(headers: list[tuple[bytes, bytes]], length: int) -> list[tuple[bytes, bytes]]:
    return [(name, b"%d" % length if name == b"content-length" else value) for name, value in headers]


def _receive_again(body: bytes, receive: Receive) -> Receive:
    """Give the body once more, and after it what the server says."""
    message: Any = {"type": "http.request", "body": body, "more_body": False}

    async def again() -> Message:
        nonlocal message
        if message is None:
            return await receive()
        first, message = message, None
        return first  # type: ignore[no-any-return]

    return again
