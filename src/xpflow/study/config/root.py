"""The whole configuration of a study: all blocks, and what must hold between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Protocol, TypeVar

from pydantic import Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from xpflow.errors import ConfigError, nearest
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.protocols import PROTOCOLS
from xpflow.study.config.base import Block, budget_text
from xpflow.study.config.claim_references import bad_comparisons
from xpflow.study.config.evaluation import Arm, EvaluationBlock
from xpflow.study.config.factorial import FactorialBlock, factorial_cells
from xpflow.study.config.frontier import FrontierBlock, arms_of
from xpflow.study.config.inputs import MODELS, BenchmarkChoice, ModelChoice, ProblemsBlock
from xpflow.study.config.machine import GradingBlock, RuntimeBlock
from xpflow.study.config.multiverse import MultiverseBlock, multiverse
from xpflow.study.config.noisy_references import bad_noisy
from xpflow.study.config.probes import OF_POLICIES, ProbesBlock
from xpflow.study.config.references import (
    Problem,
    bad_cells,
    bad_curves,
    bad_readings,
    unknown,
    unlisted,
)
from xpflow.study.config.reporting import ReportingBlock, StudyBlock
from xpflow.study.config.text import TextBlock
from xpflow.study.config.text_references import bad_text, needs_models, text_names
from xpflow.study.config.training import (
    BASE,
    GrpoBlock,
    PretrainBlock,
    SelfdataBlock,
    SolvableBlock,
    TrainingBlock,
    TrainingRun,
)


class StudyConfig(Block):
    """One study. Defaults are those of the micro study; a file needs to hold only what differs."""

    study: StudyBlock = Field(default=StudyBlock(), description="Name, seeds and pre-registered claims")
    problems: ProblemsBlock = Field(default=ProblemsBlock(), description="Benchmarks and data")
    models: tuple[ModelChoice, ...] = Field(
        default=MODELS, description="Models of the study; without any, no benchmarks and arms either"
    )
    pretrain: PretrainBlock = Field(
        default=PretrainBlock(), description="How the shipped checkpoints were trained"
    )
    selfdata: SelfdataBlock = Field(default=SelfdataBlock(), description="The model's own answers")
    training: TrainingBlock = Field(
        default=TrainingBlock(), description="What is trained on the own answers: x-prediction alignment"
    )
    solvable: SolvableBlock = Field(
        default=SolvableBlock(), description="Prompts that the policy is trained on"
    )
    grpo: GrpoBlock = Field(default=GrpoBlock(), description="The study's own short policy training")
    evaluation: EvaluationBlock = Field(default=EvaluationBlock(), description="Budgets and arms")
    frontier: FrontierBlock = Field(
        default=FrontierBlock(), description="Decoders as curves of accuracy against forwards"
    )
    probes: ProbesBlock = Field(
        default=ProbesBlock(), description="What mixed states of flow are worth, and how noisy text is read"
    )
    factorial: FactorialBlock = Field(
        default=FactorialBlock(), description="What decoders are made of, all combined"
    )
    multiverse: MultiverseBlock = Field(
        default=MultiverseBlock(), description="Readings of what the paper leaves open"
    )
    text: TextBlock = Field(
        default=TextBlock(), description="Models trained from nothing on small languages with an exact oracle"
    )
    grading: GradingBlock = Field(default=GradingBlock(), description="Jail and limits of generated programs")
    runtime: RuntimeBlock = Field(default=RuntimeBlock(), description="How the machine is used")
    reporting: ReportingBlock = Field(default=ReportingBlock(), description="Tables and figures")

    @model_validator(mode="after")
    def _references(self) -> StudyConfig:
        """Every name that one block uses must exist in the block that defines it."""
        problems = [
            *_repeated(self),
            *_bad_runs(self),
            *_bad_arms(self),
            *bad_curves(self),
            *_bad_probes(self),
            *bad_noisy(self),
            *bad_cells(self),
            *bad_readings(self),
            *bad_comparisons(self),
            *bad_text(self),
            *needs_models(self),
            *_bad_claims(self),
            *_bad_names(self),
            *_bad_plugins(self),
        ]
        if problems:
            details: list[InitErrorDetails] = [
                {"type": PydanticCustomError("reference", "{why}", {"why": why}), "loc": loc, "input": None}
                for loc, why in problems
            ]
            raise ValidationError.from_exception_data("StudyConfig", details)
        return self

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names of the models, in order."""
        return tuple(model.name for model in self.models)

    @property
    def benchmark_names(self) -> tuple[str, ...]:
        """Names of the benchmarks, in order."""
        return tuple(benchmark.name for benchmark in self.problems.benchmarks)

    def model(self, name: str) -> ModelChoice:
        """Return a model by name; ConfigError names the nearest one."""
        return _named("model", name, self.models)

    def benchmark(self, name: str) -> BenchmarkChoice:
        """Return a benchmark by name; ConfigError names the nearest one."""
        return _named("benchmark", name, self.problems.benchmarks)

    def benchmark_entry(self, name: str) -> str:
        """Return the name by which the table of benchmarks has one that the study names anywhere."""
        return next((one.entry for one in self.problems.benchmarks if one.name == name), name)

    @cached_property
    def swept_arms(self) -> tuple[tuple[str, Arm], ...]:
        """The arms that blocks `frontier`, `factorial` and `multiverse` make, each with its block's place."""
        frontier = [
            ("frontier.curves", arm)
            for curve in self.frontier.curves
            for weights in curve.weights
            for arm in arms_of(curve, weights)
        ]
        cells = [("factorial.factors", arm) for cell in factorial_cells(self.factorial) for arm in cell.arms]
        readings = [("multiverse.readings", arm) for arm in multiverse(self.multiverse)[1]]
        return (*frontier, *cells, *readings)

    @cached_property
    def arms(self) -> tuple[Arm, ...]:
        """All arms: those of block `evaluation`, and those that other blocks make."""
        return (*self.evaluation.arms, *(arm for _, arm in self.swept_arms))

    @cached_property
    def chosen_on(self) -> frozenset[str]:
        """The benchmarks on which settings and readings are chosen; no table reports them."""
        blocks = (self.frontier, self.multiverse, self.probes.noisy)
        return frozenset(name for block in blocks for name in block.validation.values())

    @cached_property
    def _arms_by_name(self) -> dict[str, Arm]:
        return {arm.name: arm for arm in self.arms}

    def arm(self, name: str) -> Arm:
        """Return an arm by name; ConfigError names the nearest one."""
        found = self._arms_by_name.get(name)
        return _named("arm", name, self.arms) if found is None else found

    def run(self, name: str) -> TrainingRun:
        """Return a training run by name; ConfigError names the nearest one."""
        return _named("training run", name, self.training.runs)


class _HasName(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=_HasName)


def _named(kind: str, name: str, entries: Iterable[N]) -> N:
    found = {entry.name: entry for entry in entries}
    if name not in found:
        raise ConfigError(f"the study has no {kind} {name!r}", hint=nearest(name, found))
    return found[name]


def _repeated(config: StudyConfig) -> Iterator[Problem]:
    named: dict[tuple[str | int, ...], Sequence[object]] = {
        ("models",): config.model_names,
        ("problems", "benchmarks"): config.benchmark_names,
        ("training", "runs"): tuple(run.name for run in config.training.runs),
        ("evaluation", "arms"): tuple(arm.name for arm in config.evaluation.arms),
        ("evaluation", "budgets"): tuple(map(budget_text, config.evaluation.budgets)),
        **{
            ("evaluation", "arms", index, "budgets"): tuple(map(budget_text, arm.budgets))
            for index, arm in enumerate(config.evaluation.arms)
        },
        ("study", "seeds"): config.study.seeds,
        ("study", "preregistration"): tuple(claim.id for claim in config.study.preregistration),
        ("frontier", "curves"): tuple(curve.name for curve in config.frontier.curves),
        ("frontier", "preregistration"): tuple(claim.id for claim in config.frontier.preregistration),
        ("probes", "places"): tuple(place.name for place in config.probes.places),
        ("probes", "policies"): tuple(policy.name for policy in config.probes.policies),
        ("probes", "preregistration"): tuple(claim.id for claim in config.probes.preregistration),
        ("probes", "noisy", "readers"): tuple(one.name for one in config.probes.noisy.readers),
        ("probes", "noisy", "preregistration"): tuple(
            claim.id for claim in config.probes.noisy.preregistration
        ),
        ("factorial", "factors"): config.factorial.names,
        ("factorial", "gains"): tuple(gain.name for gain in config.factorial.gains),
        ("factorial", "preregistration"): tuple(claim.id for claim in config.factorial.preregistration),
        ("multiverse", "readings"): tuple(reading.name for reading in config.multiverse.readings),
        ("multiverse", "variants"): config.multiverse.sides[1:],
        ("multiverse", "preregistration"): tuple(claim.id for claim in config.multiverse.preregistration),
        **text_names(config),
    }
    for loc, names in named.items():
        for index, name in enumerate(names):
            if name in names[:index]:
                yield (*loc, index), f"{name!r} occurs twice"


def _bad_runs(config: StudyConfig) -> Iterator[Problem]:
    """A run starts from base weights or from a run above it, so that there is no circle; none is `base`."""
    above = [BASE]
    for index, run in enumerate(config.training.runs):
        loc = ("training", "runs", index)
        if run.name == BASE:
            yield (*loc, "name"), f"{BASE!r} is the name of the weights that a model comes with"
        yield from unknown((*loc, "from"), [run.start], above)
        above.append(run.name)


def _bad_arms(config: StudyConfig) -> Iterator[Problem]:
    weights = (BASE, *(run.name for run in config.training.runs))
    # The default arms carry settings for the shipped models, also in a study that has only one of them.
    known_models = (*config.model_names, *(model.name for model in MODELS))
    for index, arm in enumerate(config.evaluation.arms):
        loc = ("evaluation", "arms", index)
        yield from unknown((*loc, "weights"), [arm.weights], weights)
        yield from unknown((*loc, "models"), arm.models, config.model_names)
        yield from unknown((*loc, "model_settings"), arm.model_settings, known_models)
        yield from unknown((*loc, "benchmarks"), arm.benchmarks, config.benchmark_names)
        if arm.seeds == "first" and (arm.weights != BASE or arm.policy == "trained"):
            yield (*loc, "seeds"), "trained weights or policies depend on the seed: use `seeds: all`"


def _bad_probes(config: StudyConfig) -> Iterator[Problem]:
    block, weights = config.probes, (BASE, *(run.name for run in config.training.runs))
    for index, place in enumerate(block.places):
        loc = ("probes", "places", index)
        yield from unknown((*loc, "model"), [place.model], config.model_names)
        yield from unknown((*loc, "weights"), [place.weights], weights)
    yield from unknown(("probes", "benchmarks"), block.benchmarks, config.benchmark_names)
    if block.preregistration and not block.mixed:
        yield ("probes", "preregistration"), "claims about mixed states need `mixed: true`"
    places, policies = [one.name for one in block.places], [one.name for one in block.policies]
    for index, claim in enumerate(block.preregistration):
        loc = ("probes", "preregistration", index)
        for side in ("a", "b"):
            yield from unknown((*loc, f"place_{side}"), [getattr(claim, f"place_{side}")], places)
            named = getattr(claim, f"policy_{side}")
            if (named is not None) != (claim.measure in OF_POLICIES):
                needs = "no policy" if named else "a policy"
                yield (*loc, f"policy_{side}"), f"{claim.measure} is a measure of {needs}"
            elif named is not None:
                yield from unknown((*loc, f"policy_{side}"), [named], policies)
            yield from _bad_passes(config, loc, index, side)
        yield from _off_grid(config, loc, index)


def _bad_passes(config: StudyConfig, loc: tuple[str | int, ...], index: int, side: str) -> Iterator[Problem]:
    """Yield that a claim is about a number of passes that a place does not take, or about none."""
    block, claim = config.probes, config.probes.preregistration[index]
    number, place = getattr(claim, f"passes_{side}"), getattr(claim, f"place_{side}")
    if (number is None) == (claim.measure == "nats"):
        needs = "a number of passes" if number is None else "no number of passes"
        yield (*loc, f"passes_{side}"), f"{claim.measure} is a measure of {needs}"
    elif number is not None:
        soft = any(one.name == place and one.soft for one in block.places)
        most = block.passes if soft else min(1, block.passes)
        if number > most:
            yield (*loc, f"passes_{side}"), f"of {place} {most} passes are read: see probes.passes and `soft`"


def _off_grid(config: StudyConfig, loc: tuple[str | int, ...], index: int) -> Iterator[Problem]:
    """Yield that a claim is about a t or a share of the steps at which nothing is measured."""
    block, claim = config.probes, config.probes.preregistration[index]
    snap = claim.at * block.snaps
    if claim.measure == "recovered" and abs(snap - round(snap)) > 1e-4:
        yield (*loc, "at"), f"{claim.at} is no multiple of 1/{block.snaps}, where decodes are snapped"
    if claim.snap_at is not None and claim.snap_at not in block.snap_at:
        yield (*loc, "snap_at"), f"{claim.snap_at} is none of probes.snap_at"
    if claim.measure not in (*OF_POLICIES, "nats") and claim.at not in block.t:
        yield (*loc, "at"), f"{claim.at} is none of probes.t"


def _bad_claims(config: StudyConfig) -> Iterator[Problem]:
    arms = {arm.name: arm for arm in config.evaluation.arms}
    for index, claim in enumerate(config.study.preregistration):
        loc = ("study", "preregistration", index)
        yield from unknown((*loc, "models"), claim.models, config.model_names)
        yield from unknown((*loc, "benchmarks"), claim.benchmarks, config.benchmark_names)
        for key, name, budget in (
            ("arm_a", claim.arm_a, claim.budget),
            ("arm_b", claim.arm_b, claim.budget_b or claim.budget),
        ):
            yield from unknown((*loc, key), [name], arms)
            if name in arms and budget not in (arms[name].budgets or config.evaluation.budgets):
                yield (*loc, key), f"arm {name!r} is not run at budget {budget_text(budget)}"


def _bad_names(config: StudyConfig) -> Iterator[Problem]:
    if config.models:
        yield from unknown(("grpo", "model"), [config.grpo.model], config.model_names)
    weights = [BASE, *(run.name for run in config.training.runs)]
    yield from unknown(("grpo", "weights"), [config.grpo.weights], weights)
    arms = [arm.name for arm in config.evaluation.arms]
    for key in ("baseline_arm", "flow_arm", "trace_arm"):
        name = getattr(config.reporting, key)
        yield from unknown(("reporting", key), [] if name is None else [name], arms)


def _bad_plugins(config: StudyConfig) -> Iterator[Problem]:
    """A plug-in has a name in a table or a package, or lies below the folder that the study runs in."""
    for index, model in enumerate(config.models):
        yield from unlisted(("models", index, "protocol"), model.protocol, PROTOCOLS)
    for index, benchmark in enumerate(config.problems.benchmarks):
        yield from unlisted(("problems", "benchmarks", index, "name"), benchmark.entry, BENCHMARKS)
    for index, run in enumerate(config.training.runs):
        yield from unlisted(("training", "runs", index, "objective"), run.objective, None)
    for index, arm in enumerate(config.evaluation.arms):
        yield from unlisted(("evaluation", "arms", index, "decoder"), arm.decoder, None)
