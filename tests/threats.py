"""Each rule that docs/security.md names for a threat, broken in one place, and the test of its row that has to fail."""

from __future__ import annotations

from typing import NamedTuple


class Break(NamedTuple):
    """One rule that is broken.

    Attributes:
        test: of the page, ``test_file.py::test_name``.
        file: that is changed.
        right: what stands there.
        wrong: what stands there instead.
    """

    test: str
    file: str
    right: str
    wrong: str


def _breaks(file: str, right: str, wrong: str, *tests: str) -> list[Break]:
    return [Break(test, file, right, wrong) for test in tests]


P = "rp_signing/"
BREAKS = [
    *_breaks(P + "verifier.py", "if named is None or not matches(named, lines, signature):", "if named is None:",
             "test_verifier.py::test_a_request_is_refused_with_its_reason",
             "test_spoiled.py::test_nothing_spoiled_is_accepted"),
    *_breaks(P + "signing.py", "if matches(secret, signing_input, signature):",
             "if secret:",
             "test_signing.py::test_an_event_is_refused_with_its_reason",
             "test_audit.py::test_every_alteration_is_seen"),
    *_breaks(P + "stores/memory.py", "if nonce in self._buckets.get(second, _NONE).get(claim.api_key_id, ()):",
             "if False:", "test_stores.py::test_a_nonce_is_taken_once"),
    *_breaks(P + "stores/memory.py",
             "with self._lock:\n            now = claim.judge_again(clock)\n",
             "if nonce in self._buckets.get(claim.timestamp, {}).get(claim.api_key_id, ()):\n"
             "            raise VerificationError(Reason.REPLAYED, '')\n        if True:\n"
             "            now = claim.judge_again(clock)\n            self._remember(claim, nonce)\n"
             "            return _Token(claim)\n",
             "test_stores.py::test_a_copy_that_comes_during_the_claim_is_refused"),
    *_breaks(P + "stores/memory.py", "self._forgotten_through = max(self._forgotten_through, oldest)", "pass",
             "test_stores.py::test_a_clock_that_steps_back_opens_nothing"),
    *_breaks(P + "replay.py", "if born and timestamp <= born + self.future:", "if False:",
             "test_replay.py::test_a_store_refuses_what_it_could_have_lost"),
    *_breaks(P + "replay.py", "if timestamp <= forgotten_through:", "if False:",
             "test_replay.py::test_a_store_refuses_what_it_has_forgotten"),
    *_breaks(P + "ingest/app.py", "outcome = gate.verifier.admit(arrival.headers, arrival.body, now)",
             "outcome = gate.verifier.admit(arrival.headers, arrival.body, now); "
             "self._nonces = self._nonces or __import__('rp_signing').MemoryNonceStore(born=0); "
             "self._nonces.claim(outcome, self._now)",
             "test_ingest.py::test_a_request_refused_for_its_payload_leaves_no_nonce"),
    *_breaks(P + "verifier.py", "claim = self.check(headers, body)\n",
             "parse(body); claim = self.check(headers, body)\n",
             "test_vectors_library.py::test_verify"),
    *_breaks(P + "wire.py", "        if missing:\n            raise VerificationError(\n", "        if False:\n"
             "            raise VerificationError(\n", "test_wire.py::test_signature_headers_stand_all_or_none"),
    *_breaks(P + "sdk/reply.py", 'if credentials.signs and trust != "high":', "if False:",
             "test_sdk_answers.py::test_a_signature_that_was_taken_off_is_an_error"),
    *_breaks(P + "wire.py", r"RP1-HMAC-SHA256\n{purpose}\n", r"RP1\n{purpose}\n",
             "test_wire.py::test_the_signing_inputs_of_the_spec"),
    *_breaks(P + "signing.py", "context.finalize().hex(), signature)", "context.finalize().hex(), signature.lower())",
             "test_spoiled.py::test_no_other_spelling_of_a_header_is_accepted"),
    *_breaks(P + "wire.py", r"RP1-HMAC-SHA256\n{purpose}\n", r"RP1-HMAC-SHA256\n",
             "test_verifier.py::test_an_event_signature_is_no_request_signature",
             "test_signing.py::test_a_request_signature_is_no_event_signature"),
    *_breaks(P + "verifier.py", 'named = entry.secrets.get(sent or "")',
             "named = entry.secrets.get(sent or '') or getattr(entry.retired.get(sent), 'secret', None)",
             "test_verifier.py::test_a_retired_secret_does_not_pass"),
    *_breaks(P + "keys.py", "if api_key_id(text) != entry.api_key_id:", "if False:",
             "test_keys.py::test_entries_stand_under_their_own_api_key"),
    *_breaks("benchmarks/timing.py", "return (means[1] - means[0]) / spread if spread else 0.0", "return 0.0",
             "test_timing.py::test_a_comparison_that_ends_early_is_found"),
    *_breaks(P + "signing.py", "return compare_digest(SIGNATURE_BEGIN + context.finalize().hex(), signature)",
             "return SIGNATURE_BEGIN + context.finalize().hex() == signature",
             "test_architecture.py::test_there_is_one_constant_time_comparison"),
    *_breaks(P + "errors.py", "return self.reason.public_code", "return self.reason.value",
             "test_ingest_refusals.py::test_a_stranger_cannot_tell_a_key_id_from_a_signature"),
    *_breaks(P + "exact.py", "if name in seen:", "if False:",
             "test_parse.py::test_a_name_that_stands_twice_is_refused"),
    *_breaks(P + "exact.py", "parse_constant=_constant", "parse_constant=float, strict=False",
             "test_parse.py::test_a_text_with_one_byte_changed_is_read_as_the_second_implementation_reads_it"),
    *_breaks(P + "exact.py", 'return name.encode("utf-16-be")', 'return name.encode("utf-8")',
             "test_vectors_library.py::test_canonical"),
    *_breaks(P + "exact.py", "if 0 < power < 21:", "if 0 < power < 20:",
             "test_numbers.py::test_a_million_doubles_are_written_as_published"),
    *_breaks(P + "wire.py", "doubled = known", "pass", "test_wire.py::test_a_second_line_of_a_header_is_refused"),
    *_breaks(P + "ingest/app.py", '_Arrival(list(scope["headers"]))', '_Arrival(scope["headers"])',
             "test_ingest_body.py::test_trailers_bring_no_signature"),
    *_breaks(P + "middleware/body.py", 'if name == b"content-length" and _announces_more(value, limit):', "if False:",
             "test_ingest_body.py::test_a_long_content_length_is_refused_before_a_byte_is_read"),
    *_breaks(P + "middleware/body.py", "asyncio.timeout(seconds)", "asyncio.timeout(seconds + 30)",
             "test_ingest_body.py::test_a_stalled_body_has_a_deadline_of_its_own"),
    *_breaks(P + "cli/head_timeout.py", "self._seconds, transport.close", "self._seconds + 30, transport.close",
             "test_serve_head.py::test_half_a_head_is_waited_for_until_its_deadline"),
    *_breaks(P + "exact.py", "if depth > MAX_DEPTH:", "if False:", "test_parse.py::test_deep_nesting_is_refused"),
    *_breaks(P + "stores/memory.py", "if self._size >= self._capacity:", "if False:",
             "test_stores_bounds.py::test_a_store_that_is_full_refuses"),
    *_breaks(P + "stores/memory.py", "elif self._held.get(claim.api_key_id, 0) >= self._share:", "elif False:",
             "test_stores_bounds.py::test_one_sender_cannot_fill_the_store"),
    *_breaks(P + "replay.py", "elif isinstance(error, Exception):", "elif False:",
             "test_verifier_claims.py::test_a_broken_store_refuses"),
    *_breaks(P + "ingest/app.py", "except Exception as error:", "except ZeroDivisionError as error:",
             "test_ingest_refusals.py::test_a_store_that_fails_lets_nothing_through"),
    *_breaks(P + "replay.py", "if timestamp > now + self.future:", "if False:",
             "test_replay.py::test_both_edges_of_the_window_are_inside"),
    *_breaks(P + "wire.py", "if name == TIMESTAMP and grammar.MILLISECONDS.matches(value):", "if False:",
             "test_wire.py::test_milliseconds_are_named"),
    *_breaks(P + "replay.py", "        self.window.judge(self.timestamp, now)\n        return now",
             "        return now",
             "test_replay.py::test_the_window_is_judged_again_at_the_claim"),
    *_breaks(P + "verifier.py", 'f"no active secret of this api key has', 'f"no active secret of {fields[0]} has',
             "test_ingest_refusals.py::test_no_refusal_and_no_log_holds_a_credential"),
    *_breaks("tests/leaks.py", "HIDDEN = {\n", "HIDDEN = set() and {\n",
             "test_leaks.py::test_it_finds_them_in_an_error"),
    *_breaks(P + "keys.py", 'raise TypeError("a Secret', 'return (str, ()) or TypeError("a Secret',
             "test_keys.py::test_a_secret_does_not_spread"),
    *_breaks(P + "sdk/credentials.py", 'return type(fault)(f"{source}: {fault}")', "raise",
             "test_sdk_secrets.py::test_a_constructor_that_refuses_a_secret_forgets_it"),
    *_breaks(P + "keyfile.py", "path = directory / name", "path = Path(name)",
             "test_keyfile.py::test_a_secret_may_come_from_a_file_beside"),
    *_breaks(P + "keyfile.py", "return os.environ[name]", "return os.environ[name].strip()",
             "test_keyfile.py::test_a_secret_may_come_from_the_environment"),
    *_breaks(P + "cli/serve.py", "app.use(load_keyring(keys))", "load_keyring(keys)",
             "test_serve.py::test_a_secret_taken_out_stops_verifying_in_every_worker"),
    *_breaks(P + "signing.py", "if received_at <= old.until}", "}",
             "test_signing.py::test_a_retired_secret_verifies_at_rest_up_to_its_second"),
    *_breaks(P + "ingest/audit.py",
             "if (event.integrity_signature, event.key_id, request.signature) != (None, None, None):",
             "if False:", "test_audit.py::test_trust_cannot_be_raised_or_lowered"),
    *_breaks(P + "ingest/audit.py", "requests.check(request, entry)", "pass",
             "test_audit.py::test_an_altered_request_spoils_its_events_alone"),
]  # fmt: skip
"""In the order of the page; a test that stands in two rows is broken once."""
