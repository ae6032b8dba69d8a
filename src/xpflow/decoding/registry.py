"""The table of decoders: a decoder is one file that registers one entry here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from xpflow.decoding.settings import DecodeSettings, validate
from xpflow.errors import DecodingError, nearest


@dataclass(frozen=True, slots=True)
class DecoderEntry:
    """One decoder: its settings model, how its stepper is made, and whether it takes a step-size policy."""

    settings_model: type[DecodeSettings]
    make: Callable[..., Any]
    takes_policy: bool = False
    help: str = ""


DECODERS: dict[str, DecoderEntry] = {}


def register(name: str, entry: DecoderEntry) -> None:
    """Add a decoder under a name; a second entry of the same name is a mistake."""
    if name in DECODERS:
        raise DecodingError(f"decoder {name!r} is registered twice", hint="choose another name")
    DECODERS[name] = entry


def decoder_entry(name: str) -> DecoderEntry:
    """Return the entry of a decoder; raises DecodingError with the nearest name."""
    if name not in DECODERS:
        raise DecodingError(f"no such decoder: {name!r}", hint=nearest(name, DECODERS))
    return DECODERS[name]


def settings_from(decoder: str, values: Mapping[str, Any] | None = None) -> DecodeSettings:
    """Return the validated settings of a decoder from plain values (strings as on a command line will do)."""
    return validate(decoder_entry(decoder).settings_model, {**(values or {}), "decoder": decoder})
