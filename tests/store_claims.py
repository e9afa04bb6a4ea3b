"""Claims as the gate makes them, and what becomes of those that are made together or in another process."""

import os
import threading
import warnings
from collections.abc import Callable
from typing import Any

from parties import NOW

from rp_signing import Claim, VerificationError
from rp_signing.replay import Window


def claim(timestamp: int = NOW, nonce: str = "n" * 22, api_key_id: str = "a" * 16, window: Window = Window()) -> Claim:  # noqa: B008  # immutable
    """A claim as the gate makes it."""
    return Claim(api_key_id, None, timestamp, nonce, 2, "d" * 64, "k" * 16, "sha256=" + "0" * 64, False, False, window)


def outcome(call: Callable[..., Any], *arguments: Any) -> Any:
    """`taken`, or the reason of the refusal."""
    try:
        call(*arguments)
    except VerificationError as error:
        return error.reason
    return "taken"


def together(work: Callable[[], None], count: int) -> None:
    """Run the same in so many threads, to the end of each."""
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def told_by_a_fork(*steps: Callable[[], Any]) -> list[str]:
    """What a forked child is told at each step: the reason, the name of another error, or nothing."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that threads and fork do not mix is what this shows
        child = os.fork()
    if not child:
        told = []
        for step in steps:
            try:
                step()
                told.append("nothing")
            except BaseException as error:  # a child that lets one out would run the other tests
                told.append(getattr(error, "reason", type(error).__name__))
        os.write(writing, " ".join(told).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told_by_child:
        told = told_by_child.read().split()
    os.waitpid(child, 0)
    return told
