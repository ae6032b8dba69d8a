"""Likelihood by passes: how well an answer's tokens are predicted after one forward, after two, and so on.

Of the response's N tokens, its end and padding among them, a uniform number is masked as in training
(`training.corruption`); N times the mean cross-entropy at the masks, in nats, estimates the bound on -log p
of the response in any order (a block-causal model: of each block, summed). The first pass reads plain masks.
Before a further one every mask is mixed with what the last pass predicted there, as `soft_tokens` mixes it
while it decodes; nothing is committed in between. A prediction after any number of passes depends on nothing
but the tokens that are not masked, so each number of passes has a bound of its own, and they compare.

Which places are masked depends on the run's seed and the task's id alone: the same for every number of
passes, and for all weights of one model. Legend: B draws of one answer, K places read, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from xpflow.decoding.canvas import model_facts
from xpflow.decoding.decoders.soft_tokens import Mixing, SoftTokensSettings
from xpflow.decoding.samples import row_seed
from xpflow.probes.validity import Row, Subject
from xpflow.training.corruption import Corrupted, block_length, masked
from xpflow.training.examples import Batch


def likelihood_rows(
    model: Any,
    subjects: Sequence[Subject],
    passes: int,
    draws: int,
    soft: SoftTokensSettings | None,
    *,
    seed: int = 0,
) -> list[Row]:
    """Read all answers; returns rows {task_id, passes, nats}, a row for each number of passes from 1 on.

    Args:
        draws: maskings of each answer, whose numbers of masks are stratified.
        soft: how masks are mixed between passes; None: they stay plain, and only one pass is read.

    Raises:
        DecodingError: the weights bring none of the scalars that `weighting: learned` asks for.
    """
    facts, rows = model_facts(model), []
    for subject in subjects:
        generator = torch.Generator().manual_seed(row_seed(seed, subject.task_id))
        batch = masked(Batch.of([subject.example] * draws, facts.pad_id), model, generator)
        batch = batch.take(list(range(draws)), facts.device)
        for number, ce_BK in enumerate(cross_entropies(model, batch, passes, soft), start=1):
            nats = float(response_nats(ce_BK, batch, block_length(model)).mean())
            rows.append({"task_id": subject.task_id, "passes": number, "nats": nats})
    return rows


@torch.no_grad()
def cross_entropies(
    model: Any, batch: Corrupted, passes: int, soft: SoftTokensSettings | None
) -> list[Tensor]:
    """Return the cross-entropy of the true token at every place after each pass, `[B, K]` each."""
    mixing, found = None if soft is None else Mixing(model, soft), []
    m_BKE = model.get_input_embeddings()(batch.ids_BK)
    x_BKE = m_BKE
    for _ in range(passes if mixing else 1):
        logits_BKV = _logits(model, batch, x_BKE)
        log_p_BKV = logits_BKV.to(torch.promote_types(logits_BKV.dtype, torch.float32)).log_softmax(-1)
        found.append(-log_p_BKV.gather(-1, batch.target_BK[..., None])[..., 0])
        if mixing:
            mixed_BKE = mixing(log_p_BKV.exp(), m_BKE, x_BKE).to(m_BKE.dtype)
            x_BKE = torch.where(batch.mask_BK[..., None], mixed_BKE, m_BKE)
    return found


def _logits(model: Any, batch: Corrupted, x_BKE: Tensor) -> Tensor:
    """Run one forward with embeddings x at the places read."""
    inputs = dict(batch.inputs)
    whole_BSE = model.get_input_embeddings()(inputs.pop("input_ids"))
    places_BKE = inputs["logits_positions_BN"][..., None].expand_as(x_BKE)
    logits: Tensor = model(inputs_embeds=whole_BSE.scatter(1, places_BKE, x_BKE), **inputs).logits
    return logits


def response_nats(ce_BK: Tensor, batch: Corrupted, block: int) -> Tensor:
    """Return the nats of each draw's response: N times the mean at its masks, block by block, `[B]`."""
    rows, width = ce_BK.shape
    parts = (rows, width // (block or width), -1)
    ce_BPM, mask_BPM, response_BPM = (one.reshape(parts) for one in (ce_BK, batch.mask_BK, batch.response_BK))
    mean_BP = (ce_BPM * mask_BPM).sum(-1) / mask_BPM.sum(-1).clamp(min=1)
    return (mean_BP * response_BPM.sum(-1)).sum(-1)
