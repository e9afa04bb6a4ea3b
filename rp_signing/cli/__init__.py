"""The command line: ``rp-signing``. Exit codes: 0 done, 1 refused, 2 usage."""

from __future__ import annotations

import sys


def main() -> None:
    """Run ``rp-signing``; the extra that brings the command line is named when it is missing."""
    try:
        from .commands import commands
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("rp_signing"):
            raise
        sys.exit(f"{error.name} is not installed; the command line needs: pip install 'rp-signing[cli,client,ingest]'")
    commands(prog_name="rp-signing")
