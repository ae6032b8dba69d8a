"""The tables and figures that block `text` makes, by name: what is asked of a study, so what it shows."""

from __future__ import annotations

from xpflow.study.config.root import StudyConfig
from xpflow.study.config.text import TextBlock, TextRun
from xpflow.study.config.text_references import AGREEMENT
from xpflow.study.corpus import reported_jobs, sampled_jobs

NOISY = ("infinite_mask", "self_distillation")  # objectives whose masks may carry noise


def text_table_names(study: StudyConfig) -> list[str]:
    """Return the names of the block's tables, without endings; none where nothing is trained."""
    block = study.text
    if not block.pairs:
        return []
    orders = ["text_orders"] if learns_orders(block) else []
    agreement = ["text_agreement"] if agreement_worlds(block) else []
    return ["text_bounds", "text_samples", *orders, *agreement, "text_published", "text_claims"]


def text_figure_names(study: StudyConfig) -> list[str]:
    """Return the names of the block's figures, without endings; none where nothing is trained."""
    block = study.text
    if not block.pairs:
        return []
    orders = ["text_orders", "text_compute"] if learns_orders(block) else []
    masks = ["text_masks"] if carries_noise(block) else []
    agreement = ["text_agreement"] if agreement_worlds(block) else []
    return ["text_curves", "text_samples", *orders, *masks, *agreement]


def corpus_figure_names(study: StudyConfig) -> list[str]:
    """Return the names of the figures of models of packed rows; none where nothing is sampled."""
    return ["corpus_samples"] if sampled_jobs(study) else []


def learns_orders(block: TextBlock) -> bool:
    """Return whether the schedule of any run is learned, so that its orders can be looked at."""
    return any(block.of(run, world).get("schedule") == "learned" for world, run in block.pairs)


def carries_noise(block: TextBlock) -> bool:
    """Return whether the masks of any run may carry noise."""
    return any(run.objective in NOISY for _, run in block.pairs)


def agreement_worlds(block: TextBlock) -> tuple[str, ...]:
    """Return the worlds of one repeated word that runs are trained on: there one step is exact."""
    return tuple(world for world in block.worlds if world.startswith(AGREEMENT))


def reported_runs(block: TextBlock) -> tuple[TextRun, ...]:
    """Return the runs that have a row in the tables, in order."""
    return tuple(run for run in block.runs if run.report)


def corpus_table_names(study: StudyConfig) -> list[str]:
    """Return the names of the tables of models of packed rows; none where nothing is trained on any."""
    bounds = ["corpus_bounds"] if reported_jobs(study) else []
    return [*bounds, *(["corpus_samples"] if sampled_jobs(study) else [])]
