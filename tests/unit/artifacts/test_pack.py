"""A pack gives back what went in, the same bytes each time, and refuses what was tampered with."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from xpflow.artifacts.audit import Scene, audit
from xpflow.artifacts.io import atomic_write_text
from xpflow.artifacts.left_out import NOTE, absent, left_behind, note_of, read_note
from xpflow.artifacts.manifest import ENDING, FileRecord, InputRecord, read_manifest, write_manifest
from xpflow.artifacts.pack import pack, small_files, unpack
from xpflow.artifacts.record import Record
from xpflow.errors import ArtifactError


@pytest.fixture
def study(tmp_path: Path) -> Path:
    for name, text in {
        "results/s/study.yaml": "study: {}\n",
        "results/s/m/eval/samples.jsonl": "{}\n" * 500,
        "results/s/m/runs/model.safetensors": "weights",
        "results/s/logs/a.log": "log",
        "paper_figures/s/table1.md": "| 1 |\n",
    }.items():
        (tmp_path / "from" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "from" / name).write_text(text)
    return tmp_path / "from"


@pytest.fixture
def trained(study: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The study with manifests of its weights, and of data that a pack leaves out for its length."""
    monkeypatch.chdir(study)
    data, weights = Path("results/s/m/selfdata/seed0.jsonl"), Path("results/s/m/runs/model.safetensors")
    atomic_write_text(data, "{}\n")
    Record("selfdata").write([data])
    record, config = Record("train"), Path("config/s.yaml")
    atomic_write_text(config, "study: {}\n")
    record.read(data, config)
    record.write([weights], "train")
    return study


def packed(study: Path, out: Path) -> Path:
    pack(small_files([study / "results/s", study / "paper_figures/s"], study), study, out)
    return out


def test_what_is_small_comes_back_and_weights_and_logs_stay(study: Path, tmp_path: Path) -> None:
    records = unpack(packed(study, tmp_path / "a.tar.xz"), tmp_path / "to")
    names = ["paper_figures/s/table1.md", "results/s/m/eval/samples.jsonl", "results/s/study.yaml"]
    assert [record.path for record in records] == names
    for name in names:
        assert (tmp_path / "to" / name).read_bytes() == (study / name).read_bytes()


def test_what_was_left_behind_is_listed_and_is_not_missing(trained: Path, tmp_path: Path) -> None:
    unpack(packed(trained, tmp_path / "a.tar.xz"), tmp_path / "to")
    folder = tmp_path / "to/results/s"
    assert [(one.path, one.size) for one in read_note(folder)] == [
        ("config/s.yaml", 10),
        ("results/s/m/runs/model.safetensors", 7),
        ("results/s/m/selfdata/seed0.jsonl", 3),
    ]
    scene = Scene(tmp_path / "to", left_out=absent(folder, tmp_path / "to"))
    found = {one.path: one.status for one in audit([folder / "m"], scene)}
    assert found == {
        "results/s/m/runs/model.safetensors": "left out",
        f"results/s/m/runs/train{ENDING}": "good",
        "results/s/m/selfdata/seed0.jsonl": "left out",
        f"results/s/m/selfdata/seed0.jsonl{ENDING}": "good",
        "results/s/m/eval/samples.jsonl": "foreign",
    }


def test_what_was_left_behind_and_is_there_now_is_compared(trained: Path, tmp_path: Path) -> None:
    unpack(packed(trained, tmp_path / "a.tar.xz"), tmp_path / "to")
    folder = tmp_path / "to/results/s"
    atomic_write_text(tmp_path / "to/config/s.yaml", "study: {name: other}\n")
    scene = Scene(tmp_path / "to", left_out=absent(folder, tmp_path / "to"))
    manifest = [one for one in audit([folder / "m/runs"], scene) if one.path.endswith(ENDING)]
    assert [(one.status, one.reason) for one in manifest] == [("stale", "its input config/s.yaml changed")]


def test_a_file_that_was_missing_already_was_not_left_behind(trained: Path, tmp_path: Path) -> None:
    (trained / "results/s/m/runs/model.safetensors").unlink()
    unpack(packed(trained, tmp_path / "a.tar.xz"), tmp_path / "to")
    note = read_note(tmp_path / "to/results/s")
    assert [one.path for one in note] == ["config/s.yaml", "results/s/m/selfdata/seed0.jsonl"]


def test_a_pack_of_a_pack_still_knows_what_was_left_behind(trained: Path, tmp_path: Path) -> None:
    unpack(packed(trained, tmp_path / "a.tar.xz"), tmp_path / "to")
    assert packed(tmp_path / "to", tmp_path / "b.tar.xz").read_bytes() == (tmp_path / "a.tar.xz").read_bytes()


def test_a_changed_note_is_refused(trained: Path, tmp_path: Path) -> None:
    unpack(packed(trained, tmp_path / "a.tar.xz"), tmp_path / "to")
    note = tmp_path / "to/results/s" / NOTE
    data = note.read_bytes()
    for place in range(0, len(data), 7):
        note.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(ArtifactError):
            read_note(note.parent)


def test_the_same_files_give_the_same_bytes(study: Path, tmp_path: Path) -> None:
    first = packed(study, tmp_path / "a.tar.xz").read_bytes()
    for file in study.rglob("*"):
        if file.is_file():
            file.touch()
    assert packed(study, tmp_path / "b.tar.xz").read_bytes() == first


@pytest.mark.parametrize("seed", range(40))
def test_a_flipped_byte_is_refused_and_nothing_is_written(study: Path, tmp_path: Path, seed: int) -> None:
    archive = packed(study, tmp_path / "a.tar.xz")
    data = bytearray(archive.read_bytes())
    data[random.Random(seed).randrange(len(data))] ^= 1 << random.Random(seed).randrange(8)
    archive.write_bytes(data)
    with pytest.raises(ArtifactError):
        unpack(archive, tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_a_file_with_another_content_is_not_overwritten(study: Path, tmp_path: Path) -> None:
    archive, there = packed(study, tmp_path / "a.tar.xz"), tmp_path / "to/results/s/study.yaml"
    there.parent.mkdir(parents=True)
    there.write_text("mine\n")
    with pytest.raises(ArtifactError, match="there already"):
        unpack(archive, tmp_path / "to")
    assert there.read_text() == "mine\n"
    assert not (tmp_path / "to/paper_figures").exists()


def test_what_stays_is_recorded_as_it_is_and_not_as_its_manifest_has_it(trained: Path) -> None:
    weights = "results/s/m/runs/model.safetensors"
    Path(weights).write_text("Weights")
    left = {one.path: one for one in left_behind(small_files([Path("results/s")], Path()), Path())}
    assert left[weights] == FileRecord.of(Path(weights), weights)


@pytest.mark.parametrize(
    "name", ["m/runs/model.safetensors", "m/selfdata/seed0.jsonl", f"m/runs/train{ENDING}"]
)
@pytest.mark.parametrize("what", ["longer", "flipped"])
def test_a_changed_file_is_not_packed_whether_it_goes_or_stays(
    trained: Path, tmp_path: Path, name: str, what: str
) -> None:
    file = Path("results/s", name)
    data = file.read_bytes()
    file.write_bytes(data + b" " if what == "longer" else bytes([data[0] ^ 1]) + data[1:])
    with pytest.raises(ArtifactError) as caught:
        packed(trained, tmp_path / "a.tar.xz")
    assert str(file) in str(caught.value)
    assert not (tmp_path / "a.tar.xz").exists()


def test_what_was_left_elsewhere_is_noted_where_nothing_large_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tmp_path / "from"
    study.mkdir()
    monkeypatch.chdir(study)
    atomic_write_text(Path("s.yaml"), "study: {}\n")
    atomic_write_text(Path("results/s/study.yaml"), "study: {}\n")
    record = Record("config")
    record.read(Path("s.yaml"))
    record.write([Path("results/s/study.yaml")])
    unpack(packed_results(study, tmp_path / "a.tar.xz"), tmp_path / "to")
    folder = tmp_path / "to/results/s"
    assert [one.path for one in read_note(folder)] == ["s.yaml"]
    monkeypatch.chdir(tmp_path / "to")
    scene = Scene(Path(), left_out=absent(folder, Path()), note=note_of("s"))
    assert {one.status for one in audit([Path("results/s")], scene)} == {"good"}


def packed_results(root: Path, out: Path) -> Path:
    pack(small_files([root / "results/s"], root), root, out)
    return out


def test_what_was_read_of_another_study_s_folder_is_on_the_note_of_this_one(
    trained: Path, tmp_path: Path
) -> None:
    other, log = Path("results/hub/m.json"), Path("results/s/m/log.jsonl")
    atomic_write_text(other, "{}\n")
    atomic_write_text(log, "{}\n")
    record = Record("trace")
    record.read(other)
    record.write([log])
    unpack(packed(trained, tmp_path / "a.tar.xz"), tmp_path / "to")
    assert str(other) in [one.path for one in read_note(tmp_path / "to/results/s")]
    assert not (tmp_path / "to/results/hub").exists()


@pytest.mark.parametrize("name", ["selfdata", "logs", "parts", "benchmarks"])
def test_a_study_or_an_arm_may_be_called_as_a_folder_that_stays(tmp_path: Path, name: str) -> None:
    files = [
        f"paper_figures/{name}/table1.md",
        f"results/{name}/m/eval/b/{name}/1-4/seed0/samples.jsonl",
        f"results/{name}/study.yaml",
    ]
    stays = [f"results/{name}/{one}" for one in ("logs/a", "benchmarks/a", "m/parts/a", "m/selfdata/a")]
    for file in (*files, *stays):
        atomic_write_text(tmp_path / file, "1")
    folders = [tmp_path / "results" / name, tmp_path / "paper_figures" / name]
    assert [path.as_posix() for path in small_files(folders, tmp_path)] == files


@pytest.mark.parametrize("target", ["/etc/passwd", "/etc", "nowhere"])
def test_a_link_is_not_followed(study: Path, tmp_path: Path, target: str) -> None:
    (study / "results/s/notes.txt").symlink_to(target)
    with pytest.raises(ArtifactError, match=r"results/s/notes\.txt is a link"):
        packed(study, tmp_path / "a.tar.xz")


def test_weights_may_be_links_for_they_stay(trained: Path, tmp_path: Path) -> None:
    weights = Path("results/s/m/runs/model.safetensors")
    weights.rename(tmp_path / "disk")
    weights.symlink_to(tmp_path / "disk")
    unpack(packed(trained, tmp_path / "a.tar.xz"), tmp_path / "to")
    assert str(weights) in [one.path for one in read_note(tmp_path / "to/results/s")]


@pytest.mark.parametrize(
    "name", ["n" * 200, "\udcff", "a\nb", "\x1b[2J", "d" * 200 + "/x", ".git/config", "left-out.json/x"]
)
def test_a_name_that_could_not_be_unpacked_is_not_packed(study: Path, tmp_path: Path, name: str) -> None:
    file = study / "results/s" / name
    file.parent.mkdir(exist_ok=True)
    Path(os.fsdecode(os.fsencode(file))).write_text("x")
    with pytest.raises(ArtifactError):
        packed(study, tmp_path / "a.tar.xz")
    assert not list(tmp_path.glob("*a.tar.xz*"))


def test_a_file_that_changes_while_it_is_packed_gives_no_archive(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = FileRecord.of

    def then_changed(file: Path, path: str) -> FileRecord:
        found = once(file, path)
        if path.endswith("samples.jsonl"):
            file.write_text("{ }\n" * 500)
        return found

    monkeypatch.setattr(FileRecord, "of", then_changed)
    with pytest.raises(ArtifactError, match=r"samples\.jsonl changed"):
        packed(study, tmp_path / "a.tar.xz")
    assert not list(tmp_path.glob("*a.tar.xz*"))


def test_nothing_makes_no_archive(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="nothing to pack"):
        pack([], tmp_path, tmp_path / "a.tar.xz")
    assert not (tmp_path / "a.tar.xz").exists()


def test_an_archive_s_place_that_is_a_folder_or_below_a_file_is_refused(study: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    for out in (tmp_path / "folder", tmp_path / "file/a.tar.xz"):
        with pytest.raises(ArtifactError):
            packed(study, out)
    assert list((tmp_path / "folder").iterdir()) == []


@pytest.mark.parametrize("path", ["../../../../secret", "/etc/passwd", "a\0b", "", ["x"], 7])
@pytest.mark.parametrize("field", ["files", "inputs"])
def test_a_manifest_that_names_what_is_elsewhere_is_not_packed(
    trained: Path, tmp_path: Path, path: Any, field: str
) -> None:
    manifest = Path(f"results/s/m/runs/train{ENDING}")
    rows = {"files": (FileRecord(path, "0" * 64, 1),), "inputs": (InputRecord(path, "0" * 64, 1),)}
    write_manifest(manifest, replace(read_manifest(manifest), **{field: rows[field]}))  # type: ignore[arg-type]
    with pytest.raises(ArtifactError, match="no manifest of ours"):
        packed(trained, tmp_path / "a.tar.xz")


def test_a_file_of_another_place_may_have_any_name(
    trained: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = tmp_path_factory.mktemp("data") / "mbpp\u00a02.jsonl"
    data.write_text("{}\n")
    record, out = Record("problems"), Path("results/s/problems.jsonl")
    record.read(data)
    atomic_write_text(out, "{}\n")
    record.write([out])
    packed(trained, tmp_path / "a.tar.xz")
