"""The public API, a line each: `python tests/public_api.py > tests/public_api.txt` after a change that is meant."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import griffe

MODULES = (
    "rp_signing", "rp_signing.ingest.app", "rp_signing.ingest.audit", "rp_signing.ingest.postgres",
    "rp_signing.ingest.sqlite", "rp_signing.ingest.store", "rp_signing.keyfile", "rp_signing.middleware.asgi",
    "rp_signing.middleware.serverless", "rp_signing.middleware.wsgi", "rp_signing.observation", "rp_signing.otel",
    "rp_signing.sdk", "rp_signing.sdk.hooks", "rp_signing.stores.memory", "rp_signing.stores.postgres",
    "rp_signing.stores.redis", "rp_signing.stores.sqlite", "rp_signing.testing",
)  # fmt: skip


def written(function: griffe.Function) -> str:
    """A function's parameters and what it gives."""
    marks: list[str] = []
    parameters = list(function.parameters)
    for number, each in enumerate(parameters):
        kind = each.kind
        before = parameters[number - 1].kind if number else None
        if kind is griffe.ParameterKind.keyword_only and before not in (kind, griffe.ParameterKind.var_positional):
            marks.append("*")
        prefix = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}.get(kind, "")
        marks.append(
            prefix
            + each.name
            + (f": {each.annotation}" if each.annotation else "")
            + (f" = {each.default}" if each.default and not prefix else "")
        )
    return f"({', '.join(marks)}) -> {function.returns}"


def lines_of(name: str, found: griffe.Object | griffe.Alias) -> Iterator[str]:
    """The lines of one name: itself, and what is public in it."""
    target = found.final_target if isinstance(found, griffe.Alias) else found
    if isinstance(target, griffe.Function):
        yield name + written(target)
    elif isinstance(target, griffe.Class):
        yield f"{name}({', '.join(str(base) for base in target.bases)})"
        for member, inner in sorted(target.all_members.items()):
            if member == "__init__" or not member.startswith("_"):
                yield from lines_of(f"{name}.{member}", inner)
    elif isinstance(target, griffe.Attribute):
        yield f"{name}: {target.annotation}" if target.annotation else name


def lines() -> list[str]:
    """Every line, in order."""
    package = griffe.load("rp_signing", search_paths=[str(Path(__file__).parent.parent)], resolve_aliases=True)
    said = []
    for module in MODULES:
        here = package if module == "rp_signing" else package[module.removeprefix("rp_signing.")]
        for name in sorted(here.exports or ()):
            said += lines_of(f"{module}.{name}", here[str(name)])
    return said


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines()) + "\n")
