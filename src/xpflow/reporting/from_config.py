"""From a study's configuration to the plan of its report.

The roles of the arms are read from what they do (decoder, weights, switches), not from their names. Besides
the registered claims every report makes the standard comparisons: flow against mask prediction, against every
other decoder, on the same weights or at equal NFE, and against itself with one part removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import xpflow
from xpflow.artifacts.io import sha256_file
from xpflow.errors import ConfigError
from xpflow.protocols.find import find_protocol
from xpflow.reporting.paper import ABLATION_LABELS
from xpflow.reporting.report_spec import ArmSpec, Contrast, Kind, ModelSpec, ReportPlan, weights_label
from xpflow.study.config import Arm, Claim, StudyConfig
from xpflow.study.config.inputs import ModelChoice
from xpflow.study.rows import expand

FULL = Fraction(1)


def plan_from_config(config: StudyConfig) -> ReportPlan:
    """Return what the tables and figures of a study show; reads the hashes of the models' weights."""
    report = config.reporting
    return ReportPlan(
        study=config.study.name,
        title=config.study.title,
        models=tuple(
            ModelSpec(model.name, _weights_hash(model), find_protocol(model.protocol).label)
            for model in config.models
        ),
        benchmarks=config.benchmark_names,
        arms=tuple(arm_spec(config, arm) for arm in config.evaluation.arms),
        rows=tuple(expand(config)),
        baseline=baseline_arm(config).name,
        flow=flow_arm(config).name,
        contrasts=tuple(contrasts(config)),
        headline_budget=report.headline_budget,
        confidence=report.confidence,
        resamples=report.bootstrap_samples,
        bootstrap_seed=report.bootstrap_seed,
        ratio_margin=report.ratio_margin,
        settings=(("Generation length", _lengths(config)),),
    )


def baseline_arm(config: StudyConfig) -> Arm:
    """Return the arm that stands for the paper's mask prediction; ConfigError when there is none."""
    return _role(config, config.reporting.baseline_arm, "mask_prediction", aligned=False)


def flow_arm(config: StudyConfig) -> Arm:
    """Return the arm that stands for the paper's flow; ConfigError when there is none."""
    return _role(config, config.reporting.flow_arm, "flow", aligned=True)


def _role(config: StudyConfig, name: str | None, decoder: str, *, aligned: bool) -> Arm:
    if name is not None:
        return config.arm(name)
    for arm in config.evaluation.arms:
        if arm.decoder == decoder and (arm.weights != "base") == aligned:
            return arm
    weights = "aligned" if aligned else "base"
    raise ConfigError(
        f"the study {config.study.name} has no {decoder} arm with {weights} weights, so there is no Table 1",
        hint="add one to evaluation.arms",
    )


def arm_spec(config: StudyConfig, arm: Arm) -> ArmSpec:
    """Return an arm as the tables print it."""
    settings = {**config.evaluation.settings, **arm.settings}
    parts = [f"{key}={value}" for key, value in settings.items()]
    parts += [
        f"{model}: {key}={value}" for model, own in arm.model_settings.items() for key, value in own.items()
    ]
    return ArmSpec(arm.name, arm_label(arm), arm.decoder, arm.weights, arm.policy, ", ".join(parts))


def arm_label(arm: Arm) -> str:
    """Return a short name in the field's terms: decoder, policy and switched-off parts."""
    label = arm.decoder.replace("_", " ")
    if arm.decoder == "flow":
        label += f", {_policy_label(arm.policy)}"
    values = [arm.settings.get("threshold"), *(own.get("threshold") for own in arm.model_settings.values())]
    thresholds = list(dict.fromkeys(str(value) for value in values if value is not None))
    if arm.decoder == "threshold" and thresholds:
        label += " " + " or ".join(thresholds)
    off = [
        name
        for key, name in (("commit", "no commit"), ("reedit", "no re-edit"))
        if arm.settings.get(key) is False
    ]
    return ", ".join([label, *off])


def contrasts(config: StudyConfig) -> list[Contrast]:
    """Return the registered claims, then the standard comparisons that they leave out."""
    found = [_registered(config, claim) for claim in config.study.preregistration]
    known = {(one.a, one.b, one.budget_a, one.budget_b) for one in found}
    standard = [one for one in _standard(config) if (one.a, one.b, one.budget_a, one.budget_b) not in known]
    return found + standard


def _registered(config: StudyConfig, claim: Claim) -> Contrast:
    arm_a, arm_b = config.arm(claim.arm_a), config.arm(claim.arm_b)
    kind, removed = _kind(config, arm_a, arm_b)
    return Contrast(
        name=claim.text,
        a=claim.arm_a,
        b=claim.arm_b,
        budget_a=claim.budget,
        budget_b=claim.budget_b or claim.budget,
        kind=kind,
        removed=removed,
        equal_nfe="threshold" in {arm_a.decoder, arm_b.decoder},
        direction=claim.direction,
        models=claim.models,
        benchmarks=claim.benchmarks,
    )


def _standard(config: StudyConfig) -> Iterator[Contrast]:
    """Yield the flow arm at the headline budget against every other arm there (or at its full budget)."""
    flow, budget = flow_arm(config), config.reporting.headline_budget
    for arm in config.evaluation.arms:
        budgets = arm.budgets or config.evaluation.budgets
        if arm.name == flow.name or not {budget, FULL} & set(budgets):
            continue
        kind, removed = _kind(config, flow, arm)
        yield Contrast(
            name=_standard_name(flow, arm, removed),
            a=flow.name,
            b=arm.name,
            budget_a=budget,
            budget_b=budget if budget in budgets else FULL,
            kind=kind,
            removed=removed,
            equal_nfe=arm.decoder == "threshold",
            direction="different" if kind == "check" else "greater",
            registered=False,
        )


def _standard_name(flow: Arm, arm: Arm, removed: str) -> str:
    if removed:
        return f"flow vs flow {ABLATION_LABELS[removed]}"
    sides = (f"{arm_label(one)} [{weights_label(one.weights)}]" for one in (flow, arm))
    return " vs ".join(sides)


def _kind(config: StudyConfig, arm_a: Arm, arm_b: Arm) -> tuple[Kind, str]:
    """Return the family of a comparison and, for an ablation, the part that arm b lacks."""
    flow = flow_arm(config).name
    if (arm_a.name, arm_b.name) == (flow, baseline_arm(config).name):
        return "primary", ""
    removed = _removed(arm_a, arm_b)
    return ("ablation", removed) if arm_a.name == flow and removed else ("check", "")


def _removed(whole: Arm, without: Arm) -> str:
    """Return the one part of the decoder that `without` lacks, empty when they differ otherwise."""
    if without.decoder != "flow" or whole.policy != without.policy:
        return ""
    switches = {"commit": "hard_commitment", "reedit": "re_editing"}
    off = [part for key, part in switches.items() if without.settings.get(key) is False]
    if whole.weights != "base" and without.weights == "base":
        off.append("alignment")
    return off[0] if len(off) == 1 else ""


def _policy_label(policy: str) -> str:
    known = {"shipped": "shipped policy", "trained": "own policy", "none": "no policy"}
    name, _, value = policy.partition(":")
    forms = {"constant": f"a = {value}", "confidence": f"a = c^{value}"}
    return known.get(policy) or forms.get(name) or f"policy {Path(policy).name}"


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
