"""What a forward costs: floating-point operations of its matrix products, and bytes of weights that it reads.

Per token two operations for each active weight; attention 4 S_q S_k H K per layer; the head, and the last
layer's MLP, only at the positions whose logits are read. Element-wise work and traffic of activations are not
counted: the sustained fraction stands for them.
"""

from __future__ import annotations

from dataclasses import dataclass

from xpflow.planning.architecture import Architecture
from xpflow.planning.hardware import Machine


@dataclass(frozen=True, slots=True)
class Forward:
    """One forward: `rows` sequences, `queries` tokens of each run through the model, `keys` tokens that they
    attend to, `reads` places whose logits are computed; `weight_bytes` per weight."""

    rows: int
    queries: float
    keys: float
    reads: float
    weight_bytes: int = 2

    def flop(self, arch: Architecture) -> float:
        """Return the floating-point operations."""
        last = arch.active_mlp(arch.layers - 1)
        body = 2 * ((arch.active_body - last) * self.queries + last * min(self.reads, self.queries))
        attention = 4 * self.queries * self.keys * arch.heads * arch.head_width * arch.layers
        return self.rows * (body + attention + 2 * arch.table * self.reads)

    def read_bytes(self, arch: Architecture) -> float:
        """Return the bytes of weights read, and of cached keys and values that are not among the queries."""
        weights = arch.weights_read(round(self.rows * self.queries)) * self.weight_bytes
        cached = max(0.0, self.keys - self.queries) * arch.cache_per_token * self.weight_bytes
        return weights + self.rows * cached

    def work(self, arch: Architecture, times: float = 1.0) -> Work:
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
