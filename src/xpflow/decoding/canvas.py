"""The canvas: token ids of a batch with the place of every row's response, as an immutable value.

Legend: B rows, S canvas length, M positions of a block, N response length, E embedding width.
Layout of a row: prompt | response (noise at first) | right padding. Block-causal models decode whole blocks
that are aligned to position 0, so the open part may reach past prompt + N to the end of its block (`end_B`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from xpflow.decoding.entry import DecodeSettings
from xpflow.errors import DecodingError
from xpflow.noise import Noise, RowRandom, noise_of


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a decoder has to know about a model.

    block_length: 0 for a bidirectional one; vocabulary: rows of the embedding table; positions: the longest
    sequence that its config names, None where it names none.
    """

    noise: Noise
    pad_id: int
    eos_id: int
    eot_id: int | None
    suppress_ids: tuple[int, ...]
    block_length: int
    width: int
    device: torch.device
    vocabulary: int
    positions: int | None = None


def model_facts(model: Any) -> ModelFacts:
    """Read the facts from `model.config`.

    Raises:
        DecodingError: it has no noise or no EOS, or what stands there is no id of the model's vocabulary.
    """
    config, table_VE = model.config, model.get_input_embeddings().weight
    vocabulary, noise = table_VE.shape[0], noise_of(config)
    eos_id = _token_id(config, "eos_token_id", vocabulary)
    if eos_id is None:
        raise DecodingError("the model's config has no eos_token_id", hint="add the id to config.json")
    pad_id = _token_id(config, "pad_token_id", vocabulary)
    hidden = getattr(config, "suppress_token_ids", None) or ()
    for name, ids in (("mask_token_id", noise.ids), ("suppress_token_ids", hidden)):
        for one in ids:
            _checked_id(name, one, vocabulary)
    return ModelFacts(
        noise=noise,
        pad_id=eos_id if pad_id is None else pad_id,
        eos_id=eos_id,
        eot_id=_token_id(config, "eot_token_id", vocabulary),
        suppress_ids=tuple(hidden),
        block_length=int(getattr(config, "block_length", None) or 0),
        width=table_VE.shape[1],
        device=table_VE.device,
        vocabulary=vocabulary,
        positions=getattr(config, "max_position_embeddings", None),
    )


def _token_id(config: Any, name: str, vocabulary: int) -> int | None:
    value = getattr(config, name, None)
    return None if value is None else _checked_id(name, value, vocabulary)


def _checked_id(name: str, value: Any, vocabulary: int) -> int:
    """Return a special id of a config; raises DecodingError where it is not one id of the vocabulary."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < vocabulary:
        raise DecodingError(
            f"{name} of the model's config is {str(value)[:60]}, not one of its ids 0 to {vocabulary - 1}",
            hint=f"write into config.json the one id that decoding is to take as {name}",
        )
    return value


@dataclass(frozen=True, slots=True)
class Canvas:
    """Token ids of a batch.

    start_B: prompt lengths; end_B: one past the last open position; rows_B: input order; noise_BSE: what
    stands where noise is no token (None: it is one everywhere).
    """

    tokens_BS: Tensor
    start_B: Tensor
    end_B: Tensor
    rows_B: Tensor
    length: int
    noise_BSE: Tensor | None = None

    def take(self, keep_B: Tensor) -> Canvas:
        """Return the canvas of some rows, given by index."""
        return replace(
            self,
            tokens_BS=self.tokens_BS[keep_B],
            start_B=self.start_B[keep_B],
            end_B=self.end_B[keep_B],
            rows_B=self.rows_B[keep_B],
            noise_BSE=None if self.noise_BSE is None else self.noise_BSE[keep_B],
        )

    def tokens_at(self, places_BK: Tensor) -> Tensor:
        """Return the ids at absolute places, `[B, K]`."""
        return self.tokens_BS.gather(1, places_BK)

    def embedded(self, embed: Callable[[Tensor], Tensor], places_BK: Tensor | None = None) -> Tensor:
        """Return the embeddings `[B, K, E]` at absolute places (None: everywhere), noise among them.

        embed: from ids to embeddings.
        """
        ids_BK = self.tokens_BS if places_BK is None else self.tokens_at(places_BK)
        if self.noise_BSE is None:
            return embed(ids_BK)
        clean_BKE, noise_BKE = embed(ids_BK.clamp(min=0)), self.noise_BSE
        if places_BK is not None:
            noise_BKE = noise_BKE.gather(1, places_BK[..., None].expand(clean_BKE.shape))
        return torch.where(ids_BK[..., None] < 0, noise_BKE.to(clean_BKE.dtype), clean_BKE)

    def response(self) -> Tensor:
        """Return the N response tokens of every row, `[B, N]`."""
        steps_N = torch.arange(self.length, device=self.tokens_BS.device)
        return self.tokens_at(self.start_B[:, None] + steps_N)


def make_canvas(
    prompts: Sequence[Sequence[int]],
    rows: Sequence[int],
    settings: DecodeSettings,
    facts: ModelFacts,
    random: RowRandom,
) -> Canvas:
    """Lay out prompts: open positions hold noise, everything after them the pad id."""
    starts = [len(prompt) for prompt in prompts]
    block, length = facts.block_length, settings.gen_length
    whole = block > 0 and settings.overrun == "decode"
    ends = [-(-(s + length) // block) * block if whole else s + length for s in starts]
    size = max(-(-end // block) * block if block else end for end in ends)
    tokens_BS = torch.full((len(prompts), size), facts.pad_id, dtype=torch.long)
    noise_BSE: Tensor | None = None
    for index, (row, prompt, end) in enumerate(zip(rows, prompts, ends, strict=True)):
        start = len(prompt)
        tokens_BS[index, :start] = torch.tensor(prompt, dtype=torch.long)
        tokens_BS[index, start:end] = facts.noise.start(random, row, end - start)
        drawn = facts.noise.embeddings(random, row, (end - start, facts.width))
        if drawn is not None:
            noise_BSE = drawn.new_zeros(len(prompts), size, facts.width) if noise_BSE is None else noise_BSE
            noise_BSE[index, start:end] = drawn
    start_B, end_B, rows_B = (torch.tensor(values, device=facts.device) for values in (starts, ends, rows))
    return Canvas(tokens_BS.to(facts.device), start_B, end_B, rows_B, length, noise_BSE)


def prompt_ids(prompts: Sequence[Any], facts: ModelFacts, length: int) -> list[list[int]]:
    """Return prompts as lists of ids; tensors and arrays of one dimension are taken too.

    Raises:
        DecodingError: a prompt is empty, holds what is no id of the vocabulary or noise (it would be decoded
        too), or leaves no room for `length` response tokens. It names the row.
    """
    return [_checked_prompt(row, prompt, facts, length) for row, prompt in enumerate(prompts)]


def _checked_prompt(row: int, prompt: Any, facts: ModelFacts, length: int) -> list[int]:
    ids = prompt.tolist() if hasattr(prompt, "tolist") else prompt
    if not isinstance(ids, list | tuple) or not all(type(one) is int for one in ids):
        raise DecodingError(
            f"prompt {row} is no list of token ids: {str(prompt)[:60]!r}",
            hint="encode texts with the model's tokenizer first",
        )
    if not ids:
        raise DecodingError(f"prompt {row} is empty", hint="a prompt is a list of at least one token id")
    if found := set(facts.noise.ids).intersection(ids):
        raise DecodingError(
            f"prompt {row} contains the mask id {min(found)}", hint="only response positions can be open"
        )
    wrong = [one for one in (min(ids), max(ids)) if not 0 <= one < facts.vocabulary]
    if wrong:
        raise DecodingError(
            f"prompt {row} contains the id {wrong[0]}, and the model has the ids 0 to {facts.vocabulary - 1}",
            hint="tokenizer and weights must come from the same model and revision",
        )
    if facts.positions is not None and len(ids) + length > facts.positions:
        raise DecodingError(
            f"prompt {row} has {len(ids)} tokens: with the {length} of the response they are more than the "
            f"model's {facts.positions} positions",
            hint="lower gen_length, or leave out that prompt",
        )
    return list(ids)
