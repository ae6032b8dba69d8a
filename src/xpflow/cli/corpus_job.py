"""What the stages of `xpflow corpus` share: their arguments, and how each begins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from xpflow.artifacts.record import Record
    from xpflow.study.config import StudyConfig

Job = TypeVar("Job")  # a dataclass whose fields name the stage: TextJob, RowsJob, CouplingJob

Texts = Annotated[str, typer.Argument(metavar="TEXTS", help="A name in text.corpus.texts")]
Trained = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of `xpflow corpus train`")]
Study = Annotated[Path, typer.Option(help="Study")]
RunOfModel = Annotated[str, typer.Option(help="The run in text.runs whose model it is")]


def begin(command: str, config: Path, find: Callable[[StudyConfig], Job]) -> tuple[StudyConfig, Job, Record]:
    """Read a study, find the job of a stage in it, set torch up, and open the stage's record.

    find: returns the job, or raises ConfigError where the study has no such one.
    """
    from dataclasses import asdict

    from xpflow.cli.recording import stage_record
    from xpflow.runtime.models import set_up
    from xpflow.study.config import load_study

    study = load_study(config)
    job: Any = find(study)
    set_up(study)
    return study, job, stage_record(study, command, **asdict(job))
