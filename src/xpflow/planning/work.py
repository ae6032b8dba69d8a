"""What a forward costs: operations of its matrix products, bytes of weights that it reads, bytes of memory.

Per token two operations for each active weight; attention 4 S_q S_k H K per layer; the head, and the last
layer's MLP, only at the positions whose logits are read. Element-wise work and traffic of activations are not
counted: the sustained fraction stands for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from xpflow.planning.assumptions import Machine
from xpflow.planning.sizes import ModelSizes


@dataclass(frozen=True, slots=True)
class Forward:
    """One forward: `rows` sequences, `queries` tokens of each run through the model, `keys` tokens that they
    attend to, `reads` places whose logits are computed; `weight_bytes` per weight."""

    rows: int
    queries: float
    keys: float
    reads: float
    weight_bytes: int = 2

    def flop(self, arch: ModelSizes) -> float:
        """Return the floating-point operations."""
        last = arch.active_mlp(arch.layers - 1)
        body = 2 * ((arch.active_body - last) * self.queries + last * min(self.reads, self.queries))
        attention = 4 * self.queries * self.keys * arch.heads * arch.head_width * arch.layers
        return self.rows * (body + attention + 2 * arch.table * self.reads)

    def read_bytes(self, arch: ModelSizes) -> float:
        """Return the bytes of weights read, and of cached keys and values that are not among the queries."""
        weights = arch.weights_read(round(self.rows * self.queries)) * self.weight_bytes
        cached = max(0.0, self.keys - self.queries) * arch.cache_per_token * self.weight_bytes
        return weights + self.rows * cached

    def work(self, arch: ModelSizes, times: float = 1.0) -> Work:
        """Return what `times` such forwards cost."""
        return Work(times, self.flop(arch), self.read_bytes(arch))


@dataclass(frozen=True, slots=True)
class Work:
    """The same step `times` times; `flop` and `read_bytes` of one of them."""

    times: float
    flop: float
    read_bytes: float

    @property
    def total_flop(self) -> float:
        """Return the operations of all of them."""
        return self.times * self.flop

    def seconds(self, machine: Machine) -> float:
        """Return the seconds on one GPU: each step by what limits it, arithmetic or memory."""
        return self.times * max(self.flop / machine.flop_per_s, self.read_bytes / machine.bytes_per_s)

    def scaled(self, factor: float) -> Work:
        """Return the work of `factor` as many steps."""
        return Work(self.times * factor, self.flop, self.read_bytes)


def training_sequence(arch: ModelSizes, prompt: int, length: int) -> tuple[int, int]:
    """Return the tokens of a training sequence and the places read; a block-causal one has a noisy copy."""
    if not (block := arch.block_length):
        return prompt + length, length
    width = (-(-length // block) + 1) * block
    return prompt + length + width, width


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
    arch: ModelSizes, rows: int, window: int, reads: int, weight_bytes: int, *, embeds: bool, kv_cache: bool
) -> Memory:
    """Return the peak of decoding `rows` rows of `window` tokens with logits at `reads` places of each.

    embeds: the decoder's state is embeddings, which takes an fp32 copy of the embedding table.
    """
    parts = {
        "weights": float(arch.parameters * weight_bytes),
        "logits": float(rows * reads * arch.vocab * LOGIT_BYTES),
        "activations": float(rows * window * layer_bytes(arch, weight_bytes, training=False)),
    }
    if embeds:
        parts["fp32 embedding table"] = 4.0 * arch.table
    if kv_cache and arch.block_length:
        parts["keys and values"] = float(rows * window * arch.cache_per_token * weight_bytes)
    return Memory(parts)


def decisions_memory(decisions: float, hidden: int) -> float:
    """Return the bytes of an update's decisions and of the policy's backward pass over all of them.

    For each decision the policy keeps, in fp32, four vectors of width `hidden` and about 32 numbers of the
    Beta head.
    """
    return decisions * (DECISION_BYTES + 4 * (4 * hidden + 32))


def layer_bytes(arch: ModelSizes, weight_bytes: int, *, training: bool) -> float:
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


@dataclass(frozen=True, slots=True)
class Decode:
    """How a row is decoded: N `length`, `budget`, semi-autoregressive `block` (0: none), dtype's bytes."""

    length: int
    budget: Fraction
    block: int = 0
    weight_bytes: int = 2
    kv_cache: bool = False

    def works(self, arch: ModelSizes, prompt: int, rows: int) -> list[Work]:
        """Return the steps of one batch of `rows` rows."""
        return [forward.work(arch, steps) for steps, forward in self._forwards(arch, prompt, rows)]

    def steps(self, arch: ModelSizes, prompt: int) -> int:
        """Return the forwards of one row."""
        return sum(steps for steps, _ in self._forwards(arch, prompt, 1))

    def window(self, arch: ModelSizes, prompt: int) -> int:
        """Return the longest sequence that a forward sees."""
        size = prompt + self.length
        return -(-size // arch.block_length) * arch.block_length if arch.block_length else size

    def reads(self, arch: ModelSizes) -> int:
        """Return the places of one row whose logits exist at a time."""
        return arch.block_length or self.block or self.length

    def _forwards(self, arch: ModelSizes, prompt: int, rows: int) -> Iterator[tuple[int, Forward]]:
        size, b = self.window(arch, prompt), self.weight_bytes
        if not arch.block_length:
            yield int(self.budget * self.length), Forward(rows, size, size, self.reads(arch), b)
            return
        block = arch.block_length
        for start in range(prompt // block * block, size, block):
            window, opened = start + block, start + block - max(start, prompt)
            steps = -(-opened * self.budget.numerator // self.budget.denominator)
            if not self.kv_cache:
                yield steps, Forward(rows, window, window, block, b)
                continue
            # A block's first forward also runs what is not cached yet: the prompt, or the block before.
            fresh = window if start <= prompt else 2 * block
            yield 1, Forward(rows, fresh, window, block, b)
            yield steps - 1, Forward(rows, block, window, block, b)
