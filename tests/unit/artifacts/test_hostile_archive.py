"""Whatever an archive holds: an ArtifactError, and nothing is written."""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import os
import tarfile
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from xpflow.artifacts.pack import INDEX, unpack
from xpflow.errors import ArtifactError

GOOD = "results/s/study.yaml"
X = hashlib.sha256(b"x").hexdigest()  # every file of these archives holds one byte


def row(path: Any, sha256: Any = X, size: Any = 1) -> dict[str, Any]:
    return {"path": path, "sha256": sha256, "size": size}


def index_of(files: Iterable[Any], left: Any = ()) -> bytes:
    left_out = left if isinstance(left, str | int) else list(left)
    return json.dumps({"schema": 2, "files": list(files), "left_out": left_out}).encode()


def written(folder: Path, members: Iterable[tuple[str, bytes]], form: int = tarfile.USTAR_FORMAT) -> Path:
    """Write an archive with members of any name, in any order, as often as is asked for."""
    archive = folder / "a.tar.xz"
    with (
        lzma.open(archive, "wb", preset=0) as raw,
        tarfile.open(fileobj=raw, mode="w", format=form) as members_of,
    ):
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            members_of.addfile(member, io.BytesIO(data))
    return archive


def refused(archive: Path, into: Path) -> str:
    """Return the error's message; nothing may have been written."""
    before = sorted(into.parent.rglob("*"))
    with pytest.raises(ArtifactError) as caught:
        unpack(archive, into)
    assert sorted(into.parent.rglob("*")) == before
    assert caught.value.message.isprintable()
    return caught.value.message


def of_files(folder: Path, *names: str, form: int = tarfile.USTAR_FORMAT) -> Path:
    """Write an archive that is whole but for what its files are called."""
    return written(folder, [(INDEX, index_of(map(row, names))), *((name, b"x") for name in names)], form)


def of_left(folder: Path, left: Any) -> Path:
    return written(folder, [(INDEX, index_of([row(GOOD)], left)), (GOOD, b"x")])


def test_the_archives_of_these_tests_are_unpacked_where_nothing_is_wrong(tmp_path: Path) -> None:
    left = [row("config/s.yaml"), row("results/s/m/runs/model.safetensors"), row("results/hub/m.json")]
    assert [one.path for one in unpack(of_left(tmp_path, left), tmp_path / "to")] == [GOOD]
    assert [one.path for one in unpack(of_files(tmp_path, GOOD), tmp_path / "new")] == [GOOD]


@pytest.mark.parametrize("name", ["../evil", "/evil", "results/../../evil"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    assert "a member called" in refused(written(tmp_path, [(name, b"evil")]), tmp_path / "to")
    assert "leads outside" in refused(of_files(tmp_path, GOOD, name), tmp_path / "to")


@pytest.mark.parametrize(
    "name",
    [
        ".git/hooks/pre-commit",
        ".bashrc",
        "conftest.py",
        "results",
        "results/README.md",
        "paper_figures/table1.md",
        "Results/s/study.yaml",
        "config/s.yaml",
        "results/s/.git/config",
        "PACK.json",
    ],
)
def test_only_a_study_s_folders_are_written_to(tmp_path: Path, name: str) -> None:
    refused(of_files(tmp_path, GOOD, name), tmp_path / "to")


@pytest.mark.parametrize(
    "name",
    [
        "results/s/./x",
        "results//s/x",
        "results/s/x/",
        "./results/s/x",
        "results/s/a\nb",
        "results/s/\x1b[2J",
        "results/s/\x7f",
        "results/s/\u202egnp.exe",
        "results/s/" + "n" * 300,
        "results/s/" + "é" * 130,
        "results/" + "d/" * 600 + "x",
        "results/s/left-out.json",
        "results/s/left-out.json/x",
    ],
)
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_name_that_is_odd_is_refused(tmp_path: Path, name: str, form: int) -> None:
    try:
        archive = of_files(tmp_path, GOOD, name, form=form)
    except ValueError:
        pytest.skip("no header of this form has room for it")
    refused(archive, tmp_path / "to")


@pytest.mark.parametrize("kind", ["path", "linkpath", "comment"])
def test_a_pax_header_is_refused(tmp_path: Path, kind: str) -> None:
    archive = tmp_path / "a.tar.xz"
    with lzma.open(archive, "wb") as raw, tarfile.open(fileobj=raw, mode="w") as members:
        for name, data in ((INDEX, index_of([row(GOOD)])), (GOOD, b"x")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            member.pax_headers = {kind: "results/s/a\0b"} if name == GOOD else {}
            members.addfile(member, io.BytesIO(data))
    refused(archive, tmp_path / "to")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_a_member_that_is_no_file_is_refused(tmp_path: Path, kind: bytes) -> None:
    archive = tmp_path / "a.tar.xz"
    with lzma.open(archive, "wb") as raw, tarfile.open(fileobj=raw, mode="w") as members:
        member = tarfile.TarInfo(INDEX)
        data = index_of([row(GOOD, hashlib.sha256(b"").hexdigest(), 0)])
        member.size = len(data)
        members.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo(GOOD)
        link.type, link.linkname = kind, "/etc/passwd"
        members.addfile(link)
    refused(archive, tmp_path / "to")


@pytest.mark.parametrize(
    "names",
    [
        ("results/s/a", "results/s/a/b"),
        ("results/s/a/b", "results/s/a"),
        ("results/s/a", "results/s/a-", "results/s/a/b"),
        ("results/s/x", "results/s/x"),
        ("results/s/x", "results/s/./x"),
        ("results/s", "results/s/x"),
    ],
)
def test_files_that_are_in_each_other_s_way_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    refused(of_files(tmp_path, *names), tmp_path / "to")


def test_a_member_that_comes_twice_is_refused(tmp_path: Path) -> None:
    for last in (GOOD, "results/s/./study.yaml", "results/s/other"):
        archive = written(tmp_path, [(INDEX, index_of([row(GOOD)])), (GOOD, b"x"), (last, b"x")])
        refused(archive, tmp_path / "to")


@pytest.mark.parametrize(
    "left",
    [
        [{"path": ""}],
        [row("")],
        [row(["config/s.yaml"])],
        [row(None)],
        [row("config/s.yaml", float("nan"))],
        [row("config/s.yaml", "0" * 63)],
        [row("config/s.yaml", size=float("nan"))],
        [row("config/s.yaml", size=-1)],
        [row("config/s.yaml", size=True)],
        [row("config/s.yaml", size=1 << 60)],
        [{**row("config/s.yaml"), "more": 1}],
        [row("config/s.yaml"), row("config/s.yaml")],
        [row("config"), row("config/s.yaml")],
        [row(f"{GOOD}/x")],
        [row(GOOD)],
        [row("results")],
        [row("results/s")],
        [row("/etc/passwd")],
        [row("config/../../evil")],
        [row("config/a\0b")],
        [row("config/" + "n" * 300)],
        [row("d/" * 3000 + "x")],
        [row("results/s/m/eval/samples.jsonl")],
        [row("results/s/left-out.json")],
        [row("package/cli/audit.py")],
        ["config/s.yaml"],
        "config/s.yaml",
        7,
    ],
    ids=lambda left: repr(left)[:60],
)
def test_a_list_of_what_stayed_that_is_odd_is_refused(tmp_path: Path, left: Any) -> None:
    refused(of_left(tmp_path, left), tmp_path / "to")


def test_a_list_of_what_stayed_that_leads_out_is_refused(tmp_path: Path) -> None:
    left = [row("results/../../evil/x")]
    assert "a file outside" in refused(written(tmp_path, [(INDEX, index_of([], left))]), tmp_path / "to")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"schema": 2}',
        b'{"schema": 3, "files": []}',
        b'{"schema": 2, "files": {}}',
        b'{"schema": 2, "files": [[]]}',
        b'{"schema": NaN, "files": []}',
        index_of([row(["results", "s"])]),
        index_of([row(GOOD, float("nan"))]),
        index_of([row(GOOD, size=float("inf"))]),
        index_of([row(GOOD, size="1")]),
        index_of([{"path": GOOD}]),
        index_of([row(GOOD, size=2)]),
        index_of([row(GOOD, "0" * 64)]),
        index_of([row(GOOD, size=3 << 30)]),
    ],
    ids=lambda data: repr(data)[:60],
)
def test_an_index_of_another_shape_is_refused(tmp_path: Path, data: bytes) -> None:
    refused(written(tmp_path, [(INDEX, data), (GOOD, b"x")]), tmp_path / "to")


def test_no_archive_at_all_is_refused(tmp_path: Path) -> None:
    archive, whole = tmp_path / "a.tar.xz", of_files(tmp_path, GOOD).read_bytes()
    tar = lzma.decompress(whole)
    for data in (b"", b"x" * 5000, tar, whole + b"x", whole + whole, whole[:-1], lzma.compress(tar[:1200])):
        archive.write_bytes(data)
        refused(archive, tmp_path / "to")
    refused(tmp_path, tmp_path / "to")
    refused(tmp_path / "none", tmp_path / "to")


@pytest.mark.parametrize("what", ["pax", "index", "padding", "file"])
def test_a_bomb_is_refused_before_it_is_in_memory(tmp_path: Path, what: str) -> None:
    archive, size = tmp_path / "a.tar.xz", 1 << 27
    index, end = index_of([row(GOOD)]), bytes(10240)
    large = {"pax": tarfile.TarInfo("x"), "index": tarfile.TarInfo(INDEX), "file": tarfile.TarInfo(GOOD)}
    with lzma.open(archive, "wb", preset=0) as raw:
        if what in ("padding", "file"):
            member = tarfile.TarInfo(INDEX)
            member.size = len(index)
            raw.write(member.tobuf(tarfile.USTAR_FORMAT) + index.ljust(-(-len(index) // 512) * 512, b"\0"))
        if what != "padding":
            large[what].size, large[what].type = size, tarfile.XHDTYPE if what == "pax" else tarfile.REGTYPE
            raw.write(large[what].tobuf(tarfile.USTAR_FORMAT))
        else:
            member = tarfile.TarInfo(GOOD)
            member.size = 1
            raw.write(member.tobuf(tarfile.USTAR_FORMAT) + b"x".ljust(512, b"\0"))
        for _ in range(size >> 24):
            raw.write(bytes(1 << 24))
        raw.write(end)
    tracemalloc.start()
    refused(archive, tmp_path / "to")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < size / 4


def test_what_is_in_the_way_is_found_before_anything_is_written(tmp_path: Path) -> None:
    archive, into = of_files(tmp_path, "paper_figures/s/a", GOOD), tmp_path / "to"
    into.write_text("a file")
    refused(archive, into)
    into.unlink()
    into.symlink_to("nowhere")
    refused(archive, into)
    into.unlink()
    for name, put in (
        ("results", "file"),
        ("results/s", "file"),
        (GOOD, "folder"),
        ("results/s/left-out.json", "folder"),
        (GOOD, "file"),
        (GOOD, "link"),
    ):
        place = into / name
        place.parent.mkdir(parents=True)
        if put == "folder":
            place.mkdir()
        elif put == "file":
            place.write_text("mine")
        else:
            os.symlink("nowhere", place)
        refused(archive, into)
        place.rmdir() if put == "folder" else place.unlink()
        for folder in sorted(into.rglob("*"), reverse=True):
            folder.rmdir()
        into.rmdir()
