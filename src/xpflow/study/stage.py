"""What a stage of a study is; the table of them is `study.stages`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpflow.study.config.root import StudyConfig
from xpflow.study.layout import Layout

Names = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stage:
    """One command of a study.

    settings: the fingerprint of what it reads of the study (None: nothing). plugins: what it chose by name,
    as "decoder:flow": their code counts as its own. makes: the files of it that a finished study has.
    """

    settings: Callable[[StudyConfig, Names], str] | None
    plugins: Callable[[StudyConfig, Names], set[str]] = lambda study, names: set()
    makes: Callable[[StudyConfig, Layout], list[Path]] = lambda study, layout: []
