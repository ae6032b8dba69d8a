"""Auditing a study: is every file what its manifest says, what is behind a number, does it decode again?"""
