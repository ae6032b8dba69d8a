"""The settings of a decoder, where several say something: the one order of precedence (imports torch).

The later wins: the protocol (of its settings those that the decoder knows), the study (N, batch size,
`evaluation.settings`), the model's block length, the arm, and what a command line sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from xpflow.budget import budget_text
from xpflow.decoding.entry import DecodeSettings
from xpflow.decoding.registry import decoder_entry, settings_from
from xpflow.protocols.find import find_protocol
from xpflow.protocols.protocol import Protocol
from xpflow.study.config.evaluation import Arm
from xpflow.study.config.root import StudyConfig
from xpflow.study.config.training import SelfdataBlock, SolvableBlock
from xpflow.study.plugins import shape


def arm_settings(
    config: StudyConfig, arm: Arm, model: str, benchmark: str, budget: Fraction
) -> dict[str, Any]:
    """Return every decoder setting of one row."""
    choice = config.model(model)
    return {
        **protocol_settings(choice.protocol, shape(config, benchmark), arm.decoder),
        "gen_length": config.benchmark(benchmark).gen_length,
        "budget": budget_text(budget),
        "batch_size": config.evaluation.batch_size,
        **config.evaluation.settings,
        **({} if choice.block_length is None else {"block_length": choice.block_length}),
        **arm.settings_for(model),
    }


def protocol_settings(protocol: str, shape: str | None, decoder: str) -> Mapping[str, Any]:
    """Return a protocol's settings for problems of a shape, as far as a decoder knows them."""
    if shape is None:
        return {}
    return find_protocol(protocol).settings(shape, decoder_entry(decoder).settings.model_fields)


def stage_settings(block: SelfdataBlock | SolvableBlock, protocol: Protocol, shape: str) -> DecodeSettings:
    """Return a stage's decoder settings: the block's own, above what the protocol says for a shape."""
    recipe = protocol.settings(shape, decoder_entry(block.decoder).settings.model_fields)
    own = {"gen_length": block.gen_length, "budget": block.budget, "batch_size": block.batch_size}
    chosen = block.settings if isinstance(block, SelfdataBlock) else {}
    return settings_from(block.decoder, {**recipe, **own, "suppress": "special", **chosen})
