"""Settings of the decoders: one pydantic model per decoder, a base of what all of them share.

Every point that the paper or an upstream implementation leaves open is a named setting here; the default is
the reading we take, the description names the alternative. Unknown keys are errors that name the nearest
valid one.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from xpflow.errors import DecodingError, nearest

TieBreak = Literal["lowest_index", "torch_topk"]
ConfidenceDtype = Literal["native", "bfloat16", "float32", "float64"]


def parse_budget(value: object) -> Fraction:
    """Return a budget (steps / generation length) from "1/4", 0.25, 1 or a Fraction; it lies in (0, 1]."""
    try:
        budget = value if isinstance(value, Fraction) else Fraction(str(value))
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(f"not a budget: {value!r} (write it as 1/4)") from error
    if not 0 < budget <= 1:
        raise ValueError(f"a budget lies in (0, 1], not {value!r}")
    return budget


Budget = Annotated[Fraction, BeforeValidator(parse_budget)]


class DecodeSettings(BaseModel):
    """What every decoder needs; `budget * gen_length` is the number of steps for the whole response."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    decoder: str = Field(description="Name in the DECODERS registry")
    gen_length: int = Field(default=32, gt=0, description="N, response tokens")
    budget: Budget = Field(default=Fraction(1), description="Steps / N, as 1/4")
    block_length: int | None = Field(
        default=None,
        gt=0,
        description="Semi-autoregressive block; none: N (LLaDA) or the model's own (LLaDA2)",
    )
    batch_size: int = Field(default=32, gt=0, description="Rows decoded together (changes rounding only)")
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
        description="Block-causal models: keep keys and values of finished blocks (changes rounding only); "
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


class TokenSettings(DecodeSettings):
    """What the two decoders over hard tokens share."""

    temperature: float = Field(default=0.0, ge=0.0, description="Gumbel temperature in float64; 0: argmax")
    noise_scope: Literal["open", "canvas"] = Field(
        default="open",
        description="canvas: draw for prompt positions too, upstream's random stream at batch 1",
    )
    confidence_eos_eot_inf: Literal["off", "official", "corrected"] = Field(
        default="off",
        description="EOS and EoT get confidence 0; official: with upstream's bug (only EoT at T > 0)",
    )


class MaskPredictionSettings(TokenSettings):
    """Settings of `mask_prediction`."""

    decoder: Literal["mask_prediction"] = "mask_prediction"
    remasking: Literal["low_confidence", "random"] = Field(
        default="low_confidence", description="Which token waits"
    )


class ThresholdSettings(TokenSettings):
    """Settings of `threshold`."""

    decoder: Literal["threshold"] = "threshold"
    threshold: float = Field(default=0.9, ge=0.0, le=1.0, description="Confidence that commits a token")
    strict: bool | None = Field(
        default=None,
        description="conf > threshold rather than >=; none: as upstream (strict for block-causal)",
    )
    minimum: Literal["one", "quota"] = Field(
        default="one",
        description="Tokens committed per step at least: the best one, or mask prediction's quota",
    )
    at_cap: Literal["fill", "continue"] = Field(
        default="fill",
        description="In the last step of the budget: commit all that is left, or go on past it",
    )


class FlowSettings(DecodeSettings):
    """Settings of `flow`; a number in brackets is that of an open point of the paper."""

    decoder: Literal["flow"] = "flow"
    suppress: Literal["none", "mask", "special"] = Field(
        default="mask", description="(9) ids never predicted"
    )
    policy: str = Field(
        default="confidence:8", description="Step-size policy when none is passed: a spec or a file"
    )
    expectation: Literal["A", "B"] = Field(
        default="A", description="Learned policy without sampling: A is E[a], B is a(E[y])"
    )
    commit: bool = Field(default=True, description="Hard commitment; off is the paper's ablation")
    commits_per_step: int = Field(default=1, ge=1, description="(7) tokens committed per step")
    commit_below: float = Field(
        default=0.99, ge=0.0, le=1.0, description="Only tokens with t below it are committed"
    )
    reedit: bool = Field(default=True, description="Re-editing, Eq. 10; off is the paper's ablation")
    reedit_margin: float = Field(default=0.1, ge=0.0, description="Re-edit when c - t < -margin")
    update_order: Literal["flow_first", "reedit_first"] = Field(
        default="flow_first", description="(1) flow, re-edit, commit; or re-edit, flow, commit"
    )
    reedit_t: Literal["after", "before"] = Field(
        default="after", description="(2) t in the re-edit test: after the flow update, or before it"
    )
    reedit_committed: bool = Field(default=True, description="(3) a hard-committed token can be re-edited")
    at_one: Literal["hold", "move"] = Field(
        default="hold", description="(4) a token with t = 1 keeps its embedding, or x still moves by a"
    )
    near_one: Literal["flow", "snap"] = Field(
        default="flow", description="(5) tokens with commit_below <= t < 1 flow on, or are set to t = 1"
    )
    readout: Literal["held", "last_prediction", "nearest", "extra_forward"] = Field(
        default="held",
        description="(6) held: last x_pred that moved the token; last_prediction: argmax of the last forward "
        "everywhere; nearest: nearest embedding; extra_forward: argmax of one more forward, counted",
    )
    prediction: Literal["hard", "soft", "top"] = Field(
        default="hard",
        description="(8) x_pred: embedding of the argmax, expectation, or over the soft_top best",
    )
    soft_top: int = Field(default=4, ge=1, description="Tokens in x_pred when prediction is top")
    rho: Literal["block", "global"] = Field(
        default="block", description="(10) rho = l/(T-1) restarts per block or not"
    )
    stop_at_fixed_point: bool = Field(
        default=True,
        description="Drop a row when a step changed nothing and none can (exact; lowers the NFE)",
    )


def validate(model: type[DecodeSettings], values: dict[str, Any]) -> DecodeSettings:
    """Build settings from plain values; raises DecodingError naming the key and the nearest valid one."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "?"
        unknown = first["type"] == "extra_forbidden"
        message = f"unknown setting {key!r}" if unknown else f"setting {key!r}: {first['msg']}"
        hint = (
            nearest(key, model.model_fields)
            if unknown
            else "`xpflow decode --help` lists the decoders' settings"
        )
        raise DecodingError(f"{message} (decoder {values.get('decoder')!r})", hint=hint) from error
