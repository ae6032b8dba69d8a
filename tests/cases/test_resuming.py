"""Kind 3: a training that was killed goes on with what it began with, or says what differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PROBLEM = {
    "task_id": 601,
    "text": "Add.",
    "code": "def add(a, b):\n    return a + b\n",
    "test_list": ["assert add(1, 2) == 3"],
    "test_setup_code": "",
    "challenge_test_list": [],
}
GRPO = {
    "updates": 40,
    "prompts_per_update": 1,
    "group_size": 2,
    "train_budget": "1/4",
    "warm_start": None,
    "checkpoint_every": 1,
    "validate_every": 0,
}
TRAINING = {"full": {"updates": 300, "batch_size": 2}, "warmup_updates": 0, "log_every": 1}


def kept(place: Any, *words: object) -> str:
    """Hold that a state is refused and stays, and return what was said of it."""
    state = place / "out.state"
    before = state.read_bytes()
    done = place.run(*words)
    done.refused("is the state of another training", "out.state")
    assert state.read_bytes() == before
    assert not (place / "out").exists()
    return str(done.said)


def test_a_policy_is_not_trained_on_with_another_model_length_or_problem(place: Any) -> None:
    small = {"models": [{"name": "llada-micro", "training": "full"}], "runtime": {"threads": 1}}
    study = place.study(grpo=GRPO, solvable={"gen_length": 4}, **small)
    place.rows("p.jsonl", PROBLEM)
    first, other = place.model(), place.model(rope_theta=499_999.0)
    words = ("grpo", "--problems", "p.jsonl", "--out", "out", "--config", study, "--model")
    place.command.killed_when((place / "out.state").exists, *words, first, folder=place.folder)
    assert "model.config.rope_theta" in kept(place, *words, other)
    place.study(grpo=GRPO, solvable={"gen_length": 8}, **small)
    assert "gen_length (4 there, 8 here)" in kept(place, *words, first)
    place.study(grpo=GRPO, solvable={"gen_length": 4}, **small)
    place.rows("p.jsonl", {**PROBLEM, "test_list": ["assert add(1, 2) == 4"]})
    assert "problems.content" in kept(place, *words, first)


def test_a_run_is_not_trained_on_with_another_model_or_other_data(place: Any) -> None:
    def rows(*responses: int) -> None:
        place.rows(
            "own.jsonl",
            *(
                {"task_id": f"p/{n}", "prompt_ids": [0, 10, 11], "response": [n, 21, 22, 23], "kind": "train"}
                for n in responses
            ),
        )

    def study(folder: Path) -> str:
        model = {"name": "llada-micro", "training": "full", "directory": str(folder)}
        found: str = place.study(
            models=[model], training=TRAINING, runtime={"threads": 1, "checkpoint_every": 1}
        )
        return found

    first, other = place.model(), place.model(rope_theta=499_999.0)
    rows(30, 31, 32)
    words = ("--model", "llada-micro", "--data", "own.jsonl", "--out", "out", "--config", study(first))
    place.command.killed_when((place / "out.state").exists, place.trains, *words, folder=place.folder)
    study(other)
    assert "model.config.rope_theta" in kept(place, place.trains, *words)
    study(first)
    rows(30, 31, 33)
    assert "data" in kept(place, place.trains, *words)
