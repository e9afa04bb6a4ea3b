"""What doors observe, as OpenTelemetry metrics; by its API alone, the SDK is the application's to choose."""

from __future__ import annotations

from .observation import Observation

try:
    from opentelemetry.metrics import Meter, get_meter
except ImportError as _error:
    raise ImportError(f"{_error}; this adapter needs its extra: pip install 'rp-signing[otel]'") from None

__all__ = ["OpenTelemetryObserver"]

REQUESTS = "rp_signing.requests"
CLOCK_SKEW = "rp_signing.clock_skew"
# Most senders are within a second; 60 and 300 are the edges of the default window, an hour is a wrong time zone.
SKEW_BUCKETS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 3600.0)


class OpenTelemetryObserver:
    """An ``observe=`` hook that counts requests and measures clock skew.

    Two instruments: the counter ``rp_signing.requests`` with the attributes ``rp_signing.outcome`` (``taken`` or
    ``refused``), ``rp_signing.reason`` (of a refused one alone), ``rp_signing.api_key_id`` and ``rp_signing.key_id``
    (``unverified`` until the MAC has held); and the histogram ``rp_signing.clock_skew`` in seconds, never negative
    since OpenTelemetry's histograms take no such number, with the attributes ``rp_signing.api_key_id`` and
    ``rp_signing.sender_clock``, ``ahead`` or ``behind``.

    Args:
        meter: makes the instruments; the meter named ``rp_signing`` of the global provider when None.
    """

    def __init__(self, meter: Meter | None = None) -> None:
        meter = get_meter("rp_signing") if meter is None else meter
        self._requests = meter.create_counter(REQUESTS, unit="{request}", description="Requests that were judged")
        self._skew = meter.create_histogram(
            CLOCK_SKEW,
            unit="s",
            description="Seconds between this clock and the sender's",
            explicit_bucket_boundaries_advisory=SKEW_BUCKETS,
        )

    def __call__(self, observation: Observation) -> None:
        """Record one request."""
        attributes = {
            "rp_signing.outcome": "taken" if observation.reason is None else "refused",
            "rp_signing.api_key_id": observation.api_key_id,
            "rp_signing.key_id": observation.key_id,
        }
        if observation.reason is not None:
            attributes["rp_signing.reason"] = observation.reason.value
        self._requests.add(1, attributes)
        if observation.skew is not None:
            direction = "ahead" if observation.skew < 0 else "behind"
            labels = {"rp_signing.api_key_id": observation.api_key_id, "rp_signing.sender_clock": direction}
            self._skew.record(abs(observation.skew), labels)
