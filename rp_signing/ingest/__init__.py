"""The ingest endpoint, the event store with its evidence, and the audit that verifies it all again (SPEC §9)."""
