"""The canvas: token ids of a batch with the place of every row's response, as an immutable value.

Legend: B rows, S canvas length, M positions of a block, N response length.
Layout of a row: prompt | response (masks at first) | right padding. Block-causal models decode whole blocks
that are aligned to position 0, so the open part may reach past prompt + N to the end of its block (`end_B`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from xpflow.decoding.settings import DecodeSettings
from xpflow.errors import DecodingError


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a decoder has to know about a model; `block_length` is 0 for a bidirectional one."""

    mask_id: int
    pad_id: int
    eos_id: int
    eot_id: int | None
    suppress_ids: tuple[int, ...]
    block_length: int
    device: torch.device


def model_facts(model: Any) -> ModelFacts:
    """Read the facts from `model.config`; raises DecodingError when the model has no mask token."""
    config = model.config
    mask_id, eos_id = getattr(config, "mask_token_id", None), getattr(config, "eos_token_id", None)
    if mask_id is None or eos_id is None:
        raise DecodingError(
            "the model's config has no mask_token_id or no eos_token_id",
            hint="only masked diffusion models can be decoded; add both ids to config.json",
        )
    pad_id = getattr(config, "pad_token_id", None)
    return ModelFacts(
        mask_id=int(mask_id),
        pad_id=int(eos_id if pad_id is None else pad_id),
        eos_id=int(eos_id),
        eot_id=getattr(config, "eot_token_id", None),
        suppress_ids=tuple(getattr(config, "suppress_token_ids", None) or ()),
        block_length=int(getattr(config, "block_length", None) or 0),
        device=model.get_input_embeddings().weight.device,
    )


@dataclass(frozen=True, slots=True)
class Canvas:
    """Token ids of a batch. start_B: prompt lengths; end_B: one past the last open position; rows_B: input
    order."""

    tokens_BS: Tensor
    start_B: Tensor
    end_B: Tensor
    rows_B: Tensor
    length: int

    def take(self, keep_B: Tensor) -> Canvas:
        """Return the canvas of some rows, given by index."""
        return replace(
            self,
            tokens_BS=self.tokens_BS[keep_B],
            start_B=self.start_B[keep_B],
            end_B=self.end_B[keep_B],
            rows_B=self.rows_B[keep_B],
        )

    def response(self) -> Tensor:
        """Return the N response tokens of every row, `[B, N]`."""
        steps_N = torch.arange(self.length, device=self.tokens_BS.device)
        return self.tokens_BS.gather(1, self.start_B[:, None] + steps_N)


def make_canvas(
    prompts: Sequence[Sequence[int]], rows: Sequence[int], settings: DecodeSettings, facts: ModelFacts
) -> Canvas:
    """Lay out prompts: open positions hold the mask id, everything after them the pad id."""
    starts = [len(prompt) for prompt in prompts]
    block, length = facts.block_length, settings.gen_length
    whole = block > 0 and settings.overrun == "decode"
    ends = [-(-(s + length) // block) * block if whole else s + length for s in starts]
    size = max(-(-end // block) * block if block else end for end in ends)
    tokens_BS = torch.full((len(prompts), size), facts.pad_id, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        tokens_BS[row, : starts[row]] = torch.tensor(prompt, dtype=torch.long)
        tokens_BS[row, starts[row] : ends[row]] = facts.mask_id
    start_B, end_B, rows_B = (torch.tensor(values, device=facts.device) for values in (starts, ends, rows))
    return Canvas(tokens_BS.to(facts.device), start_B, end_B, rows_B, length)


def check_prompts(prompts: Sequence[Sequence[int]], facts: ModelFacts) -> None:
    """Refuse prompts that are empty or contain the mask id (they would be decoded too)."""
    for row, prompt in enumerate(prompts):
        if not prompt:
            raise DecodingError(f"prompt {row} is empty", hint="a prompt is a list of at least one token id")
        if facts.mask_id in prompt:
            raise DecodingError(
                f"prompt {row} contains the mask id {facts.mask_id}",
                hint="only response positions can be open",
            )
