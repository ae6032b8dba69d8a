"""Canonical JSON (RFC 8785): the same bytes for equal values, on every machine and in every language."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import rfc8785
from pydantic import BaseModel


def canonical(value: Any) -> bytes:
    """Return the canonical bytes of a value; pydantic models count by their fields, the rest by `str`."""
    return rfc8785.dumps(json.loads(json.dumps(value, default=_plain)))


def digest(value: Any) -> str:
    """Return the hexadecimal SHA-256 of a value's canonical bytes."""
    return hashlib.sha256(canonical(value)).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return str(value)
