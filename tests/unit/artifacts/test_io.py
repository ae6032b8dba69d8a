"""Files appear whole or not at all."""

from __future__ import annotations

import bz2
import errno
import gzip
import hashlib
import lzma
import os
import pickle
import resource
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from xpflow.artifacts import (
    atomic_write_text,
    atomic_writer,
    read_jsonl,
    read_text,
    sha256_file,
    write_jsonl,
)
from xpflow.errors import ArtifactError, ConfigError, XpflowError, nearest


def test_rows_survive_and_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "x" / "a.jsonl", [{"b": 1, "a": "é\u2028\n"}, {}])
    write_jsonl(tmp_path / "b.jsonl", [{"a": "é\u2028\n", "b": 1}, {}])
    assert read_jsonl(tmp_path / "x" / "a.jsonl") == [{"a": "é\u2028\n", "b": 1}, {}]
    assert (tmp_path / "x" / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_a_failed_write_leaves_the_old_file_and_no_trace(tmp_path: Path) -> None:
    atomic_write_text(tmp_path / "a", "old")

    def fail_half_way() -> None:
        with atomic_writer(tmp_path / "a") as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert (tmp_path / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_written_files_have_ordinary_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    atomic_write_text(tmp_path / "atomic", "")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize(
    ("text", "words"), [('{"a": 1}\n{"a"', "line 2: not JSON"), ("[1]\n", "expected a JSON object")]
)
def test_broken_rows_are_named_by_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(ArtifactError, match=words):
        read_jsonl(tmp_path / "a.jsonl")


@pytest.mark.parametrize(
    "text", ["\ud83d", "a\udc80b", "\ude00\ud83d", "\x00\x7f\u2028\u2029\x85\r\n\t", "é€😀"]
)
def test_any_text_comes_back_the_same_and_takes_no_other_row_with_it(tmp_path: Path, text: str) -> None:
    rows = [{"a": "before"}, {text: text}, {"a": "after"}]
    write_jsonl(tmp_path / "a.jsonl", rows)
    assert read_jsonl(tmp_path / "a.jsonl") == rows
    assert (tmp_path / "a.jsonl").read_bytes().decode().count("\n") == 3


def test_a_lone_surrogate_in_a_text_file_is_its_escape(tmp_path: Path) -> None:
    atomic_write_text(tmp_path / "a.md", "x \ud83d y é")
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == "x \\ud83d y é"


ROWS = '{"a": "é€😀"}\n\n{"a": 2}\n'


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=lambda f: f.__module__
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_compressed_files_and_other_encodings_are_read(
    tmp_path: Path, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    (tmp_path / "whatever").write_bytes(pack(ROWS.encode(encoding)))
    assert read_jsonl(tmp_path / "whatever") == [{"a": "é€😀"}, {"a": 2}]
    assert read_text(tmp_path / "whatever") == ROWS


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_may_end_in_any_way(tmp_path: Path, end: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(ROWS.replace("\n", end).encode())
    assert read_jsonl(tmp_path / "a.jsonl") == [{"a": "é€😀"}, {"a": 2}]


def test_files_put_together_keep_their_marks_within(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(2 * '{"a": 1}\n'.encode("utf-8-sig"))
    assert read_jsonl(tmp_path / "a.jsonl") == [{"a": 1}, {"a": 1}]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"a": 1}\n{"a": "caf\xe9"}\n', r"line 2: not UTF-8 \(byte 0xe9 at offset 19\).*\n.*LATIN1"),
        (gzip.compress(b'{"a": 1}\n' * 99)[:-9], "damaged or cut short.*\n.*download it again"),
        (bz2.compress(b'{"a": 1}\n' * 99)[:-9], "damaged or cut short"),
        (lzma.compress(b'{"a": 1}\n' * 99)[:-9], "damaged or cut short"),
        (b"PK\x03\x04 and so on", "a zip archive.*\n.*unpack it"),
        (b"\x28\xb5\x2f\xfd and so on", "compressed with zstd"),
        (b"PAR1 and so on", "is Parquet, not text"),
        (b'[{"a": 1}]\n', "expected a JSON object, found list\n.*no array around"),
        (b'{\n "a": 1\n}\n', "line 1: not JSON.*\n.*one object on each line"),
        (b'{"a": ' + b"1" * 9999 + b"}\n", "line 1: not JSON"),
        (b'{"a": ' + b"[" * 99999 + b"\n", "line 1: not JSON"),
    ],
    ids=range(11),
)
def test_what_cannot_be_read_is_named_and_nobody_is_told_to_delete_it(
    tmp_path: Path, data: bytes, words: str
) -> None:
    (tmp_path / "mine.jsonl").write_bytes(data)
    with pytest.raises(ArtifactError) as caught:
        read_jsonl(tmp_path / "mine.jsonl")
    assert caught.match(words)
    assert "mine.jsonl" in caught.value.message
    assert "delete" not in caught.value.hint


def test_a_stages_own_file_may_be_deleted_and_made_again(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a"')
    (tmp_path / "a.jsonl.manifest.json").write_text("{}")
    with pytest.raises(ArtifactError) as caught:
        read_jsonl(tmp_path / "a.jsonl")
    assert "delete it and run its stage again" in caught.value.hint


def test_places_that_cannot_be_read_or_written_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_jsonl(tmp_path)
    for path in (tmp_path / "file" / "x", tmp_path / ("x" * 300)):
        with pytest.raises(ArtifactError, match="cannot write"):
            atomic_write_text(path, "")
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    with pytest.raises(ArtifactError, match="cannot write"):
        atomic_write_text(tmp_path / "folder", "")
    assert os.listdir(tmp_path / "folder") == ["inner"]


def test_a_file_above_the_limit_of_its_size_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    atomic_write_text(path, "old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(ArtifactError, match="File too large") as caught:
            atomic_write_text(path, "x" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "ulimit -f" in caught.value.hint
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


def test_file_systems_without_modes_and_without_fsync_of_folders_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    def sync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(Path, "chmod", refuse)
    monkeypatch.setattr(os, "fsync", sync)
    atomic_write_text(tmp_path / "rows", "new")
    assert (tmp_path / "rows").read_text() == "new"


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"no such file: .*nothing\.jsonl"):
        read_jsonl(tmp_path / "nothing.jsonl")


def test_hash_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_errors_carry_their_hint_through_text_and_processes() -> None:
    error = pickle.loads(pickle.dumps(ConfigError("no key 'x'", hint="did you mean 'y'?")))
    assert isinstance(error, ConfigError)
    assert str(error) == "no key 'x'\n  hint: did you mean 'y'?"
    assert str(XpflowError("plain")) == "plain"


def test_the_nearest_name_is_offered_or_all_are_listed() -> None:
    assert nearest("flwo", ["flow", "threshold"]) == "did you mean 'flow'?"
    assert nearest("zzz", ["b", "a"]) == "valid: a, b"
