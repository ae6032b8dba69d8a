"""A run as it stands, and how much time it still needs: by a clock that the test turns."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from xpflow.display.forecast import Forecast, write_expected
from xpflow.display.job_log import last_lines, read_progress
from xpflow.display.run import Job, Run


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


def job(number: int, rule: str, clock: Clock, *logs: Path, **names: str) -> Job:
    return Job(number, rule, "", names, logs, clock())


def says(log: Path, text: str, at: float) -> None:
    log.write_text(text)
    os.utime(log, (at, at))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("decoding llada-micro micropy-he base: 12/80, 30 s, 0.4/s\n", (12, 80)),
        ("selfdata: 480/544, 40 s, 12.0/s\nselfdata: 544/544, 47 s, 11.6/s\n544 rows\n", (544, 544)),
        ("grpo update 3/40: reward 0.500 kl 0.1\n", (3, 40)),
        ("llada-micro update 50/2400 loss 0.1\n", (50, 2400)),
        ("train llada-micro paper update 10/200: mse_unmasked 0.1\n", (10, 200)),
        ("loaded 3/4\nstep 5 of 6\n", None),
        ("odd: 9/8, 1 s\neven: 0/0, 1 s\n", None),
        ("", None),
    ],
)
def test_progress_is_the_last_that_a_log_tells(text: str, expected: object, tmp_path: Path) -> None:
    says(tmp_path / "log", text, at=2000)
    found = read_progress((tmp_path / "none", tmp_path / "log"), since=1000)
    assert (found and (found.done, found.total)) == expected


def test_the_log_of_an_earlier_run_says_nothing_of_this_one(tmp_path: Path) -> None:
    says(tmp_path / "log", "selfdata: 544/544, 47 s, 11.6/s\n", at=999)
    assert read_progress((tmp_path / "log",), since=1000) is None


def test_what_the_commands_print_is_what_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from xpflow.cli import progress

    monkeypatch.setattr(progress, "EVERY_S", 0.0)
    with progress.progress("decoding llada-micro micropy-he paper+trained") as report:
        report(1, 4)
        report(4, 4)
    (tmp_path / "log").write_text(capsys.readouterr().err)
    found = read_progress((tmp_path / "log",), since=0)
    assert found is not None
    assert (found.done, found.total) == (4, 4)


def test_the_end_of_a_log_is_without_progress(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("first\nselfdata: 1/5, 1 s, 1.0/s\n\nerror: no\n  hint: yes\n")
    assert last_lines(tmp_path / "log", 2) == ["error: no", "  hint: yes"]
    assert last_lines(tmp_path / "none", 2) == []


def test_labels_are_short_and_leave_no_name_out(clock: Clock) -> None:
    names = {"model": "llada-micro", "kind": "base", "seed": "0", "scatteritem": "1-of-2"}
    assert job(1, "decode_shard", clock, **names).label == "decode llada-micro base seed 0 part 1/2"
    assert job(2, "grade_shard", clock, scatteritem="1-of-1").label == "grade"


def test_a_job_s_own_speed_says_how_long_it_needs(clock: Clock, tmp_path: Path) -> None:
    run, log = Run(clock), tmp_path / "log"
    run.plan({"train": 1, "all": 1, "total": 2})
    one = job(1, "train", clock, log)
    run.start(one, None)
    assert run.job_left(one) is None
    says(log, "train: 10/100, 1 s\n", at=1010)
    clock.time = 1010
    run.look()
    assert (one.rate, run.job_left(one)) == (1.0, 90.0)  # from its start on
    says(log, "train: 30/100, 1 s\n", at=1020)
    clock.time = 1025
    [seen] = run.look()
    assert seen.rate == 2.0  # between what was seen
    assert run.job_left(seen) == 30.0  # 35 s from its last line, 5 s ago
    assert run.left([seen]) == 30.0


def test_what_waits_takes_as_long_as_the_same_did(clock: Clock) -> None:
    run = Run(clock)
    run.plan({"decode": 4, "tables": 1, "all": 1, "total": 6})
    assert run.total == 5
    for number in (1, 2):
        run.start(job(number, "decode", clock), None)
    clock.time += 10
    run.finish(1)
    run.finish(2)
    assert run.done == 2
    assert run.left([]) == (10 + 10 + 10) / 2  # two at a time; `tables` as long as the mean


def test_the_last_run_and_the_speed_of_this_one_say_what_is_to_come(clock: Clock, tmp_path: Path) -> None:
    times = tmp_path / "results" / "mine" / "benchmarks"
    write_expected(times, {"decode": 90.0, "tables": 4.0, "merge": 2.0})
    run = Run(clock)
    run.plan({"decode": 2, "tables": 1, "merge_base": 1})
    run.start(job(1, "decode", clock), times / "decode" / "a.tsv")
    assert run.name == "mine"
    assert run.left(run.look()) == 90 + 90 + 4 + 2
    clock.time += 210  # (210 + 30) / (90 + 30): twice as long as expected
    run.finish(1)
    assert run.left([]) == 210 + 2 * (4 + 2)


def test_a_job_that_is_overdue_still_needs_some_time(clock: Clock, tmp_path: Path) -> None:
    write_expected(tmp_path / "benchmarks", {"decode": 10.0})
    run = Run(clock)
    run.plan({"decode": 1})
    one = job(1, "decode", clock)
    run.start(one, tmp_path / "benchmarks" / "a.tsv")
    clock.time += 40
    assert run.job_left(one) is None
    assert run.left([one]) == 10.0


def test_the_study_s_bar_goes_by_time_and_by_jobs_where_time_is_unknown(clock: Clock) -> None:
    run = Run(clock)
    run.plan({"decode": 4})
    assert run.share(None) == 0
    clock.time += 50  # of checks, before the first job
    run.start(job(1, "decode", clock), None)
    clock.time += 10
    run.finish(1)
    assert run.share(None) == 0.25
    assert run.share(30) == 0.25
    assert run.share(0) == 1


def test_nothing_is_promised_where_nothing_is_known(clock: Clock, tmp_path: Path) -> None:
    run = Run(clock)
    run.plan({"decode": 2, "tables": 1})
    run.start(job(1, "decode", clock), tmp_path / "benchmarks" / "a.tsv")
    assert run.left(run.look()) is None


@pytest.mark.parametrize("text", ["", "[]", '{"seconds": 3}', '{"seconds": {"a": "long"}}', "{"])
def test_a_broken_file_of_what_to_expect_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "expected.json").write_text(text)
    forecast = Forecast()
    forecast.read(tmp_path)
    assert forecast.expected == {}


def test_a_job_that_is_tried_again_has_not_failed(clock: Clock) -> None:
    run = Run(clock)
    run.plan({"decode": 1})
    run.start(job(1, "decode", clock), None)
    assert run.fail(1) is not None
    assert list(run.failures) == [1]
    run.start(job(1, "decode", clock), None)
    assert (run.failures, run.waiting) == ({}, {"decode": 0})
    assert run.fail(7) is None
    assert run.finish(7) is None
