"""What a training run took: answers, tokens and forwards of a row by its settings, seconds by the clock.

The numbers become facts of the checkpoint's manifest (`facts.training`), where times stand anyway. No file
that is compared byte for byte has them, and no fingerprint reads them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from xpflow.artifacts.io import atomic_write_text
from xpflow.training.objective import Cost
from xpflow.training.trainer import Trainer


def spent(trainer: Trainer, cost: Cost) -> dict[str, float]:
    """Return what a finished run took.

    updates; answers: rows of all batches; tokens: of prompt and answer, once for each forward that has a
    backward (padding aside); forwards: of a row, with or without a backward; backwards: of a row; seconds: of
    the loop, with the curves of its log and its saves, all resumed parts of it together (what a killed
    process did after its last save is not in them).

    Args:
        cost: what the run's objective says of an update.
    """
    updates = range(trainer.course.updates)
    lengths = [len(one.prompt) + len(one.response) for n in updates for one in trainer.examples(n)]
    return {
        "updates": len(updates),
        "answers": len(lengths),
        "tokens": cost.trained * sum(lengths),
        "forwards": (cost.trained + cost.free) * len(lengths),
        "backwards": cost.trained * len(lengths),
        "seconds": round(trainer.seconds, 1),
    }


def note_spent(out: Path, found: dict[str, float]) -> None:
    """Leave the numbers of a run beside its folder, for the process that writes the manifest."""
    atomic_write_text(_note(out), json.dumps(found))


def take_spent(out: Path) -> dict[str, Any]:
    """Return what `note_spent` left, and remove it."""
    note = _note(out)
    found: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
    note.unlink()
    return found


def _note(out: Path) -> Path:
    return out.with_name(f"{out.name}.state.spent")
