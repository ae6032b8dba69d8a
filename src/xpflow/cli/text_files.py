"""What files give to a run of block `text`: the settings that are not in its study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xpflow.errors import ConfigError

if TYPE_CHECKING:
    from xpflow.study.config import StudyConfig
    from xpflow.study.text import TextJob


def settings_of_files(
    study: StudyConfig, job: TextJob, start: Path | None, couplings: Path | None
) -> dict[str, str]:
    """Return the settings that files give; raises ConfigError where one is lacking, or not asked for."""
    from xpflow.models.extra import EXTRA
    from xpflow.study.text import couplings_of, start_of, text_run

    before = start_of(study, job)
    if (start is None) != (before is None):
        raise ConfigError(
            f"run {job.run!r} starts from {before.run if before else 'nothing'}",
            hint="give --from FOLDER for a run that starts from another, and for no other",
        )
    if (couplings is None) != (couplings_of(study, job) is None):
        raise ConfigError(
            f"run {job.run!r} is trained on {'no ' if couplings else ''}couplings",
            hint="give --couplings FILE for a run that is trained on some, and for no other",
        )
    made = {"coupling": str(couplings)} if couplings else {}
    if start is not None and text_run(study, job.run).continue_noise:
        made["noise_from"] = str(start / "checkpoint" / EXTRA)
    return made
