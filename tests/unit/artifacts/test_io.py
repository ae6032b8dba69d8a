"""Files appear whole or not at all."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import pytest

from xpflow.artifacts import atomic_write_text, atomic_writer, read_jsonl, sha256_file, write_jsonl
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
