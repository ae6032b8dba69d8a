"""All tables, and all figures, of one study: from its configuration and its folder of results."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from xpflow.artifacts.io import atomic_write_text
from xpflow.errors import ArtifactError, ConfigError, nearest
from xpflow.reporting.alignment_table import alignment_table, full_budget_rows, read_alignment
from xpflow.reporting.cells import claims_read, factored
from xpflow.reporting.claims import (
    Claim,
    curve_claims,
    judge_claims,
    noisy_claims,
    part_claims,
    probe_claims,
)
from xpflow.reporting.claims_told import claims_markdown, claims_record
from xpflow.reporting.contrasts import contrasts_table, evaluate_contrasts
from xpflow.reporting.corpus import corpus_tables, load_corpus
from xpflow.reporting.curves import compared, swept_curves
from xpflow.reporting.factorial import factorial_tables
from xpflow.reporting.from_config import plan_from_config
from xpflow.reporting.frontier import frontier_tables
from xpflow.reporting.markup import Table
from xpflow.reporting.measures import measures_table
from xpflow.reporting.multiverse import multiverse_tables
from xpflow.reporting.noisy import noisy_tables
from xpflow.reporting.noisy_results import judged_noisy, load_in_noise, load_noisy
from xpflow.reporting.pass_at_k import pass_at_k_table
from xpflow.reporting.probe_claims import judged_claims
from xpflow.reporting.probe_results import load_probes
from xpflow.reporting.probes import probe_tables
from xpflow.reporting.readings import with_readings
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.results import Outcomes, load_results
from xpflow.reporting.tables import table1, table2, write_table
from xpflow.reporting.text import text_tables
from xpflow.reporting.text_claims import judged_text
from xpflow.reporting.text_results import load_trained
from xpflow.reporting.text_story import text_claims
from xpflow.study.config import StudyConfig
from xpflow.study.corpus import sampled_jobs
from xpflow.study.layout import Layout
from xpflow.study.measured import measures_of
from xpflow.study.rows import Row, expand, policy_seeds, takes_several, trained_runs
from xpflow.study.stages import probes_mixed


@dataclass(frozen=True)
class Sources:
    """What the report of a study is made from: its configuration, results/<study>, and a traced decoding."""

    config: StudyConfig
    results: Path
    trace: Path | None = None

    @cached_property
    def plan(self) -> ReportPlan:
        """What the tables and figures show."""
        return plan_from_config(self.config)

    @cached_property
    def table_plan(self) -> ReportPlan:
        """What Table 1 shows: the default and the best of a study's readings, too, where it has any."""
        if not self.config.multiverse.readings:
            return self.plan
        return with_readings(self.config, self.plan, self.outcomes(expand(self.config)))

    @property
    def formats(self) -> tuple[str, ...]:
        """Endings of the figures."""
        return self.config.reporting.figure_formats

    def outcomes(self, rows: Sequence[Row] | None = None) -> Outcomes:
        """Return the verdicts of some rows, by default of all."""
        found = load_results(self.results, self.plan.rows if rows is None else rows, self.plan.protocols)
        return Outcomes(found)

    def alignment_log(self, outcomes: Outcomes | None = None) -> pd.DataFrame:
        """Return the alignment logs; a pass rate that they lack comes from the evaluation.

        `outcomes`: those of the whole study, where they were read already.
        """
        log, plan = read_alignment(self.config, self.results), self.plan
        decoder = plan.arm(plan.baseline).decoder
        masked = {arm.name for arm in plan.arms if arm.decoder == decoder}
        full = [row for row in plan.rows if row.arm in masked and row.budget == 1]
        if "pass_full" in log or not full:
            return log
        rows = full_budget_rows(plan, outcomes or self.outcomes(full), log)
        keys = ["model", "variant", "seed", "update"]
        return log if rows.empty else log.merge(rows, how="left", on=keys)


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure, or two of one kind: how to draw it, whether a study has what it needs, and what that is."""

    draw: Callable[[Sources, Path], list[Path]]
    possible: Callable[[Sources], bool] = lambda sources: True
    needs: str = ""


def produce_tables(config: StudyConfig, results: Path, out: Path) -> list[Path]:
    """Write Tables 1 and 2, the contrasts, the claims, and what the study's further blocks make.

    A study without models has only the last two.

    `results` is results/<study>, `out` paper_figures/<study>; returns the paths. An incomplete study is an
    error that names the first missing file.
    """
    sources = Sources(config, results)
    plan = sources.plan
    tables, claims = _decoded(sources) if plan.arms else ([], [])
    if probes_mixed(config):
        probed = load_probes(config, results)
        tables += probe_tables(config, plan, probed)
        claims += probe_claims(judged_claims(config, plan, probed))
    if config.probes.noisy.readers:
        reads, in_noise = load_noisy(config, results), load_in_noise(config, results)
        judged = judged_noisy(config, plan, reads)
        tables += noisy_tables(config, plan, reads, in_noise, judged)
        claims += noisy_claims(judged)
    if config.text.pairs:
        trained = load_trained(config, results)
        tables += text_tables(config, plan, trained)
        claims += text_claims(judged_text(config, plan, trained))
    if config.text.corpus_pairs:
        tables += corpus_tables(config, plan, load_corpus(config, results))
    paths = [path for table in tables for path in write_table(table, out)]
    atomic_write_text(out / "claims.md", claims_markdown(plan, claims))
    atomic_write_text(out / "claims.json", json.dumps(claims_record(claims), indent=1, sort_keys=True) + "\n")
    return [*paths, out / "claims.md", out / "claims.json"]


def _decoded(sources: Sources) -> tuple[list[Table], list[Claim]]:
    """Return tables and claims of everything that models of the study decode."""
    config, plan = sources.config, sources.plan
    outcomes = sources.outcomes(expand(config))
    contrasts = evaluate_contrasts(plan, outcomes)
    claims = judge_claims(plan, outcomes, contrasts)
    tables = [table1(sources.table_plan, outcomes), table2(plan, outcomes), contrasts_table(plan, contrasts)]
    if takes_several(config):
        tables.append(pass_at_k_table(plan, outcomes))
    if measured := measures_of(config):
        tables.append(measures_table(plan, outcomes, measured))
    if trained_runs(config):
        tables.append(alignment_table(plan, sources.alignment_log()))
    if config.frontier.curves:
        tables += frontier_tables(config, plan, outcomes, sources.results)
        claims += curve_claims(compared(config, plan, swept_curves(config, outcomes)))
    if config.factorial.factors:
        tables += factorial_tables(config, plan, outcomes)
        claims += part_claims(claims_read(config, plan, factored(config, outcomes)))
    if config.multiverse.readings:
        tables += multiverse_tables(config, plan, outcomes)
    return tables, claims


def produce_figures(
    config: StudyConfig, results: Path, out: Path, only: Iterable[str] = (), trace: Path | None = None
) -> list[Path]:
    """Draw the figures of a study; returns the paths.

    `only` names some of FIGURES; without it all are drawn that the study has what they need for.

    Raises:
        ConfigError: no figure has such a name, or the study lacks what a named one needs.
    """
    sources = Sources(config, results, trace)
    wanted = list(only) or [name for name, figure in FIGURES.items() if figure.possible(sources)]
    for name in wanted:
        if name not in FIGURES:
            raise ConfigError(f"no figure is called {name!r}", hint=nearest(name, FIGURES))
        if not FIGURES[name].possible(sources):
            raise ConfigError(f"the figure {name!r} cannot be drawn: it needs {FIGURES[name].needs}")
    return [path for name in wanted for path in FIGURES[name].draw(sources, out)]


def _alignment(sources: Sources, out: Path) -> list[Path]:
    from xpflow.reporting.plots.alignment import figure_2a, figure_2b

    log = sources.alignment_log()
    return [*figure_2a(log, out, sources.formats), *figure_2b(log, out, sources.formats)]


def _sweep(sources: Sources, out: Path) -> list[Path]:
    from xpflow.reporting.plots.sweep import AXES, figure_sweep, sweep_figures

    found = sweep_figures(sources.plan, sources.outcomes())
    return [
        path
        for ending, points in found.items()
        for axis in AXES
        for path in figure_sweep(sources.plan, points, axis, out, sources.formats, ending)
    ]


def _frontier(sources: Sources, out: Path) -> list[Path]:
    from xpflow.reporting.plots.frontier import figures_frontier

    config = sources.config
    curves = swept_curves(config, sources.outcomes(expand(config)))
    return figures_frontier(config.frontier, sources.plan, curves, out, sources.formats)


def _probes(sources: Sources, out: Path) -> list[Path]:
    from xpflow.reporting.plots.probes import figure_recovery, figure_validity

    block, probed = sources.config.probes, load_probes(sources.config, sources.results)
    return [
        *figure_validity(block, probed, out, sources.formats),
        *(figure_recovery(block, probed, out, sources.formats) if block.policies else []),
    ]


def _noisy(sources: Sources, out: Path) -> list[Path]:
    from xpflow.reporting.plots.noisy import figure_noisy

    config, results = sources.config, sources.results
    reads, in_noise = load_noisy(config, results), load_in_noise(config, results)
    return figure_noisy(config.probes.noisy, reads, in_noise, out, sources.formats)


def _text(sources: Sources, out: Path) -> list[Path]:
    from xpflow.reporting.plots.text import figures_text

    config, trained = sources.config, load_trained(sources.config, sources.results)
    return figures_text(config, sources.plan, trained, out, sources.formats)


def _corpus(sources: Sources, out: Path) -> list[Path]:
    from xpflow.reporting.plots.corpus import figure_corpus

    found = load_corpus(sources.config, sources.results)
    return figure_corpus(sources.config, found, out, sources.formats)


def _factorial(sources: Sources, out: Path) -> list[Path]:
    from xpflow.reporting.plots.factorial import figure_factorial

    config = sources.config
    places = factored(config, sources.outcomes(expand(config)))
    return figure_factorial(config, sources.plan, places, out, sources.formats)


def _multiverse(sources: Sources, out: Path) -> list[Path]:
    from xpflow.reporting.plots.multiverse import figure_multiverse
    from xpflow.reporting.readings import universes_read

    config = sources.config
    places = universes_read(config, sources.outcomes(expand(config)))
    return figure_multiverse(config, sources.plan, places, out, sources.formats)


def _grpo(sources: Sources, out: Path) -> list[Path]:
    from xpflow.reporting.plots.grpo import figure_grpo, read_grpo

    layout = Layout(sources.results, out)
    logs = {seed: layout.policy_log(seed) for seed in policy_seeds(sources.config)}
    return figure_grpo(read_grpo(logs), out, sources.formats)


def _trace(sources: Sources, out: Path) -> list[Path]:
    """Draw the trace of the configured problem; its tokens are read with the first model's tokenizer."""
    from xpflow.decoding.trace import load_traces
    from xpflow.models.load import named_tokenizer
    from xpflow.reporting.plots.trace_picture import figure_trace, picture

    assert sources.trace is not None
    traces = load_traces(sources.trace)
    if not traces:
        raise ArtifactError(f"{sources.trace} holds no trace", hint="xpflow decode --trace FILE writes one")
    chosen = traces[min(sources.config.reporting.trace_problem, len(traces) - 1)]
    model = sources.config.models[0]
    tokenizer = named_tokenizer(model.directory or model.name)
    ends = [token for token in (tokenizer.eos_token_id, tokenizer.pad_token_id) if isinstance(token, int)]
    shown = picture(
        chosen,
        lambda token: str(tokenizer.decode([token], clean_up_tokenization_spaces=False)),
        _trace_title(model.name, chosen.head),
        ends,
    )
    return figure_trace(shown, out, sources.formats)


def _trace_title(model: str, head: dict[str, Any]) -> str:
    settings = head.get("settings", {})
    problem = f", {head['task_id']}" if head.get("task_id") else ""
    budget = f" at {settings['budget']} of the budget" if "budget" in settings else ""
    return f"{model}{problem}{budget}: {head['nfe']} forward passes for {len(head['tokens'])} tokens"


FIGURES = {
    "alignment": Figure(
        _alignment, lambda sources: bool(trained_runs(sources.config)), "an arm with aligned weights"
    ),
    "sweep": Figure(_sweep, lambda sources: bool(sources.plan.arms), "arms"),
    "frontier": Figure(_frontier, lambda sources: bool(sources.config.frontier.curves), "curves"),
    "probes": Figure(_probes, lambda sources: probes_mixed(sources.config), "mixed states to probe"),
    "noisy": Figure(
        _noisy, lambda sources: bool(sources.config.probes.noisy.readers), "readers of noisy text"
    ),
    "text": Figure(_text, lambda sources: bool(sources.config.text.pairs), "models of small languages"),
    "corpus": Figure(_corpus, lambda sources: bool(sampled_jobs(sources.config)), "samples of corpora"),
    "factorial": Figure(_factorial, lambda sources: bool(sources.config.factorial.factors), "factors"),
    "multiverse": Figure(_multiverse, lambda sources: bool(sources.config.multiverse.readings), "readings"),
    "grpo": Figure(
        _grpo, lambda sources: bool(policy_seeds(sources.config)), "an arm with a policy of the study's own"
    ),
    "trace": Figure(
        _trace, lambda sources: sources.trace is not None, "the file of a trace: give --trace FILE"
    ),
}
