"""What the jobs of a study should take: the last run's seconds where there are some, the plan's elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpflow.planning.clock import EARLY, START_S, times_of
from xpflow.study.config import load_study, study_from_mapping
from xpflow.study.times import recorded

CONFIG = Path(__file__).parents[3] / "config"


def took(folder: Path, name: str, seconds: str) -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:01\t5\n")


@pytest.mark.parametrize("name", ["smoke", "micro", "micro-full"])
def test_every_rule_of_a_shipped_study_has_a_time(name: str, tmp_path: Path) -> None:
    times = times_of(load_study(CONFIG / f"{name}.yaml"), tmp_path)
    assert times.seconds.keys() == times.jobs.keys()
    assert {
        "answer_prompts",
        "train",
        "train_policy",
        "decode_shard",
        "grade_shard",
        "merge",
        "figures",
    } <= set(times.jobs)
    assert min(times.seconds.values()) > 0
    assert times.study(1) == 2 * times.study(2)
    assert times.source == "an estimate"


def test_larger_studies_take_longer(tmp_path: Path) -> None:
    smoke, micro, full = (
        times_of(load_study(CONFIG / f"{name}.yaml"), tmp_path).study(2)
        for name in ("smoke", "micro", "micro-full")
    )
    assert smoke < micro < full


def test_decoders_that_stop_early_are_not_reckoned_with_all_their_steps(tmp_path: Path) -> None:
    def decoding(decoder: str, budget: str) -> float:
        arm = {"name": "one", "decoder": decoder, "budgets": [budget], "seeds": "first"}
        models = [{"name": "llada-micro", "training": "full"}]
        study = study_from_mapping({"models": models, "evaluation": {"arms": [arm]}})
        return times_of(study, tmp_path).seconds["decode_shard"] - START_S

    assert decoding("threshold", "1/1") == pytest.approx(EARLY * decoding("mask_prediction", "1/1"))
    assert decoding("threshold", "1/8") == pytest.approx(decoding("mask_prediction", "1/8")), "the cap holds"


def test_the_last_run_is_believed_more_than_the_plan(tmp_path: Path) -> None:
    for seed, seconds in enumerate(("300.0", "500.0")):
        took(tmp_path, f"train/llada-micro.paper.seed{seed}.tsv", seconds)
    took(tmp_path, "tables.tsv", "7.5")
    (tmp_path / "figures.tsv").write_text("s\n")  # of a job that was killed
    study = load_study(CONFIG / "smoke.yaml")
    times, planned = times_of(study, tmp_path), times_of(study, tmp_path / "none")
    assert (times.seconds["train"], times.seconds["tables"]) == (400.0, 7.5)
    assert times.seconds["figures"] == planned.seconds["figures"]
    assert times.measured == {"train", "tables"}
    assert times.source == "as the last run took"


def test_a_gpu_has_no_times_before_it_was_used(tmp_path: Path) -> None:
    study = study_from_mapping({"runtime": {"device": "cuda"}})
    assert times_of(study, tmp_path).seconds == {}
    took(tmp_path, "tables.tsv", "3.0")
    assert dict(times_of(study, tmp_path).seconds) == {"tables": 3.0}


def test_what_is_no_time_is_left_out(tmp_path: Path) -> None:
    took(tmp_path, "a/1.tsv", "2.0")
    took(tmp_path, "a/2.tsv", "long")
    (tmp_path / "b.tsv").write_bytes(b"\xff\xfe\tq\n\xff\n")
    (tmp_path / "c.tsv").write_text("")
    assert recorded(tmp_path) == {"a": [2.0]}
    assert recorded(tmp_path / "none") == {}
