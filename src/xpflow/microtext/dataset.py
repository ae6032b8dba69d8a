"""Worlds as a data set that `datasets.load_dataset` reads: Parquet files, and a card that describes them.

Each world is a configuration and each split a file `WORLD/SPLIT.parquet` with the columns `text`, `ids` (of
all places, the end word among them) and `log_p`, the exact log-likelihood of the sentence in nats.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xpflow.artifacts.io import atomic_write_text, atomic_writer
from xpflow.errors import DataError
from xpflow.microtext.measure import entropy
from xpflow.microtext.splits import SIZES, VERSION, load
from xpflow.microtext.world import LICENSE, World

CARD = "README.md"


def write_dataset(folder: Path, worlds: Sequence[World]) -> list[Path]:
    """Write worlds with all their splits, and the card; returns the files, the card last.

    Raises:
        DataError: there is none, or one twice.
    """
    names = [world.name for world in worlds]
    if not names or len(set(names)) < len(names):
        raise DataError("name at least one world, and each once", hint="`xpflow text list` lists them")
    files = [_write(folder, world, split) for world in worlds for split in SIZES]
    atomic_write_text(folder / CARD, card(worlds))
    return [*files, folder / CARD]


def card(worlds: Sequence[World]) -> str:
    """Return the text of README.md."""
    from huggingface_hub import DatasetCardData

    configs = [
        {
            "config_name": world.name,
            "data_files": [{"split": split, "path": f"{world.name}/{split}.parquet"} for split in SIZES],
            **({"default": True} if world is worlds[0] else {}),
        }
        for world in worlds
    ]
    front = DatasetCardData(
        pretty_name=f"MicroText: {', '.join(world.name for world in worlds)}",
        license=LICENSE,
        configs=configs,
    ).to_yaml()
    lines = ["# MicroText", "", "Small languages of which everything is known. Drawn by a generator", ""]
    lines[-2] += f" whose seed is the SHA-256 of `{VERSION}/WORLD/SPLIT`; splits are independent draws."
    lines += ["| world | what it is | words | places | entropy (nats) |", "| --- | --- | --- | --- | --- |"]
    for world in worlds:
        found = entropy(world)
        error = f" ± {found.standard_error:.3f}" if found.standard_error else ""
        sizes = f"{world.size} | {world.length} | {found.value:.3f}{error}"
        lines.append(f"| {world.name} | {world.about} | {sizes} |")
    lines += [
        "",
        "`text` is the sentence, `ids` its words by number, `log_p` its exact log-likelihood in nats.",
    ]
    lines += ["", "```python", "from datasets import load_dataset", ""]
    lines += [f'rows = load_dataset("FOLDER", "{worlds[0].name}", split="test")', "```", ""]
    lines += ["Written by `xpflow text dataset`.", ""]
    return f"---\n{front}\n---\n\n" + "\n".join(lines)


def _write(folder: Path, world: World, split: str) -> Path:
    import pyarrow as pa
    from pyarrow import parquet

    ids_NL = load(world, split)
    rows = ids_NL.tolist()
    table = pa.table(
        {
            "text": pa.array([world.text(row) for row in rows], pa.string()),
            "ids": pa.array(rows, pa.list_(pa.int64())),
            "log_p": pa.array(world.log_prob(ids_NL).tolist(), pa.float64()),
        }
    )
    path = folder / world.name / f"{split}.parquet"
    with atomic_writer(path) as beside:
        parquet.write_table(table, beside)
    return path
