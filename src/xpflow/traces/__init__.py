"""Traces of decodings: kept, replayed, looked at."""
