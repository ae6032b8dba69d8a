"""The learned step-size policy (Eq. 13-17): eight numbers per token, a small MLP, a Beta over the log step.

Legend: mu mean and kappa concentration of the Beta.
    y ~ Beta(mu kappa, (1 - mu) kappa)
    u = log2 a_min + y (log2 a_max - log2 a_min)
    a = 2^u
Without sampling there are two readings of the step. A: E[a] = a_min 1F1(mu kappa; kappa; ln(a_max / a_min)).
B: a(E[y]). They differ much at low kappa (mu 0.5, kappa 5: 0.1135 against 0.0625).
A policy that commits (`action: commit`) has a Bernoulli instead: a = y, which is 1 with a chance p, or p
itself without sampling.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from xpflow.artifacts.io import atomic_writer
from xpflow.decoding.policies.base import Action, PolicyInfo
from xpflow.errors import ArtifactError, DecodingError

FEATURES = 8
MOST_WIDE = 1 << 14
SERIES_TERMS = 40  # ln 256 = 5.5: the 40th term is below 1e-17 of the first


@dataclass(frozen=True, slots=True)
class PolicyShape:
    """Sizes and ranges of a learned policy.

    Open point 13: the paper gives neither d (`width`) nor the range of kappa. action: what is decided, how
    far a token moves or whether it is committed.
    """

    width: int = 64
    a_min: float = 1.0 / 256.0
    a_max: float = 1.0
    kappa_min: float = 2.0
    kappa_max: float = 50.0
    action: Literal["step", "commit"] = "step"

    def __post_init__(self) -> None:
        """Raise DecodingError for sizes that are none: NaN, infinite, negative, upside down."""
        width, ends = self.width, (self.a_min, self.a_max, self.kappa_min, self.kappa_max)
        sound = isinstance(width, int) and not isinstance(width, bool) and 1 <= width <= MOST_WIDE
        sound = sound and all(isinstance(end, int | float) and math.isfinite(end) for end in ends)
        sound = sound and self.action in ("step", "commit")
        if not (sound and 0 < self.a_min < self.a_max <= 1 and 0 < self.kappa_min < self.kappa_max):
            raise DecodingError(
                f"a step-size policy of width {width!r}, a in {ends[:2]} and kappa in {ends[2:]}",
                hint=f"width from 1 to {MOST_WIDE}, 0 < a_min < a_max <= 1, 0 < kappa_min < kappa_max",
            )


class LearnedPolicy(nn.Module):
    """Two SiLU layers on the features, a Beta head; deterministic unless `draw` is used."""

    needs_features = True

    def __init__(self, shape: PolicyShape | None = None, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape or PolicyShape()
        self.expectation = "A"
        self.notes: dict[str, Any] = {}
        width = self.shape.width
        self.hidden = nn.Sequential(nn.Linear(FEATURES, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.head = nn.Linear(width, 2)
        source = generator if generator is not None else torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in self.parameters():
                bound = 1.0 / math.sqrt(parameter.shape[-1])
                parameter.copy_((torch.rand(parameter.shape, generator=source) * 2 - 1) * bound)

    def chance(self, features_BM8: Tensor) -> Tensor:
        """Return the probability that each token is committed."""
        chance_BM: Tensor = self.head(self.hidden(features_BM8))[..., 0].sigmoid()
        return chance_BM.clamp(1e-6, 1 - 1e-6)

    def mean_concentration(self, features_BM8: Tensor) -> tuple[Tensor, Tensor]:
        """Return mu in (0.05, 0.95) and kappa for every token (Eq. 14-15)."""
        mu, kappa = self.head(self.hidden(features_BM8)).sigmoid().unbind(-1)
        low, high = self.shape.kappa_min, self.shape.kappa_max
        return 0.05 + 0.9 * mu, low + (high - low) * kappa

    def forward(self, features_BM8: Tensor, info: PolicyInfo | None = None) -> Tensor:
        """Return the deterministic step size a_BM, or the chance of a commit, on the features' device."""
        if self.shape.action == "commit":
            return self.chance(features_BM8.to(self.head.weight.device)).to(features_BM8.device)
        mu, kappa = self.mean_concentration(features_BM8.to(self.head.weight.device))
        if self.expectation == "B":
            return self.step_size(mu).to(features_BM8.device)
        ratio = math.log(self.shape.a_max / self.shape.a_min)
        a_BM = (self.shape.a_min * kummer(mu * kappa, kappa, ratio)).clamp(max=self.shape.a_max)
        return a_BM.to(features_BM8.device)

    def step_size(self, y: Tensor) -> Tensor:
        """Return a = 2^u for y in [0, 1] (Eq. 16-17)."""
        low, high = math.log2(self.shape.a_min), math.log2(self.shape.a_max)
        return torch.exp2(low + y * (high - low))

    def log_prob(self, features_BM8: Tensor, y_BM: Tensor) -> Tensor:
        """Return the log-density of draws y; differentiable in the parameters."""
        if self.shape.action == "commit":
            chance = self.chance(features_BM8)
            return y_BM * chance.log() + (1.0 - y_BM) * torch.log1p(-chance)
        mu, kappa = self.mean_concentration(features_BM8)
        return beta_log_prob(mu, kappa, y_BM)

    @torch.no_grad()
    def draw(self, features_BM8: Tensor, generator: torch.Generator) -> Action:
        """Sample y, and return it with its step size and log-density (of the clamped y that is returned).

        The draw happens where the generator lives: one on the CPU gives the same stream on every machine.
        """
        if self.shape.action == "commit":
            chance = self.chance(features_BM8.to(self.head.weight.device)).to(generator.device)
            y = (torch.rand(chance.shape, generator=generator, device=chance.device) < chance).to(
                chance.dtype
            )
            density = y * chance.log() + (1.0 - y) * torch.log1p(-chance)
            return Action(*(value.to(features_BM8.device) for value in (y, y, density, chance)))
        mu, kappa = self.mean_concentration(features_BM8.to(self.head.weight.device))
        mu, kappa = mu.to(generator.device), kappa.to(generator.device)
        pair = torch.stack((mu * kappa, (1.0 - mu) * kappa), dim=-1)
        y = torch._sample_dirichlet(pair, generator)[..., 0].clamp(1e-6, 1.0 - 1e-6)
        found = (self.step_size(y), y, beta_log_prob(mu, kappa, y))
        return Action(*(value.to(features_BM8.device) for value in found))

    def sampling(self, generator: torch.Generator) -> SampledPolicy:
        """Return this policy with its steps drawn from the Beta."""
        return SampledPolicy(self, generator)

    def with_expectation(self, reading: str) -> LearnedPolicy:
        """Set the deterministic reading, "A" or "B", and return the policy."""
        if reading not in ("A", "B"):
            raise DecodingError(f"no such reading of the expectation: {reading!r}", hint="A or B")
        self.expectation = reading
        return self

    def save(self, path: str | Path, **notes: Any) -> None:
        """Write weights, shape and notes to one safetensors file (equal content gives equal bytes)."""
        shape = asdict(self.shape)
        if self.shape.action == "step":
            del shape["action"]  # as in files from before there was another
        card = {"format": "xpflow-policy-1", "shape": shape, "notes": {**self.notes, **notes}}
        tensors = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
        with atomic_writer(path) as beside:
            save_file(tensors, beside, metadata={"policy": json.dumps(card, sort_keys=True)})

    @classmethod
    def load(cls, path: str | Path) -> LearnedPolicy:
        """Read a file that `save` wrote; raises ArtifactError naming it when it is something else."""
        try:
            with safe_open(path, framework="pt") as file:
                card = json.loads((file.metadata() or {})["policy"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            policy = cls(PolicyShape(**card["shape"]))
            policy.load_state_dict(tensors)
            policy.notes = dict(card["notes"])
        except (
            *(SafetensorError, OSError, DecodingError, AttributeError),
            *(KeyError, TypeError, ValueError, RuntimeError),  # RecursionError is a RuntimeError
        ) as error:
            raise ArtifactError(
                f"not a saved step-size policy: {path} ({error})", hint="train one: xpflow grpo"
            ) from error
        for name, value in policy.state_dict().items():
            if not bool(value.isfinite().all()):
                raise ArtifactError(
                    f"{path}: tensor {name} has values that are not finite",
                    hint="train it again: xpflow grpo",
                )
        return policy.eval()


@dataclass(frozen=True, slots=True)
class SampledPolicy:
    """A learned policy that draws its steps (rollouts)."""

    policy: LearnedPolicy
    generator: torch.Generator
    needs_features: bool = True

    def __call__(self, features_BM8: Tensor | None, info: PolicyInfo) -> Action:
        assert features_BM8 is not None
        return self.policy.draw(features_BM8, self.generator)


def kummer(alpha: Tensor, beta: Tensor, z: float, terms: int = SERIES_TERMS) -> Tensor:
    """Return 1F1(alpha; beta; z) for 0 < alpha <= beta and z > 0.

    All terms are positive, so the series is stable.
    """
    n = torch.arange(terms, dtype=alpha.dtype, device=alpha.device)
    ratios = (alpha[..., None] + n) / (beta[..., None] + n) * (z / (n + 1.0))
    return 1.0 + ratios.cumprod(-1).sum(-1)


def beta_log_prob(mu: Tensor, kappa: Tensor, y: Tensor) -> Tensor:
    """Return the log-density of Beta(mu kappa, (1 - mu) kappa) at y."""
    alpha, beta = mu * kappa, (1.0 - mu) * kappa
    norm = torch.lgamma(kappa) - torch.lgamma(alpha) - torch.lgamma(beta)
    return norm + (alpha - 1.0) * torch.log(y) + (beta - 1.0) * torch.log1p(-y)
