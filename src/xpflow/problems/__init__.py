"""Programming problems: HumanEval, MBPP, Tulu 3 personas and MicroPy, all as one `Problem` type."""

from xpflow.problems.instruction import instruction
from xpflow.problems.problem import Problem, problems_from_file, problems_to_file
from xpflow.problems.registry import BENCHMARKS, load_benchmark
from xpflow.problems.sources import DataSources

__all__ = [
    "BENCHMARKS",
    "DataSources",
    "Problem",
    "instruction",
    "load_benchmark",
    "problems_from_file",
    "problems_to_file",
]
