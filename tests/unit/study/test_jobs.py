"""Decoding jobs cover the rows of a study exactly; groups have outputs that are known by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpflow.errors import ConfigError
from xpflow.study.config import StudyConfig, load_study, study_from_mapping
from xpflow.study.rows import expand, find_job, job_groups, jobs_of, trace_row

CONFIGS = sorted((Path(__file__).parents[3] / "config").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_jobs_hold_every_row_once(path: Path) -> None:
    config = load_study(path)
    assert sorted(row for job in jobs_of(config) for row in job.rows) == sorted(expand(config))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_groups_hold_every_job_once(path: Path) -> None:
    config = load_study(path)
    groups = job_groups(config)
    assert len({group.name for group in groups}) == len(groups)
    places = [
        (model, benchmark, group.kind, seed, group.cells)
        for group in groups
        for model in group.models
        for benchmark in group.benchmarks
        for seed in group.seeds
    ]
    jobs = [(job.model, job.benchmark, job.kind, job.seed, job.cells) for job in jobs_of(config)]
    assert sorted(places) == sorted(jobs)


def test_the_default_study_needs_one_group_for_each_kind_of_weights() -> None:
    names = [group.name for group in job_groups(StudyConfig())]
    assert names == ["base", "preserving", "paper", "preserving__trained"]


def test_a_job_that_only_some_seeds_have_gets_a_group_of_its_own() -> None:
    arms = [
        {"name": "once", "decoder": "mask_prediction", "seeds": "first"},
        {"name": "often", "decoder": "mask_prediction"},
    ]
    config = study_from_mapping({"study": {"seeds": [3, 4, 5]}, "evaluation": {"arms": arms}})
    groups = {group.name: group for group in job_groups(config)}
    assert groups["base"].seeds == (3,)
    assert groups["base_2"].seeds == (4, 5)


def test_only_arms_with_a_trained_policy_wait_for_it() -> None:
    for job in jobs_of(StudyConfig()):
        assert job.trained == all(row.arm == "flow-trained" for row in job.rows)


def test_a_job_that_does_not_exist_is_an_error_that_says_so() -> None:
    with pytest.raises(ConfigError, match="decodes nothing with model llada-micro"):
        find_job(StudyConfig(), "llada-micro", "micropy-he", "base", False, 7)


def test_the_picture_shows_flow_on_the_first_model_at_the_headline_budget() -> None:
    row = trace_row(StudyConfig())
    assert row is not None
    assert (row.model, row.benchmark, row.arm, str(row.budget)) == (
        "llada-micro",
        "micropy-he",
        "flow-shipped",
        "1/4",
    )
    arms = [{"name": "mask", "decoder": "mask_prediction"}]
    assert trace_row(study_from_mapping({"evaluation": {"arms": arms}})) is None
