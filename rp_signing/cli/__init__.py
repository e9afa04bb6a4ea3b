"""The command line: ``rp-signing``. Exit codes: 0 done, 1 refused, 2 usage or not possible, 128 + a signal's number."""

from __future__ import annotations

import sys


def main() -> None:
    """Run ``rp-signing``; the extra that brings the command line is named when it is missing."""
    try:
        from .commands import commands
        from .run import run
    except KeyboardInterrupt:  # to import it all takes a while
        sys.exit(130)
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("rp_signing"):
            raise
        sys.exit(f"{error.name} is not installed; the command line needs: pip install 'rp-signing[cli,client,ingest]'")
    sys.exit(run(commands))
