"""MicroPy: the embedded world of small Python tasks, made by a deterministic generator.

Covers list, text and two-number functions in the shapes of HumanEval and MBPP and as persona requests. The
splits hold out whole combinations (see `splits.py`). It is small and regular on purpose: numbers measured on
it say nothing about full-scale models, only about decoders and training steps relative to each other.
"""

from xpflow.problems.micropy.dataset import load, persona_problems
from xpflow.problems.micropy.splits import VERSION, Split, combinations_of, split_of
from xpflow.problems.micropy.world import SIZES, Shape

__all__ = ["SIZES", "VERSION", "Shape", "Split", "combinations_of", "load", "persona_problems", "split_of"]
