"""The stages of block `text.corpus`: rows, trainings, couplings, perplexities, texts, judgements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

from xpflow.study import corpus_fingerprints as fp
from xpflow.study import plugins
from xpflow.study.config.root import StudyConfig
from xpflow.study.corpus import (
    corpus_couplings,
    corpus_jobs,
    find_corpus_couplings,
    find_corpus_run,
    find_rows,
    reported_jobs,
    rows_jobs,
    sample_files,
    sampled_jobs,
)
from xpflow.study.layout import CORPUS_FILES, ROWS_FILES, TEXT_WEIGHTS, Layout
from xpflow.study.stage import Names, Stage
from xpflow.study.text import CouplingJob, TextJob

RUN = ("world", "run", "seed")  # the names of a training
PAIRS = (*RUN, "pairs", "steps")  # of couplings
ROWS = ("world", "rows")  # of packed rows


def corpus_files(study: StudyConfig, layout: Layout) -> list[Path]:
    """Return what tables are made from: recipes, logs, perplexities, and what the judge says."""
    runs = [_place(layout.text, job) / name for job in reported_jobs(study) for name in CORPUS_FILES]
    return [*runs, *_bounds(study, layout), *_judged(study, layout)]


def _place(where: Callable[[str, str, int], Path], job: TextJob) -> Path:
    return where(job.world, job.run, job.seed)


def _rows(study: StudyConfig, layout: Layout) -> list[Path]:
    folders = [layout.corpus_rows(job.world, job.rows) for job in rows_jobs(study)]
    return [folder / name for folder in folders for name in ROWS_FILES]


def _trained(study: StudyConfig, layout: Layout) -> list[Path]:
    found = []
    for job in corpus_jobs(study):
        found += [_place(layout.text, job) / name for name in CORPUS_FILES]
        found += [_place(layout.text_checkpoint, job) / name for name in TEXT_WEIGHTS]
    return found


def _bounds(study: StudyConfig, layout: Layout) -> list[Path]:
    return [_place(layout.corpus_bounds, job) for job in reported_jobs(study)]


def _samples(study: StudyConfig, layout: Layout) -> list[Path]:
    return [
        _place(layout.corpus_samples, job) / name
        for job in sampled_jobs(study)
        for name in sample_files(study, job)
    ]


def _judged(study: StudyConfig, layout: Layout) -> list[Path]:
    return [_place(layout.corpus_judged, job) for job in sampled_jobs(study)]


def _of_run(make: Callable[[StudyConfig, TextJob], str]) -> Callable[[StudyConfig, Names], str]:
    """Return the fingerprint of a stage of one training."""
    return lambda study, names: make(study, find_corpus_run(study, *(names[key] for key in RUN)))


def _chosen(study: StudyConfig, names: Names) -> set[str]:
    return plugins.corpus_run(study, names["world"], names["run"])


CORPUS_STAGES: dict[str, Stage] = {
    "corpus-pack": Stage(
        lambda study, names: fp.rows(study, find_rows(study, *(names[key] for key in ROWS))),
        lambda study, names: plugins.corpus_rows(study, *(names[key] for key in ROWS)),
        _rows,
    ),
    "corpus-train": Stage(_of_run(fp.train), _chosen, _trained),
    "corpus-couple": Stage(
        lambda study, names: fp.couple(
            study, find_corpus_couplings(study, CouplingJob(*(names[key] for key in PAIRS)))
        ),
        _chosen,
        lambda study, layout: [layout.couplings(*astuple(job)) for job in corpus_couplings(study)],
    ),
    "corpus-measure": Stage(_of_run(fp.measure), _chosen, _bounds),
    "corpus-sample": Stage(_of_run(fp.sample), _chosen, _samples),
    "corpus-judge": Stage(_of_run(fp.judge), makes=_judged),
}
