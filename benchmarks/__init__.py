"""What this library costs, beside its floor and its peers, in one run: `make bench`."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # the corpus is the one of the tests
