"""What a forward sees while a block is decoded: a whole canvas, or one block and a key-value cache.

The one place where decoders call a model. With the cache (block-causal models only) the first forward of a
block runs over everything that is not cached yet: the prompt and the first block, later the block before
(finished now, so its keys and values are written again) and the current one. The other forwards run over the
current block alone. Every forward counts as one either way, and the numbers are the same up to rounding.

A forward may hold a shadow of the block behind the canvas: its open places once more, as noise, at the same
positions. Nobody outside sees it; a place in it sees all that the block sees but the token at its own place,
and the rest of the shadow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas, ModelFacts
from xpflow.decoding.entry import DecodeSettings
from xpflow.errors import DecodingError

NO_CACHE = "kv_cache: on, but this model has no exact key-value cache"
NO_CACHE_HINT = "only block-causal models (LLaDA2) have one: leave kv_cache at auto"


def padding_mask(canvas: Canvas, window: int, block_causal: bool) -> Tensor | None:
    """Return the key mask `[B, window]`, or None where no row can see padding.

    A block-causal model cannot see the blocks after a row's own, so it never needs one; a bidirectional model
    needs one only when rows differ in length.
    """
    if block_causal or bool((canvas.end_B == window).all()):
        return None
    return torch.arange(window, device=canvas.end_B.device) < canvas.end_B[:, None]


@dataclass(frozen=True, slots=True)
class Shadow:
    """The places of a block that are read, `[B, K]`, and which of them in its shadow."""

    read_BK: Tensor
    places_BK: Tensor


def response_logits(
    model: Any,
    positions_BK: Tensor,
    mask: Tensor | None,
    *,
    ids_BS: Tensor | None = None,
    embeds_BSE: Tensor | None = None,
    position_ids: Tensor | None = None,
) -> Tensor:
    """Run one forward and return logits `[B, K, V]` at absolute positions; elsewhere the head is skipped."""
    inputs = {"input_ids": ids_BS} if embeds_BSE is None else {"inputs_embeds": embeds_BSE}
    if position_ids is not None:
        inputs["position_ids"] = position_ids
    output = model(**inputs, attention_mask=mask, logits_positions_BN=positions_BK)
    logits: Tensor = output.logits
    return logits


class Window(Protocol):
    """Runs forwards for some rows of a block."""

    def take(self, keep_B: Tensor) -> Window:
        """Return the window of some rows, given by index."""

    def fed(self, block: Block) -> Tensor:
        """Return the positions that the next forward is fed, `[B]`, padding aside."""

    def logits(
        self, inputs: Tensor, positions_BK: Tensor, block: Block, shadow: Shadow | None = None
    ) -> Tensor:
        """Run one forward with `inputs` (ids or embeddings) at the block's places.

        Returns logits `[B, K, V]` at the given absolute positions, or at their shadows.
        """


class CanvasWindow:
    """Forwards over the whole canvas up to the block's end."""

    def __init__(self, model: Any, facts: ModelFacts, canvas: Canvas, size: int, continuous: bool) -> None:
        self.model, self.causal, self.canvas, self.size = model, bool(facts.block_length), canvas, size
        self.ids_BS = canvas.tokens_BS[:, :size]
        self.mask_BS = padding_mask(canvas, size, self.causal)
        self.embeds_BSE: Tensor | None = None
        if continuous:
            self.embeds_BSE = canvas.embedded(model.get_input_embeddings())[:, :size]

    def take(self, keep_B: Tensor) -> CanvasWindow:
        """Return the window of some rows, cut to the longest of them where padding hid the rest."""
        other = object.__new__(CanvasWindow)
        other.model, other.causal, other.canvas = self.model, self.causal, self.canvas.take(keep_B)
        other.size = self.size if self.causal else int(other.canvas.end_B.max())
        other.ids_BS = self.ids_BS[keep_B, : other.size]
        other.mask_BS = padding_mask(other.canvas, other.size, self.causal)
        other.embeds_BSE = None if self.embeds_BSE is None else self.embeds_BSE[keep_B, : other.size]
        return other

    def fed(self, block: Block) -> Tensor:
        """Return the positions up to the end of each row, or of its block."""
        return block.positions_BM[:, -1] + 1 if self.causal else self.canvas.end_B

    def logits(
        self, inputs: Tensor, positions_BK: Tensor, block: Block, shadow: Shadow | None = None
    ) -> Tensor:
        """Run one forward with the block's inputs in place."""
        if self.embeds_BSE is None:
            ids_BS = self.ids_BS.scatter(1, block.positions_BM, inputs)
            if shadow is not None:
                return self._with_shadow(ids_BS, positions_BK, block, shadow)
            return response_logits(self.model, positions_BK, self.mask_BS, ids_BS=ids_BS)
        embeds = _written(self.embeds_BSE, block.positions_BM, inputs)
        return response_logits(self.model, positions_BK, self.mask_BS, embeds_BSE=embeds)

    def _with_shadow(self, ids_BS: Tensor, positions_BK: Tensor, block: Block, shadow: Shadow) -> Tensor:
        """Run one forward over the canvas and the block's shadow behind it."""
        places_BM, size = block.positions_BM, self.size
        noise_BM = self.ids_BS.gather(1, places_BM)  # open places have held noise since the block began
        seen_BSS = self._sees(size)
        shadow_BMS = seen_BSS.gather(1, places_BM[..., None].expand(-1, -1, size))
        shadow_BMS = shadow_BMS.scatter(2, places_BM[..., None], False)
        itself_MM = torch.eye(places_BM.shape[1], dtype=torch.bool, device=ids_BS.device)
        open_BMM = block.open_BM[:, None, :] | itself_MM  # a closed place sees something too
        top_BST = torch.cat((seen_BSS, seen_BSS.new_zeros(len(ids_BS), size, places_BM.shape[1])), dim=2)
        mask_BTT = torch.cat((top_BST, torch.cat((shadow_BMS, open_BMM), dim=2)), dim=1)
        order_BS = torch.arange(size, device=ids_BS.device).expand(len(ids_BS), -1)
        return response_logits(
            self.model,
            torch.where(shadow.read_BK, size + shadow.places_BK, positions_BK),
            mask_BTT[:, None],
            ids_BS=torch.cat((ids_BS, noise_BM), dim=1),
            position_ids=torch.cat((order_BS, places_BM), dim=1),
        )

    def _sees(self, size: int) -> Tensor:
        """Return which position sees which on the canvas, bool `[B, S, S]`."""
        order_S = torch.arange(size, device=self.ids_BS.device)
        if self.causal:
            length = int(self.model.config.block_length)
            return (order_S // length <= order_S[:, None] // length).expand(len(self.ids_BS), -1, -1)
        own_BS = order_S < self.canvas.end_B[:, None]
        return own_BS[:, None, :].expand(-1, size, -1)


@dataclass(slots=True)
class RowCache:
    """A model's cache for the rows of a batch, with how many positions of each row are final in it."""

    cache: Any
    done_B: Tensor
    rows_B: Tensor

    def of_rows(self, rows_B: Tensor) -> RowCache:
        """Return the cache of some of its rows, given by their places in the batch, in order."""
        if len(rows_B) == len(self.rows_B):
            return self
        keep_B = torch.searchsorted(self.rows_B, rows_B)
        return RowCache(self.cache.take(keep_B), self.done_B[keep_B], rows_B)


class CachedWindow:
    """Forwards over what the cache lacks; rows are copied out of it only when a forward runs without them."""

    def __init__(self, model: Any, canvas: Canvas, block: Block, cache: RowCache, continuous: bool) -> None:
        self.model, self.canvas, self.cache, self.continuous = model, canvas, cache, continuous
        self.keep_B: Tensor | None = None
        self.start_B, self.first = block.positions_BM[:, 0], True

    def take(self, keep_B: Tensor) -> CachedWindow:
        """Return the window of some rows."""
        other = object.__new__(CachedWindow)
        other.model, other.continuous, other.cache = self.model, self.continuous, self.cache
        other.canvas, other.start_B, other.first = self.canvas.take(keep_B), self.start_B[keep_B], self.first
        other.keep_B = keep_B if self.keep_B is None else self.keep_B[keep_B]
        return other

    def fed(self, block: Block) -> Tensor:
        """Return the block's positions, the first time those that are not cached before it too."""
        if not self.first:
            return torch.full_like(self.start_B, block.length)
        done_B = self.cache.done_B if self.keep_B is None else self.cache.done_B[self.keep_B]
        return self.start_B + block.length - done_B

    def logits(
        self, inputs: Tensor, positions_BK: Tensor, block: Block, shadow: Shadow | None = None
    ) -> Tensor:
        """Run one forward over the block, the first time over all that is not cached before it too."""
        assert shadow is None, "a decoder with a shadow takes no cache"
        self._own_rows()
        start_B, width = self.start_B, block.length
        if self.first:
            end_B = self.start_B + block.length
            width = int((end_B - self.cache.done_B).max())
            start_B = (end_B - width).clamp(min=0)
        window = self.cache.cache.window(start_B, width)
        place = {"cache": window, "logits_positions_BN": positions_BK - start_B[:, None]}
        if self.first:
            places_BM = block.positions_BM - start_B[:, None]
            inputs = self._with_what_is_before(inputs, window.positions_BW, places_BM)
        elif self.continuous:
            inputs = inputs.to(self.model.get_input_embeddings().weight.dtype)
        output = self.model(**{"inputs_embeds" if self.continuous else "input_ids": inputs}, **place)
        if self.first:
            self.cache.done_B, self.first = self.start_B, False
        logits: Tensor = output.logits
        return logits

    def _with_what_is_before(self, inputs: Tensor, positions_BW: Tensor, places_BM: Tensor) -> Tensor:
        """Return the window's inputs: the block's, and the canvas's tokens before it."""
        if not self.continuous:
            return self.canvas.tokens_at(positions_BW).scatter(1, places_BM, inputs)
        embeds_BWE = self.canvas.embedded(self.model.get_input_embeddings(), positions_BW)
        return _written(embeds_BWE, places_BM, inputs)

    def _own_rows(self) -> None:
        if self.keep_B is not None:
            cache = self.cache
            self.cache = RowCache(
                cache.cache.take(self.keep_B), cache.done_B[self.keep_B], cache.rows_B[self.keep_B]
            )
            self.keep_B = None


def new_row_cache(model: Any, facts: ModelFacts, settings: DecodeSettings, canvas: Canvas) -> RowCache | None:
    """Return an empty cache for a canvas, or None where the settings want none."""
    if not wants_cache(model, facts, settings):
        return None
    rows, size = canvas.tokens_BS.shape
    return RowCache(
        model.new_cache(rows, size),
        torch.zeros_like(canvas.start_B),
        torch.arange(rows, device=canvas.start_B.device),
    )


def wants_cache(model: Any, facts: ModelFacts, settings: DecodeSettings) -> bool:
    """Return whether a decode uses a key-value cache.

    Raises:
        DecodingError: the settings force one, and the model has none.
    """
    able = bool(facts.block_length) and callable(getattr(model, "new_cache", None))
    if settings.kv_cache == "on" and not able:
        raise DecodingError(NO_CACHE, hint=NO_CACHE_HINT)
    chosen = settings.kv_cache == "on" or (settings.kv_cache == "auto" and facts.device.type == "cuda")
    return able and chosen


def _written(embeds_BSE: Tensor, places_BM: Tensor, inputs_BME: Tensor) -> Tensor:
    places = places_BM[..., None].expand(inputs_BME.shape)
    return embeds_BSE.scatter(1, places, inputs_BME.to(embeds_BSE.dtype))
