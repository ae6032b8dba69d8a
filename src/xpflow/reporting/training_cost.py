"""Table `training_cost`: what trained weights cost, and what their curves gain for it over the reference.

Costs are facts of the checkpoints' manifests, as the training stage noted them (`training.spent`), with those
of the runs that a run starts from. Where it is not sure that points are gained, there is no cost of a point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpflow.artifacts.manifest import read_manifest
from xpflow.errors import ArtifactError
from xpflow.reporting.curves import Compared, Swept, by_place
from xpflow.reporting.estimates import points_text
from xpflow.reporting.markup import EMPTY, Column, Lines, Table
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.tables import facts
from xpflow.study.config import StudyConfig
from xpflow.study.config.base import budget_text
from xpflow.study.config.training import BASE
from xpflow.study.layout import Layout, manifest_of

HOW = (
    "updates; tokens of prompt and answer in forwards with a backward; forwards of a row, a backward counted "
    "as two; seconds by the clock of the machine that trained, as busy as it was. Those of a run that starts "
    "from another are of both. At each mean NFE: points gained over {reference} with their interval, and "
    "what one of them cost. No such cost where the interval has 0 in it or lies below: nothing is sure to be "
    "gained"
)
BACKWARD = 2  # forwards that a backward counts as
COLUMNS = ("updates", "tokens", "forwards", "seconds")


@dataclass(frozen=True, slots=True)
class Spent:
    """What weights cost: means over seeds, with the runs that they start from."""

    updates: float
    tokens: float
    forwards: float
    seconds: float


def training_cost_table(
    config: StudyConfig,
    plan: ReportPlan,
    curves: Sequence[Swept],
    others: Sequence[Compared],
    results: Path,
) -> Table:
    """Return a row for each curve on trained weights.

    Args:
        others: the curves against the reference curve. results: results/<study>.
    """
    gains = {(one.a.name, one.a.model, one.a.benchmark, one.at): one for one in others}
    costs = {
        (model, run): _cost(config, results, model, run)
        for model, run in dict.fromkeys((one.model, one.weights) for one in curves)
        if run != BASE
    }
    sections, records = [], []
    for place, members in by_place([one for one in curves if one.weights != BASE]):
        rows = []
        for one in members:
            cost = costs[one.model, one.weights]
            found = [gains.get((one.name, *place, share)) for share in config.frontier.at]
            rows.append(_row(place, one, cost, found))
            records.append(_record(config, place, one, cost, found))
        sections.append(tuple(rows))
    at = [Column(budget_text(share), "points gained at NFE / N", "r") for share in config.frontier.at]
    return Table(
        label="training_cost",
        title=f"Cost of training, and of a point gained ({plan.study})",
        facts=(*facts(plan, reading=False), ("Cells", HOW.format(reference=config.frontier.reference_name))),
        columns=(Column("where"), Column("curve"), *(Column(name, "", "r") for name in COLUMNS), *at),
        sections=tuple(sections),
        notes=(
            *(
                f"{model}, {run}: what it took was not noted when it was trained."
                for (model, run), cost in costs.items()
                if cost is None
            ),
            *(_kept(config, results, *key) for key in costs if config.run(key[1]).answers == "passed"),
        ),
        records=tuple(records),
    )


def _cost(config: StudyConfig, results: Path, model: str, run: str) -> Spent | None:
    """Return what a run's weights cost; None where that was not noted."""
    seeds = [_spent(config, results, model, run, seed) for seed in config.study.seeds]
    known = [one for one in seeds if one is not None]
    if len(known) < len(seeds):
        return None
    return Spent(*(sum(getattr(one, name) for one in known) / len(known) for name in COLUMNS))


def _spent(config: StudyConfig, results: Path, model: str, run: str, seed: int) -> Spent | None:
    total = Spent(0, 0, 0, 0)
    while run != BASE:
        if (noted := _noted(results, model, run, seed)) is None:
            return None
        forwards = noted["forwards"] + BACKWARD * noted["backwards"]
        own = (noted["updates"], noted["tokens"], forwards, noted["seconds"])
        total = Spent(*(getattr(total, name) + value for name, value in zip(COLUMNS, own, strict=True)))
        run = config.run(run).start
    return total


def _noted(results: Path, model: str, run: str, seed: int) -> dict[str, Any] | None:
    """Return what a training noted in its manifest; None where there is nothing."""
    folder = Layout.of_results(results).run(model, run, seed)
    try:
        noted = read_manifest(manifest_of(folder / "train")).facts.get("training")
    except ArtifactError:
        return None
    return noted if isinstance(noted, dict) else None


def _kept(config: StudyConfig, results: Path, model: str, run: str) -> str:
    """Return, in words, how many answers a run learned from that takes only those that passed."""
    noted = [_noted(results, model, run, seed) or {} for seed in config.study.seeds]
    counts = [(one.get("answers_passed"), one.get("answers_asked")) for one in noted]
    told = ", ".join("not noted" if passed is None else f"{passed} of {asked}" for passed, asked in counts)
    return f"{model}, {run}: learned from answers that passed their tests alone, by seed {told}."


def _points(gain: Compared | None) -> float | None:
    """Return the points that are gained; None where it is not sure that any are."""
    return 100 * gain.difference.value if gain and gain.difference.interval.low > 0 else None


def _row(
    place: tuple[str, str], one: Swept, cost: Spent | None, found: Sequence[Compared | None]
) -> tuple[Lines, ...]:
    told: list[Lines] = [EMPTY] * len(COLUMNS)
    if cost is not None:
        told = [(_short(getattr(cost, name)),) for name in COLUMNS]
    return ((", ".join(place),), (one.label,), *told, *(_gain(cost, gain) for gain in found))


def _gain(cost: Spent | None, gain: Compared | None) -> Lines:
    if gain is None:
        return EMPTY
    points = _points(gain)
    each = (
        f"{cost.seconds / points:.1f} s, {_short(cost.forwards / points)} forwards"
        if cost and points
        else "–"
    )
    return (points_text(gain.difference), each)


def _record(
    config: StudyConfig,
    place: tuple[str, str],
    one: Swept,
    cost: Spent | None,
    found: Sequence[Compared | None],
) -> dict[str, Any]:
    record: dict[str, Any] = {
        "model": place[0],
        "benchmark": place[1],
        "curve": one.name,
        "weights": one.weights,
    }
    record |= {name: None if cost is None else getattr(cost, name) for name in COLUMNS}
    for share, gain in zip(config.frontier.at, found, strict=True):
        at, points = budget_text(share), _points(gain)
        known = cost if points else None
        record |= {
            f"gained at {at}": None if gain is None else 100 * gain.difference.value,
            f"low at {at}": None if gain is None else 100 * gain.difference.interval.low,
            f"high at {at}": None if gain is None else 100 * gain.difference.interval.high,
            f"seconds a point at {at}": known.seconds / points if known and points else None,
            f"forwards a point at {at}": known.forwards / points if known and points else None,
            f"tokens a point at {at}": known.tokens / points if known and points else None,
        }
    return record


def _short(value: float) -> str:
    """Return a number in three digits or so: 240, 3.2 M, 69.1 k."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if value >= size:
            return f"{value / (1e3 if unit == ' k' else size):.1f}{unit}"
    return f"{value:.0f}"
