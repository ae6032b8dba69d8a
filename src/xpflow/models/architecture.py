"""What an architecture is, and the contract that its models meet. Imports no torch.

To add one: a file with an `Architecture` in it (the model's own code may lie anywhere), and its line in
`xpflow.models.architectures`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from xpflow.models.keys import Keys

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PretrainedConfig, PreTrainedModel

    from xpflow.models.cache import BlockCache, CacheWindow
    from xpflow.models.layers import FeatureBlock, MaskedLMOutput


class MaskedDiffusionModel(Protocol):
    """What decoding and training ask of a model, beside being a transformers `PreTrainedModel`.

    The logit at position i predicts token i (no shift). `config` has `model_type`, `vocab_size`,
    `mask_token_id`, `eos_token_id`, `eot_token_id` (or None), `suppress_token_ids` (never predicted with
    `suppress: special`; or None) and `block_length`: 0 or None for a bidirectional model; else the model is
    causal between blocks of so many positions, counted from position 0. `_no_split_modules` names the layers
    that sharded training (FSDP) wraps one by one.

    Where a checkpoint holds tensors that are no weights, `constants()` returns them by name, with the values
    that a file must have.

    Only for block-causal models, and only where there is a cache: `new_cache`, and `cache` in the forward.
    `position_ids` [B, S] come from training on a clean and a noisy copy, and from decoders with a shadow of
    the block, only.
    """

    config: Any
    _no_split_modules: list[str]

    def __call__(
        self,
        *,
        input_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        attention_mask: Tensor | None = None,
        logits_positions_BN: Tensor | None = None,
        position_ids: Tensor | None = None,
        head: bool = True,
        cache: CacheWindow | None = None,
    ) -> MaskedLMOutput:
        """Return `logits` [B, S, V], or [B, N, V] at `logits_positions_BN` alone.

        Without the `head`: `hidden`, the states that it would read, [B, S, D] or [B, N, D].

        Args:
            input_ids, inputs_embeds: exactly one of ids [B, S] and embeddings [B, S, D].
            attention_mask: 2-D [B, S], non-zero where a key may be seen, or 4-D [B or 1, 1 or H, S, S], bool
                or additive, in place of the model's own mask.
            logits_positions_BN: [B, N], the positions that are predicted; the others cost no head.
            position_ids: [B, S], all below S, in place of 0..S-1.
            cache: a window of a key-value cache; the inputs are the window's positions only.
        """

    def get_input_embeddings(self) -> nn.Module:
        """Return the embedding table; its `weight` is [V, D] (W_in of the paper)."""

    def get_output_embeddings(self) -> nn.Module:
        """Return the head, from hidden states to logits."""

    def new_cache(self, rows: int, length: int) -> BlockCache:
        """Return an empty key-value cache for `rows` canvases of `length` positions."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of a model as a plan counts them; without experts it is dense, with a block block-causal.

    conditioning: width of the vector that modulates blocks (a diffusion transformer); its MLPs are then two
    matrices with biases, not three. fused_qkv: one matrix makes queries, keys and values, else three;
    qkv_bias: they have biases.
    """

    vocab: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    head_width: int
    inner: int
    qk_norm: bool = False
    block_length: int = 0
    first_dense: int = 0
    experts: int = 0
    experts_per_token: int = 0
    expert_inner: int = 0
    shared_experts: int = 0
    conditioning: int = 0
    fused_qkv: bool = True
    qkv_bias: bool = False


@dataclass(frozen=True, slots=True)
class TokenizerKind:
    """A family of tokenizers.

    Args:
        special: what a special token does -> its text; `bos`, `eos` and `mask` are among the keys.
        end_of_turn: the key of the token that ends a turn.
        chat_template: Jinja text that ends with an open assistant's turn, whatever comes last.
        turns: the template's own words before a user's and an assistant's turn: a tokenizer is trained on
            them too. Empty: the model was trained on plain text, and goes on where a text ends.
        appended_mask: a published tokenizer may have no mask: then the mask is the row of the model's table
            that is one behind its last id.
        words: of a family that is published as vocab.json and merges.txt: the pattern of what is merged
            within, after Unicode's NFC (models/byte_pairs.py). Empty: tokenizer.json is needed.
    """

    special: Mapping[str, str]
    end_of_turn: str
    chat_template: str
    turns: tuple[str, str]
    appended_mask: bool = False
    words: str = ""

    def training_texts(self, pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
        """Yield what a tokenizer is trained on: (request, answer) pairs with the template's own words."""
        for question, answer in pairs:
            yield from (self.turns[0], question, self.turns[1], answer)


@dataclass(frozen=True, slots=True)
class Tiny:
    """The published model in small: published ids of its special tokens, shrunk fields of its config.

    dtype, sharded: how the published weights are stored.
    """

    special_ids: Mapping[str, int]
    fields: Mapping[str, Any]
    dtype: str = "bfloat16"
    sharded: bool = True


@dataclass(frozen=True, slots=True)
class Architecture:
    """What others must know of a kind of model.

    Args:
        name: `model_type` in config.json.
        about: one line.
        classes: () -> (configuration class, model class); imports them.
        tokenizer: its family of tokenizers.
        sizes: fields of a config.json -> sizes; fields that are left out are the published model's.
        micro: vocabulary size -> config fields of a model of about a million parameters, which keeps every
            mechanism of the large one.
        lora_targets: pattern of the modules that low-rank adapters go on: attention, dense and shared MLPs,
            head. Routed experts stay as they are: an adapter on each would be larger than what it adapts is
            used.
        tiny: the published model in small, for rehearsals; None: there is none.
        block: () -> the class of one more block of the model's kind, for heads on its features; it is made
            from the model's configuration. None: there is none.
        keys: the keys that its config.json may have; None: its configuration class refuses what it does not
            know.
    """

    name: str
    about: str
    classes: Callable[[], tuple[type[PretrainedConfig], type[PreTrainedModel]]]
    tokenizer: TokenizerKind
    sizes: Callable[[Mapping[str, Any]], Sizes]
    micro: Callable[[int], Mapping[str, Any]]
    lora_targets: str
    tiny: Tiny | None = None
    block: Callable[[], type[FeatureBlock]] | None = None
    keys: Keys | None = None

    def config(self, **fields: Any) -> PretrainedConfig:
        """Return a configuration; fields that are left out are the published model's."""
        return self.classes()[0](**fields)

    def build(self, config: PretrainedConfig) -> PreTrainedModel:
        """Return a model with new weights."""
        return self.classes()[1](config)
