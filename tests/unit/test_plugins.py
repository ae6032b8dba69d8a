"""Plug-ins by name, from an installed package, and from a file; what is wrong is said with its place."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from xpflow import plugins
from xpflow.artifacts.code import TABLES, code_fingerprint, covered, plugin_fingerprints
from xpflow.errors import ArtifactError, ConfigError, DecodingError
from xpflow.plugins import Table

COLOUR = "from fractions import Fraction\nfrom xpflow.errors import ConfigError\nRED = Fraction(1, {})\n"


@pytest.fixture
def table() -> Table[Any]:
    """A table of fractions; `half` lies in the standard library's own module, as a stand-in."""
    own = {"zero": "decimal:Decimal"}
    return Table("colour", "xpflow.colours", own, "fractions:Fraction", "RED", DecodingError)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def installed(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with an entry point and a module beside it, found on the path as pip would install it."""
    package, info = here / "site" / "tinted", here / "site" / "tinted-1.0.dist-info"
    for folder in (package, info):
        folder.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "shade.py").write_text("SHADE = 3\n")
    (package / "red.py").write_text("from tinted.shade import SHADE\n" + COLOUR.format("SHADE"))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tinted\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[xpflow.colours]\nred = tinted.red\nzero = tinted.red\n[xpflow.decoders]\ntinted = tinted.red:RED\n"
    )
    monkeypatch.syspath_prepend(here / "site")
    plugins._entry_points.cache_clear()
    yield package
    plugins._entry_points.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "tinted"]:
        del sys.modules[name]


def test_a_name_of_an_installed_package_is_imported_when_it_is_asked_for(
    table: Table[Any], installed: Path
) -> None:
    assert list(table) == ["zero", "red"]
    assert "tinted" not in sys.modules
    assert table["red"].denominator == 3
    assert metadata.version("tinted") == "1.0"


def test_a_name_that_is_ours_and_a_packages_is_an_error_that_names_both(
    table: Table[Any], installed: Path
) -> None:
    with pytest.raises(DecodingError, match=r"'zero' is ours and .*tinted\.red"):
        table["zero"]


def test_a_file_counts_by_its_content(table: Table[Any], here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # as users have it
    (here / "mine.py").write_text(COLOUR.format(5))
    assert "./mine.py:RED" in table
    assert table["./mine.py:RED"].denominator == table["./mine.py"].denominator == 5
    (here / "mine.py").write_text(COLOUR.format(7))
    assert table["mine.py:RED"].denominator == 7


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("RED = 1\n", "mine.py", "'mine.py' is no colour: it is a int"),
        ("ROT = 1\n", "mine.py", "mine.py has no 'RED'"),
        ("1 / 0\n", "mine.py", "colour in mine.py: ZeroDivisionError"),
        ("def\n", "mine.py", "colour in mine.py: SyntaxError"),
        ("", "other.py", r"other.py: cannot be read \(No such file"),
        ("", "blue", "no such colour: 'blue'"),
    ],
)
def test_what_is_wrong_with_a_plug_in_is_said(
    text: str, name: str, expected: str, table: Table[Any], here: Path
) -> None:
    (here / "mine.py").write_text(text)
    with pytest.raises(DecodingError, match=expected):
        table[name]


def test_our_own_table_names_what_is_there() -> None:
    for kind, module in TABLES.items():
        [found] = [
            value for value in vars(__import__(module, fromlist=["x"])).values() if isinstance(value, Table)
        ]
        for name in found.own:
            assert found[name] is not None, (kind, name)


def test_the_code_of_an_outside_file_counts_with_what_it_imports_of_ours(here: Path) -> None:
    file, plugin = here / "mine.py", "decoder:./mine.py:RED"
    file.write_text(COLOUR.format(5))
    before = code_fingerprint("merge", [plugin])
    assert "xpflow.errors" in covered("merge", [plugin])
    assert plugin_fingerprints([plugin])[plugin] != before
    file.write_text("# a remark\n" + COLOUR.format(5))
    assert code_fingerprint("merge", [plugin]) == before
    file.write_text(COLOUR.format(6))
    assert code_fingerprint("merge", [plugin]) != before
    file.unlink()
    with pytest.raises(ArtifactError, match=r"decoder './mine.py:RED' is not there"):
        code_fingerprint("merge", [plugin])


def test_the_code_of_an_installed_plug_in_counts_with_the_rest_of_its_package(installed: Path) -> None:
    before = code_fingerprint("merge", ["decoder:tinted"])
    assert {"tinted", "tinted.red", "tinted.shade"} <= covered("merge", ["decoder:tinted"])
    assert "tinted" not in sys.modules, "nothing is imported"
    (installed / "shade.py").write_text("SHADE = 30\n")
    assert code_fingerprint("merge", ["decoder:tinted"]) != before


def test_a_kind_that_does_not_exist_is_named() -> None:
    with pytest.raises(ArtifactError, match="no such kind of plug-in: 'decodr'"):
        code_fingerprint("merge", ["decodr:flow"])


def test_the_default_error_is_one_of_the_configuration() -> None:
    with pytest.raises(ConfigError):
        Table("colour", "xpflow.colours", {}, "fractions:Fraction")["x"]
