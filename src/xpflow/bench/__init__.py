"""Measurements: what decoding costs, and against what it is faster."""
