"""A full disk and a read-only folder end in a clear error, with what was there before untouched."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from xpflow.artifacts.io import atomic_write_bytes, atomic_writer
from xpflow.artifacts.record import Record
from xpflow.errors import ArtifactError


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB; needs the right to mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_said_and_the_old_file_stays(small_disk: Path) -> None:
    target = small_disk / "a.jsonl"
    atomic_write_bytes(target, b"old")
    with pytest.raises(ArtifactError, match="No space left") as caught:
        atomic_write_bytes(target, os.urandom(1 << 20))
    assert "free some disk space" in caught.value.hint
    assert target.read_bytes() == b"old"
    assert [path.name for path in small_disk.iterdir()] == ["a.jsonl"]


def test_a_read_only_disk_is_said(small_disk: Path) -> None:
    target = small_disk / "a.jsonl"
    atomic_write_bytes(target, b"old")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(ArtifactError, match="Read-only"):
        atomic_write_bytes(target, b"new")
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_every_such_failure_has_a_hint(tmp_path: Path, number: int) -> None:
    with pytest.raises(ArtifactError) as caught, atomic_writer(tmp_path / "a"):
        raise OSError(number, os.strerror(number))
    assert "what was there before stays" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_clock_that_jumps_back_makes_nothing_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are told, never compared to decide what is stale."""
    from xpflow.artifacts.audit import Scene, audit

    monkeypatch.chdir(tmp_path)
    times = iter(
        ["2030-01-01T00:00:00+00:00", "2030-01-01T00:00:01+00:00", "1999-01-01T00:00:00+00:00", "1999"]
    )
    monkeypatch.setattr("xpflow.artifacts.record.now", lambda: next(times))
    first, second = Path("results/s/a.jsonl"), Path("results/s/b.jsonl")
    for file, inputs in ((first, []), (second, [first])):
        record = Record("merge")
        record.read(*inputs)
        atomic_write_bytes(file, b"{}\n")
        record.write([file])
    findings = list(audit([Path("results/s")], Scene(Path())))
    assert {one.status for one in findings} == {"good"}
