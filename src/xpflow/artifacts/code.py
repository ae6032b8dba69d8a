"""A fingerprint of the code that a command can reach: it decides what a change of the code makes stale.

The modules are found by reading imports, at any depth and inside functions, from the command's own file;
nothing is imported. Files that are started by path (`worker.py`) count where their name stands in the code.
A module counts by its syntax tree without docstrings, so that words, comments and layout are no change, and
the same source has the same fingerprint under every Python that can read it.
Covers: xpflow's own modules. Does not cover: other packages (a manifest has their versions), code chosen by
a name in data, the two files that every command shares without meaning (`xpflow`, `xpflow.cli`), and the
modules that only note what was done (RECORDING): what is said of an artifact is no part of it.

The digits follow the number of the rule by which they were found, since fingerprints of two rules cannot be
compared. Rule 1 (no number) took the tree as Python prints it, which differs between versions.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from xpflow.errors import ArtifactError, nearest

RULE = "2"
PACKAGE = Path(__file__).resolve().parents[1]
SHARED = ("xpflow", "xpflow.cli")  # the version, and the table of all commands
RECORDING = (
    "xpflow.artifacts.code",
    "xpflow.artifacts.environment",
    "xpflow.artifacts.manifest",
    "xpflow.artifacts.record",
    "xpflow.artifacts.shared_cache",
    "xpflow.cli.recording",
)


@lru_cache(maxsize=256)
def code_fingerprint(command: str, package: Path = PACKAGE) -> str:
    """Return rule and 12 hexadecimal digits for the code behind a command, of this or of another checkout.

    Raises:
        ArtifactError: there is no such command.
    """
    start = f"xpflow.cli.{command}"
    if module_file(start, package) is None:
        names = [path.stem for path in (package / "cli").glob("*.py")]
        raise ArtifactError(f"no such command: {command!r}", hint=nearest(command, names))
    digest = hashlib.sha256()
    for name in sorted(reachable(start, package)):
        digest.update(f"{name} {_read(name, package)[0]}\n".encode())
    return f"{RULE}.{digest.hexdigest()[:12]}"


def same_rule(fingerprint: str) -> bool:
    """Return whether a fingerprint was found by today's rule, so that it can be compared."""
    return fingerprint.startswith(f"{RULE}.")


def reachable(start: str, package: Path = PACKAGE) -> frozenset[str]:
    """Return the names of all modules of xpflow that a module imports, directly or not, and its own."""
    found, waiting = {start}, [start]
    while waiting:
        for name in _read(waiting.pop(), package)[1]:
            if name not in found:
                found.add(name)
                waiting.append(name)
    return frozenset(found)


def module_file(name: str, package: Path = PACKAGE) -> Path | None:
    """Return the file of one of our modules, or None where there is no such module."""
    parts = name.split(".")
    if parts[0] != PACKAGE.name:
        return None
    path = package.joinpath(*parts[1:])
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file() and (path != package or file.name == "__init__.py"):
            return file
    return None


def canonical_tree(node: object) -> str:
    """Return a syntax tree as text, without docstrings, positions and what is empty.

    Python's own `ast.dump` changes from version to version: fields that are new stand there empty, and
    f-strings are cut in other places.
    """
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in _fields(node) if value is not None and value != [])
        inside = ", ".join(f"{name}={canonical_tree(value)}" for name, value in fields)
        return f"{type(node).__name__}({inside})"
    if isinstance(node, list):
        return f"[{', '.join(map(canonical_tree, node))}]"
    return repr(node)


def _fields(node: ast.AST) -> Iterator[tuple[str, object]]:
    for name, value in ast.iter_fields(node):
        if name == "body" and _has_docstring(node):
            yield name, value[1:]
        elif name == "values" and isinstance(node, ast.JoinedStr):
            yield name, [one for one in value if not (isinstance(one, ast.Constant) and one.value == "")]
        elif not (name == "kind" and isinstance(node, ast.Constant)):
            yield name, value


def _has_docstring(node: ast.AST) -> bool:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    first = node.body[0].value if node.body and isinstance(node.body[0], ast.Expr) else None
    return isinstance(first, ast.Constant) and isinstance(first.value, str)


@lru_cache(maxsize=4096)
def _read(name: str, package: Path) -> tuple[str, tuple[str, ...]]:
    """Return a module's hash and the modules that it names."""
    file = module_file(name, package)
    assert file is not None
    tree = ast.parse(file.read_bytes())
    names = {target for node in ast.walk(tree) for target in _targets(node, name, file, package)}
    known = {found for target in names for found in _with_packages(target)}
    text = hashlib.sha256(canonical_tree(tree).encode(errors="surrogatepass")).hexdigest()
    return text, tuple(sorted(known - {*SHARED, *RECORDING, name}))


def _targets(node: ast.AST, name: str, file: Path, root: Path) -> Iterator[str]:
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
        if named and module_file(candidate, root) is not None:
            yield candidate


def _with_packages(name: str) -> Iterator[str]:
    """Yield a module and the packages that it lies in: importing it runs their `__init__`."""
    while name:
        yield name
        name = name.rpartition(".")[0]
