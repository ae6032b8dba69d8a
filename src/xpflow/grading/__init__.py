"""Grading of answers: extract, judge, verdict.

Programs run in a jail (`worker.py`) and answer calls with plain data (`packing.py`); tests and expected
values stay in a trusted process (`oracle.py`). A program passes only by giving the right answers. Not
covered: the few problems whose tests build objects of the program's own classes (mode "shared" in the
verdict), kernel bugs, and programs that know the tests by heart. Other answers are compared, never run.
"""
