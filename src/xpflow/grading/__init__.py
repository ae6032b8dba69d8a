"""Grading of generated programs: extract, run in a jail, verdict.

Tests and expected values stay in a trusted process (`oracle.py`); the program runs in a jail (`worker.py`)
and answers calls with plain data (`packing.py`). A program passes only by giving the right answers. Not
covered: the few problems whose tests build objects of the program's own classes (mode "shared" in the
verdict), kernel bugs, and programs that know the tests by heart.
"""

from xpflow.grading.extract import EXTRACTORS, extract
from xpflow.grading.grade import Grader, grade_program, grade_samples
from xpflow.grading.jails import JAILS, choose_jail
from xpflow.grading.limits import Limits
from xpflow.grading.verdict import VERDICTS, Verdict

__all__ = [
    "EXTRACTORS",
    "JAILS",
    "VERDICTS",
    "Grader",
    "Limits",
    "Verdict",
    "choose_jail",
    "extract",
    "grade_program",
    "grade_samples",
]
