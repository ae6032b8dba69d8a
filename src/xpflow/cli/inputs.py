"""Inputs of a command: what is named there is what its manifest lists, or the command does not start.

Stages of a study check what they read themselves and note it. This is for the other commands that read
results: their options say which of them name inputs, `typer.Option(callback=as_listed, ...)`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def as_listed(value: Any) -> Any:
    """Return an option's value: a path, a text that may name one, or several.

    Raises:
        ArtifactError: a file, or one in a folder, is not what its manifest lists.
    """
    from xpflow.artifacts.manifest import checked, files_below

    for one in value if isinstance(value, list | tuple) else [value]:
        if one is not None and os.path.exists(one):
            for file in files_below([Path(one)]):
                checked(file)
    return value
