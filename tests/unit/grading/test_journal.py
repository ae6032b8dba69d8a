"""Verdicts are on disk as they come: a grading that was stopped resumes, under the same conditions only."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from fakes.jails import ADD, fake
from xpflow.errors import ArtifactError, GradingError
from xpflow.grading.grade import Grader
from xpflow.grading.journal import Journal, key_of

ABOUT = {"jail": "fake", "limits": {"cpu_s": 5.0}}


def asked(journal: Journal, words: tuple[str, ...]) -> tuple[list[str], list[int]]:
    """Return the verdicts on programs of the fake worker, and how many were known as each one came."""
    counts: list[int] = []
    with Grader(fake(), workers=1) as grader:
        found = grader.grade([(ADD, word) for word in words], lambda done, _: counts.append(done), journal)
    return [verdict.verdict for verdict in found], counts


def test_what_is_known_is_not_run_again(tmp_path: Path) -> None:
    with Journal(tmp_path / "v.part", ABOUT) as journal:
        assert asked(journal, ("passed", "wrong")) == (["passed", "wrong"], [1, 2])
    with Journal(tmp_path / "v.part", ABOUT) as journal:
        assert asked(journal, ("wrong", "error", "passed")) == (["wrong", "error", "passed"], [3])
        journal.finish()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stop", ["interrupt", "die"])
def test_a_grading_that_is_stopped_has_kept_what_it_found(tmp_path: Path, stop: str) -> None:
    def halt(done: int, total: int) -> None:
        if stop == "interrupt" and done == 2:
            raise KeyboardInterrupt

    items = [(ADD, word) for word in ("passed", "wrong", "error", *(["die"] if stop == "die" else []))]
    with (
        Journal(tmp_path / "v.part", ABOUT) as journal,
        Grader(fake(), workers=1) as grader,
        pytest.raises((KeyboardInterrupt, GradingError)),
    ):
        grader.grade(items, halt, journal)
    with Journal(tmp_path / "v.part", ABOUT) as journal:
        assert len(journal) == (2 if stop == "interrupt" else 3)
        assert asked(journal, ("passed", "wrong", "error"))[0] == ["passed", "wrong", "error"]


def test_a_failure_of_the_machine_is_never_kept(tmp_path: Path) -> None:
    with Journal(tmp_path / "v.part", ABOUT) as journal:
        with Grader(fake(), workers=1, record_infrastructure=True) as grader:
            (verdict,) = grader.grade([(ADD, "die")], None, journal)
        assert verdict.verdict == "infrastructure"
        assert len(journal) == 0


@pytest.mark.parametrize("change", [{"jail": "other"}, {"limits": {"cpu_s": 6.0}}, {"code": "1"}])
def test_other_conditions_begin_again(tmp_path: Path, change: dict[str, Any]) -> None:
    with Journal(tmp_path / "v.part", ABOUT) as journal:
        journal.add("a", {"verdict": "passed"})
    with Journal(tmp_path / "v.part", {**ABOUT, **change}) as journal:
        assert journal.get("a") is None
        journal.add("b", {"verdict": "passed"})
    with Journal(tmp_path / "v.part", {**ABOUT, **change}) as journal:
        assert (len(journal), journal.get("b")) == (1, {"verdict": "passed"})


def test_half_a_line_costs_that_line_only(tmp_path: Path) -> None:
    path = tmp_path / "v.part"
    with Journal(path, ABOUT) as journal:
        for key in "abc":
            journal.add(key, {"verdict": "passed", "reason": "\ud83d\n"})
    whole = path.read_bytes()
    ends = [place for place, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(1, len(whole)):
        path.write_bytes(whole[:cut])
        with Journal(path, ABOUT) as journal:
            known = len(journal)
            assert known == sum(end <= cut for end in ends[1:])
            journal.add("d", {"verdict": "wrong"})
        with Journal(path, ABOUT) as journal:
            assert len(journal) == known + 1
    assert json.loads(whole.splitlines()[1])["outcome"]["reason"] == "\ud83d\n"


def test_an_empty_one_leaves_nothing_and_a_place_that_cannot_be_is_named(tmp_path: Path) -> None:
    with Journal(tmp_path / "v.part", ABOUT):
        assert (tmp_path / "v.part").exists()
    assert not (tmp_path / "v.part").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="cannot write"):
        Journal(tmp_path / "file" / "v.part", ABOUT)


def test_a_new_folder_and_one_that_is_there_hold_it_for_all_who_may_write(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        for name in ("v.part", "w.part"):
            with Journal(tmp_path / "new" / "folder" / name, ABOUT) as journal:
                assert (tmp_path / "new" / "folder" / name).stat().st_mode & 0o777 == 0o666
                journal.finish()
                journal.finish()  # it is gone already
    finally:
        os.umask(before)


def test_a_key_is_of_program_tests_and_mode() -> None:
    assert len({key_of(*parts) for parts in (("a", "b", "c"), ("a", "bc", ""), ("", "ab", "c"))}) == 3
    assert key_of("strict", "t", "\ud83d") == key_of("strict", "t", "\ud83d")
