"""A network that keeps what was sent, and answers that all was stored; and an environment without settings."""

from __future__ import annotations

import json
from typing import Any

import httpx2

NOW = 1795424400.5
URL = "http://127.0.0.1:9"
VARIABLES = ("RETAINPIXEL_API_KEY", "RETAINPIXEL_HMAC_SECRET", "RETAINPIXEL_BASE_URL")


class Wire:
    """Stands for the network: keeps each request, and answers that all was stored."""

    def __init__(self) -> None:
        self.requests: list[httpx2.Request] = []
        self.transport = httpx2.MockTransport(self._answer)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        signed = "X-RP-Signature" in request.headers
        payload = json.loads(request.content)
        document = {"stored": len(payload.get("batch", [0])), "duplicates": 0, "received_at": int(NOW)}
        document |= {"trust": "high" if signed else "standard", "server_time": int(NOW) + 2, "request_id": "r"}
        return httpx2.Response(202, json=document)

    def events(self) -> list[dict[str, Any]]:
        """The events of the last request."""
        payload = json.loads(self.requests[-1].content)
        return payload.get("batch", [payload])
