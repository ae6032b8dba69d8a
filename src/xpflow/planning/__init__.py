"""What a study needs before anything runs: memory, time and disk, computed from its configuration.

Every number is arithmetic over sizes, plus the assumptions in `assumptions.py`, which the plan prints;
nothing is measured, and no weights are read. The parameter counts are exact, floating-point operations are
those of the matrix products, memory is an upper estimate, hours are a floor divided by a sustained share.
"""

from xpflow.planning.plan import Plan, make_plan

__all__ = ["Plan", "make_plan"]
