"""What a decoder says about itself: its settings, how it is made, and all that others must know of it.

A decoder is one file that ends with `DECODER = Decoder(...)`. Nobody else keeps a list of decoders, or a
rule about one of them: labels in tables, the knob of `xpflow match`, marks in pictures and the settings that
tests try are all asked here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from xpflow.budget import Budget
from xpflow.decoding.policies.base import policy_label
from xpflow.errors import DecodingError

TieBreak = Literal["lowest_index", "torch_topk"]
ConfidenceDtype = Literal["native", "bfloat16", "float32", "float64"]


class DecodeSettings(BaseModel):
    """What every decoder needs; `budget * gen_length` is the number of steps for the whole response."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    decoder: str = Field(description="Name of a decoder (`xpflow decoders`)")
    gen_length: int = Field(default=32, gt=0, description="N, response tokens")
    budget: Budget = Field(default=Fraction(1), description="Steps / N, as 1/4")
    block_length: int | None = Field(
        default=None,
        gt=0,
        description="Semi-autoregressive block; none: N (LLaDA) or the model's own (LLaDA2)",
    )
    batch_size: int = Field(
        default=32,
        gt=0,
        description="Rows decoded together; changes last bits of logits, and answers where a choice hangs "
        "on them: those of flow on unaligned weights most (2 of 20)",
    )
    confidence_dtype: ConfidenceDtype = Field(
        default="native", description="dtype of the softmax behind a confidence; native: that of the logits"
    )
    confidence_kernel: Literal["softmax", "fused"] = Field(
        default="softmax",
        description="fused: max and log-sum-exp, no table of probabilities (other last bits)",
    )
    tie_break: TieBreak = Field(
        default="lowest_index",
        description="Among equal confidences; torch_topk repeats upstream's undefined order",
    )
    suppress: Literal["none", "mask", "special"] = Field(
        default="none",
        description="Ids never predicted: none, the mask, or config.suppress_token_ids too",
    )
    logits_eos_inf: bool = Field(
        default=False, description="EOS is never predicted (upstream's logits_eos_inf)"
    )
    overrun: Literal["decode", "pad"] = Field(
        default="decode",
        description="Block-causal models: places after N in the last block: decode and drop, or padding",
    )
    block_steps: Literal["proportional", "full"] = Field(
        default="proportional",
        description="Steps of a block with m open places: ceil(m * budget), or block_length * budget",
    )
    kv_cache: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="Block-causal models: keep keys and values of finished blocks (last bits as batch_size); "
        "auto: on a GPU",
    )
    stop_after_eos: bool | None = Field(
        default=None,
        description="Stop after a block with an EOS, fill up with EOS; none: block-causal models only",
    )

    @property
    def steps(self) -> int:
        """Return N * budget; raises DecodingError when that is not a whole number."""
        steps = self.budget * self.gen_length
        if steps.denominator != 1:
            raise DecodingError(
                f"budget {self.budget} of {self.gen_length} tokens is {float(steps):g} steps",
                hint="choose a budget whose denominator divides gen_length",
            )
        return int(steps)


@dataclass(frozen=True, slots=True)
class Switch:
    """A part of a decoder that a setting turns off: an ablation.

    off: what a label says then, "no commit"; part: its key among the paper's ablations; without: how a
    comparison names it, "without hard commitment".
    """

    setting: str
    off: str
    part: str
    without: str


@dataclass(frozen=True, slots=True)
class Knob:
    """A setting that the mean NFE follows: it never falls (`rises`), or never rises, with the value.

    low, high: the range that is searched; whole: only whole numbers count.
    """

    setting: str
    low: float
    high: float
    rises: bool = True
    whole: bool = False


Effect = Literal["write", "open", "note"]


@dataclass(frozen=True, slots=True)
class Event:
    """What a step can do to single positions; events of one step happen in the order of their list.

    effect: "write": the position takes the step's prediction; "open": it becomes noise again; "note": its
    token stays. label and mark (a matplotlib marker): how pictures show it, not at all without a mark.
    done: the word of live views, as in "3 fixed". revises: it changes what was decided before.
    """

    name: str
    effect: Effect
    label: str = ""
    mark: str = ""
    done: str = ""
    revises: bool = False


COMMIT = Event("commit", "write", "commit", "o", "fixed")


def _has_temperature(settings: Any) -> bool:
    return getattr(settings, "temperature", 0.0) > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """One decoder. Only the first four are needed; the others have a default that holds for most.

    make: from a `Setup` to the stepper. about: one line. title: its name in tables, "mask prediction".
    source: paper and upstream file. takes_policy: it needs a policy, which is trained to give step sizes or
    to commit (`policy_action`); asks_policy: under which settings, where not under all. nfe: "fixed": the
    budget says how many forwards a row takes (fewer only where no later one could change it); "adaptive": the
    row decides, and the budget is a cap; "own": budget and settings say it, and it may be above the budget's.
    shown: settings whose values belong to its label. examples: settings that tests run it with; the first is
    the default. replay: the states of a trace (`xpflow.traces.replay`), where tokens and events do not say
    all of a state. draws: whether it draws random numbers under some settings, so that two seeds can give
    two answers; by default, above a `temperature` of 0. only_with:
    settings that others can leave without effect, with what they need in words and as a test of all settings.
    """

    settings: type[DecodeSettings]
    make: Callable[[Any], Any]
    about: str
    title: str
    source: str = ""
    takes_policy: bool = False
    policy_action: Literal["step", "commit"] = "step"
    asks_policy: Callable[[Any], bool] = lambda settings: True
    nfe: Literal["fixed", "adaptive", "own"] = "fixed"
    shown: tuple[str, ...] = ()
    knob: Knob | None = None
    switches: tuple[Switch, ...] = ()
    examples: tuple[Mapping[str, Any], ...] = ({},)
    events: tuple[Event, ...] = (COMMIT,)
    replay: Callable[[Any], Any] | None = None
    draws: Callable[[Any], bool] = _has_temperature
    only_with: Mapping[str, tuple[str, Callable[[Any], bool]]] = field(default_factory=dict)

    def require_used(self, settings: DecodeSettings, names: Iterable[str]) -> None:
        """Raise DecodingError where one of the settings `names`, which somebody chose, does nothing."""
        needs = {"noise_scope": ("noise that is drawn, as by a temperature", self.draws), **self.only_with}
        for name in names:
            words, used = needs.get(name, ("", bool))
            if words and not used(settings):
                raise DecodingError(
                    f"setting {name!r} does nothing here: it needs {words} (decoder {settings.decoder!r})",
                    hint=f"leave it out, or set what it needs: `xpflow decoders {settings.decoder}`",
                )

    def label(self, settings: Sequence[Mapping[str, Any]] = (), policy: str = "none") -> str:
        """Return a short name in the field's terms: title, policy, shown values, parts that are off.

        settings: those of an arm, then any that it has for single models.
        """
        text = self.title + (f", {policy_label(policy)}" if self.takes_policy else "")
        for name in self.shown:
            values = [one[name] for one in settings if one.get(name) is not None]
            if found := " or ".join(dict.fromkeys(map(str, values))):
                text += f" {found}" if len(self.shown) == 1 else f" {name} {found}"
        own = settings[0] if settings else {}
        return ", ".join([text, *(part.off for part in self.switches if own.get(part.setting) is False)])
