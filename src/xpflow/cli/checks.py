"""What must hold for the values of every command, asked before it starts.

Texts are text, numbers finite, and what is written can be written: it is no input, no other output, and no
artifact of the folder that is read. An output that is found wrong at the end costs all the work before it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from typer.models import ArgumentInfo, ParameterInfo

from xpflow.errors import ConfigError

NAME_OR_FOLDER = ("model", "policy")  # texts that may name a file or a folder
LARGEST = 2**63
AT_ONCE, MOST_AT_ONCE = ("threads", "workers"), 1024  # each takes memory, and more than cores help nobody
MAY_BE_EMPTY = ("prompt", "policy", "set_")  # the last two have words of their own for it


@dataclass(frozen=True, slots=True)
class Output:
    """Marks an option that names what is written: a file, with one of some endings, or a folder."""

    folder: bool = False
    endings: tuple[str, ...] = ()


def check_values(function: Callable[..., Any], values: Mapping[str, Any]) -> None:
    """Raise ConfigError, or ArtifactError, that names the option whose value a command cannot use."""
    hints = get_type_hints(function, include_extras=True)
    metadata = {name: getattr(hint, "__metadata__", ()) for name, hint in hints.items()}
    names = {name: _written(name, found) for name, found in metadata.items()}
    for name, value in values.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            _check_value(names.get(name, name), one)
            if one == "" and name not in MAY_BE_EMPTY:
                raise ConfigError(f"{names.get(name, name)} is empty", hint="give a value, or leave it out")
            if name in AT_ONCE and isinstance(one, int) and one > MOST_AT_ONCE:
                raise ConfigError(f"{names[name]}: {one} at once", hint=f"{MOST_AT_ONCE} at most")
    outputs = {name: mark for name, found in metadata.items() for mark in found if isinstance(mark, Output)}
    read = {name: value for name, value in values.items() if name not in outputs}
    inputs = [(names[name], path) for name, value in read.items() for path in _paths(name, value)]
    seen: list[tuple[str, Path]] = []
    for name in outputs:
        if (path := values.get(name)) is None:
            continue
        _check_output(names[name], path, outputs[name])
        for other, place in inputs:
            check_apart(names[name], path, other, place, "reads")
        for other, written in seen:
            check_apart(names[name], path, other, written, "writes")
        seen.append((names[name], path))


def _written(name: str, metadata: tuple[Any, ...]) -> str:
    """Return a parameter as a user writes it: "--out", or "FILE" of an argument."""
    for info in metadata:
        if isinstance(info, ArgumentInfo):
            return info.metavar or name.upper()
        if isinstance(info, ParameterInfo) and info.param_decls:
            return info.param_decls[0]
    return f"--{name.strip('_').replace('_', '-')}"


def _check_value(name: str, value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{name}: {value} is no finite number", hint="give a number")
    if isinstance(value, int) and not -LARGEST <= value < LARGEST:
        raise ConfigError(f"{name}: {value} does not fit into 64 bits", hint="give a smaller number")
    if not isinstance(value, str | Path):
        return
    text = str(value)
    if "\0" in text:
        raise ConfigError(f"{name}: {text[:40]!r} holds a NUL character", hint="leave it out")
    if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in text):
        raise ConfigError(f"{name}: {text[:40]!r} is not UTF-8 text", hint="is it in another encoding?")


def _paths(name: str, value: Any) -> Iterator[Path]:
    """Yield the paths that an option names, where it may name some."""
    for one in value if isinstance(value, list | tuple) else [value]:
        if isinstance(one, Path) or (isinstance(one, str) and one and name in NAME_OR_FOLDER):
            yield Path(one)


def _check_output(name: str, path: Path, mark: Output) -> None:
    from xpflow.artifacts.outputs import require_writable
    from xpflow.errors import XpflowError

    try:
        require_writable(path, folder=mark.folder)
    except XpflowError as error:
        raise type(error)(f"{name}: {error.message}", hint=error.hint) from error
    if mark.endings and path.suffix not in mark.endings:
        raise ConfigError(
            f"{name}: {str(path)!r} ends in none of {', '.join(mark.endings)}",
            hint="the ending says the format",
        )


def check_apart(name: str, path: Path, other: str, place: Path, does: str) -> None:
    """Refuse an output that is another option's file or folder, or an artifact in a folder that is read."""
    if _same(path, place):
        raise ConfigError(
            f"{name} and {other} name the same place, {str(path)!r}", hint=f"{other} {does} it: name another"
        )
    if does == "reads" and path.is_file() and place.is_dir() and _below(path, place) and _is_listed(path):
        raise ConfigError(
            f"{name}: {str(path)!r} is a result in {str(place)!r}, which {other} reads",
            hint="it would be overwritten: name another file",
        )


def _is_listed(path: Path) -> bool:
    from xpflow.artifacts.manifest import manifest_of
    from xpflow.errors import ArtifactError

    try:
        return manifest_of(path) is not None
    except (ArtifactError, OSError):
        return False  # an audit of broken manifests may replace its own report


def _same(one: Path, other: Path) -> bool:
    if os.path.exists(one) and os.path.exists(other):
        return os.path.samefile(one, other)
    return os.path.realpath(one) == os.path.realpath(other)


def _below(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
