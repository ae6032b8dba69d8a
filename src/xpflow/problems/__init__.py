"""Problems: what a model is asked and how an answer is judged; every benchmark becomes one `Problem` type.

A problem has a shape (`shapes/`), which says how it is asked, read and judged; a benchmark (`benchmarks/`) is
a named source of problems.
"""

from xpflow.problems.problem import Problem, problems_from, problems_from_file, problems_to_file

__all__ = ["Problem", "problems_from", "problems_from_file", "problems_to_file"]
