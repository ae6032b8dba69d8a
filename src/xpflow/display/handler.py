"""Snakemake's logger `xpflow`: what Snakemake says of a run becomes our display, on a terminal or in lines.

Dry runs, and whoever asks for more or less (`--verbose`, `--debug-dag`, `--quiet`), get Snakemake's own
words. So does everybody where the display fails: it never stops a run.
"""

from __future__ import annotations

import os
import re
import sys
import time
from logging import WARNING, LogRecord
from pathlib import Path
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from xpflow.display.failure import failure_lines
from xpflow.display.lines import Lines
from xpflow.display.run import Job, Run
from xpflow.display.screen import Screen, is_terminal
from xpflow.errors import XpflowError

STOPPED = "Terminating processes on user request"
NOTHING, FAILED = "Nothing to be done", "At least one job did not complete successfully"
# What Snakemake says of itself.
NOISE = re.compile(
    "Assuming unrestricted shared filesystem|Building DAG of jobs|Using shell:|host: |Group jobs: inactive|"
    "Conda environments: ignored|Singularity containers: ignored|Select jobs to execute|Execute \\d+ jobs|"
    "Complete log|Elapsed time: |Removing temporary output|Touching output file|None$|$"
)
CHECKED = re.compile("CalledProcessError in file .*\nCommand '.*; *xpflow (config check|cluster) ")
TOLD = re.compile("Exiting because a job execution failed|Shutting down, this might take some time")
COMMAND_FAILED = re.compile("RuleException:\nCalledProcessError in file")


class LogHandler(LogHandlerBase):
    """What Snakemake calls, from one thread, with each of its records."""

    def __post_init__(self) -> None:
        settings = self.common_settings
        self.stream = sys.stdout if settings.stdout else sys.stderr
        self.run = Run(time.time)
        self.face: Screen | Lines | None = None
        self.own: Any = None  # Snakemake's handler, where it speaks itself
        self.stopped = False  # by the user
        self.study = Path("config/micro.yaml")  # the workflow's default
        quiet = {str(one).lower().rpartition(".")[2] for one in settings.quiet or ()}
        if settings.dryrun or settings.verbose or settings.debug_dag or quiet & {"all", "progress", "rules"}:
            return
        if is_terminal(self.stream, os.environ.get("TERM", "")):
            self.face = Screen(self.run, self.stream, colour=not settings.nocolor)
        else:
            self.face = Lines(self.run, self.stream)

    def emit(self, record: LogRecord) -> None:
        """Show a record; what cannot be shown is left to Snakemake, from then on."""
        if self.face is not None:
            try:
                self._show(record, self.face)
                if not isinstance(self.face, Screen) or self.face.broken is None:
                    return
            except Exception:  # never the end of a run
                pass
            self._give_up()
        self._snakemake_s(record)

    def _show(self, record: LogRecord, face: Screen | Lines) -> None:
        event, said = getattr(record, "event", None), vars(record)
        if event == LogEvent.WORKFLOW_STARTED:
            self.study = Path([*said.get("configfiles", ()), self.study][0])
        elif event == LogEvent.RUN_INFO:
            self.run.plan(said["stats"])
            face.say(f"{self.run.total} jobs to do")
        elif event == LogEvent.JOB_INFO:
            self._start(said, face)
        elif event == LogEvent.JOB_FINISHED:
            found = self.run.finish(said["job_id"])
            if found is not None and found[0].works:
                face.finished(*found)
        elif event == LogEvent.JOB_ERROR:
            failure = self.run.fail(said["jobid"])
            if failure is not None and not self.stopped:
                face.failed(failure)
        elif event == LogEvent.PROGRESS:
            if said["done"] >= said["total"]:
                face.end()
        elif event == LogEvent.SHELLCMD:
            if self.common_settings.printshellcmds and said.get("shellcmd"):
                face.say(said["shellcmd"])
        elif event is None or event == LogEvent.ERROR:
            self._say(record, face)

    def _start(self, said: dict[str, Any], face: Screen | Lines) -> None:
        job = Job(
            number=said["jobid"],
            rule=said["rule_name"],
            message=said["rule_msg"] or "",
            names={name: str(value) for name, value in dict(said["wildcards"] or {}).items()},
            logs=tuple(Path(path) for path in said["log"] or ()),
            started=self.run.now(),
            works=bool(said.get("shellcmd")),
        )
        self.run.start(job, Path(said["benchmark"]) if said["benchmark"] else None)
        if job.works:
            face.started(job)

    def _say(self, record: LogRecord, face: Screen | Lines) -> None:
        text = record.getMessage()
        self.stopped = self.stopped or STOPPED in text
        if FAILED in text and self.run.failures:
            self._report(face)
        elif COMMAND_FAILED.match(text) and all(job.logs for job in self.run.running.values()):
            return  # its job's log comes at the end
        elif CHECKED.match(text):
            return  # the check itself has said more
        elif TOLD.match(text) and self.run.failures:
            return
        elif record.levelno >= WARNING or not NOISE.match(text):
            face.say(text)
        if text.startswith(NOTHING):
            self._as_it_stands()

    def _as_it_stands(self) -> None:
        """Say in short what a study found that is done already; nothing of one that has no tables."""
        from xpflow.display.ending import show_summary
        from xpflow.reporting.summary import summarize
        from xpflow.study.config import load_study
        from xpflow.study.layout import Layout

        try:
            config = load_study(self.study)
            found = summarize(config, Layout.of(config.study.name), headline=False)
        except (XpflowError, OSError):
            return
        show_summary(found, self.stream, short=True)

    def _report(self, face: Screen | Lines) -> None:
        face.end()
        failures, self.run.failures = list(self.run.failures.values()), {}
        if self.stopped:
            face.report(
                [f"Stopped with {len(failures)} jobs running: the same command goes on from what is done."]
            )
            return
        for failure in failures:
            face.report(failure_lines(failure, face.marks))

    def _give_up(self) -> None:
        face, self.face = self.face, None
        try:
            if face is not None:
                face.end()
        except Exception:
            pass

    def _snakemake_s(self, record: LogRecord) -> None:
        """Let Snakemake print a record as it does without us."""
        if self.own is None:
            self.own = snakemake_handler(self.common_settings, self.stream)
        self.own.handle(record)

    def flush(self) -> None:
        """Take the display away for what others print; the next job brings it back."""
        if self.face is not None:
            try:
                self.face.end()
            except Exception:
                self._give_up()

    def close(self) -> None:
        """Take the display away, and tell of failures that were not told."""
        if self.face is not None:
            try:
                if self.run.failures:
                    self._report(self.face)
                self.face.end()
            except Exception:
                self._give_up()
        super().close()

    @property
    def writes_to_stream(self) -> bool:
        """It stands in for Snakemake's own lines."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """Snakemake's log in .snakemake/log stays as it is."""
        return False

    @property
    def has_filter(self) -> bool:
        """It chooses by itself what it shows."""
        return True

    @property
    def has_formatter(self) -> bool:
        """It words by itself what it shows."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """It shows no graph."""
        return False


def snakemake_handler(settings: Any, stream: Any) -> Any:
    """Return the handler that Snakemake uses where no logger is named."""
    from snakemake.logging import ColorizingTextHandler, DefaultFilter, DefaultFormatter

    return ColorizingTextHandler(
        nocolor=settings.nocolor,
        stream=stream,
        filter=DefaultFilter(
            settings.quiet, settings.debug_dag, settings.verbose, settings.dryrun, settings.printshellcmds
        ),
        formatter=DefaultFormatter(settings.quiet, settings.show_failed_logs),
    )
