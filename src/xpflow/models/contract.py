"""The contract of models (`architecture.MaskedDiffusionModel`), kept in one place for all architectures here.

A model's file says where its table and head are, how its places turn, and how its layers run. What it is
called with, which arguments go together, masks, the head that may be left out, and how a name enters the
Auto classes of transformers is said here. Legend: layers.py.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    PretrainedConfig,
    PreTrainedModel,
)

from xpflow.models.auto import enter_when_used
from xpflow.models.cache import CacheWindow
from xpflow.models.layers import MaskedLMOutput, embed, key_mask, require_supported


class Seen(NamedTuple):
    """What layers are told beside their inputs.

    cos_SR, sin_SR: how far places turn, `[S, R]`, or `[B, 1, S, R]` where rows differ. mask: for `attend`.
    places_BN: those whose states are wanted; None: all. cache: a window of one, of models that have caches.
    """

    cos_SR: Tensor
    sin_SR: Tensor
    mask: Tensor | None
    places_BN: Tensor | None
    cache: CacheWindow | None = None


class MaskedLM(PreTrainedModel):  # type: ignore[no-untyped-call]
    """Base of our models.

    A subclass has `config`, `config_class`, `_no_split_modules`, the dotted names TABLE and HEAD, and the
    methods `build`, `turns` and `run`, and `_init_weights`; the others where it differs.
    """

    TABLE: ClassVar[str]
    HEAD: ClassVar[str]
    base_model_prefix = "model"
    _supports_sdpa = True

    def __init__(self, config: PretrainedConfig) -> None:
        require_supported(config)
        super().__init__(config)
        self.build(config)
        self.post_init()  # type: ignore[no-untyped-call]

    def build(self, config: Any) -> None:
        """Make all modules, under their published names."""
        raise NotImplementedError

    def turns(self, x_BSD: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Return cos and sin `[S, R]` of the first `length` positions."""
        raise NotImplementedError

    def run(self, x_BSD: Tensor, seen: Seen) -> MaskedLMOutput:
        """Run all layers on embeddings; returns `hidden`, what the head reads, and what else is told."""
        raise NotImplementedError

    def embedded(self, input_ids: Tensor | None, inputs_embeds: Tensor | None) -> Tensor:
        """Return the input embeddings `[B, S, D]`; raises ValueError unless exactly one of both is given."""
        return embed(self.get_input_embeddings(), input_ids, inputs_embeds)

    def visible(self, attention_mask: Tensor | None, length: int, like: Tensor) -> Tensor | None:
        """Return a caller's mask as `attend` takes it; here every place sees every other."""
        return key_mask(attention_mask)

    def logits(self, hidden_BND: Tensor) -> Tensor:
        """Return what the head says, `[B, N, V]`, in the head's own precision."""
        found: Tensor = self.get_output_embeddings()(hidden_BND)
        return found

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        logits_positions_BN: Tensor | None = None,
        position_ids: Tensor | None = None,
        head: bool = True,
    ) -> MaskedLMOutput:
        """Return logits [B, S, V], or [B, N, V] at `logits_positions_BN` only.

        Without the `head`, the hidden states that it would read: [B, S, D] or [B, N, D].

        Exactly one of `input_ids` [B, S] and `inputs_embeds` [B, S, D]. `attention_mask`: 2-D [B, S],
        non-zero where a key may be seen, or 4-D [B or 1, 1 or H, S, S], bool or additive. `position_ids`
        [B, S], all below S, replace 0..S-1 in the rotary embedding.
        """
        x_BSD = self.embedded(input_ids, inputs_embeds)
        length = x_BSD.shape[1]
        cos_SR, sin_SR = at_positions(self.turns(x_BSD, length), position_ids)
        mask = self.visible(attention_mask, length, x_BSD)
        return self.told(self.run(x_BSD, Seen(cos_SR, sin_SR, mask, logits_positions_BN)), head)

    def told(self, found: MaskedLMOutput, head: bool) -> MaskedLMOutput:
        """Return logits in place of hidden states, or what was found where the head is left out."""
        if not head:
            return found
        assert found.hidden is not None
        return MaskedLMOutput(logits=self.logits(found.hidden), router_load=found.router_load)

    def get_input_embeddings(self) -> nn.Module:
        """Return the embedding table (its `weight` is W_in of the paper)."""
        return self.get_submodule(self.TABLE)

    def set_input_embeddings(self, value: nn.Module) -> None:
        self._put(self.TABLE, value)

    def get_output_embeddings(self) -> nn.Module:
        return self.get_submodule(self.HEAD)

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        self._put(self.HEAD, new_embeddings)

    def _put(self, place: str, module: nn.Module) -> None:
        parent, _, name = place.rpartition(".")
        setattr(self.get_submodule(parent), name, module)


def at_positions(tables_SR: tuple[Tensor, Tensor], position_ids: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return cos and sin of the positions that a caller gives, `[B, 1, S, R]`; None: as they are."""
    if position_ids is None:
        return tables_SR
    cos_SR, sin_SR = tables_SR
    return cos_SR[position_ids].unsqueeze(1), sin_SR[position_ids].unsqueeze(1)


def enter_auto(config: type[PretrainedConfig], model: type[MaskedLM]) -> None:
    """Enter an architecture into the Auto classes, under the `model_type` of its configuration."""
    AutoConfig.register(config.model_type, config, exist_ok=True)
    for auto in (AutoModel, AutoModelForMaskedLM, AutoModelForCausalLM):
        auto.register(config, model, exist_ok=True)


# The import of the Auto classes above asked for all architectures, which then found this module half made.
enter_when_used()
