"""A fingerprint of the code that a command can reach: it decides what a change of the code makes stale.

The modules are found by reading imports, at any depth and inside functions, from the command's own file;
nothing is imported. Files that are started by path (`worker.py`) count where their name stands in the code.
A module counts by its syntax tree without docstrings, so that words, comments and layout are no change.
Covers: xpflow's own modules. Does not cover: other packages (a manifest has their versions), code chosen by
a name in data, and the two files that every command shares without meaning (`xpflow`, `xpflow.cli`).
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from xpflow.errors import ArtifactError, nearest

PACKAGE = Path(__file__).resolve().parents[1]
SHARED = ("xpflow", "xpflow.cli")  # the version, and the table of all commands


@lru_cache(maxsize=64)
def code_fingerprint(command: str) -> str:
    """Return 12 hexadecimal digits for the code behind a command; ArtifactError where there is none."""
    start = f"xpflow.cli.{command}"
    if module_file(start) is None:
        names = [path.stem for path in (PACKAGE / "cli").glob("*.py")]
        raise ArtifactError(f"no such command: {command!r}", hint=nearest(command, names))
    digest = hashlib.sha256()
    for name in sorted(reachable(start)):
        digest.update(f"{name} {_read(name)[0]}\n".encode())
    return digest.hexdigest()[:12]


def reachable(start: str) -> frozenset[str]:
    """Return the names of all modules of xpflow that a module imports, directly or not, and its own."""
    found, waiting = {start}, [start]
    while waiting:
        for name in _read(waiting.pop())[1]:
            if name not in found:
                found.add(name)
                waiting.append(name)
    return frozenset(found)


def module_file(name: str) -> Path | None:
    """Return the file of one of our modules, or None where there is no such module."""
    parts = name.split(".")
    if parts[0] != PACKAGE.name:
        return None
    path = PACKAGE.joinpath(*parts[1:])
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file() and (path != PACKAGE or file.name == "__init__.py"):
            return file
    return None


@lru_cache(maxsize=1024)
def _read(name: str) -> tuple[str, tuple[str, ...]]:
    """Return a module's hash and the modules that it names."""
    file = module_file(name)
    assert file is not None
    tree = ast.parse(file.read_bytes())
    names = {target for node in ast.walk(tree) for target in _targets(node, name, file)}
    known = {package for target in names for package in _with_packages(target)}
    _strip_docstrings(tree)
    text = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return text, tuple(sorted(known - {*SHARED, name}))


def _targets(node: ast.AST, name: str, file: Path) -> Iterator[str]:
    """Yield the modules of ours that a node of a module's syntax tree names."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    candidates: list[str] = []
    if isinstance(node, ast.Import):
        candidates = [alias.name for alias in node.names]
        candidates += [
            f"{package}.{alias.name}" for alias in node.names
        ]  # siblings of a file started by path
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        candidates = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith(".py"):
        started = node.value.removesuffix(".py")  # a sibling, or one of the package above (`jails/`)
        candidates = [f"{package}.{started}", f"{package.rpartition('.')[0]}.{started}"]
    for candidate in candidates:
        words = candidate.split(".")
        named = all(word.isidentifier() for word in words) and words[-1] != "__init__"
        if named and module_file(candidate) is not None:
            yield candidate


def _with_packages(name: str) -> Iterator[str]:
    """Yield a module and the packages that it lies in: importing it runs their `__init__`."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def _strip_docstrings(tree: ast.AST) -> None:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and body:
            first = body[0].value if isinstance(body[0], ast.Expr) else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                node.body = body[1:]
