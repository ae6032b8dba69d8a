"""The seconds that jobs took: Snakemake writes a file for each of them, below results/<study>/benchmarks."""

from __future__ import annotations

from pathlib import Path

SECONDS = "s"  # the column


def recorded(folder: Path) -> dict[str, list[float]]:
    """Return the seconds of every job by rule. What cannot be read is left out."""
    found: dict[str, list[float]] = {}
    for file in sorted([*folder.glob("*.tsv"), *folder.glob("*/*.tsv")]):
        try:
            head, row = (line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()[:2])
            seconds = float(dict(zip(head, row, strict=False))[SECONDS])
        except (OSError, ValueError, KeyError):
            continue
        rule = file.stem if file.parent == folder else file.parent.name
        found.setdefault(rule, []).append(seconds)
    return found
