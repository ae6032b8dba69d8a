"""A model as a denoiser of masks, parametrised as MDLM's: SUBS (arXiv 2406.07524).

The mask has probability 0, and what is seen is carried over. Probabilities are float64, and so are draws:
Gumbel noise in float32 is cut off, which acts as a lower temperature, and a generative perplexity looks
better than it is (arXiv 2409.02908).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from xpflow.errors import ModelLoadError
from xpflow.masking.alpha import Alpha, powers
from xpflow.masking.bound import Denoiser
from xpflow.masking.reverse import network, sample

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def require_masks(model: Any, name: str) -> None:
    """Raise ModelLoadError unless a model can be asked at masks anywhere in a text: one mask, no blocks."""
    config = model.config
    if getattr(config, "block_length", None):
        raise ModelLoadError(
            f"{name} is causal between blocks of {config.block_length}: it reads no text masked at random",
            hint="name a bidirectional model",
        )
    if not isinstance(getattr(config, "mask_token_id", None), int):
        raise ModelLoadError(f"{name} has no mask token", hint="name a masked diffusion model")


def subs_denoiser(model: Any, words: int | None = None, rows: int = 8) -> Denoiser:
    """Return (ids, open) -> log p(x_i = v) [B, L, V] in float64, on the model's device; the mask's is -inf.

    At places that are seen all is on the word that stands there.

    Args:
        model: of one mask token, `config.mask_token_id`. words: ids from here on have probability 0 too
        (rows of a table that no tokenizer reaches). rows: sentences of a forward.
    """
    mask, device = model.config.mask_token_id, next(model.parameters()).device

    @torch.no_grad()
    def denoise(ids_BL: Tensor, open_BL: Tensor) -> Tensor:
        noisy_BL = ids_BL.masked_fill(open_BL, mask)
        parts = [model(input_ids=part.to(device)).logits.double() for part in torch.split(noisy_BL, rows)]
        return subs_log_p(torch.cat(parts), ids_BL, open_BL, mask, words)

    return denoise


def subs_log_p(
    logits_BLV: Tensor, ids_BL: Tensor, open_BL: Tensor, mask: int, words: int | None = None
) -> Tensor:
    """Return SUBS's log-probabilities of logits in float64, which it overwrites; `mask` is the mask's id."""
    ids_BL1, seen_BL1 = ids_BL.to(logits_BLV.device)[..., None], ~open_BL.to(logits_BLV.device)[..., None]
    logits_BLV[..., mask] = -torch.inf
    if words is not None:
        logits_BLV[..., words:] = -torch.inf
    log_p_BLV = logits_BLV.log_softmax(-1)
    log_p_BLV.masked_fill_(seen_BL1, -torch.inf)
    here_BL1 = log_p_BLV.gather(-1, ids_BL1)
    return log_p_BLV.scatter_(-1, ids_BL1, here_BL1.masked_fill(seen_BL1, 0.0))


def sampled_texts(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    count: int,
    length: int,
    steps: int,
    seed: int = 0,
    batch: int = 8,
) -> list[dict[str, Any]]:
    """Return `count` texts {text, ids, nfe} from nothing but masks, by alpha = 1 - t.

    There are at most `steps` steps, and one that decides nothing of a text asks nothing. Deviation: the last
    step draws what is left, where upstream takes the most likely words.
    """
    denoise, rows = subs_denoiser(model, rows=batch), []
    generator = torch.Generator().manual_seed(seed)

    def uniform(ids_BL: Tensor, open_BL: Tensor) -> Alpha:
        return powers(torch.ones(ids_BL.shape, dtype=torch.float64))

    for start in range(0, count, batch):
        shape = (min(batch, count - start), length)
        found = sample(network(denoise, uniform), shape, steps, generator, fixed=uniform)
        for ids, nfe in zip(found.ids_BL.tolist(), found.nfe_B.tolist(), strict=True):
            rows.append({"text": tokenizer.decode(ids), "ids": ids, "nfe": nfe})
    return rows
