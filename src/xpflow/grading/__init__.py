"""Grading of generated programs: extract, run in a jail, verdict.

Covers honest mistakes, hangs, crashes and attempts to reach outside the jail. Program and tests still share
one interpreter: a program written to forge its verdict can. See `worker.py`.
"""

from xpflow.grading.extract import EXTRACTORS, extract
from xpflow.grading.grade import Grader, grade_program, grade_samples
from xpflow.grading.jail import JAILS, choose_jail
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
