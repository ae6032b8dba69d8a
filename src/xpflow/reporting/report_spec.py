"""What a study promised to measure: models, arms, rows and the comparisons named before it ran.

The reports depend on this plain description and not on the configuration's own classes, so that tests and
other studies can build one by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal

from xpflow.errors import ConfigError, nearest
from xpflow.protocols.find import UNNAMED
from xpflow.reporting.paper import FLOW, MASK_PREDICTION
from xpflow.study.rows import Cell, Row

Kind = Literal["primary", "check", "ablation"]
Direction = Literal["greater", "less", "different"]


def weights_label(weights: str) -> str:
    """Return base, aligned (the paper's loss) or aligned with the name of another variant."""
    return {"base": "base", "paper": "aligned"}.get(weights, f"aligned, {weights}")


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model of the study; `sha256` is that of its weights file, empty when unknown."""

    name: str
    sha256: str = ""
    protocol: str = UNNAMED  # name@version


@dataclass(frozen=True, slots=True)
class ArmSpec:
    """A named way to decode, as tables print it.

    label, title: the decoder with its settings, and alone. weights: base or a training run. settings: one
    line of text. adaptive: each row decides how many forwards it takes, and the budget is a cap.
    """

    name: str
    label: str
    decoder: str
    weights: str = "base"
    policy: str = "none"
    settings: str = ""
    title: str = ""
    adaptive: bool = False

    @property
    def weights_label(self) -> str:
        """The weights as printed, so that the variant `paper` is not read as the paper's column."""
        return weights_label(self.weights)


def _decodes_as(arm: ArmSpec, other: ArmSpec) -> bool:
    """Say whether two arms differ in nothing but their name, and where and at which budgets they run."""
    return replace(arm, name=other.name) == other


@dataclass(frozen=True, slots=True)
class Contrast:
    """A paired difference a minus b.

    removed: the part that an ablation takes away (a key of paper.TABLE_2, where the paper has it); without:
    the same in words, "without re-editing".
    """

    name: str
    a: str
    b: str
    budget_a: Fraction
    budget_b: Fraction
    kind: Kind = "primary"
    removed: str = ""
    without: str = ""
    equal_nfe: bool = False  # the comparison means something at equal mean NFE only
    direction: Direction = "greater"
    registered: bool = True  # written in the configuration, not added by the report
    models: tuple[str, ...] = ()  # empty: all
    benchmarks: tuple[str, ...] = ()  # empty: all
    id: str = ""  # of a registered one

    @property
    def is_claim(self) -> bool:
        """Say whether it was claimed, by the study beforehand or by the paper, and not only asked."""
        return self.registered or self.kind != "check"

    def applies(self, model: str, benchmark: str) -> bool:
        """Say whether the contrast is about this model and benchmark."""
        on_model = not self.models or model in self.models
        return on_model and (not self.benchmarks or benchmark in self.benchmarks)


@dataclass(frozen=True, slots=True)
class ReportPlan:
    """Everything the tables and figures need to know about a study."""

    study: str
    title: str
    models: tuple[ModelSpec, ...]
    benchmarks: tuple[str, ...]
    arms: tuple[ArmSpec, ...]
    rows: tuple[Row, ...]
    baseline: str  # arm: stands for the paper's mask prediction with the base weights
    flow: str  # arm: stands for the paper's flow, and is compared with all others
    contrasts: tuple[Contrast, ...] = ()
    headline_budget: Fraction = Fraction(1, 4)
    settings: tuple[tuple[str, str], ...] = ()  # further lines of the header
    confidence: float = 0.95
    resamples: int = 10_000
    bootstrap_seed: int = 0
    ratio_margin: float = 0.05  # how far below the paper's recovery ratio still counts as kept
    planned: frozenset[Cell] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "planned", frozenset(row.cell for row in self.rows))

    def arm(self, name: str) -> ArmSpec:
        """Return an arm by name; ConfigError names the nearest one."""
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise ConfigError(f"no arm is called {name!r}", hint=nearest(name, [arm.name for arm in self.arms]))

    def is_paper_arm(self, name: str) -> bool:
        """Say whether an arm is one of the paper's two, so that its numbers may stand beside it."""
        arm = self.arm(name)
        kind = (arm.decoder, arm.weights == "base")
        same = {role for role in (self.baseline, self.flow) if _decodes_as(arm, self.arm(role))}
        return (kind == (MASK_PREDICTION, True) and self.baseline in same) or (
            kind == (FLOW, False) and self.flow in same
        )

    def stand_in(self, name: str, model: str, benchmark: str, budget: Fraction) -> str | None:
        """Return the arm if the study ran it in this cell, else one that decodes as it does; or None."""
        arm = self.arm(name)
        others = [other for other in self.arms if _decodes_as(other, arm)]
        names = [name, *(other.name for other in others)]
        return next((one for one in names if self.has(model, benchmark, one, budget)), None)

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(sorted({row.seed for row in self.rows}))

    def samples(self, arm: str) -> int:
        """Return how many samples of each problem an arm takes."""
        return max((row.samples for row in self.rows if row.arm == arm), default=1)

    @property
    def protocols(self) -> dict[str, str]:
        """Return the protocol of each model."""
        return {model.name: model.protocol for model in self.models}

    @property
    def budgets(self) -> tuple[Fraction, ...]:
        return tuple(sorted({row.budget for row in self.rows}))

    @property
    def ablations(self) -> list[Contrast]:
        """Return one contrast for each part that an ablation removes, in their order."""
        return list({one.removed: one for one in self.contrasts if one.kind == "ablation"}.values())

    @property
    def ablation_arms(self) -> dict[str, str]:
        """Return what each ablation removes and the arm without it, in the order of the contrasts."""
        return {one.removed: one.b for one in self.ablations}

    def has(self, model: str, benchmark: str, arm: str, budget: Fraction) -> bool:
        """Say whether the study planned this cell for any seed."""
        return Cell(model, benchmark, arm, budget) in self.planned
