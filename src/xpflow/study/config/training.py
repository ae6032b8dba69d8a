"""Blocks `pretrain`, `selfdata`, `training`, `solvable` and `grpo`: everything that is trained."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field, model_validator

from xpflow.errors import DataError
from xpflow.study.config.base import Block, Budget, Scalar, budget_text

PROBES = 32  # own answers that only the log looks at, beside `selfdata.prompts`


class SelfdataBlock(Block):
    """What is learned from: the base model's own answers to a benchmark's prompts, or the benchmark's."""

    benchmark: str = Field(default="micropy-personas", description="Source of the prompts")
    split: str | None = Field(default=None, description="Its split; null: the benchmark's default one")
    decoder: str = Field(default="mask_prediction", description="Decoder of the answers")
    settings: dict[str, Scalar] = Field(
        default={}, description="Settings of the decoder that differ from its defaults"
    )
    answers: Literal["own", "reference"] = Field(
        default="own",
        description="own: what the model answers; reference: the benchmark's answers, which no model decodes",
    )
    steps: bool = Field(
        default=False, description="Keep beside every token the forward in which it was decided"
    )
    prompts: int = Field(default=512, gt=0, description="Prompts answered per seed")
    gen_length: int = Field(default=32, gt=0, description="N, response tokens")
    budget: Budget = Field(default=Fraction(1), description="Steps / N of the answers")
    batch_size: int = Field(default=32, gt=0, description="Rows decoded together")
    heldout: int = Field(default=64, ge=0, description="Real answers held out, for the cross-entropy on them")

    @model_validator(mode="after")
    def _keys_of_its_own_are_no_settings(self) -> SelfdataBlock:
        if own := sorted({"budget", "batch_size", "decoder", "gen_length"} & self.settings.keys()):
            raise ValueError(f"{', '.join(own)} belong into the block itself, not into its `settings`")
        if self.steps and self.answers == "reference":
            raise ValueError("no forward decided a benchmark's own answers: leave out `steps`")
        return self

    @property
    def told(self) -> str:
        """What a model learns from, in words: its own answers, or those of a benchmark."""
        return "its own answers" if self.answers == "own" else f"the reference answers of {self.benchmark}"

    @property
    def gathered(self) -> str:
        """How these answers come about, in words."""
        if self.answers == "own":
            return f"answer the prompts of {self.benchmark} at {budget_text(self.budget)} of the budget"
        return f"take {self.told}"

    def asked(self, seed: int, size: int) -> range:
        """Return the places of a seed's prompts, probes at their end, in a benchmark of some size.

        No two seeds share one. Raises DataError where there are too few.
        """
        wanted = self.prompts + PROBES
        if (seed + 1) * wanted + self.heldout > size:
            raise DataError(
                f"seed {seed} needs prompts {seed * wanted} to {(seed + 1) * wanted} of {self.benchmark}, "
                f"which has {size} with {self.heldout} held out",
                hint="lower selfdata.prompts or use smaller seed numbers",
            )
        return range(seed * wanted, (seed + 1) * wanted)


BASE = "base"  # the weights that a model comes with


class TrainingRun(Block):
    """One training: an objective with its settings, and the weights that it starts from."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]*$", description="Name, and a folder's; arms refer to it as `weights`"
    )
    objective: str = Field(
        default="x_prediction", description="Name of an objective (`xpflow objectives`), or FILE.py:NAME"
    )
    settings: dict[str, Scalar] = Field(
        default={}, description="Settings of the objective that differ from its defaults"
    )
    start: str = Field(
        default=BASE, alias="from", description="Weights that it starts from: base, or another run's name"
    )
    updates: int | None = Field(
        default=None, gt=0, description="Optimizer steps; null: those of training.full or training.lora"
    )
    batch_size: int | None = Field(
        default=None, gt=0, description="Sequences per step; null: those of training.full or training.lora"
    )
    answers: Literal["all", "passed"] = Field(
        default="all",
        description="Answers it learns from: all, or those that passed their problem's tests (graded for it)",
    )


class FullSettings(Block):
    """Training of all parameters."""

    updates: int = Field(default=200, gt=0, description="Optimizer steps (paper: 100)")
    batch_size: int = Field(default=16, gt=0, description="Sequences per step")
    learning_rate: float = Field(default=5e-4, gt=0, description="Peak learning rate (AdamW)")
    matrix_rate: float | None = Field(
        default=None,
        gt=0,
        description="Peak learning rate of hidden matrices, by Muon, in one process; null: AdamW for all",
    )


class LoraSettings(Block):
    """Training of low-rank adapters, merged into the weights afterwards."""

    updates: int = Field(default=400, gt=0, description="Optimizer steps (paper: 400)")
    batch_size: int = Field(default=8, gt=0, description="Sequences per step")
    learning_rate: float = Field(default=3e-3, gt=0, description="Peak learning rate (AdamW)")
    rank: int = Field(default=32, gt=0, description="Rank of the adapters")
    alpha: float = Field(
        default=64.0, gt=0, description="Scale of the adapters; they count alpha / rank times"
    )


# `preserving` is a named deviation from the paper: it keeps the masked predictions of the base model.
RUNS = (
    TrainingRun(name="paper"),
    TrainingRun(name="preserving", settings={"kl_weight": 0.3, "clean_weight": 0.3}),
)


class TrainingBlock(Block):
    """What is trained on a model's own answers (block `selfdata`), and how."""

    runs: tuple[TrainingRun, ...] = Field(
        default=RUNS, description="The runs; a run that no arm and no policy needs is not trained"
    )
    full: FullSettings = Field(default=FullSettings(), description="Models with `training: full`")
    lora: LoraSettings = Field(default=LoraSettings(), description="Models with `training: lora`")
    warmup_updates: int = Field(default=5, ge=0, description="Linear warm-up, in steps")
    decay_share: float = Field(
        default=0.5, ge=0, le=1, description="Share of the steps, at the end, that lower the rate to zero"
    )
    weight_decay: float = Field(default=0.0, ge=0, description="Decoupled weight decay")
    grad_clip: float = Field(default=1.0, gt=0, description="Largest norm of the gradient")
    log_every: int = Field(default=10, gt=0, description="Steps between rows of log.jsonl (Figures 2a, 2b)")

    def of(self, run: TrainingRun, *, full: bool) -> FullSettings | LoraSettings:
        """Return the settings of a run: those of its kind of training, with sizes of its own."""
        found = self.full if full else self.lora
        own = {"updates": run.updates, "batch_size": run.batch_size}
        return found.model_copy(update={key: value for key, value in own.items() if value is not None})


class SolvableBlock(Block):
    """The filter: training problems that the base model solves."""

    benchmark: str = Field(
        default="micropy-mbpp", description="Source of the problems; always its training split"
    )
    keep: Literal["solved", "all"] = Field(
        default="solved", description="solved: the paper's filter; all: also what the base model fails"
    )
    limit: int | None = Field(default=None, gt=0, description="Only the first problems; null: all")
    decoder: str = Field(default="mask_prediction", description="Decoder of the base model's answer")
    gen_length: int = Field(default=32, gt=0, description="N, response tokens")
    budget: Budget = Field(default=Fraction(1), description="Steps / N of the base model's answer")
    batch_size: int = Field(default=32, gt=0, description="Rows decoded together")


class GrpoBlock(Block):
    """Training of a policy on a frozen aligned model by group-relative advantages."""

    model: str = Field(
        default="llada-micro", description="The model it is trained on; used unchanged on the others"
    )
    weights: str = Field(default="preserving", description="That model's weights: base, or a training run")
    decoder: str = Field(default="flow", description="Decoder of the rollouts; it takes the policy")
    updates: int = Field(default=40, gt=0, description="Policy updates")
    prompts_per_update: int = Field(default=8, gt=0, description="Prompts per update")
    group_size: int = Field(default=8, gt=1, description="G, rollouts per prompt")
    rollout_shards: int = Field(
        default=1,
        gt=0,
        description="Parts of an update's rollouts, each with its own random stream, shared out to processes",
    )
    train_budget: Budget = Field(
        default=Fraction(1, 4),
        description="Steps / N of a rollout: the paper has 1/1, where hard commits alone finish every token",
    )
    completion_weight: float = Field(default=0.1, ge=0, description="lambda, weight of the final progress t")
    clip: float = Field(default=0.2, gt=0, description="Clip range of the probability ratio")
    learning_rate: float = Field(default=3e-4, gt=0, description="Learning rate (Adam)")
    epochs: int = Field(default=1, gt=0, description="Passes over the rollouts of an update")
    hidden: int = Field(default=64, gt=0, description="d, width of the policy's hidden layers")
    kappa_min: float = Field(default=2.0, gt=0, description="Smallest concentration of the Beta distribution")
    kappa_max: float = Field(default=50.0, gt=0, description="Largest concentration of the Beta distribution")
    warm_start: str | None = Field(
        default="confidence:8", description="Policy that is cloned before training; null: from nothing"
    )
    warm_start_updates: int = Field(default=200, gt=0, description="Regression steps of the cloning (Adam)")
    exploration: Literal["token", "trajectory"] = Field(
        default="token",
        description="token: every step size is drawn by itself, as in the paper; trajectory: rollouts also "
        "differ by a shift of mu that one rollout keeps",
    )
    trajectory_scale: float = Field(
        default=0.5, ge=0, description="Standard deviation of that shift, in the logit of mu, per feature"
    )
    drop_flat_groups: bool = Field(
        default=False, description="Leave out groups whose rollouts all have the same task reward"
    )
    std_floor: float = Field(
        default=1e-4, gt=0, description="Added to the group's standard deviation; large: no normalisation"
    )
    validate_every: int = Field(
        default=0,
        ge=0,
        description="Updates between validations that select the policy; 0: the last one is kept",
    )
    validation_limit: int = Field(default=100, gt=0, description="Validation problems of each benchmark")
    checkpoint_every: int = Field(default=10, gt=0, description="Updates between resumable checkpoints")

    @model_validator(mode="after")
    def _parts_are_equal(self) -> GrpoBlock:
        if self.prompts_per_update % self.rollout_shards:
            raise ValueError(
                f"prompts_per_update ({self.prompts_per_update}) must be a multiple of rollout_shards "
                f"({self.rollout_shards}): a prompt's rollouts stay together"
            )
        return self


class PretrainBlock(Block):
    """Pre-training of a micro model on a generated world; not part of a default run."""

    world: str = Field(default="micropy", description="Name of a world: micropy, micropy-l or microsum")
    objective: str = Field(default="masked", description="Name of an objective (`xpflow objectives`)")
    decoder: str = Field(
        default="mask_prediction", description="Decoder of the pass rates on the model's card"
    )
    benchmarks: tuple[str, ...] = Field(
        default=("micropy-he", "micropy-mbpp"), description="Whose validation problems these are of"
    )
    seed: int = Field(default=0, ge=0, description="Seed of weights, data order and masks")
    steps: dict[str, Annotated[int, Field(gt=0)]] = Field(
        default_factory=lambda: {"llada-micro": 2400, "llada2-micro": 2600},
        description="Optimizer steps of each model",
    )
    batch_size: int = Field(default=64, gt=0, le=4096, description="Sequences per step")
    response_length: int = Field(default=32, gt=0, description="N, response tokens")
    learning_rate: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=lambda: {"llada-micro": 0.0013, "llada2-micro": 0.008},
        description="Peak learning rate of each model's matrices (Muon); LLaDA has no QK norm and bears less",
    )
    embedding_learning_rate: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=lambda: {"llada-micro": 0.0015, "llada2-micro": 0.004},
        description="Peak learning rate of each model's embeddings, head and norms (AdamW)",
    )
    weight_decay: float = Field(default=0.01, ge=0, description="Decoupled weight decay of the matrices")
    warmup_steps: int = Field(default=100, ge=0, description="Linear warm-up, in steps")
    decay_share: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        default_factory=lambda: {"llada-micro": 0.375, "llada2-micro": 0.4},
        description="Share of each model's steps, at the end, that lower the rate to zero",
    )
    balance_rate: float = Field(
        default=1e-3, ge=0, description="Step of the experts' balancing bias (LLaDA2)"
    )
    autocast: bool = Field(default=True, description="Forward and backward in bf16, weights in fp32")
    log_every: int = Field(default=50, gt=0, description="Steps between log rows")
    checkpoint_every: int = Field(default=500, gt=0, description="Steps between resumable checkpoints")
