"""A fingerprint of the code that a stage runs: it decides what a change of the code makes stale.

Two things are covered: what a command can reach, and the plug-ins that its row chose (decoder, protocol,
benchmark, jail, objective and so on). The modules are found by reading imports, at any depth and inside
functions, from the command's own file and from each plug-in's; nothing is imported. Files that are started by
path (`worker.py`) count where their name stands in the code. A module counts by its syntax tree without
docstrings, so that words, comments and layout are no change, and the same source has the same fingerprint
under every Python that can read it.

Covers: xpflow's own modules, a plug-in's file, and for one of an installed package the modules of that
package that it reaches. Does not cover: other packages (a manifest has their versions), the files that
every command shares without meaning (`xpflow`, `xpflow.cli`), the tables of plug-ins (names only: what a name
stands for is covered where it was chosen), and the modules that only note what was done (RECORDING): what is
said of an artifact is no part of it.

The digits follow the number of the rule by which they were found, since fingerprints of two rules cannot be
compared. Rule 1 (no number) took the tree as Python prints it, rule 2 covered what a command might choose.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from xpflow.errors import ArtifactError, nearest
from xpflow.plugins import Place, Table

RULE = "3"
DIGITS = 12
PACKAGE = Path(__file__).resolve().parents[1]
# kind of a plug-in -> the module that holds its table and nothing else
TABLES = {
    "architecture": "xpflow.models.architectures",
    "benchmark": "xpflow.problems.benchmarks",
    "corpus": "xpflow.corpora",
    "decoder": "xpflow.decoding.decoders",
    "extraction": "xpflow.grading.extraction",
    "jail": "xpflow.grading.jails",
    "objective": "xpflow.training.objectives",
    "problem_world": "xpflow.problems.worlds",
    "protocol": "xpflow.protocols",
    "schedule": "xpflow.masking.schedules",
    "shape": "xpflow.problems.shapes",
    "world": "xpflow.microtext.worlds",
}
SHARED = ("xpflow", "xpflow.cli", *TABLES.values())  # the version, the commands, the plug-ins: names only
RECORDING = (
    "xpflow.artifacts.code",
    "xpflow.artifacts.environment",
    "xpflow.artifacts.manifest",
    "xpflow.artifacts.record",
    "xpflow.artifacts.shared_cache",
    "xpflow.cli.recording",
)


@dataclass(frozen=True, slots=True)
class Module:
    """A module by its name, and by its file where it is none of xpflow's."""

    name: str
    file: Path | None = None


def code_fingerprint(command: str, plugins: Iterable[str] = (), package: Path = PACKAGE) -> str:
    """Return rule and 12 hexadecimal digits for the code behind a command with the plug-ins that it uses.

    Args:
        command: `align` is `xpflow align`, `text-train` is `xpflow text train`. plugins: as "decoder:flow".
        package: of this or another checkout.
    Raises:
        ArtifactError: there is no such command or plug-in.
    """
    starts = [_command(command)]
    if module_file(starts[0].name, package) is None:
        names = [path.stem for path in (package / "cli").glob("*.py")]
        raise ArtifactError(f"no such command: {command!r}", hint=nearest(command, names))
    return _digest([*starts, *(module_of(plugin, package) for plugin in sorted(set(plugins)))], package)


def _command(name: str) -> Module:
    return Module(f"xpflow.cli.{name.replace('-', '_')}")


def plugin_fingerprints(plugins: Iterable[str], package: Path = PACKAGE) -> dict[str, str]:
    """Return the fingerprint of each plug-in's own code, by its name, for a manifest."""
    return {plugin: _digest([module_of(plugin, package)], package) for plugin in sorted(set(plugins))}


def covered(command: str, plugins: Iterable[str] = (), package: Path = PACKAGE) -> frozenset[str]:
    """Return the names of the modules behind a fingerprint."""
    starts = [_command(command), *(module_of(plugin, package) for plugin in plugins)]
    return frozenset(module.name for module in _reachable(starts, package))


def noted(package: Path = PACKAGE) -> frozenset[str]:
    """Return the names of the modules that note what was done, with all that they need for it."""
    return frozenset(module.name for module in _reachable(map(Module, RECORDING), package))


def same_rule(fingerprint: str) -> bool:
    """Return whether a fingerprint was found by today's rule, so that it can be compared."""
    return fingerprint.startswith(f"{RULE}.")


def module_of(plugin: str, package: Path = PACKAGE) -> Module:
    """Return the module behind "kind:name"; raises ArtifactError where there is none."""
    kind, _, name = plugin.partition(":")
    if kind not in TABLES:
        raise ArtifactError(f"no such kind of plug-in: {kind!r}", hint=nearest(kind, TABLES))
    own = _own(kind, package)
    if name in own:
        return Module(own[name].partition(":")[0])
    table = _table(kind)
    place = table.place(name)
    file = place.file or _file_of(place)
    if file is None or not file.is_file():
        raise ArtifactError(f"{kind} {name!r} is not there: {file or place.module}")
    return Module(place.module or name, file.resolve())


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


def _digest(starts: Iterable[Module], package: Path) -> str:
    digest = hashlib.sha256()
    for module in sorted(_reachable(starts, package), key=lambda module: module.name):
        name = module.name if module.file is None else Path(module.name).name
        digest.update(f"{name} {_read(module, package)[0]}\n".encode())
    return f"{RULE}.{digest.hexdigest()[:DIGITS]}"


def _reachable(starts: Iterable[Module], package: Path) -> frozenset[Module]:
    """Return all modules that some modules import, directly or not, and they themselves."""
    named = [one for start in starts for one in ([start] if start.file else _in_packages(start))]
    waiting, found = list(named), set(named)
    while waiting:
        for module in _read(waiting.pop(), package)[1]:
            if module not in found:
                found.add(module)
                waiting.append(module)
    return frozenset(found)


def _in_packages(module: Module) -> list[Module]:
    """Return a module of ours and the packages that it lies in: importing it runs their `__init__`."""
    return [Module(name) for name in _with_packages(module.name) if name not in SHARED]


def _own(kind: str, package: Path) -> Mapping[str, str]:
    """Return the lines of a table, read from its source: {} where this checkout has none."""
    file = module_file(TABLES[kind], package)
    return _lines(file, _state(file)) if file else {}


@lru_cache(maxsize=64)
def _lines(file: Path, state: tuple[int, int]) -> Mapping[str, str]:
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg == "own" and isinstance(keyword.value, ast.Dict):
                    return dict(ast.literal_eval(keyword.value))
    return {}


def _state(file: Path) -> tuple[int, int]:
    """Return what changes with a file: it may while we run."""
    stat = file.stat()
    return stat.st_mtime_ns, stat.st_size


def _table(kind: str) -> Table[Any]:
    values = vars(import_module(TABLES[kind])).values()
    [table] = [value for value in values if isinstance(value, Table)]
    return table


def _file_of(place: Place) -> Path | None:
    """Return the file of a module of an installed package, without importing the package."""
    top, *rest = place.module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or spec.origin is None:
        return None
    if not rest:
        return Path(spec.origin)
    path = Path(spec.origin).parent.joinpath(*rest)
    return next((f for f in (path.with_suffix(".py"), path / "__init__.py") if f.is_file()), None)


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


def _read(module: Module, package: Path) -> tuple[str, tuple[Module, ...]]:
    """Return a module's hash and the modules that it names."""
    file = module.file or module_file(module.name, package)
    assert file is not None
    return _parsed(module, file, package, _state(file))


@lru_cache(maxsize=4096)
def _parsed(
    module: Module, file: Path, package: Path, state: tuple[int, int]
) -> tuple[str, tuple[Module, ...]]:
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError as error:
        if module.file is None:
            raise
        raise ArtifactError(f"{file} is no Python: {error}") from error
    text = hashlib.sha256(canonical_tree(tree).encode(errors="surrogatepass")).hexdigest()
    names = {target for node in _run_nodes(tree) for target in _targets(node, module.name, file, package)}
    known = {found for target in names for found in _with_packages(target)}
    found = [Module(name) for name in sorted(known - {*SHARED, *RECORDING, module.name})]
    if module.file is not None:
        found += _siblings(tree, module, file)
    return text, tuple(found)


def _run_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a tree's nodes without what only a type checker reads."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from (found for other in child.orelse for found in _run_nodes(other))
        else:
            yield from _run_nodes(child)


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


def _siblings(tree: ast.Module, module: Module, file: Path) -> Iterator[Module]:
    """Yield the modules of an outside package that one of its modules imports, with their packages."""
    parts = module.name.split(".")
    if not all(part.isidentifier() for part in parts):
        return  # a file by itself has no siblings
    inside = parts if file.name == "__init__.py" else parts[:-1]
    top = file.parents[len(inside) - 1] if inside else file.parent
    names = {module.name, *(name for node in ast.walk(tree) for name in _imported(node, inside))}
    for words in (name.split(".") for name in sorted(names)):
        for length in range(1, len(words) + 1) if words[0] == parts[0] else ():
            path = top.joinpath(*words[1:length])
            for found in (path.with_suffix(".py"), path / "__init__.py"):
                if found.is_file():
                    yield Module(".".join(words[:length]), found)


def _imported(node: ast.AST, package: list[str]) -> Iterator[str]:
    """Yield the absolute names that an import may mean, relative ones resolved."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = package[: len(package) - node.level + 1] if node.level else []
        module = ".".join([*base, *([node.module] if node.module else [])])
        yield module
        yield from (f"{module}.{alias.name}" for alias in node.names)
