"""MicroSum: reports of counts, and summaries of one or two sentences that say what mattered.

A report tells what was counted of whom or when, between sentences that tell nothing. Its summary names the
largest and the smallest count, and where days follow each other, from what to what it went. What is to be
said is fixed by the report; how it is said is drawn from many wordings: few forwards have something to lose.
"""

from xpflow.problems.microsum.dataset import WORLD, load
from xpflow.problems.microsum.report import VERSION

__all__ = ["VERSION", "WORLD", "load"]
