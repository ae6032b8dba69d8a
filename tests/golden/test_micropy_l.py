"""What MicroPy-L generates never changes under one VERSION: models are trained on it.

`micropy_l.json` holds sha256 sums of training pairs and of the first problems of every set, with the Python
that made them. Written anew by `python tests/golden/test_micropy_l.py`, after a change of the version alone.
"""

from __future__ import annotations

import hashlib
import json
import platform
from itertools import islice
from pathlib import Path
from typing import Any

from xpflow.problems.micropy.world import SIZES
from xpflow.problems.micropy_l import VERSION, WORLD

FILE = Path(__file__).with_name("micropy_l.json")
PAIRS, PROBLEMS = 100, 20


def sha256(rows: list[Any]) -> str:
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


def made() -> dict[str, Any]:
    """Return what the golden file holds, but for the environment."""
    return {
        "version": VERSION,
        "training_pairs": sha256(list(islice(WORLD.training_pairs(0), PAIRS))),
        "problems": {
            f"{shape}/{split}": sha256([p.to_row() for p in islice(WORLD.stream(shape, split), PROBLEMS)])
            for shape, split in sorted(SIZES)
        },
    }


def test_micropy_l_is_the_same_everywhere() -> None:
    golden = json.loads(FILE.read_text())
    del golden["environment"]
    assert made() == golden


if __name__ == "__main__":
    found = {"environment": {"python": platform.python_version()}, **made()}
    FILE.write_text(json.dumps(found, indent=2) + "\n")
