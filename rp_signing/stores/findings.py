"""What a doctor says of any store of nonces."""

from __future__ import annotations

__all__ = ["NO_RECORD", "clock_ran_ahead"]

NO_RECORD = "the record of when the nonce store was born is gone: every signed request is refused"


def clock_ran_ahead(seconds: int, api_key_id: str | None = None) -> str:
    """Name a ``forgotten_through`` that lies `seconds` in the future; None: of all api keys."""
    whose = "nonces" if api_key_id is None else f"nonces of api key {api_key_id}"
    return (
        f"{whose} were dropped up to {seconds:,} s in the future: a clock ran ahead; requests up to then are refused"
        " as timestamp_forgotten"
    )
