"""The tables of the probes: how mixed states are read, and what the decodes of policies go through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xpflow.reporting.markup import EMPTY, Column, Lines, Table
from xpflow.reporting.probe_claims import claims_table, judged_claims
from xpflow.reporting.probe_likelihood import likelihood_table
from xpflow.reporting.probe_results import Probed, Values
from xpflow.reporting.report_spec import ReportPlan, weights_label
from xpflow.reporting.tables import facts
from xpflow.stats.auc import Auc, auc
from xpflow.stats.bootstrap import mean_interval
from xpflow.study.config import StudyConfig
from xpflow.study.config.base import budget_text

READ = (
    "percent of places read as the true token, means over problems [{confidence:g} % interval]; t of a "
    "mixture of mask and token. True or wrong: the token that is mixed in. Beside: the masks of the same "
    "answer. Follows: read as the wrong token. Rank: of the token mixed in among the logits, from 0. "
    "Nearest: it is the nearest embedding. |x|: over the token's. Angles from the state to mask and token. "
    "ECE in points"
)
POLICIES = (
    "percent solved [{confidence:g} % interval]; snapped: a decode stopped after that share of its steps, "
    "tokens whose t is large enough kept, the rest finished by mask prediction, one token a forward; below: "
    "how many masks were left. Off: mean distance of states from the segment of mask and final token, in "
    "its lengths, of answers that pass and that fail; AUC: of this distance telling failures (first seed). "
    "Readable, correctable: share of the states on their way whose cell of t and confidence is read rightly "
    "in {region:g} % of the cases or more, with the true token mixed in and with a wrong one; unseen: in no "
    "cell of the probes"
)


def probe_tables(config: StudyConfig, plan: ReportPlan, probed: Sequence[Probed]) -> list[Table]:
    """Return the tables of readings, of policies, of likelihoods, and of the claims."""
    return [
        _readings(config, plan, probed),
        *([_policies(config, plan, probed)] if config.probes.policies else []),
        *([likelihood_table(config, plan, probed, _facts(config, plan))] if config.probes.passes else []),
        claims_table(plan, _facts(config, plan), judged_claims(config, plan, probed)),
    ]


def failing(one: Probed, policy: str, confidence: float) -> Auc | None:
    """Return how well a decode's off-mixture distance tells that its answer fails, on the first seed."""
    off, passed = one.column(policy, "off"), one.solved(policy)
    return auc(off.values_SP[0], passed.values_SP[0] == 0, confidence)


def _readings(config: StudyConfig, plan: ReportPlan, probed: Sequence[Probed]) -> Table:
    block, sections, records = config.probes, [], []
    for one in probed:
        for geometry in block.geometries:
            found = [_reading(plan, one, geometry, t) for t in block.t]
            sections.append(tuple(row for row, _ in found))
            records += [record for _, record in found]
    names = (
        *(("true", name) for name in ("read", "beside", "ECE", "rank", "nearest")),
        *(("wrong", name) for name in ("read", "follows", "beside", "ECE")),
        *(("state", name) for name in ("|x|", "to mask", "to token")),
    )
    heads = (Column("where"), Column("geometry"), Column("t", "", "r"))
    return Table(
        label="probes",
        title=f"How mixed states are read ({plan.study})",
        facts=_facts(config, plan, READ.format(confidence=100 * plan.confidence)),
        columns=(*heads, *(Column(name, group, "r") for group, name in names)),
        sections=tuple(sections),
        notes=_notes(config),
        records=tuple(records),
    )


def _reading(
    plan: ReportPlan, one: Probed, geometry: str, t: float
) -> tuple[tuple[Lines, ...], dict[str, Any]]:
    place = {"place": one.place, "benchmark": one.benchmark, "geometry": geometry, "t": t}
    shares = {
        f"{token}_{what}": one.share(what, token, geometry, t)
        for token, kinds in (
            ("oracle", ("read", "elsewhere", "nearest")),
            ("wrong", ("read", "follows", "elsewhere")),
        )
        for what in kinds
    }
    means = {
        f"{token}_{column}": one.mean(column, token, geometry, t)
        for token in ("oracle", "wrong")
        for column in ("nats", "beside_nats", "rank", "norm", "angle_mask", "angle_token")
    }
    errors = {token: 100 * one.ece(token, geometry, t) for token in ("oracle", "wrong")}
    percents = {name: f"{100 * value.mean:.1f}" for name, value in shares.items()}
    cells: list[Lines] = [
        (f"{one.place}, {one.benchmark}",),
        (geometry,),
        (f"{t:g}",),
        (percents["oracle_read"], _bounds(plan, shares["oracle_read"])),
        (percents["oracle_elsewhere"],),
        (f"{errors['oracle']:.1f}",),
        (f"{means['oracle_rank']:.1f}",),
        (percents["oracle_nearest"],),
        (percents["wrong_read"], _bounds(plan, shares["wrong_read"])),
        (percents["wrong_follows"],),
        (percents["wrong_elsewhere"],),
        (f"{errors['wrong']:.1f}",),
        (f"{means['oracle_norm']:.2f}",),
        (f"{means['oracle_angle_mask']:.0f}°",),
        (f"{means['oracle_angle_token']:.0f}°",),
    ]
    record = {
        **place,
        **{name: 100 * value.mean for name, value in shares.items()},
        **{name: value if np.isfinite(value) else None for name, value in means.items()},
        **{f"{token}_ece": value for token, value in errors.items()},
        "problems": len(shares["oracle_read"].tasks),
    }
    return tuple(cells), record


def _policies(config: StudyConfig, plan: ReportPlan, probed: Sequence[Probed]) -> Table:
    block, sections, records = config.probes, [], []
    for one in probed:
        found = [_policy(config, plan, one, policy.name) for policy in block.policies]
        sections.append(tuple(row for row, _ in found))
        records += [record for _, record in found]
    heads = [Column("where"), Column("policy"), Column("flow", "", "r"), Column("masks alone", "", "r")]
    heads += [
        Column(f"{share:g}", f"snapped, t ≥ {bound:g}", "r")
        for bound in block.snap_at
        for share in _shown_snaps(config)
    ]
    rest = ("off: pass", "off: fail", "AUC", "readable", "correctable", "unseen", "final t", "NFE")
    told = POLICIES.format(confidence=100 * plan.confidence, region=100 * block.region)
    return Table(
        label="probes_policies",
        title=f"What decodes of flow go through, at {budget_text(block.budget)} of the steps ({plan.study})",
        facts=_facts(config, plan, told),
        columns=(*heads, *(Column(name, "", "r") for name in rest)),
        sections=tuple(sections),
        notes=_notes(config),
        records=tuple(records),
    )


def _policy(
    config: StudyConfig, plan: ReportPlan, one: Probed, policy: str
) -> tuple[tuple[Lines, ...], dict[str, Any]]:
    block = config.probes
    flow, masks = one.solved(policy), one.recovered(policy, 0.0, block.snap_at[0])
    kept = {
        (bound, share): (policy, share, bound) for bound in block.snap_at for share in _shown_snaps(config)
    }
    snaps = {key: one.recovered(*snap) for key, snap in kept.items()}
    left = {key: one.recovered(*snap, "masks").mean for key, snap in kept.items()}
    off, told = one.column(policy, "off"), failing(one, policy, plan.confidence)
    passes = flow.values_SP > 0
    distance = {
        name: float(off.values_SP[chosen].mean()) if chosen.any() else None
        for name, chosen in (("pass", passes), ("fail", ~passes))
    }
    inside = {kind: one.inside(kind, policy).mean for kind in ("readable", "correctable", "unseen")}
    rest = {name: one.column(policy, name).mean for name in ("final_t", "nfe")}
    cells: list[Lines] = [(f"{one.place}, {one.benchmark}",), (policy,)]
    cells += [(f"{100 * value.mean:.1f}", _bounds(plan, value)) for value in (flow, masks)]
    cells += [
        (f"{100 * value.mean:.1f} {_bounds(plan, value)}", f"{left[key]:.1f} masks")
        for key, value in snaps.items()
    ]
    cells += [EMPTY if value is None else (f"{value:.3f}",) for value in distance.values()]
    cells.append(
        EMPTY
        if told is None
        else (
            f"{told.value:.2f} [{told.interval.low:.2f}, {told.interval.high:.2f}]",
            f"{told.positives} fail",
        )
    )
    cells += [(f"{100 * value:.1f}",) for value in inside.values()]
    cells += [(f"{rest['final_t']:.3f}",), (f"{rest['nfe']:.1f}",)]
    record = {
        "place": one.place,
        "benchmark": one.benchmark,
        "policy": policy,
        "flow": 100 * flow.mean,
        "masks_alone": 100 * masks.mean,
        **{f"snapped at {share:g}, t {bound:g}": 100 * value.mean for (bound, share), value in snaps.items()},
        **{f"masks at {share:g}, t {bound:g}": value for (bound, share), value in left.items()},
        **{f"off_{name}": value for name, value in distance.items()},
        "auc": None if told is None else told.value,
        "auc_low": None if told is None else told.interval.low,
        "auc_high": None if told is None else told.interval.high,
        "failures": None if told is None else told.positives,
        **{name: 100 * value for name, value in inside.items()},
        **rest,
        "problems": len(flow.tasks),
    }
    return tuple(cells), record


def _shown_snaps(config: StudyConfig) -> tuple[float, ...]:
    """Return the shares of the steps whose snaps the table shows: those nearest to 1/4, 1/2 and 3/4."""
    snaps = config.probes.snaps
    numbers = dict.fromkeys(max(1, min(snaps - 1, round(part * snaps / 4))) for part in (1, 2, 3))
    return tuple(number / snaps for number in numbers if 0 < number < snaps)


def _bounds(plan: ReportPlan, values: Values) -> str:
    found = mean_interval(
        values.values_SP.mean(axis=0).clip(0.0, 1.0),
        resamples=plan.resamples,
        seed=plan.bootstrap_seed,
        confidence=plan.confidence,
    ).scaled(100)
    return f"[{found.low:.1f}, {found.high:.1f}]"


def _facts(config: StudyConfig, plan: ReportPlan, told: str = "") -> tuple[tuple[str, str], ...]:
    block = config.probes
    places = "; ".join(
        f"{one.name}: {one.model}, {weights_label(one.weights)} weights" for one in block.places
    )
    answers = {"reference": "the benchmark's own", "own": "what these weights answer by mask prediction"}
    return (
        *facts(plan, reading=False),
        ("Places", places),
        ("Answers", f"{answers[block.answers]}; {100 * block.share:g} % of their places are mixed"),
        *([("Cells", told)] if told else []),
    )


def _notes(config: StudyConfig) -> tuple[str, ...]:
    return tuple(
        f"{one.name}: policy {one.policy}."
        if one.train_budget is None
        else f"{one.name}: trained on {config.grpo.model} ({weights_label(config.grpo.weights)} weights) "
        f"with rollouts of T / N = {budget_text(one.train_budget)}, {config.grpo.updates} updates."
        for one in config.probes.policies
    )
