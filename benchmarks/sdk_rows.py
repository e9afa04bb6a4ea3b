"""What a call of the SDK costs beside the bare HTTP client that posts the same bytes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import perf_counter

import httpx2

from rp_signing import AsyncRetainPixel, RetainPixel

from . import ROOT, sender
from .import_rows import INSTALLED
from .measure import Goal, Row, Samples, at_most, in_turn, row_of

_AT_ONCE = 50
_CALLS = 1_000
_ROUNDS = 7
_MEMBERS = {"user_id": "user-123", "event": "Order Completed", "properties": {"total": 49.9, "currency": "EUR"}}
_IMPORT = """
from time import perf_counter
begun = perf_counter()
import httpx2
from pydantic import BaseModel
there = perf_counter()
from rp_signing import AsyncRetainPixel, RetainPixel
print(perf_counter() - begun, there - begun)
"""


@contextmanager
def _answering() -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.answer_server"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
    finally:
        server.terminate()
        server.wait(30)


def rows() -> Iterator[Row]:
    """Measure the rows of this file."""
    with (
        _answering() as url,
        RetainPixel(api_key=sender.API_KEY, secret=sender.SECRET, base_url=url) as client,
        httpx2.Client() as bare,
    ):
        kept: list[httpx2.Request] = []
        with httpx2.Client(event_hooks={"request": [kept.append]}) as spying:
            RetainPixel(api_key=sender.API_KEY, secret=sender.SECRET, base_url=url, http_client=spying).track(
                **_MEMBERS
            )
        body, headers = kept[0].content, dict(kept[0].headers)

        def post() -> None:
            answer = bare.post(f"{url}/v1/track", content=body, headers=headers)
            assert answer.status_code == 202

        def track() -> None:
            client.track(**_MEMBERS)

        goal = at_most(1.15, "the bare client")
        note = f"one warm connection, {len(body)} bytes; the server answers and does nothing else"
        yield row_of(
            "RetainPixel.track",
            samples := in_turn({"ours": track, "floor": post}, 6),
            "httpx2, the same bytes",
            goal(samples),
            note,
        )
        yield _threads(track, post)
        yield asyncio.run(_tasks(url, body, headers))
    yield _import()


def _threads(track: Callable[[], None], post: Callable[[], None]) -> Row:
    taken: dict[str, list[float]] = {"ours": [], "floor": []}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in range(_ROUNDS):
            for name, call in (("ours", track), ("floor", post)):
                begun = perf_counter()
                for done in [pool.submit(call) for _ in range(_CALLS)]:
                    done.result()
                taken[name].append(_CALLS / (perf_counter() - begun))
    return _rates(taken, "RetainPixel", "threads")


async def _tasks(url: str, body: bytes, headers: dict[str, str]) -> Row:
    taken: dict[str, list[float]] = {"ours": [], "floor": []}
    async with (
        AsyncRetainPixel(api_key=sender.API_KEY, secret=sender.SECRET, base_url=url) as client,
        httpx2.AsyncClient() as bare,
    ):

        async def post() -> None:
            answer = await bare.post(f"{url}/v1/track", content=body, headers=headers)
            assert answer.status_code == 202

        async def track() -> None:
            await client.track(**_MEMBERS)

        async def some(call: Callable[[], Awaitable[None]]) -> None:
            for _ in range(_CALLS // _AT_ONCE):
                await call()

        for _ in range(_ROUNDS):
            for name, call in (("ours", track), ("floor", post)):
                begun = perf_counter()
                await asyncio.gather(*(some(call) for _ in range(_AT_ONCE)))
                taken[name].append(_CALLS / (perf_counter() - begun))
    return _rates(taken, "AsyncRetainPixel", "tasks")


def _rates(taken: dict[str, list[float]], client: str, kind: str) -> Row:
    samples = Samples({name: rates[1:] for name, rates in taken.items()})
    ratio = samples.ratio("ours", "floor")
    return Row(
        f"{client}.track, {_AT_ONCE} {kind}",
        samples.median("ours"),
        samples.median("floor"),
        ratio,
        "httpx2, the same bytes",
        goals=[Goal("≥ 0.85 of the bare client's rate", ratio, 0.85, least=True)],
        unit="/s",
        note=f"one client for all {kind}",
    )


def _import() -> Row:
    runs = []
    for _ in range(21):
        done = subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, check=True, env=INSTALLED)
        runs.append([float(word) for word in done.stdout.split()])
    samples = Samples({"ours": [run[0] for run in runs[1:]], "floor": [run[1] for run in runs[1:]]})
    over = Samples({"over": [run[0] - run[1] for run in runs[1:]]}).median("over")
    goals = [Goal("≤ 40 ms over them", over, 0.04)]
    return row_of(
        "from rp_signing import RetainPixel", samples, "httpx2 and pydantic", goals, f"over it: {over * 1000:.1f} ms"
    )
