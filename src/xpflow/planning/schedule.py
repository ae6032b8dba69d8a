"""Which forwards a decode runs: of the whole canvas, or block by block for a block-causal model.

The same arithmetic as `xpflow.decoding.blocks`, on prompt lengths instead of prompts. Every step of the
budget is counted: rows that end early (an EOS, a fixed point of the flow, a threshold) run fewer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from xpflow.planning.architecture import Architecture
from xpflow.planning.work import Forward, Work


@dataclass(frozen=True, slots=True)
class Decode:
    """How a row is decoded: N `length`, `budget`, semi-autoregressive `block` (0: none), dtype's bytes."""

    length: int
    budget: Fraction
    block: int = 0
    weight_bytes: int = 2
    kv_cache: bool = False

    def works(self, arch: Architecture, prompt: int, rows: int) -> list[Work]:
        """Return the steps of one batch of `rows` rows."""
        return [forward.work(arch, steps) for steps, forward in self._forwards(arch, prompt, rows)]

    def steps(self, arch: Architecture, prompt: int) -> int:
        """Return the forwards of one row."""
        return sum(steps for steps, _ in self._forwards(arch, prompt, 1))

    def window(self, arch: Architecture, prompt: int) -> int:
        """Return the longest sequence that a forward sees."""
        size = prompt + self.length
        return -(-size // arch.block_length) * arch.block_length if arch.block_length else size

    def reads(self, arch: Architecture) -> int:
        """Return the places of one row whose logits exist at a time."""
        return arch.block_length or self.block or self.length

    def _forwards(self, arch: Architecture, prompt: int, rows: int) -> Iterator[tuple[int, Forward]]:
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
