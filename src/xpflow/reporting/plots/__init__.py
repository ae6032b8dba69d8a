"""Figures of a study: one file per picture, all in one style, the same bytes from the same data."""
