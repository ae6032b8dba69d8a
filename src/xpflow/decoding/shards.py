"""Shards of a decoding: whole batches, so that cutting it up changes nothing, not even rounding.

`decode` sorts its rows by prompt length and takes `batch_size` of them at a time. A shard takes every n-th of
those batches; decoded alone it forms the same batches again.
"""

from __future__ import annotations

from collections.abc import Sequence


def shard_rows(prompts: Sequence[Sequence[int]], batch_size: int, k: int, n: int) -> list[int]:
    """Return the row numbers of shard k of n (from 1), ascending; the n shards together are all rows once."""
    order = sorted(range(len(prompts)), key=lambda row: (-len(prompts[row]), row))
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    return sorted(row for batch in batches[k - 1 :: n] for row in batch)
