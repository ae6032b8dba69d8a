"""Evaluation of a study: decoding jobs in shards, and the shards' way back into one file per run."""
