"""What one checkout made, another takes: the same bytes, or nothing."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from xpflow.artifacts.audit import Scene, audit
from xpflow.artifacts.io import atomic_write_text
from xpflow.artifacts.manifest import ENDING, Manifest, read_manifest
from xpflow.artifacts.record import Record
from xpflow.artifacts.shared_cache import SharedCache, key_of
from xpflow.cli import main
from xpflow.errors import ArtifactError

OUT = Path("results/s/aligned")


def started(seed: int = 0, fingerprint: str = "1", data: str = "data\n") -> Record:
    """Return the record of an alignment that has read its data, in the working directory."""
    made, source = (
        Record("selfdata", {"seed": seed}, {"study": "s", "fingerprint": "0"}),
        Path("results/s/d.jsonl"),
    )
    if not source.exists() or source.read_text() != data:
        atomic_write_text(source, data)
        made.write([source])
    record = Record("train", {"seed": seed}, {"study": "s", "fingerprint": fingerprint})
    record.read(source)
    return record


def finished(record: Record) -> Path:
    """Do what an alignment does: write weights and log, and their manifest."""
    atomic_write_text(OUT / "model.safetensors", "weights " * 1000)
    atomic_write_text(OUT / "log.jsonl", "{}\n")
    return record.write([OUT / "model.safetensors", OUT / "log.jsonl"], "train", seed=7)


@pytest.fixture
def in_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that goes to a checkout's folder."""

    def go(name: str) -> Path:
        (tmp_path / name).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / name)
        return tmp_path / name

    return go


@pytest.fixture
def cache(tmp_path: Path) -> SharedCache:
    return SharedCache(tmp_path / "cache")


@pytest.fixture
def filled(cache: SharedCache, in_checkout: Callable[[str], Path]) -> SharedCache:
    """The cache after the first checkout's alignment; the working directory is the second checkout's."""
    in_checkout("first")
    assert cache.take(record := started(), OUT, "train") is None
    assert cache.put(finished(record)) == key_of(record)
    in_checkout("second")
    return cache


def weights(cache: SharedCache) -> Path:
    [found] = cache.folder.glob("??/*/model.safetensors")
    return found


def test_another_checkout_takes_the_same_bytes(filled: SharedCache, tmp_path: Path) -> None:
    record = started()
    taken = filled.take(record, OUT, "train")
    assert taken is not None
    for name in ("model.safetensors", "log.jsonl"):
        assert (OUT / name).read_bytes() == (tmp_path / "first" / OUT / name).read_bytes()
    maker = read_manifest(tmp_path / "first" / OUT / f"train{ENDING}")
    assert taken == read_manifest(OUT / f"train{ENDING}")
    assert taken.facts == {
        "seed": 7,
        "reused": {"manifest": maker.digest, "started": maker.started, "ended": maker.ended},
    }
    assert taken.environment == maker.environment
    assert taken.inputs == record.manifest(()).inputs


def test_what_was_taken_audits_good(filled: SharedCache, tmp_path: Path) -> None:
    filled.take(started(), OUT, "train")
    findings = audit([tmp_path / "second" / "results" / "s"], Scene(tmp_path / "second"))
    assert {one.status for one in findings} == {"good"}


@pytest.mark.parametrize(
    "other",
    [{"seed": 1}, {"fingerprint": "2"}, {"data": "other data\n"}],
    ids=lambda other: next(iter(other)),
)
def test_another_seed_setting_or_input_is_another_entry(filled: SharedCache, other: dict[str, str]) -> None:
    assert filled.take(started(**other), OUT, "train") is None  # type: ignore[arg-type]
    assert not OUT.exists()


def test_other_code_or_software_is_another_entry(
    filled: SharedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = started()
    record.code = "0" * 12
    assert filled.take(record, OUT, "train") is None
    monkeypatch.setattr(
        "xpflow.artifacts.shared_cache.environment_facts", lambda: {"libraries": {"torch": "0.1"}}
    )
    assert filled.take(started(), OUT, "train") is None


def test_another_study_s_same_stage_is_the_same_entry(filled: SharedCache) -> None:
    record = started()
    record.config["study"] = "t"
    assert filled.take(record, Path("results/t/aligned"), "train") is not None


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize("harm", [flip, cut, Path.unlink])
@pytest.mark.parametrize("name", ["model.safetensors", "log.jsonl", f"train{ENDING}"])
def test_a_damaged_entry_is_not_taken_and_is_replaced(
    filled: SharedCache, harm: Callable[[Path], None], name: str
) -> None:
    harm(weights(filled).with_name(name))
    [entry] = filled.entries()
    assert entry.flaw
    record = started()
    assert filled.take(record, OUT, "train") is None
    assert not (OUT / f"train{ENDING}").exists()
    assert filled.put(finished(record)) == key_of(record)
    [entry] = filled.entries()
    assert entry.flaw == ""
    assert filled.take(started(), OUT, "train") is not None


def test_an_entry_under_another_s_key_is_not_taken(filled: SharedCache) -> None:
    place = weights(filled).parent
    wrong = key_of(started(seed=1))
    (filled.folder / wrong[:2]).mkdir(exist_ok=True)
    shutil.copytree(place, filled.folder / wrong[:2] / wrong)
    assert filled.take(started(seed=1), OUT, "train") is None
    assert "another key" in filled.entry(wrong).flaw


def test_the_second_to_make_it_adds_nothing(filled: SharedCache) -> None:
    before = {path: path.stat().st_mtime_ns for path in filled.folder.rglob("*")}
    assert filled.put(finished(started())) is None
    assert {path: path.stat().st_mtime_ns for path in filled.folder.rglob("*")} == before


def test_what_changed_since_its_manifest_is_not_shared(
    cache: SharedCache, in_checkout: Callable[[str], Path]
) -> None:
    in_checkout("first")
    manifest = finished(started())
    flip(OUT / "model.safetensors")
    with pytest.raises(ArtifactError, match="changed while it was shared"):
        cache.put(manifest)
    assert list(cache.entries()) == []
    assert list(cache.folder.glob("??/.*")) == []


def test_cleaning_removes_damage_and_what_a_killed_job_left(filled: SharedCache) -> None:
    flip(weights(filled))
    left = filled.folder / "ab" / ".ab0123456789.left"
    left.mkdir(parents=True)
    (left / "model.safetensors").write_text("half")
    assert len(filled.clean()) == 1
    assert left.exists(), "it may be a job's that runs now"
    os.utime(left, (0, time.time() - 2 * 86400))
    assert filled.clean() == []
    assert not left.exists()
    assert list(filled.entries()) == []


def test_what_is_no_entry_is_left_alone(
    filled: SharedCache, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """XPFLOW_CACHE may be set to a folder of other things by mistake."""
    ours = list(filled.entries())
    for name in ("ab/foo/precious", "go/google/precious", "ml/.git/config", f"ab/{'0' * 64}/precious"):
        (filled.folder / name).parent.mkdir(parents=True)
        (filled.folder / name).write_text("x")
        os.utime((filled.folder / name).parent, (0, 0))
    (filled.folder / "cd").mkdir()
    (filled.folder / "cd" / ("cd" * 32)).symlink_to(filled.folder / "go" / "google")
    before = sorted(path for path in filled.folder.rglob("precious"))
    assert list(filled.entries()) == ours
    assert filled.clean() == []
    assert sorted(path for path in filled.folder.rglob("precious")) == before
    assert (filled.folder / "ml/.git/config").exists()
    monkeypatch.setenv("XPFLOW_CACHE", str(filled.folder))
    assert main(["cache", "remove", "foo"]) == 2
    assert "0 entries begin with 'foo'" in capsys.readouterr().err


def test_an_entry_can_name_no_file_of_another_folder(filled: SharedCache) -> None:
    manifest = weights(filled).parent / f"train{ENDING}"
    evil = replace(read_manifest(manifest).files[0], path="../../evil")
    (filled.folder / "evil").write_bytes(weights(filled).read_bytes())
    manifest.write_bytes(replace(read_manifest(manifest), files=(evil,)).sealed().to_bytes())
    assert filled.take(started(), OUT, "train") is None
    assert not list(OUT.parents[1].rglob("evil"))
    [entry] = filled.entries()
    assert "files.0.path" in entry.flaw


def test_no_cache_without_the_variable() -> None:
    assert SharedCache.of_environment({}) is None
    found = SharedCache.of_environment({"XPFLOW_CACHE": "somewhere"})
    assert found is not None
    assert found.folder == Path("somewhere")


def test_the_maker_s_software_stays_in_the_manifest(
    filled: SharedCache, in_checkout: Callable[[str], Path]
) -> None:
    """Who made the weights is told by the maker's package and environment, not the taker's."""
    place = weights(filled).parent / f"train{ENDING}"
    maker: Manifest = replace(read_manifest(place), package={"name": "xpflow", "version": "0.0.maker"})
    place.write_bytes(maker.sealed().to_bytes())
    taken = filled.take(started(), OUT, "train")
    assert taken is not None
    assert taken.package["version"] == "0.0.maker"


def test_the_command_lists_and_cleans(
    filled: SharedCache, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XPFLOW_CACHE", str(filled.folder))
    assert main(["cache", "list"]) == 0
    assert "train seed=0" in capsys.readouterr().out
    flip(weights(filled))
    assert main(["cache", "list"]) == 1
    assert "damaged" in capsys.readouterr().out
    assert main(["cache", "clean"]) == 0
    assert "1 damaged" in capsys.readouterr().out
    assert main(["cache", "list"]) == 0
    monkeypatch.delenv("XPFLOW_CACHE")
    assert main(["cache", "list"]) == 2
    assert "XPFLOW_CACHE" in capsys.readouterr().err
