"""Reading a study's YAML; a mistake is reported with file, line, key and the nearest valid key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from xpflow.errors import ConfigError, nearest
from xpflow.study.config.base import model_at
from xpflow.study.config.root import StudyConfig
from xpflow.study.config.upgrade import upgraded

Loc = tuple[str | int, ...]
Lines = dict[Loc, int]


HINT = "config/micro.yaml lists every key with its meaning"


def load_study(path: str | Path) -> StudyConfig:
    """Read and validate a study's file; keys that it leaves out have the defaults of config/micro.yaml.

    With `extends: FILE` (relative to this file) they have that study's values: blocks are merged key by key,
    lists are replaced as a whole. Raises ConfigError that names the file, the line, the key and, for a typo,
    the nearest valid key.
    """
    data, lines = _read(Path(path), ())
    return study_from_mapping(data, source=str(path), lines=lines)


def _read(path: Path, children: tuple[Path, ...]) -> tuple[dict[str, Any], Lines]:
    """Return a file's keys over those of the study that it extends, and the lines of its own keys."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}", hint="name a file such as config/micro.yaml"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not text ({error.reason})", hint=HINT) from error
    data, lines = _parse(text, str(path))
    if "extends" not in data:
        return data, lines
    base, where = data.pop("extends"), f"{path}, line {lines[('extends',)]}: extends"
    if not isinstance(base, str):
        raise ConfigError(f"{where}: expected the name of a file, found {base!r}", hint=HINT)
    parent = path.parent / base
    if parent.resolve() in (other.resolve() for other in (*children, path)):
        raise ConfigError(f"{where}: {base} extends this file", hint="a study cannot extend itself")
    below, lines_below = _read(parent, (*children, path))
    study_from_mapping(below, source=str(parent), lines=lines_below)  # its mistakes are told as its own
    return _merged(below, data), lines


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return `above` over `below`: blocks key by key, everything else replaced."""
    both = {
        key: _merged(below[key], value)
        if isinstance(value, dict) and isinstance(below.get(key), dict)
        else value
        for key, value in above.items()
    }
    return {**below, **both}


def study_from_mapping(
    data: Mapping[str, Any], *, source: str = "config", lines: Lines | None = None
) -> StudyConfig:
    """Validate an already parsed configuration, such as Snakemake's merged `config`.

    Args:
        source: what error messages call it.
        lines: line of every key in it, where known.
    """
    data = upgraded(data, source)
    try:
        return StudyConfig.model_validate(data)
    except ValidationError as error:
        raise _config_error(error, data, source, lines or {}) from error


def _config_error(error: ValidationError, data: Mapping[str, Any], source: str, lines: Lines) -> ConfigError:
    found: dict[str, tuple[str, str]] = {}
    for details in _causes(error):
        loc = _present(details["loc"], data)
        line = _line(loc, lines)
        where = f"{source}, line {line}" if line else source
        found.setdefault(f"{where}: {_dotted(loc, data)}", _problem(details, loc))
    if len(found) == 1:
        [(where, (problem, hint))] = found.items()
        return ConfigError(f"{where}: {problem}", hint=hint or HINT)
    rows = [
        f"  {where}: {problem}" + (f"; {hint}" if hint else "") for where, (problem, hint) in found.items()
    ]
    return ConfigError("\n".join([f"{len(found)} mistakes in {source}", *rows]), hint=HINT)


def _causes(error: ValidationError) -> list[ErrorDetails]:
    """Return the errors without "list too short" where that only follows from an error inside the list."""
    errors = error.errors()
    return [
        one
        for one in errors
        if one["type"] != "too_short"
        or not any(two is not one and two["loc"][: len(one["loc"])] == one["loc"] for two in errors)
    ]


def _problem(details: ErrorDetails, loc: Loc) -> tuple[str, str]:
    """Return what is wrong with a value and, where it can be guessed, what was meant."""
    kind, value = details["type"], details.get("input")
    if kind == "extra_forbidden":
        model = model_at(StudyConfig, loc[:-1])
        return "no such key", nearest(str(loc[-1]), model.model_fields) if model else ""
    if kind == "missing":
        return "this key is required", ""
    if kind == "literal_error":
        allowed = re.findall(r"'([^']+)'", str(details.get("ctx", {}).get("expected", "")))
        return f"{value!r} is not one of {', '.join(allowed)}", nearest(str(value), allowed)
    if len(loc) < len(details["loc"]):
        return f"expected one plain value, found {value!r}", ""
    message = details["msg"].removeprefix("Value error, ").replace("tuple", "list")
    if kind in ("reference", "value_error") or isinstance(value, BaseModel | Mapping):
        return message, ""
    return f"{message[:1].lower()}{message[1:]}, found {value!r}", ""


def _present(loc: Loc, data: Any) -> Loc:
    """Cut off what pydantic appends below a value, such as the members of a union."""
    for depth, step in enumerate(loc):
        if isinstance(data, Mapping) and isinstance(step, str):
            if step not in data:
                return loc
            data = data[step]
        elif isinstance(data, list | tuple) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return loc[:depth]
    return loc


def _item(items: list[Any] | tuple[Any, ...], step: str | int) -> Any:
    return items[step] if isinstance(step, int) and step < len(items) else None


def _dotted(loc: Loc, data: Any) -> str:
    """Return "evaluation.arms[flow-shipped].decoder": list items by their name or id where they have one."""
    text = ""
    for step in loc:
        data = (
            data.get(step)
            if isinstance(data, Mapping)
            else _item(data, step)
            if isinstance(data, list)
            else None
        )
        if isinstance(step, int):
            name = (data.get("name") or data.get("id")) if isinstance(data, Mapping) else None
            text += f"[{name if name is not None else step}]"
        else:
            text += f".{step}" if text else step
    return text or "the whole file"


def _line(loc: Loc, lines: Lines) -> int | None:
    for depth in range(len(loc), 0, -1):
        if loc[:depth] in lines:
            return lines[loc[:depth]]
    return None


def _parse(text: str, source: str) -> tuple[dict[str, Any], Lines]:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}, line {mark.line + 1}" if mark else source
        raise ConfigError(f"{where}: not YAML ({getattr(error, 'problem', error)})", hint=HINT) from error
    except RecursionError as error:
        raise ConfigError(f"{source}: nested too deeply", hint=HINT) from error
    if data is None:
        return {}, {}
    if not isinstance(data, dict):
        raise ConfigError(f"{source}: expected keys and values, found {type(data).__name__}", hint=HINT)
    lines: Lines = {}
    try:
        _collect(node, (), lines, source)
    except RecursionError as error:
        raise ConfigError(f"{source}: an alias (*name) that holds itself", hint=HINT) from error
    return data, lines


def _collect(node: Any, loc: Loc, lines: Lines, source: str) -> None:
    """Note the line of every key and item below a YAML node; a key that occurs twice is an error."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*loc, key.value)
            if here in lines:
                line = key.start_mark.line + 1
                raise ConfigError(
                    f"{source}, line {line}: {key.value!r} occurs twice", hint="keep one of them"
                )
            lines[here] = key.start_mark.line + 1
            _collect(value, here, lines, source)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[(*loc, index)] = item.start_mark.line + 1
            _collect(item, (*loc, index), lines, source)
