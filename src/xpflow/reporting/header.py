"""What stands above and below every table: study, seeds, models, how to read a cell, what each arm ran."""

from __future__ import annotations

from xpflow.images.inside import container_note
from xpflow.protocols.find import UNNAMED
from xpflow.reporting.paper import caution
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.results import Outcomes

READING = (
    "percent of the problems solved (± standard deviation over seeds) [{confidence:g} % Wilson interval, "
    "problems as the unit]; below: solved/asked over all seeds, mean executed NFE"
)


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
        lines.append(("Cells", READING.format(confidence=100 * plan.confidence)))
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
        seeds = sorted({cell.seed for cell in plan.cells if cell.arm == name})
        if seeds:
            text = f"{arm.label}, weights {arm.weights_label}, policy {arm.policy}"
            text += f", {arm.settings}" if arm.settings else ""
            notes.append(f"{name}: {text}; seeds {', '.join(map(str, seeds))}.")
    return tuple(notes)
