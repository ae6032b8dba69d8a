"""Writing the configuration: the commented default file, and the JSON schema."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import yaml
from pydantic import BaseModel

from xpflow.study.config.base import budget_text, model_in
from xpflow.study.config.root import StudyConfig

WIDTH = 110

HEADER = """\
# yaml-language-server: $schema=schema.json
# The micro study, and every key that a study has. Generated: `make config` writes it from src/xpflow/config.
# Another study's file holds only what differs from it; `xpflow config check FILE` says whether it is valid.
"""


def render_yaml(config: StudyConfig) -> str:
    """Return the configuration as YAML with every key, each under its description."""
    lines = [HEADER]
    for name in type(config).model_fields:
        lines += [*_field(config, name, 0), ""]
    return "\n".join(lines)


def render_plain(config: StudyConfig) -> str:
    """Return the configuration as YAML with every key and no comments."""
    text: str = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, width=WIDTH)
    return text


def render_schema() -> str:
    """Return the JSON schema of a study's file."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **StudyConfig.model_json_schema()}
    below = {"type": "string", "description": "Study whose values this one has where it says nothing else"}
    schema["properties"] = {"extends": below, **schema["properties"]}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _field(model: BaseModel, name: str, depth: int) -> Iterator[str]:
    """Yield the lines of one key: its description, then its value, a block of keys or a list of rows."""
    info, value, pad = type(model).model_fields[name], getattr(model, name), "  " * depth
    yield from _comment(info.description or "", pad)
    if isinstance(value, BaseModel):
        yield f"{pad}{name}:"
        for inner in type(value).model_fields:
            yield from _field(value, inner, depth + 1)
        return
    row = model_in(info.annotation)
    if row is None or not value:
        yield from _legend(row, pad)
        yield f"{pad}{name}: {_inline(model.model_dump(mode='json')[name])}"
        return
    yield from _legend(row, pad)
    yield f"{pad}{name}:"
    for item in value:
        yield f"{pad}  - {_inline(_short(item))}"


def _legend(row: type[BaseModel] | None, pad: str) -> Iterator[str]:
    """Yield the keys of a list's rows with their descriptions; rows leave out what has its default."""
    for name, info in row.model_fields.items() if row else ():
        default = "" if info.is_required() else f" [{_inline(info.get_default(call_default_factory=False))}]"
        yield from _comment(f"  {info.alias or name}: {info.description}{default}", pad)


def _comment(text: str, pad: str) -> list[str]:
    indent = " " * (len(text) - len(text.lstrip()))
    return textwrap.wrap(
        text.strip(), WIDTH, initial_indent=f"{pad}# {indent}", subsequent_indent=f"{pad}# {indent}  "
    )


def _short(item: BaseModel) -> dict[str, Any]:
    """Return a row without the keys that have their default; `decoder` and other required keys stay."""
    full, short = item.model_dump(mode="json"), item.model_dump(mode="json", exclude_defaults=True)
    required = {name for name, info in type(item).model_fields.items() if info.is_required()}
    return {name: value for name, value in full.items() if name in required or name in short}


def _inline(value: Any) -> str:
    """Return a value on one line, as YAML's flow style."""
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, Fraction):
        value = budget_text(value)
    text: str = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")
