"""Block `text`: models trained from nothing on MicroText worlds or on corpora, with claims about them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from xpflow.study.config.base import Block, Scalar
from xpflow.study.config.corpus import CorpusBlock, Steps

NAME = r"^[a-z0-9][a-z0-9-]*$"
# What a claim may be about. Bounds are in nats a token; the last column says which further key it needs.
Measure = Literal[
    "excess",  # the bound above the language's own entropy                                  (domain)
    "main",  # its part L_main above the entropy                                             (domain)
    "velocity",  # its part L_velocity                                                       (domain)
    "sample_excess",  # a sample's -log p(x) by the oracle, less the entropy                 (steps)
    "invalid",  # share of samples that the language cannot make                             (steps)
    "agreement",  # probability that one step gives the same word everywhere, exact
    "over_factorised",  # the same, less the best that the model's own marginals allow
    "marginal_entropy",  # entropy of the mean one-step marginal, as a share of log V
    "first_is_first",  # probability that the first place is decided first, by the model's order
    "order_entropy",  # entropy of the model's orders, as a share of log L!
]
NEEDS_STEPS = ("sample_excess", "invalid")
OF_BOUNDS = ("excess", "main", "velocity")


class TextCouplings(Block):
    """Sentences with the noise that the model of run `from` made them from (ReDi)."""

    count: int = Field(gt=0, description="Couplings; each is seen updates x batch_size / count times")
    steps: int = Field(gt=0, description="Steps of the sampler that makes them")


class TextRun(Block):
    """A model trained on one or more worlds or corpora; null takes the block's value."""

    name: str = Field(pattern=NAME, description="Unique name, a folder's")
    label: str | None = Field(default=None, description="As tables and figures print it; null: the name")
    worlds: tuple[str, ...] = Field(
        default=(), description="Worlds of the block, or names of `corpus.texts`; empty: all"
    )
    objective: str = Field(default="masked", description="See `xpflow objectives`")
    settings: dict[str, Scalar | list[Any]] = Field(default={}, description="Of the objective")
    world_settings: dict[str, dict[str, Scalar | list[Any]]] = Field(
        default={}, description="Settings of the objective by world, over `settings`"
    )
    start: str | None = Field(
        default=None, alias="from", description="A run above whose weights it starts from; null: from nothing"
    )
    couplings: TextCouplings | None = Field(
        default=None, description="Train on couplings that run `from` makes; sets `coupling`"
    )
    continue_noise: bool = Field(
        default=False, description="Start from the noise's module of run `from` too; sets `noise_from`"
    )
    updates: int | None = Field(default=None, gt=0, description="Updates; null: the block's")
    batch_size: int | None = Field(default=None, gt=0, description="Sentences an update; null: the block's")
    learning_rate: float | None = Field(default=None, gt=0, description="Peak rate; null: the block's")
    warmup_updates: int | None = Field(
        default=None, ge=0, description="Updates that raise the rate; null: the block's"
    )
    decay_share: float | None = Field(
        default=None, ge=0, le=1, description="Share of the updates that lower the rate; null: the block's"
    )
    report: bool = Field(default=True, description="A row of the tables; false: only others start from it")
    published: dict[str, dict[str, float]] = Field(
        default={},
        description="Perplexities that its paper prints, by texts of `corpus` and by rows, or own-STEPS",
    )

    @model_validator(mode="after")
    def _needs_start(self) -> TextRun:
        if self.start is None and (self.couplings is not None or self.continue_noise):
            raise ValueError("couplings and continue_noise need `from`, the run that they come from")
        return self


class TextClaim(Block):
    """A claim about run a, or about run a less run b with seeds as pairs, written down before it runs."""

    id: str = Field(pattern=NAME, description="Short name, as the tables print it")
    text: str = Field(description="The claim in words")
    measure: Measure = Field(description="What is measured: see docs/microtext.md")
    world: str = Field(description="A world of the block")
    domain: str | None = Field(
        default=None, description="Of excess, main, velocity: another domain of the world, zero-shot"
    )
    steps: int | None = Field(default=None, gt=0, description="Of sample_excess and invalid: one of `steps`")
    run_a: str = Field(description="A run of text.runs")
    run_b: str | None = Field(default=None, description="What it is compared with; null: with `value`")
    value: float = Field(default=0.0, description="What a, or a minus b, is claimed to differ from")
    direction: Literal["greater", "less", "different"] = Field(
        default="less", description="What is claimed of a, or a minus b, against `value`"
    )

    @model_validator(mode="after")
    def _needs(self) -> TextClaim:
        if (self.steps is not None) != (self.measure in NEEDS_STEPS):
            raise ValueError(f"`steps` belongs to {' and '.join(NEEDS_STEPS)}, and to no other measure")
        if self.domain is not None and self.measure not in OF_BOUNDS:
            raise ValueError(f"`domain` belongs to {', '.join(OF_BOUNDS)}, and to no other measure")
        return self


class TextBlock(Block):
    """Models of small languages with an exact oracle, or of corpora, each trained once for every seed."""

    worlds: tuple[str, ...] = Field(default=(), description="See `xpflow text list`; empty: no such models")
    runs: tuple[TextRun, ...] = Field(default=(), description="What is trained, in this order")
    updates: int = Field(default=1200, gt=0, description="Updates of a run that says nothing else")
    batch_size: int = Field(default=64, gt=0, description="Sentences an update")
    learning_rate: float = Field(default=2e-3, gt=0, description="Peak rate of AdamW")
    warmup_updates: int = Field(default=50, ge=0, description="Updates that raise the rate from zero")
    average: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Decay of a moving average of the weights, which a run ends with; 0: none",
    )
    decay_share: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of the updates, at the end, that lower the rate to zero; others start best from a "
        "run without",
    )
    width: int = Field(default=64, gt=0, description="Width of the models")
    layers: int = Field(default=2, gt=0, description="Blocks of the models")
    heads: int = Field(default=4, gt=0, description="Heads of a block")
    steps: Steps = Field(
        default=(1, 2, 4, 8, 16), min_length=1, description="Steps in which sentences are sampled"
    )
    samples: int = Field(default=256, gt=1, description="Sentences sampled for each number of steps")
    test: int = Field(default=1024, gt=1, description="Test sentences on which bounds are measured")
    draws: int = Field(default=1, gt=0, description="Draws of masks for each test sentence")
    curve: int = Field(
        default=4, ge=0, description="Points of a run at which its bound is measured; 0: its end only"
    )
    corpus: CorpusBlock = Field(
        default=CorpusBlock(), description="Published texts that runs are trained on, at the papers' size"
    )
    preregistration: tuple[TextClaim, ...] = Field(
        default=(), description="Claims written down before the study runs"
    )

    def of(self, run: TextRun, world: str) -> dict[str, Any]:
        """Return the objective's settings of a run on a world, without those that files give."""
        return {**run.settings, **run.world_settings.get(world, {})}

    @property
    def pairs(self) -> tuple[tuple[str, TextRun], ...]:
        """Worlds with the runs that are trained on them, in order."""
        return self._pairs(self.worlds)

    @property
    def corpus_pairs(self) -> tuple[tuple[str, TextRun], ...]:
        """Names of `corpus.texts` with the runs that are trained on them, in order."""
        return self._pairs(self.corpus.names)

    def on(self, run: TextRun) -> tuple[str, ...]:
        """Return the worlds and corpora of a run."""
        return run.worlds or (*self.worlds, *self.corpus.names)

    def _pairs(self, names: tuple[str, ...]) -> tuple[tuple[str, TextRun], ...]:
        return tuple((name, run) for name in names for run in self.runs if name in self.on(run))
