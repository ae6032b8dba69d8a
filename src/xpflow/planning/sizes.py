"""The sizes of a model and what follows: parameters, tensors per token, which weights a token passes.

Legend: V vocabulary, D width, H heads, G key heads, K head width, I inner width of the MLP, M of an expert, E
experts, k experts per token, C width of a conditioning vector. Counts are of numbers, not bytes. Source: the
published configurations of LLaDA (modeling_llada.py), LLaDA2.0 (modeling_llada2_moe.py), MDLM
(modeling_mdlm.py) and Dream (modeling_dream.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from xpflow.errors import ConfigError, nearest
from xpflow.models.architecture import Architecture, Sizes
from xpflow.models.architectures import ARCHITECTURES
from xpflow.models.registry import HUB_MODELS, MODELS, SHIPPED, ModelEntry
from xpflow.study.config.inputs import ModelChoice

FREQUENCIES = 256  # of the time that a conditioning vector is made of


class ModelSizes(Sizes):
    """Sizes of a model, and the numbers that follow from them."""

    __slots__ = ()

    @property
    def table(self) -> int:
        """Return V D: the embedding table, and the head once more."""
        return self.vocab * self.width

    @property
    def attention(self) -> int:
        """Return the weights of one layer's query, key, value and output projections."""
        return self.width * self.head_width * (2 * self.heads + 2 * self.kv_heads)

    @property
    def biases(self) -> int:
        """Return the biases of one layer's query, key and value projections."""
        return self.head_width * (self.heads + 2 * self.kv_heads) if self.qkv_bias else 0

    @property
    def norms(self) -> int:
        """Return the weights of one layer's norms."""
        return 2 * self.width + (2 * self.head_width if self.qk_norm else 0)

    @property
    def moe_layers(self) -> int:
        """Return how many layers have experts."""
        return self.layers - self.first_dense if self.experts else 0

    @property
    def dense_mlp(self) -> int:
        """Return the weights of one dense MLP: gated, or under a conditioning vector plain."""
        return (2 if self.conditioning else 3) * self.width * self.inner

    @property
    def modulation(self) -> int:
        """Return what a conditioning vector adds to one layer: its six projections, and the MLP's biases."""
        return 6 * self.width * (self.conditioning + 1) + self.inner + self.width if self.conditioning else 0

    @property
    def modulation_outside(self) -> int:
        """Return what it adds outside of layers: its own net, the last norm's projections, biases, angles."""
        c = self.conditioning
        net = (FREQUENCIES + 1) * c + (c + 1) * c
        return net + 2 * self.width * (c + 1) + self.vocab + self.head_width // 2 if c else 0

    @property
    def expert(self) -> int:
        """Return the weights of one routed expert; a shared expert has as many for each of its number."""
        return 3 * self.width * self.expert_inner

    @property
    def router(self) -> int:
        """Return the weights of one layer's router, without its E selection biases."""
        return self.experts * self.width

    @property
    def layer(self) -> int:
        """Return all numbers of the largest layer: what FSDP gathers at a time."""
        if not self.moe_layers:
            return self.attention + self.biases + self.norms + self.dense_mlp + self.modulation
        routed = (self.experts + self.shared_experts) * self.expert
        return self.attention + self.biases + self.norms + routed + self.router + self.experts

    @property
    def parameters(self) -> int:
        """Return all stored numbers: parameters, and the routers' selection biases."""
        dense = self.attention + self.biases + self.norms + self.dense_mlp + self.modulation
        layers = (self.layers - self.moe_layers) * dense + self.moe_layers * self.layer
        return 2 * self.table + self.width + layers + self.modulation_outside

    @property
    def active_body(self) -> int:
        """Return the matrix weights that one token passes between embedding and head."""
        return self.layers * self.attention + sum(self.active_mlp(index) for index in range(self.layers))

    @property
    def active(self) -> int:
        """Return the parameters in use for one token, embedding and head included, as model cards count."""
        return 2 * self.table + self.active_body

    def active_mlp(self, index: int) -> int:
        """Return the MLP weights that one token passes in a layer."""
        if index < self.layers - self.moe_layers:
            return self.dense_mlp
        return self.router + (self.experts_per_token + self.shared_experts) * self.expert

    def experts_touched(self, tokens: int) -> float:
        """Return how many experts of a layer `tokens` tokens are expected to choose between them.

        E (1 - (1 - k / E)^tokens): each token chooses k of E evenly and independently. A trained router
        balances its load, but tokens of one text choose alike, so fewer experts may be read.
        """
        if not self.experts:
            return 0.0
        return float(self.experts * (1 - (1 - self.experts_per_token / self.experts) ** tokens))

    def weights_read(self, tokens: int) -> float:
        """Return how many weights a forward of `tokens` tokens reads, without the embedding table's rows."""
        moe = self.experts_touched(tokens) + self.shared_experts
        mlp = (self.layers - self.moe_layers) * self.dense_mlp
        mlp_moe = self.moe_layers * (moe * self.expert + self.router)
        return self.layers * self.attention + mlp + mlp_moe + self.table

    @property
    def cache_per_token(self) -> int:
        """Return the keys and values of one token in all layers."""
        return 2 * self.layers * self.kv_heads * self.head_width

    def lora_parameters(self, rank: int) -> int:
        """Return the numbers of low-rank adapters on attention, dense and shared MLPs and head."""
        inputs = self.width if self.fused_qkv else 3 * self.width
        query_key_value = inputs + self.head_width * (self.heads + 2 * self.kv_heads)
        sides = self.layers * (query_key_value + self.heads * self.head_width + self.width)
        matrices = 2 if self.conditioning else 3
        sides += (self.layers - self.moe_layers) * matrices * (self.width + self.inner)
        if c := self.conditioning:  # the modulations, the last norm's, and the vector's own net
            sides += self.layers * (c + 6 * self.width) + c + 2 * self.width + FREQUENCIES + 3 * c
        if self.shared_experts:
            sides += self.moe_layers * 3 * (self.width + self.expert_inner * self.shared_experts)
        return rank * (sides + self.width + self.vocab)


def sizes_of(choice: ModelChoice) -> ModelSizes:
    """Return a model's sizes; a published name counts with or without its owner, in any case.

    The folder that `directory` names wins where it has a config.json; a plan is often made on another machine
    than the study runs on, so a folder that is absent here is no error for a published name.

    Raises:
        ConfigError: neither says the sizes.
    """
    for folder in (Path(choice.directory) if choice.directory else None, SHIPPED / choice.name):
        if folder is not None and (folder / "config.json").is_file():
            return read_sizes(folder / "config.json")
    entry = published(choice)
    if entry is not None:
        return sizes_in({"model_type": entry.architecture})
    raise ConfigError(
        f"models[{choice.name}]: the sizes of this model are not known",
        hint=f"name a `directory` with a config.json on this machine; {nearest(choice.name, HUB_MODELS)}",
    )


def published(choice: ModelChoice) -> ModelEntry | None:
    """Return the published model that a study's model is by its name, or None."""
    name = choice.name.rpartition("/")[2].lower()
    return MODELS[name] if name in HUB_MODELS else None


def sizes_in(fields: Mapping[str, Any]) -> ModelSizes:
    """Return the sizes in the fields of a config.json; those left out are the published model's.

    Raises:
        ModelLoadError: no architecture has its `model_type`. KeyError, TypeError: fields do not fit.
    """
    architecture: Architecture = ARCHITECTURES[str(fields.get("model_type"))]
    return ModelSizes(**asdict(architecture.sizes(fields)))


def read_sizes(path: Path) -> ModelSizes:
    """Return the sizes in a config.json; raises ConfigError when it is of no known architecture."""
    try:
        fields = dict(json.loads(path.read_text(encoding="utf-8")))
        kind = str(fields.get("model_type"))
        if kind in set(ARCHITECTURES):  # names only: a folder of weights names no file of code
            return sizes_in(fields)
    except (OSError, TypeError, ValueError, KeyError) as error:
        raise ConfigError(f"{path}: no sizes can be read from it ({error})") from error
    raise ConfigError(f"{path}: unknown model_type {kind!r}", hint=nearest(kind, ARCHITECTURES))
