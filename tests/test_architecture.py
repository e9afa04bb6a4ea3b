"""The floors and the rules of the house, as far as import-linter and ruff cannot say them."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import rp_signing

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "rp_signing"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = {c["id"]: c for c in PYPROJECT["tool"]["importlinter"]["contracts"]}
COVERED = PYPROJECT["tool"]["coverage"]["report"]["include"]

# Floor 0 first. The contract begins at the top, with `|` between neighbours and brackets round what
# may be missing.
FLOORS = [re.findall(r"\w+", layer) for layer in reversed(CONTRACTS["floors"]["layers"])]
GATE = [name for floor in FLOORS[:5] for name in floor]
SOURCES = {
    path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}

# What reaches outside the process, or gives another answer tomorrow.
OUTSIDE = {
    "asyncio", "http", "io", "logging", "os", "pathlib", "random", "select", "selectors", "shutil",
    "socket", "sqlite3", "ssl", "subprocess", "tempfile", "urllib",
}  # fmt: skip
CLOCK = {"secrets", "time"}
COMPARISONS = {"bytes_eq", "compare_digest"}
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DOCUMENTED = (ast.Module, ast.ClassDef, *DEFINITIONS)


def module_of(file: str) -> list[str]:
    """`stores/memory.py` → the dotted name's parts; a package's `__init__.py` is the package."""
    parts = ["rp_signing", *file.removesuffix(".py").split("/")]
    return parts[:-1] if parts[-1] == "__init__" else parts


def imports(file: str) -> Iterator[tuple[str, str | None]]:
    """Every import of a file, at whatever depth; (module, None) stands for `import module`."""
    package = module_of(file) if file.endswith("__init__.py") else module_of(file)[:-1]
    for node in ast.walk(SOURCES[file]):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((module, alias.name) for alias in node.names)


def names(tree: ast.AST) -> Iterator[str]:
    """Every name that code reads, calls or sets, attributes too; an import is no use yet."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def calls(tree: ast.AST) -> Iterator[str]:
    """The name of every function or method that is called, without what stands before the dot."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield node.func.id if isinstance(node.func, ast.Name) else node.func.attr


def docstring(node: ast.AST) -> ast.Constant | None:
    """The docstring's own node, so that text for readers can be told from text that code uses."""
    if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        first = node.body[0]
        assert isinstance(first, ast.Expr)
        assert isinstance(first.value, ast.Constant)
        return first.value
    return None


def lines(node: ast.stmt | ast.expr | None) -> int:
    """How many lines a piece of code takes, decorators not counted."""
    return 0 if node is None or node.end_lineno is None else node.end_lineno - node.lineno + 1


def texts(tree: ast.Module) -> Iterator[str]:
    """Every str or bytes literal of a file but its docstrings."""
    docstrings = {id(docstring(node)) for node in ast.walk(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            if isinstance(node.value, bytes):
                yield node.value.decode("latin-1")
            elif isinstance(node.value, str):
                yield node.value


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter that has imported nothing yet, in the checkout."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_floors_hold() -> None:
    """Imports run downwards only, indirect ones too, and the gate reaches no extra."""
    done = python("import sys; from importlinter.cli import lint_imports;sys.exit(lint_imports(no_cache=True))")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in done.stdout


def test_the_lists_of_the_gate_agree() -> None:
    """Floors 0 to 3 are the same modules for layers, ban on extras, coverage, and on disk."""
    # Eight floors; floor 1 has two steps, since the canonical form stands on its definition, and floor 5 has two, since
    # what tests are given stands on the doors.
    assert [floor[0] for floor in FLOORS[:3]] == ["errors", "exact", "canonical"]
    assert len(FLOORS) == 8 + 2
    assert len(GATE) == 9
    assert set(CONTRACTS["gate"]["source_modules"]) == {f"rp_signing.{name}" for name in GATE}
    files = {f"{name}.py" for name in GATE}
    assert set(COVERED) == {f"rp_signing/{file}" for file in files}
    assert files <= SOURCES.keys()


@pytest.mark.parametrize("name", GATE)
def test_the_gate_stands_on_three_things(name: str) -> None:
    """Floors 0 to 3 import the standard library, cryptography and orjson, and nothing else."""
    allowed = sys.stdlib_module_names | {"cryptography", "orjson", "rp_signing"}
    assert {module.partition(".")[0] for module, _ in imports(f"{name}.py")} <= allowed


@pytest.mark.parametrize("name", GATE)
def test_the_gate_does_no_io(name: str) -> None:
    """Floors 0 to 3 know no socket, file, environment, logging or chance."""
    assert not {module.partition(".")[0] for module, _ in imports(f"{name}.py")} & OUTSIDE
    builtin = {"__import__", "environ", "getenv", "input", "open", "print"}
    assert not set(names(SOURCES[f"{name}.py"])) & builtin


@pytest.mark.parametrize("name", GATE)
def test_the_gate_has_no_clock(name: str) -> None:
    """Only Signer and Verifier may ask for the time or a nonce, and look it up at the call."""
    tree = SOURCES[f"{name}.py"]
    clocks = {(module, what) for module, what in imports(f"{name}.py") if module in CLOCK}
    if name not in {"signing", "verifier"}:
        assert not clocks
    # `from time import time` would keep the real clock under a test's frozen one.
    assert all(what is None for _, what in clocks)
    assert not set(calls(tree)) & {"now", "today", "utcnow", "uuid1", "uuid4"}
    defaults = [
        default
        for node in ast.walk(tree)
        if isinstance(node, (*DEFINITIONS, ast.Lambda))
        for default in [*node.args.defaults, *node.args.kw_defaults]
        if default is not None
    ]
    assert not {used for default in defaults for used in names(default)} & CLOCK


@pytest.mark.parametrize("name", GATE)
def test_coverage_of_the_gate_is_not_waived(name: str) -> None:
    """No line of floors 0 to 3 is excluded from coverage."""
    text = (PACKAGE / f"{name}.py").read_text(encoding="utf-8")
    assert text
    assert not re.search(r"#\s*pragma:\s*no\s*(cover|branch)", text)


def test_there_is_one_constant_time_comparison() -> None:
    """One place compares a MAC, and it is in signing.py."""
    used = [file for file, tree in SOURCES.items() for name in names(tree) if name in COMPARISONS]
    called = [file for file, tree in SOURCES.items() for name in calls(tree) if name in COMPARISONS]
    assert called == ["signing.py"]
    # A second use that is no call would be an alias, under which more calls could hide.
    assert used == called
    imported = [file for file in SOURCES for _, what in imports(file) if what in COMPARISONS]
    assert set(imported) <= {"signing.py"}


def test_a_header_name_is_spelled_once() -> None:
    """Each X-RP- name stands once in the package, in wire.py, in whatever case."""
    spelled = [
        (name.lower(), file)
        for file, tree in SOURCES.items()
        for text in texts(tree)
        for name in re.findall(r"x-rp-[a-z-]*", text, re.IGNORECASE)
    ]
    words = ["api-key", "key-id", "nonce", "signature", "timestamp"]
    assert {name for name, _ in spelled} >= {f"x-rp-{word}" for word in words}
    times = Counter(name for name, _ in spelled)
    assert {name: count for name, count in times.items() if count > 1} == {}
    assert {file for _, file in spelled} == {"wire.py"}


def test_nobody_inside_imports_the_root() -> None:
    """The front door is for guests: a module inside imports the module it means."""
    submodules = {module_of(file)[1] for file in SOURCES if len(module_of(file)) > 1}
    assert submodules >= set(GATE)
    through_the_door = [
        f"{file}: {what or module}"
        for file in SOURCES
        if file != "__init__.py"
        for module, what in imports(file)
        if module == "rp_signing" and what not in submodules
    ]
    assert through_the_door == []


def test_files_are_short() -> None:
    """No file has more than 300 lines."""
    lengths = {file: len((PACKAGE / file).read_text(encoding="utf-8").splitlines()) for file in SOURCES}
    assert {file: length for file, length in lengths.items() if length > 300} == {}
    assert max(lengths.values()) > 50


def test_functions_are_short() -> None:
    """No function has more than 45 lines; its docstring, which says the promise, is not counted."""
    lengths = {}
    for file, tree in SOURCES.items():
        for node in ast.walk(tree):
            if isinstance(node, DEFINITIONS):
                words = docstring(node)
                lengths[f"{file}:{node.lineno} {node.name}"] = lines(node) - lines(words)
    assert {function: length for function, length in lengths.items() if length > 45} == {}
    assert len(lengths) > len(GATE)


def test_files_are_named_for_things() -> None:
    """No file or folder is named for a mechanism."""
    parts = {part.removesuffix(".py").strip("_") for file in SOURCES for part in file.split("/")}
    assert parts >= set(GATE)
    mechanisms = {
        "base",
        "common",
        "helper",
        "helpers",
        "manager",
        "managers",
        "misc",
        "util",
        "utils",
    }
    assert not parts & mechanisms


@pytest.mark.parametrize("file", SOURCES)
def test_every_module_says_what_it_is(file: str) -> None:
    """Every module begins with a docstring."""
    assert ast.get_docstring(SOURCES[file])


def test_the_front_door_is_narrow() -> None:
    """The root exports at most 20 names, none twice, and each is there."""
    exported = list(rp_signing.__all__)
    assert 0 < len(exported) <= 20
    assert len(set(exported)) == len(exported)
    assert [name for name in exported if getattr(rp_signing, name, None) is None] == []


def test_the_front_door_loads_no_extra() -> None:
    """`import rp_signing` loads no HTTP client, no models, no server and no command line."""
    done = python("import rp_signing, sys; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "rp_signing" in loaded
    assert not loaded & {"click", "httpx2", "pydantic", "rich", "uvicorn"}


def test_the_base_install_brings_two_packages() -> None:
    """`pip install rp-signing` asks for cryptography and orjson, and for nothing else."""
    required = [re.match(r"[\w.-]+", line) for line in PYPROJECT["project"]["dependencies"]]
    assert sorted(match[0] for match in required if match) == ["cryptography", "orjson"]


def test_the_lock_has_hashes_and_names_no_registry() -> None:
    """Every package of the lock has one version and hashes; where it comes from is left open."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = [line for line in lock.replace("\\\n", "").splitlines() if line.lstrip(" ")[0] != "#"]
    named = {line.partition("==")[0] for line in entries}
    assert named >= {"cryptography", "hatchling", "orjson", "pytest"}
    whole = re.compile(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}$")
    assert [line for line in entries if not whole.match(line)] == []
    assert not re.search(r"://|^\s*-(-index|-extra-index|-find-links|i |f )", lock, re.MULTILINE)
