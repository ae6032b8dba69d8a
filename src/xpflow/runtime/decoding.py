"""How a stage that is not an evaluation decodes: by the decoder of its own block of the study."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from xpflow.decoding.entry import DecodeSettings
from xpflow.decoding.registry import decoder_entry, settings_from
from xpflow.protocols.protocol import Protocol
from xpflow.study.config.training import SelfdataBlock, SolvableBlock


def stage_settings(block: SelfdataBlock | SolvableBlock, protocol: Protocol, shape: str) -> DecodeSettings:
    """Return a stage's decoder settings: the block's own, above what the protocol says for a shape."""
    recipe = protocol.settings(shape, decoder_entry(block.decoder).settings.model_fields)
    own = {"gen_length": block.gen_length, "budget": block.budget, "batch_size": block.batch_size}
    return settings_from(block.decoder, {**recipe, **own, "suppress": "special"})


def of_total(report: Callable[[int, int], None] | None, total: int) -> Callable[[int], None] | None:
    """Return a decoder's progress callback, which is told only (done), from a report of (done, total)."""
    return None if report is None else partial(_call_with_total, report, total)


def _call_with_total(report: Callable[[int, int], None], total: int, done: int) -> None:
    report(done, total)
