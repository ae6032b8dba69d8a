"""Block `evaluation`: budgets and arms; an arm is one way to decode, a row of the tables."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from pydantic import Field

from xpflow.study.config.base import Block, Budget, Scalar


class Arm(Block):
    """One decoder on one kind of weights, with its policy and settings."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="Unique name, and a folder's name")
    decoder: str = Field(description="Name in the decoder registry: mask_prediction, flow, threshold")
    weights: str = Field(default="base", description="base, or a run of training.runs")
    policy: str = Field(
        default="none",
        description="Step-size policy of flow: none, shipped, trained, constant:A, confidence:K, FILE",
    )
    settings: dict[str, Scalar] = Field(
        default={}, description="Decoder settings that differ from the defaults"
    )
    model_settings: dict[str, dict[str, Scalar]] = Field(
        default={}, description="Settings for one model only, by the model's name; they win over `settings`"
    )
    budgets: tuple[Budget, ...] = Field(default=(), description="Budgets; empty: evaluation.budgets")
    models: tuple[str, ...] = Field(default=(), description="Models; empty: all of the study")
    benchmarks: tuple[str, ...] = Field(default=(), description="Benchmarks; empty: all of the study")
    samples_per_task: int | None = Field(
        default=None, ge=1, description="Samples per task; null: evaluation.samples_per_task"
    )
    seeds: Literal["all", "first"] = Field(
        default="all",
        description="first: nothing in the arm depends on the seed (base weights, no trained policy)",
    )

    def settings_for(self, model: str) -> dict[str, Scalar]:
        """Return the arm's settings on a model."""
        return {**self.settings, **self.model_settings.get(model, {})}


QUARTER = (Fraction(1, 4),)
QUARTER_AND_FULL = (Fraction(1, 4), Fraction(1))
FULL = (Fraction(1),)


def _flow(name: str, weights: str = "preserving", policy: str = "shipped", **settings: Scalar) -> Arm:
    seeds: Literal["all", "first"] = "first" if weights == "base" and policy != "trained" else "all"
    return Arm(
        name=name,
        decoder="flow",
        weights=weights,
        policy=policy,
        settings=settings,
        budgets=QUARTER,
        seeds=seeds,
    )


# To change the default study, change a row here and run `make config`. Thresholds of the `matched` rows are
# chosen on validation problems so that the mean NFE is a quarter of N (`xpflow match`).
ARMS: tuple[Arm, ...] = (
    Arm(name="mask-base", decoder="mask_prediction", seeds="first"),
    Arm(name="flow-shipped", decoder="flow", weights="preserving", policy="shipped"),
    Arm(name="flow-paper", decoder="flow", weights="paper", policy="shipped"),
    _flow("flow-confidence", policy="confidence:8"),
    _flow("flow-trained", policy="trained"),
    Arm(name="mask-paper", decoder="mask_prediction", weights="paper", budgets=QUARTER_AND_FULL),
    Arm(name="mask-preserving", decoder="mask_prediction", weights="preserving", budgets=QUARTER_AND_FULL),
    Arm(
        name="threshold-base",
        decoder="threshold",
        settings={"threshold": 0.9},
        budgets=QUARTER_AND_FULL,
        seeds="first",
    ),
    Arm(
        name="threshold-paper",
        decoder="threshold",
        weights="paper",
        settings={"threshold": 0.9},
        budgets=QUARTER_AND_FULL,
    ),
    Arm(
        name="threshold-preserving",
        decoder="threshold",
        weights="preserving",
        settings={"threshold": 0.9},
        budgets=QUARTER_AND_FULL,
    ),
    Arm(
        name="threshold-matched-base",
        decoder="threshold",
        model_settings={"llada-micro": {"threshold": 0.97144}, "llada2-micro": {"threshold": 0.97485}},
        budgets=FULL,
        seeds="first",
    ),
    Arm(
        name="threshold-matched-preserving",
        decoder="threshold",
        weights="preserving",
        model_settings={"llada-micro": {"threshold": 0.96509}, "llada2-micro": {"threshold": 0.95581}},
        budgets=FULL,
    ),
    _flow("flow-no-commit", commit=False),
    _flow("flow-no-reedit", reedit=False),
    _flow("flow-no-alignment", weights="base"),
)


class EvaluationBlock(Block):
    """Budgets, arms and batch size of the evaluation."""

    budgets: tuple[Budget, ...] = Field(
        default=(Fraction(1), Fraction(1, 2), Fraction(1, 4), Fraction(1, 8)),
        min_length=1,
        description="Steps / N of arms that name none",
    )
    batch_size: int = Field(
        default=32,
        gt=0,
        description="Rows decoded together; changes last bits of logits, and answers where a choice hangs on "
        "them: those of flow on unaligned weights most (2 of 20 in fp32)",
    )
    samples_per_task: int = Field(
        default=1,
        ge=1,
        description="Samples of each problem, with seeds of their own; several need a temperature or another "
        "draw",
    )
    settings: dict[str, Scalar] = Field(
        default={"suppress": "special"},
        description="Decoder settings of every arm; an arm's own win over them",
    )
    arms: tuple[Arm, ...] = Field(default=ARMS, description="The arms, in the order of the tables")
