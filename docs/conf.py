"""How the pages become a site: ``make docs``."""

import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes

from rp_signing.explain.bodies import MAX_PAIRED
from rp_signing.explain.causes import CAUSES
from rp_signing.explain.search import MAX_HASHES, MAX_HASHES_SINGLE, MAX_MACS

HERE = Path(__file__).parent
BROUGHT_ALONG = ("__new__", "model_config")
VERDICTS = {True: "held", False: "**broken**", None: "not tried"}

project = "rp-signing"
copyright = "the rp-signing authors"
html_title = "rp-signing"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
myst_heading_anchors = 4
# A relative link of a page that is shown on GitHub too leads to a file that is no page of the site.
suppress_warnings = ["myst.xref_missing"]
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"
napoleon_use_ivar = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False


_EXPLAIN_BOUNDS = f"""
## How long it looks

`explain` stops by what it counts, so that it says the same on each machine: for one mistake the whole body is hashed
at most {MAX_HASHES_SINGLE} times, for one and then two {MAX_HASHES} times, and {MAX_MACS:,} MACs are compared at the
most. Two mistakes with the body itself are looked for in bodies of up to {MAX_PAIRED // 1024} KiB. Where anything was
left untried, it says that it stopped.

In time it is not quite that. A near-miss has to be written before it can be hashed, and a mistake with a secret or a
line is a MAC of its own, however small the body is: about 1,100 for one mistake, about 110,000 for two. With nothing
to be found, batches of typical events, one core that hashes 2 GB a second, CPython 3.11:

| body | one mistake | {MAX_HASHES_SINGLE} hashes | times | two mistakes | {MAX_HASHES} hashes | times |
|---|---|---|---|---|---|---|
| 1 kB | 1.5 ms | 0.04 ms | 40 | 0.10 s | 0.4 ms | 260 |
| 10 kB | 1.9 ms | 0.3 ms | 6.4 | 0.11 s | 3 ms | 36 |
| 100 kB | 8 ms | 3 ms | 2.7 | 0.12 s | 29 ms | 4.0 |
| 1 MB | 80 ms | 31 ms | 2.6 | 0.30 s | 0.31 s | 1.0 |

So two mistakes take the time of {MAX_HASHES} hashes from about 1 MB on; one takes that of {MAX_HASHES_SINGLE} nowhere,
and comes nearest where the body is large. A processor without instructions for SHA-256 hashes a third as fast; there
it is 1.4 times for one mistake at 100 kB and 1 MB, and 0.7 times for two at 1 MB.
`make bench` measures both again.
"""


_FILLED_IN = re.compile(r"\{(\w+)[^}]*\}")


def _named(place: re.Match[str]) -> str:
    """Give the name of what stands there when a mistake is told; of a hint, nothing."""
    return "" if place[1] == "hint" else f"*{place[1].replace('_', ' ')}*"


def _write_causes() -> None:
    """Write the page of the mistakes that `explain` knows, out of the list that it uses."""
    lines = [
        "# Mistakes that `explain` knows",
        "",
        "`rp-signing explain` tries each of these, and pairs of them, and names the one that would have matched.",
        "",
        "| id | what happened, and what to do |",
        "|---|---|",
    ]
    for name, text in CAUSES.items():
        told = _FILLED_IN.sub(_named, text.replace("|", r"\|").replace("<", "&lt;"))
        lines.append(f"| `{name}` | {told} |")
    (HERE / "causes.md").write_text("\n".join(lines) + "\n" + _EXPLAIN_BOUNDS, encoding="utf-8")


def _write_proof() -> None:
    """Write the page of the long proofs, out of what `make soak` has left in proof.json."""
    proof = json.loads((HERE / "proof.json").read_text(encoding="utf-8"))
    (HERE / "proof.md").write_text("\n".join(_proof_page(proof["parts"])) + "\n", encoding="utf-8")


def _proof_page(parts: dict[str, Any]) -> list[str]:
    """Give the lines of that page: which code each part was run on, then every figure."""
    runs: dict[str, list[str]] = {}
    for name, part in parts.items():
        runs.setdefault(_run_of(part), []).append(name)
    seconds = sum(part["seconds"] for part in parts.values())
    lines = [
        "# The long proofs",
        "",
        f"What `make soak` tried at full length, in {seconds / 60:.0f} minutes.",
        "`make soak PART=name` runs one of them again; [Why the gate holds](security.md) says what each is for.",
        "A commit with a plus had changes that were not committed.",
        ""
        if len(runs) == 1 and all("code" in part for part in parts.values())
        else "**Not all of it was run on the same code.**",
        "",
    ]
    lines += [f"- {run}: {', '.join(f'`{name}`' for name in names)}" for run, names in runs.items()]
    lines += ["", "| part | what was tried | wanted | seen | |", "|---|---|---|---|---|"]
    for name, part in parts.items():
        for row in part["rows"]:
            cells = (row["work"], row["wanted"], row["seen"], VERDICTS[row["held"]])
            lines.append("| " + " | ".join([f"`{name}`", *map(_cell, cells)]) + " |")
    return lines


def _run_of(part: dict[str, Any]) -> str:
    """Say on which code a part was run, where and when."""
    if "code" not in part:
        return "On earlier commits, which were not written down"
    at = f"commit `{part['commit']}`" if part["commit"] else "no commit that git knows"
    return f"Version {part['version']}, {at}, {part['machine']}, {part['date']}"


def _cell(text: str) -> str:
    """Write a text so that it fits into a table: no bar, and of a digest its beginning."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1…", text).replace("|", chr(92) + "|")


def _not_its_own(_app: object, _what: str, name: str, member: object, skip: bool, _options: object) -> bool:
    """Leave out what a NamedTuple and a model bring along: the docstring has described the fields."""
    return skip or name in BROUGHT_ALONG or str(getattr(member, "__doc__", "")).startswith("Alias for field number")


def _name_columns(_app: object, doctree: nodes.document, _page: str) -> None:
    """Put the name of its column before each cell of a wide table: shown on a phone, where a row is a paragraph."""
    for table in doctree.findall(nodes.tgroup):
        names = [entry.astext() for head in table.findall(nodes.thead) for entry in head.findall(nodes.entry)]
        if len(names) < 3:
            continue
        for row in (row for body in table.findall(nodes.tbody) for row in body.findall(nodes.row)):
            for name, cell in list(zip(names, row, strict=False))[1:]:
                if name and cell.astext():
                    cell[0].insert(0, nodes.inline(text=name, classes=["column"]))


def setup(app: Any) -> None:
    """Connect what Sphinx is to ask."""
    app.connect("doctree-resolved", _name_columns)
    app.connect("autodoc-skip-member", _not_its_own)


_write_causes()
_write_proof()
