"""What is named on a command line is what its manifest lists, or the command does not start.

Stages of a study check what they read themselves and note it. This is for the other commands that read
results: whatever file or checkpoint folder they are given by name is compared with its manifest, if it has
one. Values of options that name a place to write to are not looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

READERS = ("decode", "grade", "score", "problems", "match", "prompts")
WRITTEN = ("--out", "--trace", "--json", "--into")


def check_inputs(command: str, arguments: Sequence[str]) -> None:
    """Raise ArtifactError where a named input is not what its manifest lists."""
    if command not in READERS:
        return
    from xpflow.artifacts.manifest import checked, files_below

    for path in _named(arguments):
        for file in files_below([path]):
            checked(file)


def _named(arguments: Sequence[str]) -> Iterator[Path]:
    """Yield the words that name something that is there, as arguments or as values of options."""
    before = ""
    for word in arguments:
        option, equals, value = word.partition("=")
        name, text = (option, value) if equals and word.startswith("--") else (before, word)
        if name not in WRITTEN and not text.startswith("-") and os.path.exists(text):
            yield Path(text)
        before = word
