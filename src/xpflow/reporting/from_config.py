"""From a study's configuration to the plan of its report.

The roles of the arms are read from what they do (decoder, weights, switches), not from their names. Besides
the registered claims every report makes the standard comparisons: flow against mask prediction, against every
other decoder, on the same weights or at equal NFE, and against itself with one part removed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import xpflow
from xpflow.artifacts.io import sha256_file
from xpflow.decoding.decoders import DECODERS
from xpflow.decoding.entry import Decoder
from xpflow.protocols.find import find_protocol
from xpflow.reporting import paper
from xpflow.reporting.report_spec import ArmSpec, Contrast, Kind, ModelSpec, ReportPlan, weights_label
from xpflow.study.config import Arm, Claim, StudyConfig
from xpflow.study.config.inputs import ModelChoice
from xpflow.study.rows import expand

FULL = Fraction(1)


def plan_from_config(config: StudyConfig) -> ReportPlan:
    """Return what the tables and figures of a study show; reads the hashes of the models' weights."""
    report, own = config.reporting, {arm.name for arm in config.evaluation.arms}
    chosen_on = config.chosen_on
    return ReportPlan(
        study=config.study.name,
        title=config.study.title,
        models=tuple(
            ModelSpec(model.name, _weights_hash(model), find_protocol(model.protocol).label)
            for model in config.models
        ),
        benchmarks=tuple(name for name in config.benchmark_names if name not in chosen_on),
        arms=tuple(arm_spec(config, arm) for arm in config.evaluation.arms),
        rows=tuple(row for row in expand(config) if row.arm in own and row.benchmark not in chosen_on),
        baseline=baseline_arm(config).name if config.evaluation.arms else "",
        flow=flow_arm(config).name if config.evaluation.arms else "",
        contrasts=tuple(contrasts(config)),
        headline_budget=report.headline_budget,
        confidence=report.confidence,
        resamples=report.bootstrap_samples,
        bootstrap_seed=report.bootstrap_seed,
        ratio_margin=report.ratio_margin,
        settings=(("Generation length", _lengths(config)),) if config.models else (),
    )


def baseline_arm(config: StudyConfig) -> Arm:
    """Return the arm that stands for the paper's mask prediction with the base weights.

    It is the one that block `reporting` names; else the first that decodes so, at the headline budget if one
    does; else that has its decoder; else the first of all.
    """
    if config.reporting.baseline_arm is not None:
        return config.arm(config.reporting.baseline_arm)
    arms = config.evaluation.arms
    wanted = [arm for arm in arms if arm.decoder == paper.MASK_PREDICTION]
    base = [arm for arm in wanted if arm.weights == "base"]
    return [*_at_headline(config, base), *base, *wanted, *arms][0]


def flow_arm(config: StudyConfig) -> Arm:
    """Return the arm that stands for the paper's flow with aligned weights, and is compared with all others.

    It is the one that block `reporting` names; else the first that decodes so, at the headline budget if one
    does; else that has its decoder; else the first that is not the baseline.
    """
    if config.reporting.flow_arm is not None:
        return config.arm(config.reporting.flow_arm)
    arms, baseline = config.evaluation.arms, baseline_arm(config)
    wanted = [arm for arm in arms if arm.decoder == paper.FLOW]
    others = [arm for arm in arms if arm.name != baseline.name]
    aligned = [arm for arm in wanted if arm.weights != "base"]
    return [*_at_headline(config, aligned), *aligned, *wanted, *others, baseline][0]


def _at_headline(config: StudyConfig, arms: list[Arm]) -> list[Arm]:
    budget = config.reporting.headline_budget
    return [arm for arm in arms if budget in (arm.budgets or config.evaluation.budgets)]


def arm_spec(config: StudyConfig, arm: Arm) -> ArmSpec:
    """Return an arm as the tables print it."""
    settings = {**config.evaluation.settings, **arm.settings}
    parts = [f"{key}={value}" for key, value in settings.items()]
    parts += [
        f"{model}: {key}={value}" for model, own in arm.model_settings.items() for key, value in own.items()
    ]
    decoder: Decoder = DECODERS[arm.decoder]
    return ArmSpec(
        arm.name,
        arm_labels(config).get(arm.name) or arm_label(arm),  # a reading is no arm of the evaluation
        arm.decoder,
        arm.weights,
        arm.policy,
        settings=", ".join(parts),
        title=decoder.title,
        adaptive=decoder.nfe == "adaptive",
    )


def arm_label(arm: Arm) -> str:
    """Return a short name in the field's terms, the decoder's own: title, policy, parts that are off."""
    decoder: Decoder = DECODERS[arm.decoder]
    return decoder.label([arm.settings, *arm.model_settings.values()], arm.policy)


def arm_labels(config: StudyConfig) -> dict[str, str]:
    """Return the labels of a study's arms by name; settings that arms of one label and weights do not share
    are added. Arms that differ in budgets only decode alike, and keep one label.
    """
    alike = defaultdict[tuple[str, str], list[Arm]](list)
    for arm in config.evaluation.arms:
        alike[arm_label(arm), arm.weights].append(arm)
    return {arm.name: label + _apart(arm, arms) for (label, _), arms in alike.items() for arm in arms}


def _apart(arm: Arm, arms: list[Arm]) -> str:
    """Return the settings of an arm that not all arms of its label have: none where it is alone."""
    all_settings = [one.settings.items() for one in arms]
    own = [pair for pair in arm.settings.items() if not all(pair in other for other in all_settings)]
    return "".join(f", {key} {value}" for key, value in own)


def contrasts(config: StudyConfig) -> list[Contrast]:
    """Return the registered claims, then the standard comparisons that they leave out."""
    found = [_registered(config, claim) for claim in config.study.preregistration]
    known = {(one.a, one.b, one.budget_a, one.budget_b) for one in found}
    if not config.evaluation.arms:
        return found
    standard = [one for one in _standard(config) if (one.a, one.b, one.budget_a, one.budget_b) not in known]
    return found + standard


def _registered(config: StudyConfig, claim: Claim) -> Contrast:
    arm_a, arm_b = config.arm(claim.arm_a), config.arm(claim.arm_b)
    budgets = (claim.budget, claim.budget_b or claim.budget)
    kind, removed, without = _kind(config, arm_a, arm_b, budgets)
    return Contrast(
        name=claim.text,
        a=claim.arm_a,
        b=claim.arm_b,
        budget_a=claim.budget,
        budget_b=claim.budget_b or claim.budget,
        kind=kind,
        removed=removed,
        without=without,
        equal_nfe=_own_nfe(arm_a) or _own_nfe(arm_b),
        direction=claim.direction,
        models=claim.models,
        benchmarks=claim.benchmarks,
        id=claim.id,
    )


def _standard(config: StudyConfig) -> Iterator[Contrast]:
    """Yield the flow arm at the headline budget against every other arm there (or at its full budget)."""
    flow, budget = flow_arm(config), config.reporting.headline_budget
    labels = arm_labels(config)
    for arm in config.evaluation.arms:
        budgets = arm.budgets or config.evaluation.budgets
        if arm.name == flow.name or not {budget, FULL} & set(budgets):
            continue
        budget_b = budget if budget in budgets else FULL
        kind, removed, without = _kind(config, flow, arm, (budget, budget_b))
        yield Contrast(
            name=_standard_name(flow, arm, without, labels),
            a=flow.name,
            b=arm.name,
            budget_a=budget,
            budget_b=budget_b,
            kind=kind,
            removed=removed,
            without=without,
            equal_nfe=_own_nfe(flow) or _own_nfe(arm),
            direction="different" if kind == "check" else "greater",
            registered=False,
        )


def _standard_name(flow: Arm, arm: Arm, without: str, labels: Mapping[str, str]) -> str:
    if without:
        title = DECODERS[flow.decoder].title
        return f"{title} vs {title} {without}"
    sides = (f"{labels[one.name]} [{weights_label(one.weights)}]" for one in (flow, arm))
    return " vs ".join(sides)


def _own_nfe(arm: Arm) -> bool:
    """Return whether budgets alone do not make NFE equal: rows decide how many they take, or the decoder."""
    decoder: Decoder = DECODERS[arm.decoder]
    return decoder.nfe != "fixed"


def _kind(
    config: StudyConfig, arm_a: Arm, arm_b: Arm, budgets: tuple[Fraction, Fraction]
) -> tuple[Kind, str, str]:
    """Return the family of a comparison; of an ablation also what arm b lacks, and how it is said.

    The paper's claims are about the headline budget on both sides; at others a comparison is a check.
    """
    flow = flow_arm(config).name
    if set(budgets) != {config.reporting.headline_budget}:
        return "check", "", ""
    if (arm_a.name, arm_b.name) == (flow, baseline_arm(config).name):
        return "primary", "", ""
    removed = _removed(arm_a, arm_b) if arm_a.name == flow else None
    return ("ablation", *removed) if removed else ("check", "", "")


def _removed(whole: Arm, without: Arm) -> tuple[str, str] | None:
    """Return the one part that `without` lacks of the same decoder, and how it is said.

    None when they differ otherwise.
    """
    if without.decoder != whole.decoder or whole.policy != without.policy:
        return None
    off = [
        (switch.part, switch.without)
        for switch in DECODERS[without.decoder].switches
        if without.settings.get(switch.setting) is False
    ]
    if whole.weights != "base" and without.weights == "base":
        off.append((paper.ALIGNMENT, "without alignment"))
    return off[0] if len(off) == 1 else None


def _lengths(config: StudyConfig) -> str:
    entries = config.problems.benchmarks
    return ", ".join(
        f"{entry.name}: N = {entry.gen_length} tokens ({entry.split} split)" for entry in entries
    )


def _weights_hash(model: ModelChoice) -> str:
    """Return the SHA-256 of a model's weights file, empty when it has none or several."""
    shipped = Path(xpflow.__file__).parent / "models" / "shipped" / model.name
    weights = (Path(model.directory) if model.directory else shipped) / "model.safetensors"
    return sha256_file(weights) if weights.is_file() else ""
