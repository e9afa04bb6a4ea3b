"""The code blocks of every page of the repository, as a Markdown reader sees them."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parent.parent


class Block(NamedTuple):
    """A code block.

    Attributes:
        page: the path of its file, from the root of the repository.
        line: where it begins.
        language: the word after its fence; ``""`` for one that is indented.
        code: the text.
    """

    page: str
    line: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@cache
def blocks() -> tuple[Block, ...]:
    """Give those of all pages that are in git."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(block for page in listed.stdout.splitlines() for block in blocks_of(page))


def blocks_of(page: str, language: str | None = None) -> list[Block]:
    """Give those of one page, or of one language in it."""
    tokens = MarkdownIt().parse((ROOT / page).read_text(encoding="utf-8"))
    found = [
        Block(page, token.map[0] + 1, token.info.strip().partition(" ")[0], token.content)
        for token in tokens
        if token.type in ("fence", "code_block") and token.map
    ]
    return [block for block in found if language in (None, block.language)]
