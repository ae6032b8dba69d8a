"""Whatever is done to a file of a study, the audit names it."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from xpflow.artifacts.audit import STATUSES, Finding, Scene, audit, worst
from xpflow.artifacts.code import code_fingerprint
from xpflow.artifacts.io import atomic_write_text
from xpflow.artifacts.manifest import ENDING, FileRecord, read_manifest, write_manifest
from xpflow.artifacts.record import Record
from xpflow.cli.recording import source_facts
from xpflow.errors import ArtifactError
from xpflow.study.config import StudyConfig


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two stages: `problems` makes a.jsonl and b.jsonl, `grade` reads them and makes two files."""
    monkeypatch.chdir(tmp_path)
    first = Path("results/s/problems")
    for name in ("a", "b"):
        atomic_write_text(first / f"{name}.jsonl", f'{{"task_id": "{name}"}}\n' * 20)
        Record("problems", {"benchmark": name}, {"study": "s", "fingerprint": "1"}).write(
            [first / f"{name}.jsonl"]
        )
    record, folder = Record("grade", {}, {"study": "s", "fingerprint": "2"}), Path("results/s/eval")
    record.read(first / "a.jsonl", first / "b.jsonl")
    for name in ("verdicts", "samples"):
        atomic_write_text(folder / f"{name}.jsonl", f"{name}\n" * 30)
    record.write([folder / "samples.jsonl", folder / "verdicts.jsonl"], "grade")
    return tmp_path


def found(root: Path, **scene: object) -> dict[str, Finding]:
    return {one.path: one for one in audit([root / "results" / "s"], Scene(root, **scene))}  # type: ignore[arg-type]


def bad(root: Path, **scene: object) -> dict[str, str]:
    return {path: one.status for path, one in found(root, **scene).items() if one.status != "good"}


def test_what_nobody_touched_is_good(study: Path) -> None:
    assert bad(study) == {}
    assert len(found(study)) == 4 + 3
    assert worst(found(study).values()) == 0


def test_manifests_hold_no_absolute_path(study: Path) -> None:
    for path in study.rglob(f"*{ENDING}"):
        assert str(study) not in path.read_text()
        assert read_manifest(path).environment["libraries"]["torch"]


@pytest.fixture
def merged(study: Path) -> Path:
    """A file that was merged from a shard; the shard, graded with settings 2 from a.jsonl, is gone."""
    shard, whole = Path("results/s/parts/verdicts.jsonl"), Path("results/s/whole.jsonl")
    record = Record("grade", {}, {"study": "s", "fingerprint": "2"})
    record.read(Path("results/s/problems/a.jsonl"))
    atomic_write_text(shard, "{}\n" * 9)
    manifest = record.write([shard])
    merge = Record("merge", {"rows": "whole"})
    merge.read(shard, temporary=True)
    atomic_write_text(whole, "{}\n" * 9)
    merge.write([whole])
    shard.unlink()
    manifest.unlink()
    return study


def test_what_was_merged_from_shards_is_judged_by_how_they_were_made(
    merged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "results/s/whole.jsonl"
    assert bad(merged) == {}
    other = found(merged, fingerprint=lambda stage: "3" if stage["command"] == "grade" else None)
    assert other[path].reason == "the study's settings for `xpflow grade` changed"
    fingerprints = {"merge": code_fingerprint("merge"), "problems": code_fingerprint("problems")}
    monkeypatch.setattr(
        "xpflow.artifacts.history.code_fingerprint", lambda name, plugins: fingerprints.get(name, "0")
    )
    assert found(merged)[path].reason.startswith("the code behind `xpflow grade` changed")


def test_source_that_no_commit_holds_is_unpinned_until_it_is_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source_state: dict[str, bool]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path("results/s/a.jsonl")
    atomic_write_text(file, "{}\n")
    source_state["changed"] = True
    Record("merge").write([file])
    assert set(bad(tmp_path).values()) == {"unpinned"}
    source_state["changed"] = False  # and the fingerprint says that it is the same code
    assert bad(tmp_path) == {}


def test_a_revision_that_may_move_is_unpinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path("results/s/a.jsonl")
    atomic_write_text(file, "{}\n")
    moving = StudyConfig.model_validate({"problems": {"sources": {"mbpp_revision": "main"}}})
    Record("problems").write([file], **source_facts(moving))
    [finding] = {one.reason for one in found(tmp_path).values()}
    assert "'main' (mbpp_revision)" in finding
    assert set(bad(tmp_path).values()) == {"unpinned"}
    Record("problems").write([file], **source_facts(StudyConfig()))
    assert bad(tmp_path) == {}


def flip(file: Path, draw: random.Random) -> None:
    data = bytearray(file.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    file.write_bytes(data)


def cut(file: Path, draw: random.Random) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: draw.randrange(len(data))])


def delete(file: Path, draw: random.Random) -> None:
    file.unlink()


def add(file: Path, draw: random.Random) -> None:
    file.with_name(f"added{draw.randrange(99)}.jsonl").write_text("{}\n")


def edit(file: Path, draw: random.Random) -> None:
    """Change one field of a manifest and leave the rest."""
    fields = json.loads(file.read_bytes())
    key = draw.choice([key for key in fields if key != "digest"])
    fields[key] = {"forged": draw.random()}
    file.write_text(json.dumps(fields))


@pytest.mark.parametrize("seed", range(150))
@pytest.mark.parametrize("harm", [flip, cut, delete, add])
def test_one_harm_to_one_file_is_named(study: Path, harm: Callable[..., None], seed: int) -> None:
    draw = random.Random(f"{harm.__name__} {seed}")
    files = sorted(path for path in (study / "results").rglob("*") if path.is_file())
    target = draw.choice(files)
    before = {path: path.read_bytes() for path in files}
    harm(target, draw)
    after = {path: path.read_bytes() for path in (study / "results").rglob("*") if path.is_file()}
    assert before != after
    changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    named = bad(study)
    assert named, harm
    if harm is not delete or not target.name.endswith(ENDING):  # of a deleted manifest the files are foreign
        assert {path.relative_to(study).as_posix() for path in changed} <= set(named)


@pytest.mark.parametrize("seed", range(50))
def test_an_edited_manifest_is_named(study: Path, seed: int) -> None:
    draw = random.Random(seed)
    target = draw.choice(sorted(study.rglob(f"*{ENDING}")))
    edit(target, draw)
    assert bad(study)[target.relative_to(study).as_posix()] == "inconsistent"


def test_two_files_that_changed_places_are_both_named(study: Path) -> None:
    one, two = study / "results/s/problems/a.jsonl", study / "results/s/eval/samples.jsonl"
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    assert {"results/s/problems/a.jsonl", "results/s/eval/samples.jsonl"} <= set(bad(study))


def test_a_resealed_manifest_does_not_fit_the_chain_behind_it(study: Path) -> None:
    path = study / f"results/s/problems/a.jsonl{ENDING}"
    write_manifest(path, replace(read_manifest(path), facts={"seed": 7}, ended="2000-01-01T00:00:00+00:00"))
    assert set(bad(study).values()) == {"inconsistent"}


@pytest.mark.parametrize("ended", ["2001-01-01T00:00:00+00:00", "2999-01-01T00:00:00+00:00", ""])
def test_an_input_that_was_made_again_with_another_beside_it_is_stale_whatever_time_it_states(
    study: Path, ended: str
) -> None:
    """One manifest lists both; the content of one of them is the same, but they were read together."""
    folder = Path("results/s/eval")
    record = Record("tables", {}, {"study": "s", "fingerprint": "3"})
    record.read(folder / "samples.jsonl", folder / "verdicts.jsonl")
    atomic_write_text(Path("results/s/table.md"), "|\n")
    record.write([Path("results/s/table.md")])
    assert bad(study) == {}
    atomic_write_text(folder / "samples.jsonl", "others\n")
    path = folder / f"grade{ENDING}"
    files = tuple(FileRecord.of(folder / one.path, one.path) for one in read_manifest(path).files)
    write_manifest(path, replace(read_manifest(path), files=files, ended=ended))
    assert bad(study) == dict.fromkeys(("results/s/table.md", f"results/s/table.md{ENDING}"), "stale")


def test_an_input_made_anew_makes_stale_what_came_from_it(study: Path) -> None:
    first = Path("results/s/problems/a.jsonl")
    atomic_write_text(first, "other\n")
    Record("problems", {"benchmark": "a"}, {"study": "s", "fingerprint": "1"}).write([first])
    assert set(bad(study)) == {
        f"results/s/eval/{name}" for name in ("samples.jsonl", "verdicts.jsonl", f"grade{ENDING}")
    }
    assert set(bad(study).values()) == {"stale"}


def test_changed_settings_make_stale_what_they_made(study: Path) -> None:
    now = {"problems": "1", "grade": "3"}
    named = bad(study, fingerprint=lambda stage: now[stage["command"]])
    assert set(named.values()) == {"stale"}
    assert all(path.startswith("results/s/eval/") for path in named)


def test_changed_code_makes_stale_what_it_made(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xpflow.artifacts.history.code_fingerprint", lambda command, plugins: "0" * 12)
    assert set(bad(study).values()) == {"stale"}


@pytest.mark.parametrize("ended", ["2001-01-01T00:00:00+00:00", "2999-01-01T00:00:00+00:00", ""])
def test_another_manifest_of_the_same_bytes_is_named_whatever_time_it_states(study: Path, ended: str) -> None:
    path = study / f"results/s/problems/a.jsonl{ENDING}"
    write_manifest(path, replace(read_manifest(path), facts={"device": "another"}, ended=ended))
    named = bad(study)
    assert set(named) == {
        f"results/s/eval/{name}" for name in ("samples.jsonl", "verdicts.jsonl", f"grade{ENDING}")
    }
    assert set(named.values()) == {"inconsistent"}


def test_a_weight_that_a_note_excuses_needs_its_manifest(study: Path) -> None:
    path = "results/s/problems/a.jsonl"
    left = {path: read_manifest(study / f"{path}{ENDING}").files[0].sha256}
    (study / path).unlink()
    scene = {"left_out": left, "expected": [path]}
    assert bad(study, **scene) == {path: "left out"}
    (study / f"{path}{ENDING}").unlink()
    assert bad(study, **scene)[path] == "missing"


def test_only_the_study_s_own_list_of_what_a_pack_left_is_no_artifact(study: Path) -> None:
    for folder in ("results/s", "results/s/eval"):
        (study / folder / "left-out.json").write_text("{}")
    assert bad(study, note="results/s/left-out.json") == {"results/s/eval/left-out.json": "foreign"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_cannot_be_read_is_named(study: Path) -> None:
    for path in ("results/s/eval", "results/s/problems/a.jsonl", f"results/s/problems/b.jsonl{ENDING}"):
        (study / path).chmod(0)
        assert bad(study)[path] in ("altered", "inconsistent")
        (study / path).chmod(0o755)


def test_a_folder_that_cannot_be_listed_is_named(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = os.scandir

    def scandir(path: str | os.PathLike[str]) -> object:
        if os.fspath(path).endswith("eval"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert bad(study)["results/s/eval"] == "altered"


def test_an_input_that_cannot_be_read_is_named(study: Path) -> None:
    path = study / "results/s/problems/a.jsonl"
    (study / f"results/s/problems/a.jsonl{ENDING}").unlink()
    path.unlink()
    path.symlink_to(path.name)
    reasons = {one.reason for one in found(study).values() if one.status == "stale"}
    assert reasons == {"its input results/s/problems/a.jsonl is not there"}


def test_a_pipe_in_a_file_s_place_is_not_waited_for(study: Path) -> None:
    path = study / "results/s/problems/a.jsonl"
    path.unlink()
    os.mkfifo(path)
    assert bad(study)["results/s/problems/a.jsonl"] == "altered"


def test_a_study_s_file_counts_by_what_it_gives(study: Path) -> None:
    """A remark in it changes nothing; a change in what it extends does."""
    file, whole = study / "s.yaml", study / "results/s/study.yaml"
    file.write_text("a: 1\n")
    record = Record("config")
    record.read(Path("s.yaml"))
    atomic_write_text(whole, "a: 1\nb: 2\n")
    record.write([Path("results/s/study.yaml")])
    same = hashlib.sha256(whole.read_bytes()).hexdigest()
    file.write_text("a: 1 # remark\n")
    assert bad(study, settled={"s.yaml": same}.get) == {}
    assert set(bad(study, settled={"s.yaml": "0" * 64}.get).values()) == {"stale"}
    assert set(bad(study, settled=lambda path: None).values()) == {"stale"}
    file.write_text("a: 1\n")
    assert bad(study, settled=lambda path: None) == {}


def test_a_file_that_the_study_makes_is_missed_without_its_manifest(study: Path) -> None:
    assert bad(study, expected=["results/s/table1.md"]) == {"results/s/table1.md": "missing"}


def test_a_broken_file_is_refused_where_it_is_read(study: Path) -> None:
    path = Path("results/s/problems/a.jsonl")
    path.write_text("other\n")
    with pytest.raises(ArtifactError, match="not the file that"):
        Record("grade").read(path)


def test_every_status_has_an_exit_code_of_its_own() -> None:
    bad_ones = {status: code for status, code in STATUSES.items() if status not in ("good", "left out")}
    assert len(set(bad_ones.values())) == len(bad_ones)
    assert 0 not in bad_ones.values()
    assert STATUSES["good"] == STATUSES["left out"] == 0
    assert (
        worst([Finding("a", "stale"), Finding("b", "altered"), Finding("c", "good")]) == STATUSES["altered"]
    )
