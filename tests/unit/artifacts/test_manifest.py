"""A manifest is what it was sealed as, or an error that says what is wrong; never a crash, never a wait."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xpflow.artifacts.audit import Scene, audit
from xpflow.artifacts.canonical import canonical, digest
from xpflow.artifacts.io import atomic_write_text
from xpflow.artifacts.manifest import ENDING, LIMIT, checked, read_manifest
from xpflow.artifacts.record import Record, portable, portable_word
from xpflow.errors import ArtifactError

FILE = Path("results/s/a.jsonl")
MANIFEST = Path(f"results/s/a.jsonl{ENDING}")


@pytest.fixture(autouse=True)
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that was merged from a shard, with its manifest, in the working directory."""
    monkeypatch.chdir(tmp_path)
    shard = Path("results/s/parts/a.jsonl")
    atomic_write_text(shard, "{}\n")
    Record("problems", {"benchmark": "a"}).write([shard])
    atomic_write_text(FILE, "{}\n")
    record = Record("merge", {"rows": "a"})
    record.read(shard, temporary=True)
    record.write([FILE])
    return tmp_path


def sealed(change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest's fields and seal it again, as somebody would who knows the format."""
    fields = json.loads(MANIFEST.read_bytes())
    change(fields)
    del fields["digest"]
    MANIFEST.write_bytes(canonical({**fields, "digest": digest(fields)}) + b"\n")


def refused() -> str:
    """Return what is said of the manifest by its reader; the audit says that it is no good, too."""
    with pytest.raises(ArtifactError) as caught:
        read_manifest(MANIFEST)
    bad = {one.path: one.status for one in audit([Path("results/s")], Scene(Path())) if one.status != "good"}
    assert bad[str(MANIFEST)] == "inconsistent"
    with pytest.raises(ArtifactError):
        checked(FILE)
    return caught.value.message


SHAPES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a stage without a name": lambda m: m.update(stage={"command": ["x"]}),
    "no stage": lambda m: m.update(stage={}),
    "a stage that is a number": lambda m: m.update(stage=3),
    "facts that are a number": lambda m: m.update(facts=3),
    "unpinned that is a number": lambda m: m["facts"].update(unpinned=3),
    "git that is a word": lambda m: m["package"].update(git="x"),
    "another schema": lambda m: m.update(schema=2),
    "one field more": lambda m: m.update(more=1),
    "one field less": lambda m: m.pop("facts"),
    "a size that is no whole number": lambda m: m["files"][0].update(size=3.5),
    "a negative size": lambda m: m["files"][0].update(size=-1),
    "no hash": lambda m: m["files"][0].update(sha256="x"),
    "no path": lambda m: m["files"][0].update(path=None),
    "an empty path": lambda m: m["files"][0].update(path=""),
    "a path of another folder": lambda m: m["files"][0].update(path="../a.jsonl"),
    "a path of a folder below": lambda m: m["files"][0].update(path="parts/a.jsonl"),
    "a path with a zero": lambda m: m["files"][0].update(path="a\0"),
    "the folder itself": lambda m: m["files"][0].update(path="."),
    "an absolute input": lambda m: m["inputs"][0].update(path="/etc/passwd"),
    "an input above": lambda m: m["inputs"][0].update(path="results/../../x"),
    "an input's manifest that it does not hold": lambda m: m["inputs"][0].update(manifest="0" * 64),
    "a held manifest of another shape": lambda m: m["inputs"][0].update(record={"files": 3}),
    "a held manifest that was changed": lambda m: m["inputs"][0]["record"].update(code="0" * 12),
}


@pytest.mark.parametrize("name", SHAPES)
def test_another_shape_is_refused_sealed_as_it_may_be(name: str) -> None:
    assert read_manifest(MANIFEST).stage["command"] == "merge"
    sealed(SHAPES[name])
    assert "\n" not in refused()


BYTES = {
    "no JSON": b"{",
    "nothing": b"",
    "another value": b"[]",
    "no UTF-8": b'{"files":"\xff"}',
    "a nest": b"[" * 100_000,
    "a nest in facts": b'{"a":' * 5000 + b"1" + b"}" * 5000,
}
FACTS = {
    "infinity": "1e999",
    "not a number": "NaN",
    "too large": "1" + "0" * 20,
    "half a letter": r'"\ud800"',
}


@pytest.mark.parametrize("name", BYTES)
def test_other_bytes_are_refused(name: str) -> None:
    MANIFEST.write_bytes(BYTES[name])
    refused()


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_that_canonical_json_has_not_is_refused(name: str) -> None:
    MANIFEST.write_bytes(
        MANIFEST.read_bytes().replace(b'"facts":{}', b'"facts":{"x":%s}' % FACTS[name].encode())
    )
    refused()


def test_what_is_no_file_is_refused_and_not_waited_for() -> None:
    MANIFEST.unlink()
    os.mkfifo(MANIFEST)
    refused()
    for target in ("/dev/zero", "/tmp", MANIFEST.name, "nothing"):
        MANIFEST.unlink()
        MANIFEST.symlink_to(target)
        refused()


def test_a_file_without_end_is_refused() -> None:
    with MANIFEST.open("ab") as file:
        file.truncate(LIMIT + 1)
    assert str(LIMIT) in refused()


def test_files_that_are_named_like_places_elsewhere_are_refused(made: Path) -> None:
    for name in ("outside", "package"):
        with pytest.raises(ArtifactError, match="another name"):
            portable(Path(name) / "a.jsonl")


def test_results_on_another_disk_are_named_by_their_own_place(
    made: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    disk = tmp_path_factory.mktemp("disk")
    Path("results").rename(disk / "results")
    Path("results").symlink_to(disk / "results")
    assert portable(FILE) == portable(FILE.absolute()) == str(FILE)
    record = Record("grade")
    record.read(FILE)
    atomic_write_text("results/s/b.jsonl", "{}\n")
    record.write([Path("results/s/b.jsonl")])
    atomic_write_text(FILE, "[]\n")
    found = {
        one.path: one.reason for one in audit([Path("results/s")], Scene(Path())) if one.status == "stale"
    }
    assert found["results/s/b.jsonl"] == f"its input {FILE} changed"


def test_the_working_directory_may_be_reached_by_a_link(
    made: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    link = tmp_path_factory.mktemp("link") / "work"
    link.symlink_to(made)
    assert portable(link / FILE) == str(FILE)


def test_an_output_that_no_manifest_could_name_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for words in (["--out", "outside/w.jsonl"], [f"--out={Path('package/w.jsonl').absolute()}"]):
        monkeypatch.setattr("sys.argv", ["xpflow", "merge", *words])
        with pytest.raises(ArtifactError, match="another name"):
            Record("merge")


def test_two_files_of_one_name_elsewhere_are_both_inputs(tmp_path_factory: pytest.TempPathFactory) -> None:
    record = Record("problems")
    for text in ("1", "2", "2"):
        file = tmp_path_factory.mktemp("data") / "mbpp.jsonl"
        file.write_text(text)
        record.read(file)
    assert len(record.inputs) == 2
    assert all(path.startswith("outside/") and path.endswith("/mbpp.jsonl") for path in record.inputs)
    assert {one.path for one in record.inputs.values()} == set(record.inputs)


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("/home/alice/x", "outside/x"),
        ("../../home/alice/x", "outside/x"),
        ("a=/home/alice/b=c", "a=outside/b=c"),
        ("--a=b=/home/alice/c", "--a=b=outside/c"),
        ("file:///home/alice/x", "file:outside/x"),
        ("[/home/alice/x,/home/alice/y]", "[outside/x,outside/y]"),
        ("/home/al ice/x", "outside/x"),
        (".", "."),
        ("..", ".."),
        ("1/4", "1/4"),
        ("results/s/a.jsonl", "results/s/a.jsonl"),
        ("--shard=1/2", "--shard=1/2"),
        ("org/model", "org/model"),
    ],
)
def test_a_word_of_a_command_says_no_place(word: str, shown: str) -> None:
    assert portable_word(word) == shown
