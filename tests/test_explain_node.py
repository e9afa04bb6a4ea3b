"""`explain` on what Node sends: the mistakes of `mistakes.mjs`, made by Node itself."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mistaken_sender import API_KEY, LATIN, NONCE, NOW, RICH, SECRET, api_key_id, canonical, key_id

from rp_signing import Keyring
from rp_signing.explain import explain

SCRIPT = Path(__file__).with_name("mistakes.mjs")
NAMES = re.findall(r"^  (\w+): \(", SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)
HEX_SECRET = "00112233445566778899aabbccddeeff" * 2
# Of what Latin-1 can carry, and of what no object of JavaScript reorders.
OF_LATIN = {"signed_latin1", "body_latin1_twice", "signed_nulls_dropped"}


def job(mistake: str) -> dict[str, Any]:
    """What Node is told."""
    secret = HEX_SECRET if mistake == "secret_hex_decoded" else SECRET
    return {
        "mistake": mistake,
        "text": canonical(LATIN if mistake in OF_LATIN else RICH).decode(),
        "apiKey": API_KEY,
        "secret": secret,
        "now": NOW,
        "nonce": NONCE,
        "apiKeyId": api_key_id(API_KEY),
        "keyId": key_id(secret.encode()),
    }


@pytest.fixture(scope="module")
def sent() -> dict[str, tuple[dict[str, str], bytes]]:
    """Headers and body by mistake, from one run of Node."""
    done = subprocess.run(
        ["node", SCRIPT], input=json.dumps([job(name) for name in NAMES]).encode(), capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert sorted(answer["names"]) == sorted(NAMES)
    made = zip(NAMES, answer["sent"], strict=True)
    return {name: (one["headers"], base64.b64decode(one["body"])) for name, one in made}


@pytest.mark.parametrize("name", NAMES)
def test_what_node_did_is_named(sent: dict[str, tuple[dict[str, str], bytes]], name: str) -> None:
    """Each of Node's mistakes is told its own cause and no other; without one, the request verifies."""
    headers, body = sent[name]
    keyring = Keyring.of({API_KEY: [HEX_SECRET if name == "secret_hex_decoded" else SECRET]})
    explanation = explain(keyring, headers, body, now=NOW)
    assert explanation.verified == (name == "none")
    assert [cause.cause for cause in explanation.causes] == ([] if name == "none" else [name])
