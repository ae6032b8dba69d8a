"""Values and calls as text for a verdict, shortened. Standard library only."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from typing import Any

SHOWN = 200  # characters of a value in a verdict
_REPR = reprlib.Repr()
_REPR.maxother = _REPR.maxstring = _REPR.maxlong = SHOWN // 2
_REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = _REPR.maxset = 12


def shown_call(name: str, args: Iterable[Any], kwargs: dict[str, Any]) -> str:
    """Return a call as it would be typed, shortened."""
    words = [shown(value) for value in args] + [f"{key}={shown(value)}" for key, value in kwargs.items()]
    return f"{name}({', '.join(words)})"[:SHOWN]


def shown(value: Any) -> str:
    """Return a value as text, shortened."""
    try:
        return _REPR.repr(value)[:SHOWN]
    except Exception as error:
        return f"<{type(value).__name__}: {type(error).__name__}>"
