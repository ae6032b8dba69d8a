"""A pack gives back what went in, the same bytes each time, and refuses what was tampered with."""

from __future__ import annotations

import io
import lzma
import random
import tarfile
from pathlib import Path

import pytest

from xpflow.artifacts.audit import Scene, audit
from xpflow.artifacts.canonical import canonical
from xpflow.artifacts.io import atomic_write_text
from xpflow.artifacts.left_out import NOTE, absent, read_note
from xpflow.artifacts.manifest import ENDING
from xpflow.artifacts.pack import INDEX, pack, small_files, unpack
from xpflow.artifacts.record import Record
from xpflow.errors import ArtifactError


@pytest.fixture
def study(tmp_path: Path) -> Path:
    for name, text in {
        "results/s/study.yaml": "study: {}\n",
        "results/s/m/eval/samples.jsonl": "{}\n" * 500,
        "results/s/m/aligned/model.safetensors": "weights",
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
    data, weights = Path("results/s/m/selfdata/seed0.jsonl"), Path("results/s/m/aligned/model.safetensors")
    atomic_write_text(data, "{}\n")
    Record("selfdata").write([data])
    record, config = Record("align"), Path("config/s.yaml")
    atomic_write_text(config, "study: {}\n")
    record.read(data, config)
    record.write([weights], "align")
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
        ("results/s/m/aligned/model.safetensors", 7),
        ("results/s/m/selfdata/seed0.jsonl", 3),
    ]
    scene = Scene(tmp_path / "to", left_out=absent(folder, tmp_path / "to"))
    found = {one.path: one.status for one in audit([folder / "m"], scene)}
    assert found == {
        "results/s/m/aligned/model.safetensors": "left out",
        f"results/s/m/aligned/align{ENDING}": "good",
        "results/s/m/selfdata/seed0.jsonl": "left out",
        f"results/s/m/selfdata/seed0.jsonl{ENDING}": "good",
        "results/s/m/eval/samples.jsonl": "foreign",
    }


def test_what_was_left_behind_and_is_there_now_is_compared(trained: Path, tmp_path: Path) -> None:
    unpack(packed(trained, tmp_path / "a.tar.xz"), tmp_path / "to")
    folder = tmp_path / "to/results/s"
    atomic_write_text(tmp_path / "to/config/s.yaml", "study: {name: other}\n")
    scene = Scene(tmp_path / "to", left_out=absent(folder, tmp_path / "to"))
    manifest = [one for one in audit([folder / "m/aligned"], scene) if one.path.endswith(ENDING)]
    assert [(one.status, one.reason) for one in manifest] == [("stale", "its input config/s.yaml changed")]


def test_a_file_that_was_missing_already_was_not_left_behind(trained: Path, tmp_path: Path) -> None:
    (trained / "results/s/m/aligned/model.safetensors").unlink()
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


@pytest.mark.parametrize("name", ["../evil", "/evil", "results/../../evil"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "a.tar.xz"
    with lzma.open(archive, "wb") as raw, tarfile.open(fileobj=raw, mode="w") as members:
        member = tarfile.TarInfo(name)
        member.size = 4
        members.addfile(member, io.BytesIO(b"evil"))
    with pytest.raises(ArtifactError, match="a member called"):
        unpack(archive, tmp_path / "to")


def test_a_list_of_what_stayed_that_leads_out_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.xz"
    left = [{"path": "results/../../evil/x", "sha256": "0" * 64, "size": 1}]
    data = canonical({"schema": 2, "files": [], "left_out": left})
    with lzma.open(archive, "wb") as raw, tarfile.open(fileobj=raw, mode="w") as members:
        member = tarfile.TarInfo(INDEX)
        member.size = len(data)
        members.addfile(member, io.BytesIO(data))
    with pytest.raises(ArtifactError, match="a file outside"):
        unpack(archive, tmp_path / "to")
    assert not (tmp_path / "evil").exists()


def test_a_file_with_another_content_is_not_overwritten(study: Path, tmp_path: Path) -> None:
    archive, there = packed(study, tmp_path / "a.tar.xz"), tmp_path / "to/results/s/study.yaml"
    there.parent.mkdir(parents=True)
    there.write_text("mine\n")
    with pytest.raises(ArtifactError, match="there already"):
        unpack(archive, tmp_path / "to")
    assert there.read_text() == "mine\n"
    assert not (tmp_path / "to/paper_figures").exists()
