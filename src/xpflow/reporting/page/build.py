"""The report of a study: `paper_figures/<study>/report.html`, one file that needs nothing else.

Made from result files only, by the code that makes the tables and figures. Every text goes through jinja's
escapes or into the page's data, from where scripts write it as text. The file has at most LIMIT bytes: a
study whose programs do not fit keeps fewer of them, and the page says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from xpflow.artifacts.audit import Finding
from xpflow.artifacts.io import atomic_write_bytes
from xpflow.errors import ArtifactError
from xpflow.problems import problems_from_file
from xpflow.problems.problem import Problem
from xpflow.reporting.alignment_table import alignment_table
from xpflow.reporting.cells import claims_read, factored
from xpflow.reporting.claims import (
    Claim,
    curve_claims,
    judge_claims,
    noisy_claims,
    part_claims,
    probe_claims,
)
from xpflow.reporting.claims_told import families
from xpflow.reporting.contrasts import evaluate_contrasts
from xpflow.reporting.corpus import corpus_tables, load_corpus
from xpflow.reporting.curves import compared, swept_curves
from xpflow.reporting.factorial import factorial_tables
from xpflow.reporting.frontier import frontier_tables
from xpflow.reporting.markup import Column, Table, shown
from xpflow.reporting.multiverse import multiverse_tables
from xpflow.reporting.noisy import noisy_tables
from xpflow.reporting.noisy_results import judged_noisy, load_in_noise, load_noisy
from xpflow.reporting.page.answers import KEEPING, AnswerBook, Kept, asked
from xpflow.reporting.page.charts import Chart, sweep_charts
from xpflow.reporting.page.curves import alignment_charts, policy_chart
from xpflow.reporting.page.decoding import Decoding, decoding
from xpflow.reporting.page.factorial import factorial_chart
from xpflow.reporting.page.forest import forest
from xpflow.reporting.page.frontier import frontier_chart
from xpflow.reporting.page.grids import Grid, grid_of, grids
from xpflow.reporting.page.multiverse import multiverse_chart
from xpflow.reporting.page.noisy import noisy_charts
from xpflow.reporting.page.origin import origin
from xpflow.reporting.page.packed import json_text, packed, packed_json, policy, script_text
from xpflow.reporting.page.probes import probe_charts
from xpflow.reporting.page.story import Trains, story
from xpflow.reporting.page.text import text_charts
from xpflow.reporting.plots.grpo import read_grpo
from xpflow.reporting.plots.sweep import sweep_figures
from xpflow.reporting.probe_claims import judged_claims
from xpflow.reporting.probe_results import load_probes
from xpflow.reporting.probes import probe_tables
from xpflow.reporting.produce import Sources
from xpflow.reporting.readings import ClaimHeld, claims_held, universes_read
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.results import COLUMNS, Outcomes, load_results
from xpflow.reporting.text import text_tables
from xpflow.reporting.text_claims import judged_text
from xpflow.reporting.text_results import load_trained
from xpflow.reporting.text_story import text_claims
from xpflow.study.config import StudyConfig
from xpflow.study.config.base import budget_text
from xpflow.study.layout import Layout
from xpflow.study.rows import expand, policy_seeds, trained_runs
from xpflow.study.stages import probes_mixed

LIMIT = 10_000_000  # bytes
SCRIPTS = ("page.js", "tables.js", "charts.js")
OF_ANSWERS = ("answers.js", "problems.js")
TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True, slots=True)
class Report:
    """A report that was written: its file, its size in bytes, and whose programs it holds."""

    path: Path
    size: int
    programs: Kept


def produce_report(
    config: StudyConfig, results: Path, out: Path, findings: Iterable[Finding] = (), limit: int = LIMIT
) -> Report:
    """Write the report of a study.

    Args:
        results: results/<study>. out: the page's file. findings: what the audit says of the study.
        limit: the most bytes that the page may have.
    Raises:
        ArtifactError: a file of the study is missing, or the page is too large without any program.
        What `load_results` raises.
    """
    book = AnswerBook()
    sources = Sources(config, results)
    outcomes = _outcomes(sources, book)
    layout = Layout(results, out.parent)
    facts = _facts(sources, outcomes, layout)
    facts["origin"] = origin(layout, findings, out)
    problems = _problems(config, layout)
    questions = {place: asked(config, problems, place, one.tasks) for place, one in book.places.items()}
    facts["decoding"] = decoding(config, layout.trace, _prompts(config, book, questions))
    size = 0
    for kept in KEEPING:
        answers = [{**one.record(kept), **questions[place]} for place, one in book.places.items()]
        page = _page({**facts, "kept": kept, **_data(sources, facts["charts"], book, answers)})
        size = len(page)
        if size <= limit:
            atomic_write_bytes(out, page)
            return Report(out, size, kept)
    raise ArtifactError(
        f"the report has {size} bytes without any program, and may have {limit}",
        hint="split the study: fewer arms or seeds in each",
    )


def _outcomes(sources: Sources, book: AnswerBook) -> Outcomes:
    """Read the rows of a study, and show them to the book; none where a study decodes nothing."""
    rows = sources.table_plan.rows
    if not rows:
        return Outcomes(pd.DataFrame(columns=COLUMNS))
    return Outcomes(load_results(sources.results, rows, sources.plan.protocols, book))


def _facts(sources: Sources, outcomes: Outcomes, layout: Layout) -> dict[str, Any]:
    """Return what the template shows as text and tables."""
    plan, config = sources.plan, sources.config
    claims: list[Claim] = []
    charts: list[Chart] = []
    tables: list[Grid] = []
    if plan.arms:
        contrasts = evaluate_contrasts(plan, outcomes)
        claims += judge_claims(plan, outcomes, contrasts)
        charts += sweep_charts(plan, sweep_figures(plan, outcomes))
        tables += grids(sources.table_plan, outcomes, contrasts, claims)
    if trained_runs(config):
        log = sources.alignment_log(outcomes)
        tables.append(grid_of(alignment_table(plan, log)))
        charts += alignment_charts(log)
    others: list[Claim] = []
    held: list[ClaimHeld] = []
    if config.swept_arms:
        everything = sources.outcomes(expand(config))
        more, swept = _swept(config, plan, everything, sources.results)
        others += curve_claims(compared(config, plan, swept_curves(config, everything)))
        others += part_claims(claims_read(config, plan, factored(config, everything)))
        held += claims_held(config, plan, everything, universes_read(config, everything))
        charts, tables = [*more, *charts], tables + swept
    if probes_mixed(config):
        probed = load_probes(config, sources.results)
        others += probe_claims(judged_claims(config, plan, probed))
        charts += probe_charts(config.probes, probed)
        tables += [grid_of(table) for table in probe_tables(config, plan, probed)]
    if config.probes.noisy.readers:
        reads, in_noise = load_noisy(config, sources.results), load_in_noise(config, sources.results)
        judged = judged_noisy(config, plan, reads)
        others += noisy_claims(judged)
        charts += noisy_charts(config.probes.noisy, reads, in_noise)
        tables += [grid_of(table) for table in noisy_tables(config, plan, reads, in_noise, judged)]
    if config.text.pairs:
        trained = load_trained(config, sources.results)
        others += text_claims(judged_text(config, plan, trained))
        charts += text_charts(config, trained)
        tables += [grid_of(table) for table in text_tables(config, plan, trained)]
    if config.text.corpus_pairs:
        found = load_corpus(config, sources.results)
        tables += [grid_of(table) for table in corpus_tables(config, plan, found)]
    if seeds := policy_seeds(config):
        charts.append(policy_chart(read_grpo({seed: layout.policy_log(seed) for seed in seeds})))
    trains = Trains(bool(config.text.pairs), bool(config.text.corpus_pairs))
    return {
        "study": plan.study,
        "title": plan.title or plan.study,
        "story": story(plan, outcomes, [*claims, *others], held, trains),
        "forest": forest(claims, families(plan)),
        "grids": tables,
        "charts": charts,
    }


def _swept(
    config: StudyConfig, plan: ReportPlan, everything: Outcomes, results: Path
) -> tuple[list[Chart], list[Grid]]:
    """Return charts and tables of the blocks that make arms of their own."""
    charts: list[Chart] = []
    tables: list[Table] = []
    if config.frontier.curves:
        charts.append(frontier_chart(plan, swept_curves(config, everything)))
        tables += frontier_tables(config, plan, everything, results)
    if config.factorial.factors:
        charts.append(factorial_chart(config, factored(config, everything)))
        tables += factorial_tables(config, plan, everything)
    if config.multiverse.readings:
        charts.append(multiverse_chart(config, plan, universes_read(config, everything)))
        tables += multiverse_tables(config, plan, everything)
    return charts, [grid_of(table) for table in tables]


def _data(
    sources: Sources, charts: Sequence[Chart], book: AnswerBook, answers: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what the scripts read: an index as plain JSON, the rest packed."""
    plan = sources.table_plan
    index = {
        "arms": {arm.name: f"{arm.label} [{arm.weights_label}]" for arm in plan.arms},
        "budget": budget_text(plan.headline_budget),
        "flow": plan.flow,
        "baseline": plan.baseline,
        "places": [list(place) for place in book.places],
    }
    return {
        "index": Markup(json_text(index)),
        "drawn": packed_json({chart.name: chart.drawn for chart in charts}),
        "answers": [packed_json(one) for one in answers],
    }


def _prompts(
    config: StudyConfig, book: AnswerBook, questions: Mapping[tuple[str, str], Mapping[str, Any]]
) -> dict[str, str]:
    """Return what the first model of a study was asked, by task."""
    return {
        task: prompt
        for place, one in book.places.items()
        if place[0] == config.models[0].name
        for task, prompt in zip(one.tasks, questions[place]["prompts"], strict=True)
        if prompt is not None
    }


def _problems(config: StudyConfig, layout: Layout) -> dict[str, list[Problem]]:
    """Return the problems of each benchmark whose file is there."""
    files = {name: layout.problems(name) for name in config.benchmark_names}
    return {name: problems_from_file(file) for name, file in files.items() if file.is_file()}


def _page(facts: Mapping[str, Any]) -> bytes:
    """Render the page; halves of surrogate pairs, which no file holds, are backslash escapes."""
    from plotly.offline import get_plotlyjs

    shown_decoding: Decoding | None = facts["decoding"]
    names = (*SCRIPTS, *(OF_ANSWERS if facts["answers"] else ()))
    own = [(TEMPLATES / name).read_text(encoding="utf-8") for name in names]
    if shown_decoding:
        own += [shown_decoding.script, (TEMPLATES / "decoding.js").read_text(encoding="utf-8")]
    scripts = [Markup(script_text("a script of the report", text)) for text in own]
    plotly = get_plotlyjs()
    environment = Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: shown(value) if type(value) is str else value,
    )
    environment.filters["groupby_run"] = _runs
    text = environment.get_template("report.html.jinja").render(
        **facts,
        scripts=scripts,
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        plotly=packed(plotly),
        policy=policy([*map(str, scripts), plotly]),
    )
    return text.encode("utf-8", "backslashreplace")


def _runs(columns: Sequence[Column]) -> list[tuple[str, int]]:
    """Return the spanning heads of some columns with their widths."""
    return [(group, len(list(members))) for group, members in groupby(column.group for column in columns)]
