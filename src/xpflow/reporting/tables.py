"""Tables 1 and 2 of the paper on a study's own numbers, and what stands above and below every table."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from xpflow.artifacts.io import atomic_write_text
from xpflow.images.inside import container_note
from xpflow.protocols.find import UNNAMED
from xpflow.reporting import paper
from xpflow.reporting.markup import EMPTY, Column, Lines, Table, to_csv, to_latex, to_markdown
from xpflow.reporting.paper import caution
from xpflow.reporting.report_spec import ArmSpec, ReportPlan
from xpflow.reporting.results import CellStats, Outcomes
from xpflow.study.config.base import budget_text

READING = (
    "percent of the problems solved (± standard deviation over seeds) [{confidence:g} % Wilson interval, "
    "problems as the unit]; below: solved/asked over all seeds, mean executed NFE"
)

SEVERAL = "; several samples of a problem count by their mean (pass@1), and solved/asked is over all of them"


def facts(plan: ReportPlan, *, reading: bool = True) -> tuple[tuple[str, str], ...]:
    """Return the header of a table; `reading` adds how to read an accuracy cell."""
    models = ", ".join(
        f"{model.name} (weights sha256 {model.sha256[:12]})" if model.sha256 else model.name
        for model in plan.models
    )
    lines = [
        ("Study", f"{plan.study}, {plan.title}" if plan.title else plan.study),
        ("Seeds", ", ".join(map(str, plan.seeds))),
        ("Models", models),
        *_protocols(plan),
        *plan.settings,
    ]
    if reading:
        several = SEVERAL if any(row.samples > 1 for row in plan.rows) else ""
        lines.append(("Cells", READING.format(confidence=100 * plan.confidence) + several))
    if note := container_note():
        lines.append(("Container", note))
    return (*lines, ("Beware", caution(model.name for model in plan.models)))


def shared_mode_notes(plan: ReportPlan, outcomes: Outcomes) -> tuple[str, ...]:
    """Return a line for each benchmark with problems graded in the shared mode: no line, no such problem."""
    notes = []
    for benchmark in plan.benchmarks:
        tasks, asked = outcomes.shared(benchmark)
        if tasks:
            notes.append(
                f"{benchmark}: {len(tasks)} of {asked} problems graded in the weaker shared mode, in which a "
                f"program could forge its verdict ({', '.join(tasks)})."
            )
    return tuple(notes)


def _protocols(plan: ReportPlan) -> tuple[tuple[str, str], ...]:
    """Return the line that names protocols; none where micro models are asked their own benchmarks."""
    own = all(name.startswith("micropy") for name in plan.benchmarks)
    if own and set(plan.protocols.values()) <= {UNNAMED}:
        return ()
    return (("Protocols", ", ".join(f"{model}: {label}" for model, label in plan.protocols.items())),)


def arm_notes(plan: ReportPlan, names: list[str]) -> tuple[str, ...]:
    """Return one line per arm: what exactly it ran, and with which seeds."""
    notes = []
    for name in dict.fromkeys(names):
        arm = plan.arm(name)
        seeds = sorted({row.seed for row in plan.rows if row.arm == name})
        if seeds:
            text = f"{arm.label}, weights {arm.weights_label}, policy {arm.policy}"
            text += f", {arm.settings}" if arm.settings else ""
            text += f", {plan.samples(name)} samples of each problem" if plan.samples(name) > 1 else ""
            notes.append(f"{name}: {text}; seeds {', '.join(map(str, seeds))}.")
    return tuple(notes)


def table1(plan: ReportPlan, outcomes: Outcomes) -> Table:
    """Return accuracy by budget and arm (without the ablations), the paper's number beside each cell."""
    ablated = set(plan.ablation_arms.values())
    arms = [arm for arm in plan.arms if arm.name not in ablated]
    sections, records = [], []
    for budget in plan.budgets:
        rows = []
        for arm in arms:
            places = [place for place in _places(plan) if plan.has(*place, arm.name, budget)]
            if not places:
                continue
            cells = {place: outcomes.stats(*place, arm.name, budget, plan.confidence) for place in places}
            counts = {place: _paper_cell(plan, place, arm.name, budget) for place in places}
            rows.append(
                ((_cap(arm, budget),), (arm.label,), (arm.weights_label,), *_cells(plan, cells, counts))
            )
            records += [_record(place, arm.name, budget, cells[place], counts[place]) for place in places]
        sections.append(tuple(rows))
    return Table(
        label="table1",
        title=f"Table 1 ({plan.study}): accuracy by budget and decoder",
        facts=facts(plan),
        columns=(Column("budget"), Column("decoder"), Column("weights"), *_columns(plan)),
        sections=tuple(section for section in sections if section),
        notes=arm_notes(plan, [arm.name for arm in arms]) + shared_mode_notes(plan, outcomes),
        records=tuple(records),
    )


def table2(plan: ReportPlan, outcomes: Outcomes) -> Table:
    """Return the ablations at the headline budget: the whole decoder, each part removed, mask prediction."""
    budget = plan.headline_budget
    variants = _variants(plan)
    rows, records = [], []
    for label, arm, part in variants:
        places = [place for place in _places(plan) if plan.has(*place, arm, budget)]
        if not places:
            continue
        cells = {place: outcomes.stats(*place, arm, budget, plan.confidence) for place in places}
        counts = {place: _paper_variant(plan, place, arm, part) for place in places}
        rows.append(((label,), *_cells(plan, cells, counts)))
        records += [_record(place, arm, budget, cells[place], counts[place]) for place in places]
    return Table(
        label="table2",
        title=f"Table 2 ({plan.study}): ablations at {budget_text(budget)} of the budget",
        facts=facts(plan),
        columns=(Column("variant"), *_columns(plan)),
        sections=(tuple(rows),),
        notes=arm_notes(plan, [arm for _, arm, _ in variants]) + shared_mode_notes(plan, outcomes),
        records=tuple(records),
    )


def write_table(table: Table, folder: Path) -> list[Path]:
    """Write a table as .md, .tex and .csv; returns the paths."""
    texts = {".md": to_markdown(table), ".tex": to_latex(table), ".csv": to_csv(table)}
    for suffix, text in texts.items():
        atomic_write_text(folder / f"{table.label}{suffix}", text)
    return [folder / f"{table.label}{suffix}" for suffix in texts]


def _cap(arm: ArmSpec, budget: Fraction) -> str:
    """Return the budget as printed: where each row decides, it is a cap."""
    return f"≤ {budget_text(budget)}" if arm.adaptive else budget_text(budget)


def _variants(plan: ReportPlan) -> list[tuple[str, str, str]]:
    """Return label, arm and removed part of each row of Table 2."""
    whole, baseline = plan.arm(plan.flow), plan.arm(plan.baseline)
    rows = [(f"{whole.title}, all parts" if whole != baseline else whole.title, whole.name, "none")]
    rows += [(one.without, one.b, one.removed) for one in plan.ablations]
    return [*rows, *([(baseline.title, baseline.name, "")] if whole != baseline else [])]


def _paper_variant(plan: ReportPlan, place: tuple[str, str], arm: str, part: str) -> paper.PaperCount | None:
    if part:
        return paper.table2_count(*place, part) if plan.is_paper_arm(plan.flow) else None
    return _paper_cell(plan, place, arm, plan.headline_budget)


def _places(plan: ReportPlan) -> list[tuple[str, str]]:
    return [(model.name, benchmark) for model in plan.models for benchmark in plan.benchmarks]


def _columns(plan: ReportPlan) -> list[Column]:
    return [
        column
        for model, benchmark in _places(plan)
        for column in (
            Column("ours", f"{model}, {benchmark}", "r"),
            Column("paper", f"{model}, {benchmark}", "r"),
        )
    ]


def _cells(
    plan: ReportPlan,
    cells: Mapping[tuple[str, str], CellStats],
    counts: Mapping[tuple[str, str], paper.PaperCount | None],
) -> list[Lines]:
    lines: list[Lines] = []
    for place in _places(plan):
        count = counts.get(place)
        lines.append(accuracy(cells[place]) if place in cells else EMPTY)
        lines.append(EMPTY if count is None else (f"{count.percent:.1f}", f"{count.passes}/{count.problems}"))
    return lines


def accuracy(cell: CellStats) -> Lines:
    """Return a cell as READING says: percent with spread and interval; below counts and NFE."""
    rate, interval = cell.rate, cell.rate.interval.scaled(100)
    spread = "" if rate.sd is None else f" ± {100 * rate.sd:.1f}"
    return (
        f"{100 * rate.mean:.1f}{spread} [{interval.low:.1f}, {interval.high:.1f}]",
        f"{rate.passes}/{rate.answers}, NFE {cell.nfe:.1f}",
    )


def _paper_cell(
    plan: ReportPlan, place: tuple[str, str], arm: str, budget: Fraction
) -> paper.PaperCount | None:
    """The paper has two arms; only ours that stand for them get its numbers."""
    return paper.table1_count(*place, plan.arm(arm).decoder, budget) if plan.is_paper_arm(arm) else None


def _record(
    place: tuple[str, str], arm: str, budget: Fraction, cell: CellStats, count: paper.PaperCount | None
) -> dict[str, Any]:
    rate = cell.rate
    return {
        "model": place[0],
        "benchmark": place[1],
        "arm": arm,
        "budget": budget_text(budget),
        "passes": rate.passes,
        "answers": rate.answers,
        "seeds": rate.n_seeds,
        "problems": rate.n_problems,
        "percent": 100 * rate.mean,
        "sd_over_seeds": None if rate.sd is None else 100 * rate.sd,
        "wilson_low": 100 * rate.interval.low,
        "wilson_high": 100 * rate.interval.high,
        "mean_nfe": cell.nfe,
        "paper_percent": None if count is None else count.percent,
        "paper_passes": None if count is None else count.passes,
        "paper_problems": None if count is None else count.problems,
    }
