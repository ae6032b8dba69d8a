"""Looking decoders up by name, and building their settings from plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from xpflow.decoding.decoders import DECODERS
from xpflow.decoding.entry import Decoder, DecodeSettings
from xpflow.errors import DecodingError, nearest


def decoder_entry(name: str) -> Decoder:
    """Return what a decoder says about itself; raises DecodingError with the nearest name."""
    found: Decoder = DECODERS[name]
    return found


def default_decoder() -> str:
    """Return the decoder that is meant where none is named: the first of the table."""
    return next(iter(DECODERS))


def decoders_that(trait: str) -> list[str]:
    """Return the decoders in whose entry a trait is set, as "takes_policy" or "knob"."""
    return [name for name in DECODERS if getattr(DECODERS[name], trait)]


def settings_from(decoder: str, values: Mapping[str, Any] | None = None) -> DecodeSettings:
    """Return the validated settings of a decoder from plain values (strings as on a command line will do).

    Raises:
        DecodingError: there is no such decoder, or a setting is unknown (the nearest is named) or wrong.
    """
    model, given = decoder_entry(decoder).settings, dict(values or {})
    named = given.setdefault("decoder", decoder)
    if named != decoder:
        raise DecodingError(
            f"setting 'decoder': {named!r} is not the decoder that was chosen, {decoder!r}",
            hint="the decoder is no setting: choose it by --decoder, or by an arm's `decoder`",
        )
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "?"
        unknown = first["type"] == "extra_forbidden"
        message = f"unknown setting {key!r}" if unknown else f"setting {key!r}: {first['msg']}"
        known = f"`xpflow decoders {decoder}` lists its settings"
        hint = nearest(key, model.model_fields) if unknown else known
        raise DecodingError(f"{message} (decoder {decoder!r})", hint=hint) from error
