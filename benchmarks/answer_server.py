"""A server that answers every request with a receipt, and does nothing else: ``python -m benchmarks.answer_server``.

What is left of a call's time is then the client's.
"""

from __future__ import annotations

import asyncio
import time

from rp_signing import canonicalize


class Answering(asyncio.Protocol):
    """One connection. A request is over when its announced length is there."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer what is whole."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or b"0")
        if not end or len(body) < length:
            return
        self._received = body[length:]
        now = int(time.time())
        receipt = canonicalize(
            {
                "stored": 1,
                "duplicates": 0,
                "trust": "high",
                "received_at": now,
                "server_time": now,
                "request_id": "0" * 32,
            }
        )
        answer = b"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
        self._transport.write(answer % (len(receipt), receipt))


async def main() -> None:
    """Serve until the parent ends this process; the first line of standard output is the port."""
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
