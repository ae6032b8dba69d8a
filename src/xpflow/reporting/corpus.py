"""The tables of block `text.corpus`: perplexities of rows, and what the judge says of samples.

A perplexity is exp of a mean over seeds in nats a token. A paper's number stands in a column of its own, as
the study names it for the run; a dash where the paper has none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xpflow.artifacts.io import json_once, read_text
from xpflow.errors import ArtifactError
from xpflow.images.inside import container_note
from xpflow.reporting.markup import EMPTY, Lines, Table
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.text_cells import columns_of, mean_cell
from xpflow.stats.seeds import Floats
from xpflow.study.config import StudyConfig
from xpflow.study.config.text import TextRun
from xpflow.study.corpus import corpus_text, reported_jobs, sample_files, sampled_jobs
from xpflow.study.layout import Layout
from xpflow.study.text import TextJob, text_run

BOUNDS = (
    "perplexity: exp of the bound, an upper bound, over all tokens of a row. Bound: nats a token, mean over "
    "seeds [{confidence:g} % t interval; a dash with one seed], and the standard error over rows. Velocity: "
    "its part that a learned order costs. Order off: perplexity of the same weights, every place as likely "
    "to be next. Order: entropy of the learned order over log L!, and its largest over smallest power. "
    "Paper: its own number, of its own training"
)
SAMPLES = (
    "perplexity: exp of GPT-2's nats a token over all samples, mean over seeds. Entropy: of a sample's own "
    "tokens, in nats: a model that repeats itself is cheap to predict. NFE: forwards of a sample. Paper: its "
    "own number, of its own training"
)
ENTROPY = "A generative perplexity says nothing without the entropy beside it."
KINDS = {"own": "", "off": ", order off"}
Numbers = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CorpusResult:
    """A run on texts: what was measured of each seed, what the judge said; () where nothing is sampled."""

    job: TextJob
    run: TextRun
    bounds: tuple[Numbers, ...]
    judged: tuple[Numbers, ...]

    def of(self, side: Sequence[Numbers], *keys: str) -> Floats:
        """Return a number of every seed, [S]; NaN where there is none."""
        return np.array([_number(one, keys) for one in side])

    def paper(self, name: str) -> Lines:
        """Return the paper's own number."""
        value = self.run.published.get(self.job.world, {}).get(name)
        return EMPTY if value is None else (f"{value:g}",)


def load_corpus(config: StudyConfig, results: Path) -> list[CorpusResult]:
    """Read what tables need of all runs on texts, from results/<study>; raises ArtifactError."""
    layout, found = Layout.of_results(results), dict[tuple[str, str], list[TextJob]]()
    for job in reported_jobs(config):
        found.setdefault((job.world, job.run), []).append(job)
    sampled = set(sampled_jobs(config))
    return [
        CorpusResult(
            jobs[0],
            text_run(config, jobs[0].run),
            tuple(_read(layout.corpus_bounds(job.world, job.run, job.seed), "measure") for job in jobs),
            tuple(
                _read(layout.corpus_judged(job.world, job.run, job.seed), "judge")
                for job in jobs
                if job in sampled
            ),
        )
        for jobs in found.values()
    ]


def corpus_tables(config: StudyConfig, plan: ReportPlan, results: Sequence[CorpusResult]) -> list[Table]:
    """Return the block's tables, in the order of `study.text_tables.corpus_table_names`."""
    tables = [_bounds(config, plan, results)] if results else []
    return [*tables, _samples(config, plan, results)] if sampled_jobs(config) else tables


def _bounds(config: StudyConfig, plan: ReportPlan, results: Sequence[CorpusResult]) -> Table:
    sections, records = [], []
    for one in results:
        rows = []
        for part in corpus_text(config, one.job.world).measured:
            own = ("bounds", part.name, "own")
            nats_S = one.of(one.bounds, *own, "nats")
            off_S = one.of(one.bounds, "bounds", part.name, "off", "nats")
            each = one.of(one.bounds, "forwards", "update")[0]
            error = float(one.of(one.bounds, *own, "standard_error").mean())
            velocity_S = one.of(one.bounds, *own, "velocity")
            orders = tuple(one.of(one.bounds, "orders", key) for key in ("entropy", "most", "spread"))
            rows.append(
                (
                    *_names(one, part.name),
                    (f"{_updates(config, one.run):,}", f"x {each:.0f} forwards"),
                    _perplexity(nats_S),
                    (" ".join(mean_cell(plan, nats_S)), f"± {error:.4f} over rows"),
                    mean_cell(plan, velocity_S) if np.isfinite(off_S).all() else EMPTY,
                    _perplexity(off_S),
                    _orders(*orders),
                    one.paper(part.name),
                )
            )
            records.append(
                {
                    **_record(one),
                    "rows": part.name,
                    "perplexity": _exp(nats_S),
                    "nats": float(nats_S.mean()),
                    "standard_error": error,
                    "velocity": float(velocity_S.mean()),
                    "order_off": _exp(off_S),
                    "order_entropy": _finite(orders[0]),
                    "order_most": _finite(orders[1]),
                    "order_spread": _finite(orders[2]),
                    "paper": one.run.published.get(one.job.world, {}).get(part.name),
                }
            )
        sections.append(tuple(rows))
    names = ("rows", "updates", "perplexity", "bound", "velocity", "order off", "order", "paper")
    return Table(
        label="corpus_bounds",
        title=f"Perplexities of models of corpora ({plan.study})",
        facts=_facts(config, plan, BOUNDS),
        columns=columns_of(*names),
        sections=tuple(sections),
        records=tuple(records),
    )


def _samples(config: StudyConfig, plan: ReportPlan, results: Sequence[CorpusResult]) -> Table:
    sections, records = [], []
    for one in (one for one in results if one.judged):
        rows = []
        for file in sample_files(config, one.job):
            name = file.removesuffix(".jsonl")
            kind, _, steps = name.partition("-")
            nll_S, entropy_S = one.of(one.judged, name, "nll"), one.of(one.judged, name, "entropy")
            nfe_S = one.of(one.judged, name, "nfe")
            rows.append(
                (
                    *_names(one, f"{steps}{KINDS[kind]}"),
                    _perplexity(nll_S),
                    mean_cell(plan, entropy_S),
                    (f"{nfe_S.mean():.1f}",),
                    (f"{one.of(one.judged, name, 'samples').sum():,.0f}",),
                    one.paper(name),
                )
            )
            records.append(
                {
                    **_record(one),
                    "steps": int(steps),
                    "order": kind,
                    "perplexity": _exp(nll_S),
                    "entropy": float(entropy_S.mean()),
                    "nfe": float(nfe_S.mean()),
                    "paper": one.run.published.get(one.job.world, {}).get(name),
                }
            )
        sections.append(tuple(rows))
    return Table(
        label="corpus_samples",
        title=f"Samples of models of corpora, judged by GPT-2 ({plan.study})",
        facts=_facts(config, plan, SAMPLES),
        columns=columns_of("steps", "perplexity", "entropy", "NFE", "samples", "paper"),
        sections=tuple(sections),
        notes=(ENTROPY,),
        records=tuple(records),
    )


def _facts(config: StudyConfig, plan: ReportPlan, told: str) -> tuple[tuple[str, str], ...]:
    note = container_note()
    return (
        ("Study", f"{plan.study}, {plan.title}" if plan.title else plan.study),
        ("Seeds", ", ".join(map(str, config.study.seeds))),
        ("Cells", told.format(confidence=100 * plan.confidence)),
        *([("Container", note)] if note else []),
    )


def _names(one: CorpusResult, last: str) -> tuple[Lines, Lines, Lines]:
    return (one.job.world,), (one.run.label or one.run.name,), (last,)


def _record(one: CorpusResult) -> dict[str, Any]:
    label = one.run.label or one.run.name
    return {"world": one.job.world, "run": one.run.name, "label": label, "seeds": len(one.bounds)}


def _updates(config: StudyConfig, run: TextRun) -> int:
    return run.updates or config.text.updates


def _perplexity(nats_S: Floats) -> Lines:
    value = _exp(nats_S)
    return EMPTY if value is None else (f"{value:.2f}",)


def _orders(entropy_S: Floats, most_S: Floats, spread_S: Floats) -> Lines:
    if not np.isfinite(entropy_S).all():
        return EMPTY
    return f"{(entropy_S / most_S).mean():.4f}", f"spread {spread_S.mean():.2f}"


def _exp(nats_S: Floats) -> float | None:
    mean = _finite(nats_S)
    return None if mean is None else math.exp(mean)


def _finite(values_S: Floats) -> float | None:
    return float(values_S.mean()) if values_S.size and bool(np.isfinite(values_S).all()) else None


def _number(one: Any, keys: Sequence[str]) -> float:
    for key in keys:
        one = one.get(key) if isinstance(one, Mapping) else None
    return float(one) if isinstance(one, int | float) else math.nan


def _read(path: Path, command: str) -> Numbers:
    try:
        found = json_once(read_text(path))
        if isinstance(found, Mapping) and found:
            return found
    except ValueError:
        pass
    raise ArtifactError(f"{path} holds no numbers", hint=f"`xpflow corpus {command}` writes it: run it again")
