"""What a training run took: counted by its settings, timed over all of its parts, left for the manifest."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from xpflow.runtime.machine import Machine
from xpflow.study.config.training import FullSettings, TrainingBlock, TrainingRun
from xpflow.training.examples import OwnAnswers
from xpflow.training.objective import Cost
from xpflow.training.spent import note_spent, spent, take_spent
from xpflow.training.trainer import Trainer
from xpflow.training.tuning import tuner

UPDATES, BATCH = 4, 12  # every example once in each update


@pytest.fixture
def trained(make_model: Callable[..., Any], data: OwnAnswers, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that runs a training whose clock ticks from a second on, once at each look."""

    def run(state: Path, first: float, killed_at: int | None = None) -> Trainer:
        def report(row: dict[str, Any]) -> None:
            if row["update"] == killed_at:
                raise InterruptedError

        full = FullSettings(updates=UPDATES, batch_size=BATCH)
        block, chosen = TrainingBlock(full=full, log_every=1), TrainingRun(name="control", objective="masked")
        machine = Machine(checkpoint_every=1)
        trainer = tuner(make_model("llada-micro"), data, block, chosen, True, 0, machine=machine)
        monkeypatch.setattr("xpflow.training.trainer.perf_counter", count(first).__next__)
        trainer.run(report, state)
        return trainer

    return run


def test_a_run_is_counted_and_timed_with_what_came_before_it_was_killed(
    trained: Any, data: OwnAnswers, tmp_path: Path
) -> None:
    found = spent(trained(tmp_path / "whole", 0.0), Cost(trained=3, free=1))
    answers, length = UPDATES * BATCH, sum(len(one.prompt) + len(one.response) for one in data.train)
    assert found == {
        "updates": UPDATES,
        "answers": answers,
        "tokens": 3 * UPDATES * length,
        "forwards": 4 * answers,
        "backwards": 3 * answers,
        "seconds": UPDATES + 1,  # a look at each save, and one at the end
    }
    with pytest.raises(InterruptedError):
        trained(tmp_path / "killed", 0.0, killed_at=3)
    assert trained(tmp_path / "killed", 1000.0).seconds == found["seconds"]


def test_the_numbers_wait_beside_the_folder_until_they_are_taken(tmp_path: Path) -> None:
    note_spent(tmp_path / "seed0", {"updates": 2, "seconds": 0.5})
    assert take_spent(tmp_path / "seed0") == {"updates": 2, "seconds": 0.5}
    assert not list(tmp_path.iterdir())
