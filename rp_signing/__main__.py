"""``python -m rp_signing``: the versions that a bug report needs."""

from __future__ import annotations

import platform
import sqlite3
import sys
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    "rp-signing", "cryptography", "orjson", "pydantic", "httpx2", "httpcore2", "uvicorn", "click", "rich", "redis",
    "psycopg", "psycopg-pool", "opentelemetry-api",
)  # fmt: skip


def main() -> None:
    """Print a line each."""
    for name in _PACKAGES:
        try:
            found = version(name)
        except PackageNotFoundError:
            found = "not installed"
        print(f"{name:<18} {found}")
    print(f"{'Python':<18} {platform.python_implementation()} {platform.python_version()}")
    print(f"{'SQLite':<18} {sqlite3.sqlite_version}")
    print(f"{'platform':<18} {platform.platform()}, {sys.byteorder}-endian")


if __name__ == "__main__":
    main()
