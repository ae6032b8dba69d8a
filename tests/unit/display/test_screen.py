"""The display as lines of text: no line is wider than the terminal, and nothing that matters is missing."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from xpflow.display.failure import AGAIN, failure_lines
from xpflow.display.job_log import Reading
from xpflow.display.lines import Lines
from xpflow.display.run import Failure, Job, Run
from xpflow.display.screen import Screen, is_terminal
from xpflow.display.words import LETTERS

NAMES = {"model": "llada-micro", "benchmark": "micropy-he", "kind": "paper+trained", "seed": "0"}


def running(jobs: int = 2) -> Run:
    """A study with some decoding jobs that are half done after 60 s, and as many that wait."""
    run = Run(lambda: 1060.0, name="micro", began=1000.0)
    run.began = 1000.0
    run.plan({"decode_shard": 2 * jobs, "tables": 1})
    for number in range(jobs):
        one = Job(number, "decode_shard", "Decode", {**NAMES, "seed": str(number)}, (), 1000.0)
        one.first, one.last = Reading(0, 80, 1020.0), Reading(40, 80, 1060.0)
        run.start(one, None)
    return run


@pytest.mark.parametrize("width", [10, 20, 40, 60, 80, 100, 200])
@pytest.mark.parametrize("jobs", [1, 2, 30])
def test_no_line_is_wider_than_the_terminal_and_all_fit_into_it(width: int, jobs: int) -> None:
    drawn = [line.plain for line in Screen(running(jobs), io.StringIO()).lines(width, height=12)]
    assert max(map(len, drawn)) <= width
    assert len(drawn) <= 12 - 2


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_study_and_its_jobs_are_there_at_any_width(width: int) -> None:
    study, *jobs = [line.plain for line in Screen(running(), io.StringIO()).lines(width, height=40)]
    assert study.startswith("micro ")
    assert "0 of 4" in study or "0/5" in study or "0 of 5" in study
    assert "left" in study
    assert len(jobs) == 2
    for line in jobs:
        assert line.startswith("  decode")
        assert "50%" in line
        assert "0:40 left" in line
    if width >= 80:
        assert "1.0/s" in jobs[0]
        assert "2 running" in study
        assert [line.rstrip()[-9:] for line in jobs] == ["0:40 left"] * 2  # columns
    if width >= 120:
        assert "decode llada-micro micropy-he paper+trained seed 0" in jobs[0]


def test_a_fault_of_the_display_is_kept_and_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(running(), io.StringIO())
    monkeypatch.setattr(screen.run, "look", lambda: 1 / 0)
    screen.draw()
    assert isinstance(screen.broken, ZeroDivisionError)


def test_a_terminal_that_cannot_move_its_cursor_gets_lines() -> None:
    class Tty(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert is_terminal(Tty(), "xterm")
    assert not is_terminal(Tty(), "dumb")
    assert not is_terminal(Tty(), "")
    assert not is_terminal(io.StringIO(), "xterm")


def test_plain_lines_say_where_the_study_is() -> None:
    stream = io.StringIO()
    lines = Lines(running(), stream)
    lines.tick()
    [line] = stream.getvalue().splitlines()
    assert "0 of 5 jobs done after 1 min 0 s" in line
    assert line.count("50%, 1.0/s, about 40 s left") == 2
    lines.say("hostile \x1b[2J\r text")
    assert "\x1b" not in stream.getvalue()
    assert "\r" not in stream.getvalue()


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("error: wrong\n  hint: set it right\n", "set it right; then run the same command again"),
        ("torch.OutOfMemoryError: CUDA\n", "lower the batch size"),
        ("bash: line 1: 123 Killed\n", "want of memory"),
        ("Traceback (most recent call last):\nKeyError: 'x'\n", AGAIN),
        ("", AGAIN),
    ],
)
def test_a_failure_says_rule_log_and_what_to_do(text: str, cure: str, tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text(text)
    first, *rest, last = failure_lines(
        Failure(Job(3, "train", "", {"seed": "0"}, (log,), 0.0), 61.0), LETTERS
    )
    assert first == "FAILED train seed 0 failed after 1 min 1 s (rule train)"
    assert str(log) in rest[0]
    assert all(line.strip() in "\n".join(rest) for line in text.splitlines())
    assert cure in last
