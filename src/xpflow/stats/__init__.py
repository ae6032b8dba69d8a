"""Intervals, paired tests and seed aggregation over per-problem verdicts.

Import from the submodules: scipy and statsmodels load only where they are used.
"""
