"""The section "How an answer came about": the decode viewer on the trace of a study, where there is one."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from xpflow.errors import XpflowError
from xpflow.study.config import StudyConfig

VIEWER = "xpflow.traces.viewer"  # the call site: the one place of the report that knows the viewer


@dataclass(frozen=True, slots=True)
class Decoding:
    """A decoding to be shown: packed data, the viewer's script and style, and which answer it is."""

    data: str
    script: str
    style: Markup
    text: str
    task: str


def decoding(config: StudyConfig, trace: Path) -> Decoding | None:
    """Return the decoding of a study; None where it has no trace, or its model's tokenizer is not here."""
    if not trace.is_file() or importlib.util.find_spec(VIEWER) is None:
        return None
    return None
