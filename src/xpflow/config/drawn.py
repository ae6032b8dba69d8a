"""The pictures that a study ends with: what the workflow draws, and what the audit misses."""

from __future__ import annotations

from xpflow.config.expand import policy_seeds
from xpflow.config.jobs import trace_row
from xpflow.config.root import StudyConfig


def figure_names(study: StudyConfig) -> list[str]:
    """Return the names of a study's figures, without endings."""
    return [
        *("figure_2a", "figure_2b", "sweep_budget", "sweep_nfe"),
        *(["grpo"] if policy_seeds(study) else []),
        *(["trace"] if trace_row(study) else []),
    ]


def drawn_files(study: StudyConfig) -> list[str]:
    """Return the figures and the traced decoding behind one of them, relative to where the study ran."""
    name = study.study.name
    files = [
        f"paper_figures/{name}/{figure}.{ending}"
        for figure in figure_names(study)
        for ending in study.reporting.figure_formats
    ]
    return [*files, *([f"results/{name}/trace.npz"] if trace_row(study) else [])]
