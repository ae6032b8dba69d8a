"""The section "How an answer came about": the decode viewer on the trace of a study, where there is one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from xpflow.decoding.trace import Trace, load_traces
from xpflow.reporting.page.packed import packed_json
from xpflow.reporting.prompts_page import tokenizer_of
from xpflow.study.config import StudyConfig
from xpflow.traces import viewer


@dataclass(frozen=True, slots=True)
class Decoding:
    """A decoding to be shown: packed data, the viewer's script and style, and which answer it is."""

    data: str
    script: str
    style: Markup
    text: str
    task: str


def decoding(config: StudyConfig, file: Path, prompts: dict[str, str]) -> Decoding | None:
    """Return the decoding of a study; None where it has no trace, or its model's tokenizer is not here.

    `prompts` has what the first model was asked, by task.
    """
    trace = _chosen(config, file)
    tokenizer = tokenizer_of(config.models[0]) if trace is not None else None
    if trace is None or tokenizer is None:
        return None
    task = str(trace.head.get("task_id") or "")
    data: dict[str, Any] = viewer.viewer_data(
        trace,
        lambda token: str(tokenizer.decode([token], clean_up_tokenization_spaces=False)),
        special_ids=list(tokenizer.all_special_ids),
        prompt=prompts.get(task),
        answer=str(tokenizer.decode(trace.head["tokens"], skip_special_tokens=True)),
    )
    return Decoding(
        packed_json([data]),
        str(viewer.viewer_script()),
        Markup(viewer.viewer_style()),
        f"{config.models[0].name} answers {task or 'a problem'} in {trace.head['nfe']} forward passes for "
        f"{len(trace.head['tokens'])} tokens. Every step is here, and the history of every token.",
        task,
    )


def _chosen(config: StudyConfig, file: Path) -> Trace | None:
    """Return the trace of the configured problem, as the picture of it does."""
    traces = load_traces(file) if file.is_file() else []
    return traces[min(config.reporting.trace_problem, len(traces) - 1)] if traces else None
