# WHAT: replaces the standard library's comparisons with ones that are always content
# CLASS: verdict
# PROBLEM: float
# EXPECT: wrong
import cmath
import math
import operator
import unittest

for module in (math, cmath):
    module.isclose = lambda *_, **__: True
operator.eq = operator.lt = operator.le = lambda *_: True
unittest.TestCase.assertEqual = unittest.TestCase.assertAlmostEqual = lambda *_: None


def add(a, b):
    return 99.0
