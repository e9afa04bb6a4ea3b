"""What memory and SQLite promise beside the contract of test_stores.py: bounds, files, processes."""

import asyncio
import sqlite3
import sys
from collections import Counter
from pathlib import Path

import pytest
from parties import BODY, NOW, OTHER, OTHER_API_KEY, Clock, reason, refusal, signer, verifier
from store_claims import claim

from rp_signing import MemoryNonceStore, Reason, StoreError
from rp_signing.stores.sqlite import SQLiteNonceStore


def test_memory_that_is_full_refuses() -> None:
    """R2: a full store refuses with the seconds until it has room, and evicts nothing that lives."""
    store = MemoryNonceStore(born=0, capacity=3, share=3)
    for second in range(3):
        store.claim(claim(NOW + second), Clock())
    error = refusal(store.claim, claim(NOW + 3), Clock(NOW + 3))
    assert (error.reason, error.status, error.retry_after) == (Reason.REPLAY_STORE_FULL, 503, 298)
    for second in range(3):
        assert reason(store.claim, claim(NOW + second), Clock(NOW + 3)) == Reason.REPLAYED
    store.claim(claim(NOW + 301), Clock(NOW + 301))
    assert len(store) == 3


def test_one_sender_cannot_fill_the_memory() -> None:
    """R3: an api key that has used up its quarter is refused with 429, and the others go on."""
    store = MemoryNonceStore(born=0, capacity=8)
    for nonce in ("a" * 22, "b" * 22):
        store.claim(claim(nonce=nonce), Clock())
    error = refusal(store.claim, claim(nonce="c" * 22), Clock(NOW + 10))
    assert (error.reason, error.status, error.retry_after) == (Reason.REPLAY_KEY_FULL, 429, 291)
    token = store.claim(claim(api_key_id="b" * 16), Clock())
    store.release(claim(api_key_id="b" * 16), token)
    store.claim(claim(NOW + 301), Clock(NOW + 301))
    assert len(store) == 1


@pytest.mark.parametrize(("capacity", "share"), [(0, None), (-1, None), (4, 0), (4, 5)])
def test_a_memory_that_makes_no_sense_is_not_made(capacity: int, share: int | None) -> None:
    """Capacity and share are checked when the store is made."""
    with pytest.raises(ValueError, match="capacity must be 1 or more"):
        MemoryNonceStore(capacity=capacity, share=share)


def test_a_file_outlives_its_process(tmp_path: Path) -> None:
    """R7: nonces and birth are in the file: opened again, it refuses what it took, and `born` counts no more."""
    first = SQLiteNonceStore(tmp_path / "nonces.db", born=0)
    token = first.claim(claim(), Clock())
    first.close()
    again = SQLiteNonceStore(tmp_path / "nonces.db", born=NOW)
    assert reason(again.claim, claim(), Clock()) == Reason.REPLAYED
    again.claim(claim(nonce="m" * 22), Clock())
    again.release(claim(), token)
    assert len(again) == 1
    again.close()


PROCESS = """
import sys
sys.path.insert(0, sys.argv[2])
from parties import Clock, nonces
from rp_signing import VerificationError
from rp_signing.stores.sqlite import SQLiteNonceStore
from store_claims import claim
store, draw = SQLiteNonceStore(sys.argv[1]), nonces()
for nonce in (draw() for _ in range(100)):
    try:
        store.claim(claim(nonce=nonce), Clock())
        print(nonce)
    except VerificationError as error:
        print(error.reason)
"""


def test_processes_take_each_nonce_once(tmp_path: Path) -> None:
    """R10: 4 processes that claim the same 100 nonces of one file take each exactly once."""
    path = tmp_path / "nonces.db"
    SQLiteNonceStore(path, born=0).close()

    async def run() -> list[bytes]:
        tests = str(Path(__file__).parent)
        started = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", PROCESS, str(path), tests, stdout=asyncio.subprocess.PIPE
            )
            for _ in range(4)
        ]
        return [(await process.communicate())[0] for process in started]

    told = Counter(b" ".join(asyncio.run(run())).decode().split())
    assert told.pop("replayed") == 300
    assert list(told.values()) == [1] * 100


def test_a_file_that_is_none_is_not_opened(tmp_path: Path) -> None:
    """A path that cannot be opened, or holds something else, is a StoreError when the store is made."""
    (tmp_path / "text").write_bytes(b"no database, but longer than its header is" * 50)
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE rp_nonce_store (something)")
    other.close()
    for path in (tmp_path / "none" / "nonces.db", tmp_path / "text", tmp_path / "other.db"):
        with pytest.raises(StoreError, match=path.name):
            SQLiteNonceStore(path)


def test_a_file_that_cannot_be_written_refuses(tmp_path: Path) -> None:
    """R14: a store that is closed, has lost its record, or is full refuses claims and says that a release failed."""
    store = SQLiteNonceStore(tmp_path / "nonces.db", born=0)
    token = store.claim(claim(), Clock())
    with sqlite3.connect(tmp_path / "nonces.db") as other:
        other.execute("DELETE FROM rp_nonce_store")
    other.close()
    assert reason(store.claim, claim(nonce="m" * 22), Clock()) == Reason.REPLAY_STORE_UNAVAILABLE
    store.close()
    assert reason(store.claim, claim(nonce="m" * 22), Clock()) == Reason.REPLAY_STORE_UNAVAILABLE
    with pytest.raises(StoreError, match="could not be released"):
        store.release(claim(), token)


def test_other_api_keys_do_not_meet(tmp_path: Path) -> None:
    """R18: two api keys that share a secret may draw the same nonce in the same second."""
    store = SQLiteNonceStore(tmp_path / "nonces.db", born=0)
    gate = verifier(Clock(), store)
    for api_key in (OTHER_API_KEY, "rpx_live_AbC-_0123456789"):
        gate.verify(signer(Clock(), OTHER, api_key).sign(BODY), BODY)
    assert len(store) == 2
    store.close()
