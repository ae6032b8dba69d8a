"""Studies written for xpflow 0.1, read as what they mean today.

There `alignment.variants` were losses of one objective; today `training.runs` names an objective and its
settings. A file may not mix the two. The published study of 0.1 is read this way until it is made again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xpflow.errors import ConfigError

LOSS = ("kl_weight", "clean_weight")


def upgraded(data: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return a study's keys with those of 0.1 under today's names; raises ConfigError for a mixture."""
    found = dict(data)
    if "alignment" in found:
        if "training" in found:
            raise ConfigError(
                f"{source}: `alignment` (xpflow 0.1) beside `training`", hint="move its keys to `training`"
            )
        found["training"] = _block(found.pop("alignment"))
    if isinstance(found.get("models"), list):
        found["models"] = [_renamed(entry, "alignment", "training") for entry in found["models"]]
    if "grpo" in found:
        found["grpo"] = _renamed(found["grpo"], "variant", "weights")
    return found


def _block(block: Any) -> Any:
    if not isinstance(block, Mapping) or not isinstance(block.get("variants"), list):
        return block
    rest = {key: value for key, value in block.items() if key != "variants"}
    return {"runs": [_run(variant) for variant in block["variants"]], **rest}


def _run(variant: Any) -> Any:
    if not isinstance(variant, Mapping):
        return variant
    settings = {key: variant[key] for key in LOSS if variant.get(key)}
    rest = {key: value for key, value in variant.items() if key not in LOSS}
    return {**rest, **({"settings": settings} if settings else {})}


def _renamed(entry: Any, old: str, new: str) -> Any:
    if not isinstance(entry, Mapping) or old not in entry or new in entry:
        return entry
    return {(new if key == old else key): value for key, value in entry.items()}
