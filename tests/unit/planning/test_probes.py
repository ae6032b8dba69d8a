"""What a plan says of probes: forwards, programs and time, worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from xpflow.planning import make_plan
from xpflow.planning.assumptions import GPUS, Assumptions
from xpflow.planning.clock import times_of
from xpflow.planning.probes import Probing
from xpflow.planning.remedies import policy_costs
from xpflow.planning.stages import Rollouts
from xpflow.study.config import StudyConfig, study_from_mapping

H200 = GPUS["h200"]
MIXED: dict[str, Any] = {
    "places": [
        {"name": "base", "model": "llada-micro"},
        {"name": "soft", "model": "llada-micro", "weights": "paper", "soft": {"weight": 0.5}},
        {"name": "blocks", "model": "llada2-micro"},
    ],
    "policies": [{"name": "slow", "policy": "constant:0.25"}, {"name": "own", "train_budget": "1/2"}],
    "limit": 5,
    "t": [0.0, 0.5, 1.0],
    "snaps": 4,
    "snap_at": [0.5, 0.9, 0.99],
    "passes": 2,
    "draws": 6,
}
NOISY: dict[str, Any] = {
    "places": [{"name": "base", "model": "llada-micro"}],
    "mixed": False,
    "noisy": {
        "readers": [
            {"name": "ids", "place": "base"},
            {"name": "evidence", "place": "base", "way": "evidence", "candidates": [0.1, 0.5, 0.9]},
        ],
        "validation": {"micropy-he": "micropy-he-validation"},
        "shares": [0.1, 0.3],
        "context": [0.0, 0.5, 0.7],
        "ratios": [0.1, 1.0],
    },
}


def study(probes: dict[str, Any], **blocks: Any) -> StudyConfig:
    known = {"name": "micropy-he-validation", "source": "micropy-he", "split": "validation", "limit": 7}
    return study_from_mapping(
        {
            "study": {"name": "probed", "seeds": [0, 1]},
            "problems": {"benchmarks": [{"name": "micropy-he", "gen_length": 32, "limit": 9}, known]},
            "models": [{"name": name, "training": "full"} for name in ("llada-micro", "llada2-micro")],
            "grpo": {"model": "llada-micro", "weights": "base", "train_budget": "1/1"},
            "probes": probes,
            **blocks,
        }
    )


def probed(config: StudyConfig) -> dict[str, Probing]:
    stages = make_plan(config, [H200], [1]).stages
    return {stage.name: stage for stage in stages if isinstance(stage, Probing)}


def test_every_forward_of_mixed_states_is_counted() -> None:
    """5 problems of 32 tokens in each of two jobs: policies that are trained have the study's seeds."""
    found = probed(study(MIXED))
    assert list(found) == [f"probe {name} micropy-he" for name in ("base", "soft", "blocks")]
    # Flow takes 8 steps of one token at least: snaps after 2, 4 and 6 leave 30, 28 and 26 masks, each bound.
    decoded = 32 + 2 * (8 + 3 * (30 + 28 + 26))
    states = 2 * 2 * 3
    for name, passes in (("base", 1), ("soft", 2)):
        stage = found[f"probe {name} micropy-he"]
        assert stage.forwards == 2 * 5 * (decoded + states + 6 * passes)
        assert stage.programs == 2 * 5 * (1 + 2 * (1 + 4 * 3))
    blocks = found["probe blocks micropy-he"]
    assert sum(one.forwards for one in blocks.readings) == 5 * (states + 6)
    size = blocks.readings[0].works()[0]
    assert size.flop > found["probe base micropy-he"].readings[0].works()[0].flop  # a clean and a noisy copy


def test_noisy_texts_are_read_once_for_each_candidate_and_once_more_by_the_best() -> None:
    stage = probed(study(NOISY))["probe base micropy-he"]
    kinds_and_shares = 2 * 2
    assert stage.forwards == 7 * (1 + 3) * kinds_and_shares + 9 * (2 * (kinds_and_shares + 3) + 2)
    assert stage.programs == 0


def test_probes_have_hours_memory_and_policies_of_their_own() -> None:
    config = study(MIXED, runtime={"device": "cuda"})
    plan = make_plan(config, [H200], [1, 8])
    one, eight = ({entry.stage.name: entry for entry in plan.find("h200", gpus)} for gpus in plan.counts)
    for name in probed(config):
        assert one[name].seconds == pytest.approx(2 * eight[name].seconds)  # two seeds, two jobs
        assert 0 < one[name].memory.total == eight[name].memory.total
    own = [stage for stage in plan.stages if isinstance(stage, Rollouts) and stage.probed]
    assert [(stage.name, stage.runs, stage.steps) for stage in own] == [
        ("probe-policy llada-micro 1/2", 2, 16)
    ]
    assert any(stage.name == "solvable llada-micro" for stage in plan.stages)
    costs = policy_costs(plan.study, Assumptions().machine(H200, "float32"))
    assert not any(cost.stage.probed for cost in costs)


def test_the_clock_counts_their_time(tmp_path: Path) -> None:
    """`xpflow config check` prints it."""
    few, many = (times_of(study({**MIXED, "limit": limit}), tmp_path) for limit in (1, 9))
    assert {"probe", "train_probe_policy"} <= few.seconds.keys()
    assert few.jobs["probe"] == 6
    assert few.seconds["probe"] < many.seconds["probe"]
    assert few.study(2) < many.study(2)
