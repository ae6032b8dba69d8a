"""The best tokens of a forward at every place, for traces that are looked at: no decoder reads them.

Legend: K places read, M of a block, V vocabulary, C candidates.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import ModelFacts
from xpflow.decoding.entry import DecodeSettings
from xpflow.decoding.stepper import Logits, Look
from xpflow.decoding.tokens import suppress, suppressed_ids
from xpflow.noise import NO_TOKEN

IDS, CHANCES = "candidates", "candidate_p"  # the columns of a trace, `[L, R, C]`


def looker(settings: DecodeSettings, facts: ModelFacts, count: int) -> Look | None:
    """Return what reads the `count` best tokens off a forward; None where none are wanted."""
    return partial(best_tokens, count, suppressed_ids(settings, facts)) if count else None


def best_tokens(count: int, hidden: list[int], logits: Logits, block: Block) -> Mapping[str, Tensor]:
    """Return ids and softmax probabilities of the best tokens, best first, `[B, M, C]`.

    Args:
        hidden: ids that are never predicted; they take no part in the softmax either.
    Returns:
        NO_TOKEN and 0 where nothing was read. One row at a time is turned into float32.
    """
    rows, places = block.open_BM.shape
    count = min(count, logits.values_BKV.shape[-1] - len(hidden))
    ids_BMC = torch.full((rows, places, count), NO_TOKEN, dtype=torch.int32)
    chances_BMC = torch.zeros(rows, places, count)
    for row in range(rows):
        values_KV = suppress(logits.values_BKV[row].to(torch.float32, copy=True), hidden)
        chances_KC, ids_KC = values_KV.softmax(-1).topk(count)
        index_K = torch.arange(places) if logits.index_BK is None else logits.index_BK[row].cpu()
        read_K = slice(None) if logits.read_BK is None else logits.read_BK[row].cpu()
        ids_BMC[row, index_K[read_K]] = ids_KC.cpu().to(torch.int32)[read_K]
        chances_BMC[row, index_K[read_K]] = chances_KC.cpu()[read_K]
    return {IDS: ids_BMC, CHANCES: chances_BMC}
