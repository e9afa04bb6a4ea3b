"""What Redis and Valkey promise beside the contract of test_stores.py: clocks, windows, records.

Every server is real. Its clock is this machine's; where a test needs the two clocks apart, the caller's is moved.
"""

import time
from math import floor

import pytest
from parties import Clock, reason, refusal
from redis_trials import BEGUN, LIFE, NARROW, _begin, alone, in_tag, record, request, server, store, taken
from store_claims import claim
from valkey_server import Valkey, redis_store

from rp_signing import Reason, StoreError
from rp_signing.replay import Window
from rp_signing.stores.redis import RedisNonceStore
from rp_signing.stores.redis_script import Keys

__all__ = ["_begin", "alone", "server", "store"]


@pytest.mark.parametrize(("off", "told"), [(62, "behind"), (-62, "ahead of")])
def test_clocks_that_are_apart_are_refused(store: RedisNonceStore, off: int, told: str) -> None:
    """R16: a caller whose clock is over 60 s off the server's is refused, and told by how much and which way."""
    clock = Clock(floor(time.time()) + off)
    error = refusal(store.claim, claim(floor(clock.now)), clock)
    assert error.reason == Reason.REPLAY_STORE_UNAVAILABLE
    assert f"clock is 62 s {told} this verifier's" in error.detail.replace("61", "62").replace("63", "62")
    for near in (58, -58):
        store.claim(request(near + 100), Clock(floor(time.time()) + near))
    assert len(store) == 2


def test_a_nonce_lives_from_its_claim(store: RedisNonceStore, server: Valkey) -> None:
    """R1, R16: past + future + 120 s from the claim, wherever in the window the timestamp lies, by no one's date."""
    for number, ahead in enumerate((-299, 0, 59)):
        one = request(number, ahead)
        store.claim(one, time.time)
        left = server.command("PTTL", Keys("rp").of(one)[1])
        assert (LIFE - 5) * 1000 < left <= LIFE * 1000


def test_a_clock_that_ran_ahead_opens_nothing(store: RedisNonceStore, server: Valkey) -> None:
    """R15: what a server's clock that ran ahead could have dropped is refused, until it is trusted again."""
    one = request()
    store.claim(one, time.time)
    server.command(
        "HSET", Keys("rp").tags[Keys("rp").of(one)[0]], "top", floor(time.time()) + 400
    )  # where its clock has stood
    server.command("DEL", Keys("rp").of(one)[1])  # what it dropped then
    error = refusal(store.claim, one, time.time)
    assert error.reason == Reason.TIMESTAMP_FORGOTTEN
    assert 30 <= (error.retry_after or 0) <= 41
    assert "had run ahead" in store.doctor()[1]
    store.trust_clock()
    assert reason(store.claim, one, time.time) == Reason.TIMESTAMP_FORGOTTEN
    assert record(server, one)["top"] <= time.time() + 1


def test_every_tag_hears_of_a_clock_that_runs_ahead(store: RedisNonceStore, server: Valkey) -> None:
    """R16: one claim that is refused for the clocks leaves its mark beside every nonce, and none lies too high."""
    now = floor(time.time())
    refusal(store.claim, claim(now - 400), Clock(now - 400))
    marks = {int(server.command("HGET", tag, "through")) for tag in Keys("rp").tags}
    assert marks <= {now - 300, now - 299, now - 298}
    store.claim(request(1, -290), time.time)


# The window


def test_a_larger_window_is_refused_at_construction(store: RedisNonceStore, server: Valkey) -> None:
    """R1: the store remembers its window: a verifier with a larger one is told both; a smaller one is taken."""
    for window, words in (((301, 60), "301 s back and 60 s"), ((300, 61), "300 s back and 61 s")):
        with pytest.raises(StoreError, match=f"{words} ahead, but the store remembers for 300 s back and 60 s ahead"):
            redis_store(server, past=window[0], future=window[1])
    redis_store(server, past=10, future=0).close()


def test_a_larger_window_is_refused_in_the_claim(store: RedisNonceStore) -> None:
    """R1: a claim under a window that is larger than the recorded one is refused, with both in the detail."""
    error = refusal(store.claim, request(window=Window(3600, 60)), time.time)
    assert error.reason == Reason.REPLAY_STORE_UNAVAILABLE
    assert "takes 3,600 s back" in error.detail
    assert "for 300 and 60 s" in error.detail


def test_a_window_that_is_raised_opens_nothing(server: Valkey) -> None:
    """R1: new nonces live longer at once; the window follows an old lifetime later; what died before is refused."""
    store = redis_store(server, past=30, future=20)
    old, wide = request(1, window=NARROW), Window(400, 20)
    store.claim(old, time.time)
    due = store.raise_window(400, 20)
    assert abs(due - (time.time() + 30 + 20 + 120)) < 3
    assert f"400 s back and 20 s ahead from {due} on" in store.doctor()[0]
    assert reason(store.claim, request(2, window=wide), time.time) == Reason.REPLAY_STORE_UNAVAILABLE
    new = request(3, window=NARROW)
    store.claim(new, time.time)
    assert server.command("TTL", Keys("rp").of(new)[1]) > 400
    # One lifetime later: the clock stays, the record is moved back by it.
    for tag in Keys("rp").tags:
        server.command("HSET", tag, "due", floor(BEGUN()))
    assert reason(store.claim, request(1, -30 - 61, window=wide), time.time) == Reason.TIMESTAMP_FORGOTTEN
    store.claim(request(1, -30 - 40, window=wide), time.time)
    assert reason(store.claim, old, time.time) == Reason.REPLAYED
    assert store.raise_window(100, 10) >= 0
    store.close()


# The records


def test_a_flush_under_a_running_verifier_opens_nothing(store: RedisNonceStore, server: Valkey) -> None:
    """R9: a record that is gone is made anew, born then by the latest clock there may be; `born=0` counts no more."""
    copies = [request(number, ahead) for number, ahead in enumerate(range(-100, 60, 7))]
    assert taken(store, copies) == {"taken": len(copies)}
    server.command("FLUSHALL")
    assert taken(store, copies) == {Reason.SIGNED_BEFORE_START: len(copies)}
    error = refusal(store.claim, request(), time.time)
    assert error.retry_after in (120, 121, 122)
    assert abs(record(server, copies[0])["born"] - time.time() - 60) < 3


def test_a_part_that_was_lost_is_born_anew(store: RedisNonceStore, server: Valkey) -> None:
    """R9: where some records are gone, `born=0` does not count, and the nonces beside the others are still taken."""
    lost, kept = in_tag(7, 2), in_tag(8, 2)
    assert taken(store, [lost[0], kept[0]]) == {"taken": 2}
    names = Keys("rp")
    server.command("DEL", names.tags[7], names.of(lost[0])[1])
    again = redis_store(server, born=0)
    assert taken(again, [*lost, *kept]) == {Reason.SIGNED_BEFORE_START: 2, Reason.REPLAYED: 1, "taken": 1}
    again.close()
    server.command("DEL", names.tags[0], names.tags[1])  # the first of them, which knows that all were made
    redis_store(server, born=0).close()
    assert {record(server, in_tag(tag, 1)[0])["born"] > 0 for tag in (0, 1)} == {True}


def test_a_store_that_another_is_still_making_is_finished(store: RedisNonceStore, server: Valkey) -> None:
    """R9: two verifiers that start at once make one store, born when the first of them said."""
    names = Keys("rp").tags
    server.command("DEL", *names[100:])
    server.command("HDEL", names[0], "whole")
    again = redis_store(server, born=None)
    assert taken(again, [request(number) for number in range(50)]) == {"taken": 50}
    again.close()


def test_a_new_store_is_born_when_it_is_told(server: Valkey) -> None:
    """R9: up to born + future everything is refused, with the seconds to wait; the next second is taken."""
    now = floor(time.time())
    store = redis_store(server, now - 10 + 0.9)
    error = refusal(store.claim, claim(now + 50), Clock(now))
    assert (error.reason, error.retry_after) == (Reason.SIGNED_BEFORE_START, 51)
    store.claim(claim(now + 51), Clock(now))
    store.close()


# Answers that are lost, servers that stall
