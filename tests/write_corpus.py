"""Writes the corpus to standard output, a JSON object a line: for `rp-signing demo --events`."""

import json

import corpus

for event in corpus.events():
    print(json.dumps(event, separators=(",", ":")))
