"""The display on a terminal, captured at five moments, and in a pipe: of jobs that wait for the test."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.terminal import Terminal
from xpflow.display.forecast import write_expected

# Two jobs that tell how far they are, each at the test's pace, and one that comes after them.
SNAKEFILE = """
rule all:
    input: "done/report"

rule decode_shard:
    output: touch("done/{model}.{scatteritem}")
    log: "results/small/logs/decode_shard/{model}.{scatteritem}.log"
    benchmark: "results/small/benchmarks/decode_shard/{model}.{scatteritem}.tsv"
    message: "Decode with {wildcards.model}, part {wildcards.scatteritem}"
    shell: "PYTHON job.py {wildcards.scatteritem} 10 > {log} 2>&1"

rule tables:
    input: expand("done/llada-micro.{part}", part=["1-of-2", "2-of-2"])
    output: touch("done/report")
    log: "results/small/logs/tables.log"
    benchmark: "results/small/benchmarks/tables.tsv"
    message: "Write the tables"
    shell: "PYTHON job.py tables 0 > {log} 2>&1"
"""
JOB = """
import sys, time
from pathlib import Path

name, steps = sys.argv[1], int(sys.argv[2])

def wait_for(gate):
    while not Path("gates", gate).exists():
        time.sleep(0.02)

for step in range(1, steps + 1):
    wait_for(f"{name}.{step}")
    print(f"decoding llada-micro: {step}/{steps}, 1 s, 1.0/s", flush=True)
wait_for(name)
if Path("gates", f"{name}.fails").exists():
    print("error: the model is too hot\\n  hint: open a window")
    sys.exit(2)
"""
BAR, LEFT = "[━─]{8,}", r"(?:\d+:\d\d left|for \d+:\d\d|finishing)"
ABOUT = r"(?:about \d+ (?:s|min)|a few seconds)"
# Every line that may stand on the screen, at any width.
WHOLE = re.compile(
    r"3 jobs to do"
    rf"|small {BAR} \d of 3 done(?: · \d running)?(?: · \d+:\d\d)?(?: · {ABOUT} left)?"
    rf"|small {BAR} \d/3(?: · {LEFT})?"
    rf"|  (?:decode|tables)[\w ./…-]*?(?:  {BAR})?(?: +\d+%)?(?: +\d+\.\d/s| +\d+/min)? +{LEFT}"
    r"|  [✓✗] (?:decode|tables)[\w ./…-]*(?: · (?:\d+ s|\d+ min \d+ s|failed))?"
)


class Study:
    """The small study in a folder; gates let its jobs go on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "gates").mkdir()
        (folder / "Snakefile").write_text(SNAKEFILE.replace("PYTHON", sys.executable))
        (folder / "job.py").write_text(JOB)
        self.command = [sys.executable, "-m", "snakemake", "--nolock", "--cores", "2", "--logger", "xpflow"]

    def open(self, job: str, *steps: int, whole: bool = False) -> None:
        for gate in [*(f"{job}.{step}" for step in steps), *([job] if whole else [])]:
            (self.folder / "gates" / gate).touch()

    def open_all(self) -> None:
        for job in ("1-of-2", "2-of-2", "tables"):
            self.open(job, *range(1, 11), whole=True)

    def piped(self) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.command,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


def whole(lines: list[str]) -> bool:
    """Return whether no line is torn: each one is of a form that we print."""
    return all(WHOLE.fullmatch(line) for line in lines if line)


def having(*parts: str) -> Callable[[list[str]], bool]:
    """Return what asks that all parts are on a whole screen."""
    return lambda lines: whole(lines) and all(any(part in line for line in lines) for part in parts)


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The screen of a run at five moments, by name."""
    study = Study(tmp_path_factory.mktemp("small"))
    write_expected(study.folder / "results/small/benchmarks", {"decode_shard": 600.0, "tables": 120.0})
    found = {}
    with Terminal(study.command, study.folder, os.environ, columns=80, rows=30) as terminal:
        found["start"] = terminal.until(having("part 1/2", "part 2/2", "left"))
        study.open("1-of-2", 1, 2, 3, 4, 5)
        found["half"] = terminal.until(having("50%"))
        study.open("1-of-2", *range(6, 11), whole=True)
        found["one done"] = terminal.until(having("✓", "1 of 3 done", "part 2/2"))
        terminal.resize(40, 30)
        study.open("2-of-2", *range(1, 9))
        found["narrow"] = terminal.until(having("80%"))
        terminal.resize(100, 30)
        study.open("2-of-2", 9, 10, whole=True)
        terminal.until(having("tables", "2 of 3 done"))
        study.open("tables", whole=True)
        assert terminal.finish() == 0
        found["end"] = terminal.lines()
        found["escapes"] = [terminal.written.decode()]
    return found


@pytest.mark.slow
class TestTerminal:
    def test_it_starts_with_the_study_and_its_jobs(self, moments: dict[str, list[str]]) -> None:
        first, study, *jobs = moments["start"]
        assert first == "3 jobs to do"
        assert re.match(r"small ─+ 0 of 3 done · 2 running", study)
        assert study.endswith("left")  # known from the file of what to expect
        assert {re.split("  +", line.strip())[0] for line in jobs} == {
            "decode llada-micro part 1/2",
            "decode llada-micro part 2/2",
        }

    def test_a_job_tells_its_own_progress_speed_and_time(self, moments: dict[str, list[str]]) -> None:
        [line] = [line for line in moments["half"] if "50%" in line]
        assert re.search(r"decode llada-micro part 1/2  ━+─+  50%  +\S+/(s|min)  +\d+:\d\d left", line)

    def test_a_job_that_is_done_leaves_a_line(self, moments: dict[str, list[str]]) -> None:
        lines = moments["one done"]
        assert re.fullmatch(r"  ✓ decode llada-micro part 1/2 · .*", lines[1])
        assert "1 of 3 done · 1 running" in lines[2]
        assert len(lines) == 4

    def test_it_fits_a_narrow_window(self, moments: dict[str, list[str]]) -> None:
        assert max(map(len, moments["narrow"])) <= 40
        assert sum("small " in line for line in moments["narrow"]) == 1
        assert sum("80%" in line for line in moments["narrow"]) == 1

    def test_at_the_end_only_what_was_done_is_there(self, moments: dict[str, list[str]]) -> None:
        lines = moments["end"]
        assert [line[:10] for line in lines] == ["3 jobs to ", *["  ✓ decode"] * 2, "  ✓ tables"]
        assert whole(lines)
        [written] = moments["escapes"]
        assert written.rfind("\x1b[?25h") > written.rfind("\x1b[?25l")  # the cursor is back

    def test_a_job_that_fails_stands_out_at_the_end(self, study: Study) -> None:
        (study.folder / "gates" / "1-of-2.fails").touch()
        study.open_all()
        with Terminal(study.command, study.folder, os.environ, columns=80, rows=40) as terminal:
            assert terminal.finish() == 1
            lines = terminal.lines()
        assert lines[-1] == "  what to do: open a window; then run the same command again"
        assert "  │ error: the model is too hot" in lines
        assert any("results/small/logs/decode_shard/llada-micro.1-of-2.log" in line for line in lines)
        assert any(
            re.match(r"✗ decode llada-micro part 1/2 failed after .*\(rule decode_shard\)", x) for x in lines
        )


real_study = pytest.mark.skipif(
    "XPFLOW_TEST_DISPLAY" not in os.environ, reason="set XPFLOW_TEST_DISPLAY=1: the smoke study, minutes"
)


@real_study
def test_the_real_study_ends_with_its_numbers_and_claims(finished: Any, tmp_path: Path) -> None:
    """The smoke study, whose tables and figures are gone, from the checks to the end."""
    again = replace(finished, folder=tmp_path, watched=None)
    shutil.copytree(finished.folder, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "paper_figures")
    with Terminal(again.command(), tmp_path, again.environment, columns=80, rows=160) as terminal:
        ticks = terminal.until(lambda lines: any(re.match("  ✓ time ", line) for line in lines))
        jobs = terminal.until(lambda lines: any(re.match("smoke [━─]", line) for line in lines))
        assert terminal.finish() == 0
        end = terminal.lines()
    assert not [line for line in ticks if line.startswith("  ✗")]
    assert {line.split()[1] for line in ticks if line.startswith("  ✓")} >= {"jail", "decoders", "disk"}
    assert any(re.match(r"  (tables|figures|prompts) ", line) for line in jobs)
    place = next(number for number, line in enumerate(end) if line.startswith("Study smoke: percent"))
    assert {line.split()[1] for line in end[:place] if line.startswith("  ✓")} >= {"tables", "figures"}
    assert any("mask prediction [base]" in line for line in end[place:])
    facts = [line.split()[0] for line in end[place:] if re.match("(claims|time|report|next) ", line)]
    assert facts == ["claims", "time", "report", "next"]
    assert not any("smoke ━" in line for line in end)


@real_study
def test_a_study_that_is_done_says_in_short_what_it_found(finished: Any) -> None:
    output = finished.run().stdout
    assert "Nothing to be done" in output
    assert re.search(r"^claims +\d+ confirmed", output, re.MULTILINE)
    assert re.search(r"^report +paper_figures/smoke/", output, re.MULTILINE)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", output)


@pytest.mark.slow
def test_in_a_pipe_there_are_lines_without_control_characters(study: Study) -> None:
    study.open_all()
    done = study.piped()
    assert done.returncode == 0, done.stdout.decode()
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", done.stdout)
    lines = done.stdout.decode().splitlines()
    for number, message in ((1, "Decode with"), (2, "Decode with"), (3, "Write the tables")):
        starts = [line for line in lines if re.match(rf"Job \d+: {message}", line)]
        assert len(starts) == (2 if number < 3 else 1)
    assert sum(": done in " in line for line in lines) == 3
    again = study.piped().stdout.decode()
    assert "Nothing to be done" in again
