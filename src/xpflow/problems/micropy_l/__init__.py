"""MicroPy-L: MicroPy's larger sibling, with longer answers and much that the prompt leaves open.

A task takes elements (of a list, a text, a range, a number's digits), handles them in two or three steps and
returns an end of them. Every problem has at least four kinds of programs (loops, comprehensions, recursion,
inner functions) with free local names, and the answer of an example is drawn from all of them: `code.py`.
Splits hold out combinations and functions (`semantics.py`).
"""

from xpflow.problems.micropy_l.dataset import WORLD, load
from xpflow.problems.micropy_l.semantics import VERSION, split_of

__all__ = ["VERSION", "WORLD", "load", "split_of"]
