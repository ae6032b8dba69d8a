"""Block `probes.noisy`: how text with wrong tokens in it is read, by which readers, and what is claimed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from xpflow.study.config.base import Block

NAME = r"^[a-z0-9][a-z0-9-]*$"
Way = Literal["ids", "codes", "evidence"]
Kind = Literal["uniform", "near"]
NoisyMeasure = Literal["fixed", "kept", "net", "context"]
NEEDS_SETTING = ("codes", "evidence")


class NoisyReader(Block):
    """A way to read text with the weights of a place."""

    name: str = Field(pattern=NAME, description="Unique name, as tables print it")
    place: str = Field(description="A place of probes.places")
    way: Way = Field(
        default="ids",
        description="ids: as the model embeds them; codes: by the converter's, or a fresh one's, as s e(v); "
        "evidence: by ids, adding what a place itself holds by Bayes' rule",
    )
    candidates: tuple[float, ...] = Field(
        default=(),
        description="How far text is trusted: s / s_max of codes, alpha of evidence. The one with the "
        "largest mean net gain on the validation problems is read with",
    )
    uniform: float = Field(
        default=0.1, gt=0, le=1, description="Of evidence: share of noise that is random tokens"
    )

    @model_validator(mode="after")
    def _setting(self) -> NoisyReader:
        if (self.way in NEEDS_SETTING) != bool(self.candidates):
            raise ValueError("readers of codes and of evidence have candidates, and a reader of ids has none")
        limit = 1.0 if self.way == "codes" else 1.0 - 1e-9
        if any(not 0 < value <= limit for value in self.candidates):
            raise ValueError("candidates are above 0 and at most 1; alpha is below 1")
        return self


class NoisyClaim(Block):
    """A claim about how noisy text is read, paired by problem, written down before the study runs."""

    id: str = Field(pattern=NAME, description="Short name, as the tables print it")
    text: str = Field(description="The claim in words")
    measure: NoisyMeasure = Field(
        description="fixed, kept: shares of wrong tokens that are mended, and of right ones that stay; net: "
        "fixed less broken, of all tokens; context: masks read rightly among wrong tokens"
    )
    kind: Kind = Field(default="uniform", description="Of fixed, kept and net: what stands at wrong places")
    share: float | None = Field(
        default=None, description="Share of wrong tokens; null: the mean over all shares of the block"
    )
    reader_a: str = Field(description="A reader")
    reader_b: str | None = Field(
        default=None, description="The reader that it is compared with; null: `least`"
    )
    times: float = Field(default=1.0, gt=0, description="b counts this many times")
    least: float | None = Field(
        default=None, ge=0, le=1, description="What a is compared with, in place of b"
    )
    direction: Literal["greater", "less", "different"] = Field(
        default="greater", description="What is claimed of a minus b"
    )

    @model_validator(mode="after")
    def _one_side(self) -> NoisyClaim:
        if (self.reader_b is None) == (self.least is None):
            raise ValueError("give either `reader_b` or `least`")
        if self.least is not None and (self.times != 1.0 or self.measure == "net"):
            raise ValueError("`least` is of fixed, kept or context, and `times` of what `reader_b` has")
        return self


class NoisyBlock(Block):
    """Answers with wrong tokens in them, read in one forward: fixed, kept, accuracy against s, context."""

    readers: tuple[NoisyReader, ...] = Field(
        default=(), description="Readers, in the order of the tables; empty: nothing of this is asked"
    )
    validation: dict[str, str] = Field(
        default={},
        description="Benchmark -> the benchmark of its validation problems, on which readers choose",
    )
    kinds: tuple[Kind, ...] = Field(
        default=("uniform", "near"),
        min_length=1,
        description="What stands at wrong places: any token, or one of the nearest by base embeddings",
    )
    shares: tuple[float, ...] = Field(
        default=(0.1, 0.3, 0.5), min_length=1, description="Shares of wrong tokens"
    )
    masks: float = Field(
        default=0.3, gt=0, lt=1, description="Share of an answer that is masked where its context is wrong"
    )
    context: tuple[float, ...] = Field(
        default=(0.0, 0.1, 0.3, 0.5),
        min_length=1,
        description="Shares of the other tokens that are wrong there, uniformly",
    )
    ratios: tuple[float, ...] = Field(
        default=(0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0),
        min_length=1,
        description="s / s_max at which all tokens of an answer are seen in noise",
    )
    width: int = Field(
        default=32, gt=1, description="Numbers of a code, of converters for weights without one of their own"
    )
    preregistration: tuple[NoisyClaim, ...] = Field(
        default=(), description="Claims written down before the study runs"
    )

    @model_validator(mode="after")
    def _grids(self) -> NoisyBlock:
        for name, low in (("shares", 0.0), ("context", -1.0), ("ratios", 0.0)):
            values = getattr(self, name)
            if len(set(values)) < len(values) or any(not low < value <= 1 for value in values):
                raise ValueError(f"{name} holds different numbers between 0 and 1")
        if any(value < 0 for value in self.context):
            raise ValueError("context holds different numbers between 0 and 1")
        return self
