"""The outbox of docs/recipes/retries.md, under a server that is killed and a sender that is killed, too."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from claimants import row
from serving_process import API_KEY, SECRET, started
from soak_ingest import _kill
from soak_part import Advance, Part, Row
from valkey_server import free_port

from rp_signing.cli.stores import DATABASE
from rp_signing.ingest.sqlite import SQLiteEventStore

PAGE = Path(__file__).resolve().parent.parent / "docs/recipes/retries.md"
OUTBOX = re.findall(r"^## An outbox table\n.*?```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)[
    0
]
# Business that writes three events a transaction, and the loop that delivers them; told by its input when to end.
SENDER = """
import select, sqlite3, sys
from rp_signing import RetainPixel
client = RetainPixel(api_key=sys.argv[1], secret=sys.argv[2], base_url=sys.argv[3])
connection = sqlite3.connect("outbox.db", timeout=30)
connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS business (name TEXT);" + OUTBOX)
ending = False
while True:
    ending = ending or bool(select.select([sys.stdin], [], [], 0)[0])
    if not ending:
        for _ in range(3):
            (number,) = connection.execute("SELECT count(*) FROM business").fetchone()
            event = {"type": "track", "messageId": f"m-{number}", "userId": "u", "event": "E"}
            connection.execute("INSERT INTO business VALUES (?)", [event["messageId"]])
            record(connection, event)
        connection.commit()
    wait = deliver_once(connection)
    if wait:
        select.select([], [], [], 0.01)
    if wait is None and ending:
        break
    print("delivered", flush=True)
"""


def sender(folder: Path, url: str) -> subprocess.Popen[str]:
    """Start the sender's process."""
    code = f"{OUTBOX}\n{SENDER}"
    words = [sys.executable, "-c", code, API_KEY, SECRET, url]
    return subprocess.Popen(words, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def run(kills: int, advance: Advance) -> list[Row]:
    """Kill the server each time, every third time the sender with it; then let all be delivered, and count."""
    draw = random.Random(13)
    with TemporaryDirectory() as place:
        folder, port = Path(place), free_port()
        (folder / "keys.json").write_text(json.dumps({"api_keys": [{"api_key": API_KEY, "secrets": [SECRET]}]}))
        sending = sender(folder, f"http://127.0.0.1:{port}")
        for number in range(kills + 1):
            with started(folder, "--data", "data", "--port", str(port)) as served:
                assert sending.stdout is not None
                if number == kills:
                    sending.communicate("end\n", timeout=120)
                    assert sending.returncode == 0
                    break
                for _ in range(draw.randrange(3, 9)):
                    sending.stdout.readline()
                _kill(served)
                if number % 3 == 2:
                    os.kill(sending.pid, signal.SIGKILL)
                    sending.communicate()
                    sending = sender(folder, f"http://127.0.0.1:{port}")
                advance(1)
        with sqlite3.connect(folder / "outbox.db") as outbox:
            recorded = [name for (name,) in outbox.execute("SELECT name FROM business")]
            faults = outbox.execute("SELECT count(*) FROM outbox").fetchone()[0]
        outbox.close()
        store = SQLiteEventStore(folder / "data" / DATABASE)
        stored = Counter(event.message_id for event in store.scan())
        store.close()
    assert len(recorded) > kills
    return [
        row(
            f"{kills:,} kills: of {len(recorded):,} events that were recorded, lost",
            sum(one not in stored for one in recorded),
        ),
        row(f"{kills:,} kills: stored twice", sum(times > 1 for times in stored.values())),
        row(f"{kills:,} kills: stored and never recorded", len(stored.keys() - set(recorded))),
        row(f"{kills:,} kills: left in the outbox", faults),
    ]


PARTS = [Part("outbox", "the outbox loses nothing and stores nothing twice", 100, 3, run, "kills")]
