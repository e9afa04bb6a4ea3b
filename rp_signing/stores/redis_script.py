"""What the server runs for a Redis store, the keys it touches, and what its answers mean (SPEC §7).

The script is the claim: it judges, remembers and answers in one step. Everything it must hold against:

- A nonce lives for the recorded past + future + 120 s, counted from the claim by the server's own clock, and a claim
  is refused when that clock and the caller's are over 60 s apart. A copy is taken at the latest `past` after a
  timestamp that lay at the most `future` ahead: 60 s for the clock of each of the two claims, and it is still there.
- The server's clock may jump ahead, drop nonces, and come back. `top` is where it stood at the latest claim, and what
  could have been dropped by then is refused; a claim refused for the clocks leaves the same mark in `through`. What
  jumps and comes back between two claims is not seen.
- The record lies beside the nonces, in the same hash slot: whatever loses them, a flush or a lost node, loses it too.
  A claim that finds none makes one, born now, and by the clock of a caller that could be 60 s ahead.
- A claim that nobody waits for any more must not use the nonce up: the script takes a deadline by the server's clock.
"""

from __future__ import annotations

from hashlib import sha1
from typing import Any
from zlib import crc32

from ..errors import Reason, VerificationError
from ..replay import Claim, Window

__all__ = ["CLAIM", "MAKE", "RAISE", "RELEASE", "TRUST", "ClaimCalls", "Keys", "Script", "refusal", "unavailable"]

TAGS = 256
"""Hash tags over which the nonces of each api key are spread, so that a big sender is not one node's alone. A server
that is no cluster has them too: whichever client comes, it finds the same nonces."""

MARGIN = 120
"""Seconds that a nonce outlives the window: twice what two clocks may differ (SPEC WIN-5)."""

APART = 60
"""Seconds that the caller's clock and the server's may differ."""


class Script:
    """A Lua text, and the name the server knows it by: its SHA-1, 40 hex digits."""

    def __init__(self, text: str) -> None:
        self.text: str = text.replace("APART", str(APART)).replace("MARGIN", str(MARGIN)).strip()
        self.sha: str = sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        self.load: tuple[str, str, str] = ("SCRIPT", "LOAD", self.text)

    def call(self, keys: tuple[bytes, ...], *arguments: Any) -> tuple[Any, ...]:
        """Give the command that runs it."""
        return ("EVALSHA", self.sha, len(keys), *keys, *arguments)


CLAIM = Script("""
-- KEYS: the record, the nonce, and with a share the count of the api key.
-- ARGV: timestamp, token, now, the window's past and future, the deadline in µs, a new record's window, the share.
-- Gives the own clock in µs when the nonce was new, else why not, that clock, and a number that belongs to it.
local read = redis.call('TIME')
local second, clock = tonumber(read[1]), read[1] * 1000000 + read[2]
local timestamp, token, now = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
if clock > tonumber(ARGV[6]) then return {'late', clock, 0} end

local r = redis.call('HMGET', KEYS[1], 'born', 'past', 'future', 'top', 'through', 'due')
local born, past, future = tonumber(r[1]), tonumber(r[2]), tonumber(r[3])
local top, through, due = tonumber(r[4]), tonumber(r[5]), tonumber(r[6])
local life = MARGIN
if not born then
    born, past, future, top, through = second + APART, tonumber(ARGV[7]), tonumber(ARGV[8]), second + 1, 0
    redis.call('HSET', KEYS[1], 'born', born, 'past', past, 'future', future, 'top', top, 'through', 0, 'whole', 1)
end
if due then
    r = redis.call('HMGET', KEYS[1], 'past2', 'future2')
    local past2, future2 = tonumber(r[1]), tonumber(r[2])
    life = life + math.max(past2 - past, 0) + math.max(future2 - future, 0)
    if second >= due then
        through = math.max(through, due - past - APART - 1, top - past - APART - 1)
        past, future, life = past2, future2, MARGIN
        redis.call('HSET', KEYS[1], 'past', past, 'future', future, 'through', through)
        redis.call('HDEL', KEYS[1], 'due', 'past2', 'future2')
    end
end

if clock > (now + APART) * 1000000 then
    -- As if it ran on like this for a minute before it comes back.
    local lost = math.min(second - past, top + future + APART - 1)
    if lost > through then redis.call('HSET', KEYS[1], 'through', lost) end
    return {'apart', clock, second - now}
end
if clock < (now - APART) * 1000000 then return {'apart', clock, second - now} end
if tonumber(ARGV[4]) > past or tonumber(ARGV[5]) > future then return {'window', clock, past, future} end
local held = redis.call('GET', KEYS[2])
if held and held ~= token then return {'replayed', clock, 0} end
if second >= top then
    top = second + 1
    redis.call('HSET', KEYS[1], 'top', top)
end
if top - past - APART > through then through = top - past - APART - 1 end
if timestamp <= through then return {'forgotten', clock, through + 1 - now} end
if born > 0 and timestamp <= born + future then return {'born', clock, born + future + 1 - now} end

life = (life + past + future) * 1000
if KEYS[3] and not held then
    if tonumber(redis.call('GET', KEYS[3]) or 0) >= tonumber(ARGV[9]) then
        return {'share', clock, math.ceil(redis.call('PTTL', KEYS[3]) / 1000)}
    end
    if redis.call('INCR', KEYS[3]) == 1 then redis.call('PEXPIRE', KEYS[3], life) end
end
-- Also where the token is this claim's own, from a try whose answer was lost: WAIT is for what its connection wrote.
redis.call('SET', KEYS[2], token, 'PX', life)
return clock
""")

RELEASE = Script("""
-- KEYS: the nonce. ARGV: the token, the deadline in µs
local read = redis.call('TIME')
local clock = read[1] * 1000000 + read[2]
if clock > tonumber(ARGV[2]) then return {'late', clock} end
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return {'released', clock}
""")

_RECORD = "return redis.call('HMGET', KEYS[1], 'born', 'past', 'future', 'whole', 'due', 'past2', 'future2')"

MAKE = Script(f"""
-- KEYS: the record. ARGV: when it was born, or nothing for now; the window; 1 when every record has been made
if redis.call('EXISTS', KEYS[1]) == 0 then
    local second = tonumber(redis.call('TIME')[1])
    local born = ARGV[1] ~= '' and ARGV[1] or second + APART
    redis.call('HSET', KEYS[1], 'born', born, 'past', ARGV[2], 'future', ARGV[3], 'top', second + 1, 'through', 0)
end
if ARGV[4] == '1' then redis.call('HSET', KEYS[1], 'whole', 1) end
{_RECORD}
""")

RAISE = Script(f"""
-- KEYS: the record. ARGV: the window
local r = redis.call('HMGET', KEYS[1], 'past', 'future', 'past2', 'future2')
for i = 1, 4 do r[i] = tonumber(r[i] or 0) end
local past, future = math.max(r[1], r[3], ARGV[1]), math.max(r[2], r[4], ARGV[2])
if past > math.max(r[1], r[3]) or future > math.max(r[2], r[4]) then
    -- Until then nonces of the old lifetime are about; from then on no timestamp that they could have is taken.
    local due = redis.call('TIME')[1] + 1 + math.max(r[1], r[3]) + math.max(r[2], r[4]) + MARGIN
    redis.call('HSET', KEYS[1], 'due', due, 'past2', past, 'future2', future)
end
{_RECORD}
""")

TRUST = Script("""
-- KEYS: the record. What was taken until now is refused, instead of what a clock that ran ahead made doubtful.
local second = tonumber(redis.call('TIME')[1])
local future = tonumber(redis.call('HGET', KEYS[1], 'future'))
redis.call('HSET', KEYS[1], 'top', second + 1, 'through', second + future + APART)
return {}
""")


class Keys:
    """The names of everything that a store keeps.

    Args:
        prefix: what all of them begin with, inside the brace of the hash tag.
    """

    def __init__(self, prefix: str) -> None:
        self.tags: list[bytes] = [f"{{{prefix}:{number:02x}}}".encode() for number in range(TAGS)]
        self.pattern: str = f"{{{prefix}:??}}:*"

    def of(self, claim: Claim) -> tuple[int, bytes]:
        """Give the number of the tag, and the name of the nonce.

        No part of the triple can hold a colon, so that two triples never give one name (SPEC WIN-2).
        """
        triple = f"{claim.api_key_id}:{claim.timestamp}:{claim.nonce}".encode()
        number = crc32(triple) % TAGS
        return number, b"%b:%b" % (self.tags[number], triple)


class ClaimCalls:
    """Writes calls of `CLAIM` as they go over the wire; redis-py takes longer for one than the server.

    Args:
        keys: the names.
        share: nonces that one api key may have in one tag, or 0.
    """

    def __init__(self, keys: Keys, share: int) -> None:
        self._share = share
        count = 3 if share else 2
        head = b"*%d\r\n%b" % (3 + count + 9, _packed("EVALSHA", CLAIM.sha, count))
        self._heads = [head + _packed(tag) for tag in keys.tags]
        self._tags = keys.tags

    def shared(self, now: int, window: Window, deadline: int, new: Window) -> bytes:
        """Give the part that claims under one window, in one second, to one server have in common."""
        return _packed(now, *window, deadline, *new, self._share)

    def call(self, number: int, name: bytes, claim: Claim | None, token: bytes, shared: bytes) -> bytes:
        """Give one call; without a claim one that takes nothing, since 0 is no timestamp that is ever taken."""
        timestamp = b"%d" % (claim.timestamp if claim else 0)
        count = (
            _packed(b"%b#%b" % (self._tags[number], claim.api_key_id.encode() if claim else b""))
            if self._share
            else b""
        )
        values = (self._heads[number], len(name), name, count, len(timestamp), timestamp, len(token), token, shared)
        return b"%b$%d\r\n%b\r\n%b$%d\r\n%b\r\n$%d\r\n%b\r\n%b" % values


def _packed(*values: Any) -> bytes:
    """Write values as the arguments of a command."""
    texts = [value if isinstance(value, bytes) else str(value).encode() for value in values]
    return b"".join(b"$%d\r\n%b\r\n" % (len(text), text) for text in texts)


def unavailable(detail: str) -> VerificationError:
    """Refuse for a store that cannot answer; the detail is cut, since a server wrote part of it."""
    return VerificationError(Reason.REPLAY_STORE_UNAVAILABLE, detail[:300])


def refusal(claim: Claim, answer: list[Any]) -> VerificationError:
    """Give the refusal that an answer of `CLAIM` means."""
    word, number = answer[0], answer[2]
    if word == b"replayed":
        return VerificationError(Reason.REPLAYED, "this nonce was used before: an earlier copy arrived")
    if word == b"late":
        return unavailable("the server got to this claim too late: it stalls, or its clock has just jumped ahead")
    if word == b"apart":
        ahead = f"{abs(number):,} s {'ahead of' if number > 0 else 'behind'}"
        return unavailable(f"the server's clock is {ahead} this verifier's, {APART} s are borne; look at both")
    if word == b"window":
        took = f"{claim.window.past:,} s back and {claim.window.future:,} s ahead"
        return unavailable(f"this verifier takes {took}, but the store remembers for {number:,} and {answer[3]:,} s")
    reason, detail = {
        b"born": (
            Reason.SIGNED_BEFORE_START,
            "the nonce store was made anew and cannot know whether this was taken before; sign again after Retry-After",
        ),
        b"forgotten": (
            Reason.TIMESTAMP_FORGOTTEN,
            "the nonces of this second may be lost (the server's clock ran ahead, or the window grew): sign it again",
        ),
        b"share": (
            Reason.REPLAY_KEY_FULL,
            "this api key's share of the nonce store is full, and a live nonce is never dropped",
        ),
    }[word]
    return VerificationError(reason, detail, retry_after=max(1, number))
