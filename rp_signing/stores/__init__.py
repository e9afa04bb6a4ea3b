"""Where nonces are remembered: one short file for each kind of store (SPEC §7)."""
