"""What Snakemake tells its logger, and what is shown of it; a display that fails leaves it to Snakemake."""

from __future__ import annotations

import io
import json
import logging
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_xpflow import LogHandler

SETTINGS: dict[str, Any] = {
    **dict.fromkeys(("dryrun", "verbose", "debug_dag", "printshellcmds", "stdout"), False),
    "nocolor": True,
    "show_failed_logs": True,
    "quiet": None,
}


class Told:
    """A handler with a piped stderr, and what stands there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
        self.stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", self.stream)
        self.handler = LogHandler(SimpleNamespace(**{**SETTINGS, **settings}), None)  # type: ignore[arg-type]

    def tell(self, message: str | None, level: int = logging.INFO, **fields: Any) -> None:
        record = logging.LogRecord("snakemake", level, "", 0, message, None, None)
        vars(record).update(fields)
        self.handler.handle(record)

    def start(self, number: int, log: str) -> None:
        self.tell(
            "Rule: train",
            event=LogEvent.JOB_INFO,
            jobid=number,
            rule_name="train",
            rule_msg="Train it",
            wildcards={"seed": "0"},
            log=[log],
            benchmark=None,
            shellcmd="true",
            reason="",
            indent=False,
        )

    @property
    def text(self) -> str:
        return self.stream.getvalue()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    return Told(monkeypatch)


def test_a_run_in_lines(told: Told) -> None:
    told.tell("Building DAG of jobs...")
    told.tell("Job stats: a table", event=LogEvent.RUN_INFO, stats={"train": 1, "all": 1, "total": 2})
    told.tell("Select jobs to execute...")
    told.start(3, "train.log")
    told.tell("Finished", event=LogEvent.JOB_FINISHED, job_id=3)
    told.tell(None, event=LogEvent.PROGRESS, done=2, total=2)
    told.tell("a warning", logging.WARNING)
    assert told.text.splitlines() == [
        "1 jobs to do",
        "Job 3: Train it",
        "Job 3: done in 0 s; 1 of 1 jobs done",
        "a warning",
    ]


def test_a_failure_stands_at_the_end_and_only_there(told: Told, tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text("error: too hot\n  hint: open a window\n")
    told.tell("", event=LogEvent.RUN_INFO, stats={"train": 2, "total": 2})
    told.start(3, str(log))
    told.start(4, "other.log")
    told.tell("RuleException:\nCalledProcessError in file x", logging.ERROR, event=LogEvent.ERROR)
    told.tell("Error in rule train", logging.ERROR, event=LogEvent.JOB_ERROR, jobid=3)
    told.tell("Finished", event=LogEvent.JOB_FINISHED, job_id=4)
    assert "too hot" not in told.text
    told.tell("Exiting because a job execution failed. Look below", logging.ERROR)
    told.tell("WorkflowError:\nAt least one job did not complete successfully.", logging.ERROR)
    told.handler.close()
    *_, first, log_line, error, hint, cure = told.text.strip().splitlines()
    assert first.startswith("FAILED train seed 0 failed after")
    assert log_line == f"  the end of {log}:"
    assert (error, hint) == ("  | error: too hot", "  |   hint: open a window")
    assert cure == "  what to do: open a window; then run the same command again"
    assert told.text.count("too hot") == 1
    assert "WorkflowError" not in told.text
    assert "CalledProcessError" not in told.text


def test_a_failure_is_told_even_if_the_run_just_stops(told: Told, tmp_path: Path) -> None:
    told.start(3, str(tmp_path / "none.log"))
    told.tell("Error in rule train", logging.ERROR, event=LogEvent.JOB_ERROR, jobid=3)
    told.handler.close()
    assert "none.log is empty" in told.text


def test_a_check_before_the_first_job_has_said_itself_what_is_wrong(told: Told) -> None:
    told.tell(
        'CalledProcessError in file "Snakefile", line 46:\n'
        "Command 'set -euo pipefail;  xpflow config check  x.yaml' returned non-zero exit status 2.",
        logging.ERROR,
        event=LogEvent.ERROR,
    )
    assert told.text == ""


def test_a_run_that_the_user_stops_has_no_failures(told: Told, tmp_path: Path) -> None:
    told.start(3, str(tmp_path / "none.log"))
    told.tell("Terminating processes on user request, this might take some time.")
    told.tell("Error in rule train", logging.ERROR, event=LogEvent.JOB_ERROR, jobid=3)
    told.tell("WorkflowError:\nAt least one job did not complete successfully.", logging.ERROR)
    told.handler.close()
    assert "FAILED" not in told.text
    assert told.text.strip().endswith(
        "Stopped with 1 jobs running: the same command goes on from what is done."
    )


def test_other_errors_are_shown_as_they_are(told: Told) -> None:
    told.tell("WorkflowError:\nconfig/x.yaml: no such key", logging.ERROR, event=LogEvent.ERROR)
    assert told.text == "WorkflowError:\nconfig/x.yaml: no such key\n"


def test_a_display_that_fails_leaves_it_to_snakemake(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(job: object) -> None:
        raise RuntimeError("the display is broken")

    monkeypatch.setattr(told.handler.face, "started", broken)
    told.start(3, "train.log")
    told.tell("Finished jobid: 3 (Rule: train)", event=LogEvent.JOB_FINISHED, job_id=3)
    assert "Job 3: Train it" in told.text
    assert "Finished jobid: 3 (Rule: train)" in told.text
    told.handler.flush()
    told.handler.close()


@pytest.mark.parametrize("settings", [{"dryrun": True}, {"verbose": True}, {"debug_dag": True}])
def test_who_asks_for_snakemake_s_words_gets_them(
    settings: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(monkeypatch, **settings)
    told.tell("Job stats:\na table", event=LogEvent.RUN_INFO, stats={"train": 1})
    assert told.text == "Job stats:\na table\n"


def test_a_study_that_is_done_says_what_it_found(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("study: {name: mine}\n")
    claim = {"text": "It works.", "direction": "greater", "family": "primary", "judgement": "confirmed"}
    folder = tmp_path / "paper_figures" / "mine"
    folder.mkdir(parents=True)
    (folder / "claims.json").write_text(json.dumps([claim]))
    told.tell("started", event=LogEvent.WORKFLOW_STARTED, configfiles=[str(tmp_path / "mine.yaml")])
    told.tell("Nothing to be done (all requested files are present and up to date).")
    first, *rest = told.text.splitlines()
    assert first.startswith("Nothing to be done")
    assert rest[0].split(maxsplit=1) == ["claims", "1 confirmed, 0 contradicted, 0 undecided"]
    assert rest[1].split() == ["report", "paper_figures/mine/"]
    assert rest[2].startswith("next")


def test_nothing_to_be_done_without_tables_is_all_there_is_to_say(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told.tell("Nothing to be done (all requested files are present and up to date).")
    assert len(told.text.splitlines()) == 1
