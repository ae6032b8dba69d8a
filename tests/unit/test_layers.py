"""The arrows of docs/architecture.md: rooms import only what its table says, and nothing goes in a circle."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from xpflow.artifacts.code import TABLES

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
LONGEST = 350  # lines of a file
EVERYBODY = {"xpflow", "errors", "plugins", "budget", "noise"}


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading of the page."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def allowed() -> dict[str, set[str]]:
    """Return room -> the rooms that it may import from."""
    table = {
        cells[0].strip("`"): set(re.findall(r"`([\w.]+)`", cells[2])) for cells in rows("Rooms and arrows")
    }
    everything = [room for room, cells in table.items() if room != "cli"]
    return {**table, "cli": set(everything)}


@cache
def modules() -> dict[str, Path]:
    """Return every module of the package with its file."""
    files = sorted(SRC.glob("xpflow/**/*.py"))
    return {".".join(f.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__"): f for f in files}


@cache
def imports() -> dict[str, frozenset[str]]:
    """Return what each module imports of the package, inside functions too, but not for type checkers."""
    return {name: frozenset(_imported(ast.parse(file.read_text()))) for name, file in modules().items()}


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        return
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in modules())
    elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "xpflow":
        assert node.level == 0, "imports are absolute"
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            yield whole if whole in modules() else str(node.module)
    for child in ast.iter_child_nodes(node):
        yield from _imported(child)


def room(module: str) -> str:
    """Return the room of a module: the longest name in the page's table that it begins with.

    A folder of plug-ins may be a room of its own; its `__init__`, a table of names, belongs to the room
    around it.
    """
    inside = module.removeprefix("xpflow.")
    names = [name for name in allowed() if f"{inside}.".startswith(f"{name}.")]
    names = [name for name in names if name != inside or "." not in name]
    return max(names, key=len, default=inside)


def test_every_room_has_a_row_and_every_row_a_room() -> None:
    assert {room(module) for module in modules()} - {"xpflow", "__main__"} == set(allowed())


def test_the_table_itself_has_no_circle() -> None:
    order = list(TopologicalSorter(allowed()).static_order())
    assert order[-1] == "cli"


def test_rooms_import_only_what_their_row_says() -> None:
    table = {**allowed(), "__main__": {"cli"}, "xpflow": set()}
    wrong = {
        f"{name} > {other}"
        for name, others in imports().items()
        for other in others
        if room(other) not in table[room(name)] | {room(name)} | EVERYBODY and other not in TABLES.values()
    }
    assert wrong == set()


@pytest.mark.parametrize(
    ("name", "never"),
    [
        ("decoding", {"problems", "protocols", "grading", "study"}),
        ("grading", {"models", "decoding", "study"}),
        ("evaluation", {"training"}),
        ("reporting", {"training", "evaluation", "grading"}),
        ("hub", {"study", "problems", "models"}),
    ],
)
def test_what_the_page_promises_of_a_room_follows_from_its_arrows(name: str, never: set[str]) -> None:
    """At any distance: a room reaches nothing that it does not know."""
    table, reached, todo = allowed(), set[str](), [name]
    while todo:
        found = table[todo.pop()] - reached
        reached |= found
        todo += found
    assert not reached & (never | {"cli"})


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Importing a module runs the `__init__` of its packages: those that the importer is not in count too."""
    graph = {name: _with_packages(name, others) - {name} for name, others in imports().items()}
    circles = {name for name, reached in _reached(graph).items() if name in reached}
    assert circles == set()


def _reached(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return what each module reaches by one import or more."""
    reached = {name: set(others) for name, others in graph.items()}
    for middle in graph:
        for others in reached.values():
            if middle in others:
                others |= reached[middle]
    return reached


def _with_packages(name: str, others: frozenset[str]) -> set[str]:
    above = {
        ".".join(other.split(".")[:depth]) for other in others for depth in range(1, other.count(".") + 1)
    }
    return set(others) | {package for package in above if not f"{name}.".startswith(f"{package}.")}


def test_reading_a_study_imports_no_torch() -> None:
    code = "import sys\nfrom xpflow.study.config import load_study\nload_study('config/micro.yaml')\n"
    code += "sys.exit(sorted({'torch', 'transformers', 'pandas'} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_file_is_too_long() -> None:
    long = {name: len(file.read_text().splitlines()) for name, file in modules().items()}
    assert not {name: lines for name, lines in long.items() if lines > LONGEST}


def test_equations_and_files_that_the_page_names_are_there() -> None:
    for _, _, file, function in rows("From the paper to the code"):
        tree: ast.AST = ast.parse((SRC / "xpflow" / file.strip("`")).read_text())
        for part in function.strip("`").split("."):
            named = [node for node in ast.iter_child_nodes(tree) if getattr(node, "name", None) == part]
            assert named, f"{file} has no {function}"
            tree = named[0]
    paths = set(re.findall(r"(?<=[`\s])([a-z_0-9]+/[\w/]*(?:\.py|/))(?=[`\s,])", PAGE))
    missing = {path for path in paths if not any((base / path).exists() for base in (ROOT, SRC / "xpflow"))}
    assert missing == set()
