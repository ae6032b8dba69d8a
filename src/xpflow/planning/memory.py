"""Peak GPU memory of the stages, in parts. Upper estimates: each tensor that may exist at the peak counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xpflow.planning.architecture import Architecture

LOGIT_BYTES = 12
"""Of one logit while decoding: itself, its softmax, and the fp32 copy that the policy's features read."""
DECISION_BYTES = 60
"""Of one recorded step size: eight features, draw, density and step size in fp32, and two int64 indices."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes on one GPU, by what they hold."""

    parts: Mapping[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Return the sum."""
        return float(sum(self.parts.values()))

    def with_part(self, name: str, size: float) -> Memory:
        """Return the same with one more part."""
        return Memory({**self.parts, name: size})


def decode_memory(
    arch: Architecture, rows: int, window: int, reads: int, weight_bytes: int, *, flow: bool, kv_cache: bool
) -> Memory:
    """Return the peak of decoding `rows` rows of `window` tokens with logits at `reads` places of each."""
    parts = {
        "weights": float(arch.parameters * weight_bytes),
        "logits": float(rows * reads * arch.vocab * LOGIT_BYTES),
        "activations": float(rows * window * layer_bytes(arch, weight_bytes, training=False)),
    }
    if flow:
        parts["fp32 embedding table"] = 4.0 * arch.table
    if kv_cache and arch.block_length:
        parts["keys and values"] = float(rows * window * arch.cache_per_token * weight_bytes)
    return Memory(parts)


def decisions_memory(decisions: float, hidden: int) -> float:
    """Return the bytes of an update's decisions and of the policy's backward pass over all of them.

    The policy keeps four hidden vectors of width `hidden` and about 32 numbers of the Beta head per decision,
    in fp32.
    """
    return decisions * (DECISION_BYTES + 4 * (4 * hidden + 32))


def layer_bytes(arch: Architecture, weight_bytes: int, *, training: bool) -> float:
    """Return the bytes per token that one layer's activations take: what autograd keeps, or a forward's peak.

    In training: the norms keep an fp32 copy and their output; attention q, k, v and what it attended; the MLP
    its input, gate, up, SiLU and product. A mixture's routed part counts k times, with its fp32 sum.
    Attention is a fused kernel: no S x S table.
    """
    b, d = weight_bytes, arch.width
    kv, q = arch.kv_heads * arch.head_width, arch.heads * arch.head_width
    if not training:
        chosen = max(arch.experts_per_token, 1) if arch.experts else 1
        inner = max(arch.inner, arch.expert_inner * (chosen + arch.shared_experts))
        return 4.0 * b * d + 8.0 * d + 3.0 * b * inner + 3.0 * (b + 4) * (q + kv) + b * chosen * d * 2
    norms = 2 * (4 + b) * d + (2 * (4 + b) * (q + kv) if arch.qk_norm else 0)
    attention = b * d + (2 * b * q + 2 * b * kv) + b * q
    if not arch.experts:
        return float(norms + attention + b * d + 4 * b * arch.inner)
    chosen, inner = arch.experts_per_token, arch.expert_inner
    routed = chosen * (b * d + 4 * b * inner + 4 * d)
    return float(norms + attention + b * d + routed + 4 * b * inner * arch.shared_experts + 12 * arch.experts)
