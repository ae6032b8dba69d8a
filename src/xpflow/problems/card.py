"""The card of a data set of problems: YAML for `datasets` and the hub, and the same in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

# Types of columns as the card's YAML has them; a configuration with others leaves them to the files.
FEATURES: Mapping[str, Mapping[str, str]] = {
    "string": {"dtype": "string"},
    "int64": {"dtype": "int64"},
    "double": {"dtype": "float64"},
    "bool": {"dtype": "bool"},
    "list<item: string>": {"list": "string"},
    "list<element: string>": {"list": "string"},
}


@dataclass(frozen=True, slots=True)
class Table:
    """What a card says of one configuration: columns with their Arrow types, splits with their sizes."""

    name: str
    columns: Mapping[str, Any]
    sizes: Mapping[str, int]
    about: str = ""
    license: str = ""
    made: str = ""


def card(tables: Sequence[Table]) -> str:
    """Return the text of README.md."""
    licenses = list(dict.fromkeys(table.license for table in tables if table.license))
    head: dict[str, Any] = {
        "pretty_name": "Problems: " + ", ".join(table.name for table in tables),
        "license": licenses[0] if len(licenses) == 1 else licenses or "unknown",
        "configs": [_config(table, first=table is tables[0]) for table in tables],
        "dataset_info": [_info(table) for table in tables],
    }
    front = yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{front}---\n\n{_words(tables)}"


def _config(table: Table, *, first: bool) -> dict[str, Any]:
    files = [{"split": split, "path": f"{table.name}/{split}.parquet"} for split in table.sizes]
    return {"config_name": table.name, "data_files": files, **({"default": True} if first else {})}


def _info(table: Table) -> dict[str, Any]:
    known = [FEATURES.get(str(kind)) for kind in table.columns.values()]
    features = [
        {"name": name, **found} for name, found in zip(table.columns, known, strict=True) if found is not None
    ]
    splits = [{"name": split, "num_examples": size} for split, size in table.sizes.items()]
    whole = {"features": features} if len(features) == len(known) else {}
    return {"config_name": table.name, **whole, "splits": splits}


def _words(tables: Sequence[Table]) -> str:
    lines = ["# Problems", ""]
    for table in tables:
        lines += [f"## {table.name}", ""]
        lines += [f"{text.rstrip('.')}.\n" for text in (table.about, table.made) if text]
        lines += ["| split | problems |", "| --- | --- |"]
        lines += [f"| {split} | {size} |" for split, size in table.sizes.items()]
        lines += ["", f"Columns: {', '.join(f'`{name}`' for name in table.columns)}."]
        lines += [f"Licence: {table.license}."] if table.license else []
        lines += [""]
    first, split = tables[0], next(iter(tables[0].sizes))
    return "\n".join(
        [
            *lines,
            "## Reading it",
            "",
            "```python",
            "from datasets import load_dataset",
            "from xpflow.problems import problems_from",
            "",
            f'rows = load_dataset("FOLDER", "{first.name}", split="{split}")',
            f'problems = problems_from(rows, "{first.name}")',
            "```",
            "",
            "The columns `test` and `test_list` hold code. Loading the data set runs none of it. Run it, and",
            "what a model answers, in a jail only: `xpflow grade --problems FOLDER/NAME/SPLIT.parquet` reads",
            "a split as it is. Written by `xpflow problems dataset`.",
            "",
        ]
    )
