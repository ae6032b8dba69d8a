"""Block `probes`: its jobs, what they need to be trained, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from xpflow.errors import ConfigError
from xpflow.study.check import check_plugins, check_study
from xpflow.study.config import StudyConfig, load_study, study_from_mapping
from xpflow.study.fingerprints import probe as probe_fingerprint
from xpflow.study.layout import Layout
from xpflow.study.probes import find_probe, policy_trainings, probe_jobs, with_train_budget
from xpflow.study.rows import policy_seeds, trained_runs
from xpflow.study.stages import expected_files, stage_fingerprint, stage_plugins

ROOT = Path(__file__).parents[3]
BASE = {"name": "base", "model": "llada-micro"}
PAPER = {"name": "paper", "model": "llada-micro", "weights": "paper"}
SHIPPED, QUARTER = {"name": "shipped", "policy": "shipped"}, {"name": "quarter", "train_budget": "1/4"}
CLAIM = {"id": "one", "text": "It does.", "measure": "read_oracle", "place_a": "base", "place_b": "base"}
AGAINST = {**CLAIM, "place_b": "paper"}
NATS = {**CLAIM, "measure": "nats", "passes_a": 1, "passes_b": 1}
SNAP = {**CLAIM, "measure": "recovered", "policy_a": "shipped", "policy_b": "shipped"}


def study(seeds: tuple[int, ...] = (0,), **probes: Any) -> StudyConfig:
    return study_from_mapping(
        {
            "study": {"name": "probed", "seeds": list(seeds)},
            "evaluation": {"arms": [{"name": "mask", "decoder": "mask_prediction", "seeds": "first"}]},
            "grpo": {"model": "llada-micro", "weights": "preserving"},
            "probes": {"places": [BASE], "policies": [SHIPPED], **probes},
        },
        source="s.yaml",
    )


def test_places_have_a_job_for_each_benchmark_and_seeds_only_where_something_is_trained() -> None:
    config = study((0, 1), places=[BASE, PAPER], benchmarks=["micropy-he", "micropy-mbpp"])
    names = [(job.place, job.benchmark, job.seed) for job in probe_jobs(config)]
    assert names == [
        ("base", "micropy-he", 0),
        ("base", "micropy-mbpp", 0),
        *(("paper", benchmark, seed) for benchmark in ("micropy-he", "micropy-mbpp") for seed in (0, 1)),
    ]
    trained = study((0, 1), policies=[SHIPPED, QUARTER])
    assert [(job.place, job.seed) for job in probe_jobs(trained)] == [("base", 0), ("base", 1)]
    assert probe_jobs(study(places=[])) == []


def test_what_the_probes_need_is_trained() -> None:
    assert trained_runs(study()) == []
    assert trained_runs(study(places=[PAPER])) == [("llada-micro", "paper", 0)]
    full = {"name": "full", "train_budget": "1/1"}
    config = study((0, 1), policies=[full, QUARTER, {**QUARTER, "name": "again"}])
    assert policy_trainings(config) == [(b, seed) for b in ("1-1", "1-4") for seed in (0, 1)]
    assert trained_runs(config) == [("llada-micro", "preserving", 0), ("llada-micro", "preserving", 1)]
    assert policy_seeds(config) == []  # the arms need none
    assert policy_trainings(study(places=[], policies=[QUARTER])) == []


def test_a_policy_s_place_says_at_which_budget_it_was_trained() -> None:
    config, layout = study(policies=[QUARTER]), Layout.of("probed")
    file = layout.probe_policy("1-4", 0) / "policy.safetensors"
    assert file in expected_files(config, layout)
    assert layout.names_at(file.as_posix())["train_budget"] == "1-4"
    assert with_train_budget(config, "1-4").grpo.train_budget == Fraction(1, 4)
    assert with_train_budget(config, None) is config
    as_block, quarter, full = (
        stage_fingerprint(config, {"command": "grpo", "seed": 0, **names})
        for names in ({}, {"train_budget": "1-4"}, {"train_budget": "1-1"})
    )
    assert as_block == quarter != full


def test_a_job_s_place_and_names_agree() -> None:
    config, layout = study(places=[PAPER]), Layout.of("probed")
    [job] = probe_jobs(config)
    folder = layout.probe(job.model, job.benchmark, job.place, job.seed)
    found = layout.names_at((folder / "validity.jsonl").as_posix())
    assert found == {
        "model": "llada-micro",
        "benchmark": "micropy-he",
        "place": "paper",
        "seed": "0",
        "file": "validity.jsonl",
    }
    assert find_probe(config, "paper", "micropy-he", 0) == job
    names = {"command": "probe", "place": "paper", "benchmark": "micropy-he", "seed": 0}
    assert {"decoder:flow", "decoder:mask_prediction", "architecture:llada"} <= set(
        stage_plugins(config, names)
    )
    with pytest.raises(ConfigError, match="probes no papr"):
        find_probe(config, "papr", "micropy-he", 0)
    assert stage_fingerprint(config, {**names, "place": "gone"}) == "gone"


def test_only_what_a_job_reads_makes_it_stale() -> None:
    [job] = probe_jobs(study())
    before = probe_fingerprint(study(), job)
    assert before == probe_fingerprint(
        study(places=[BASE, PAPER], region=0.9, preregistration=[AGAINST]), job
    )
    soft, passes = {**BASE, "soft": {"weight": 0.5}}, {"passes": 2}
    assert probe_fingerprint(study(**passes), job) != probe_fingerprint(study(places=[soft], **passes), job)
    for changed in ({"share": 0.25}, {"snap_at": [0.9]}, {"answers": "own"}, {"policies": [QUARTER]}):
        assert before != probe_fingerprint(study(**changed), job)


@pytest.mark.parametrize(
    ("probes", "told"),
    [
        ({"places": [{**BASE, "model": "llada"}]}, "'llada' is not known here"),
        ({"places": [{**BASE, "weights": "papr"}]}, "'papr' is not known here; did you mean 'paper'"),
        ({"places": [BASE, BASE]}, "'base' occurs twice"),
        ({"benchmarks": ["micropy"]}, "'micropy' is not known here"),
        ({"t": [0.0, 0.5]}, "t must rise from 0 to 1"),
        ({"t": [0.0, 0.5, 0.5, 1.0]}, "t must rise from 0 to 1"),
        ({"snap_at": [0.5, 1.5]}, "between 0 and 1"),
        ({"snap_at": [0.5, 0.5]}, "snap_at has a value twice"),
        ({"policies": [{"name": "none"}]}, "either `policy` or `train_budget`"),
        ({"policies": [{**SHIPPED, "train_budget": "1/4"}]}, "either `policy` or `train_budget`"),
        ({"policies": [{"name": "own", "policy": "trained"}]}, "name one, or give `train_budget`"),
        ({"preregistration": [{**CLAIM, "place_a": "bse"}]}, "'bse' is not known here"),
        ({"preregistration": [{**CLAIM, "at": 0.3}]}, "0.3 is none of probes.t"),
        ({"preregistration": [{**CLAIM, "policy_a": "shipped"}]}, "is a measure of no policy"),
        ({"preregistration": [{**CLAIM, "measure": "readable"}]}, "is a measure of a policy"),
        ({"preregistration": [{**SNAP, "at": 0.3}]}, "no multiple of 1/8"),
        ({"preregistration": [{**SNAP, "snap_at": 0.9}]}, "0.9 is none of probes.snap_at"),
        ({"preregistration": [{**SNAP, "policy_b": "shippd"}]}, "did you mean 'shipped'"),
        ({"preregistration": [{**CLAIM, "passes_a": 1}]}, "is a measure of no number of passes"),
        (
            {"passes": 2, "preregistration": [{**NATS, "passes_b": None}]},
            "is a measure of a number of passes",
        ),
        ({"passes": 2, "preregistration": [{**NATS, "passes_b": 2}]}, "of base 1 passes are read"),
        ({"preregistration": [NATS]}, "of base 0 passes are read"),
    ],
)
def test_what_cannot_be_probed_is_named(probes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        study(**probes)


@pytest.mark.parametrize(
    ("probes", "told"),
    [
        ({"budget": "1/5"}, r"probes\[probe-shipped\].*is 6.4 steps"),
        ({"policies": [{"name": "odd", "policy": "constant:7"}]}, r"probes\[probe-odd\].*out of range"),
        ({"policies": [{"name": "fifth", "train_budget": "1/5"}]}, "grpo.train_budget.*is 6.4 steps"),
    ],
)
def test_what_a_decoder_refuses_is_refused_before_the_first_job(probes: dict[str, Any], told: str) -> None:
    config = study(**probes)
    check_study(config, "s.yaml")
    with pytest.raises(ConfigError, match=told):
        check_plugins(config, "s.yaml")


def test_the_shipped_study_asks_all_five_questions() -> None:
    block = load_study(ROOT / "config" / "probes.yaml").probes
    assert {place.weights for place in block.places} == {"base", "paper"}
    assert {one.train_budget for one in block.policies} >= {Fraction(1), Fraction(1, 4)}
    assert {claim.measure for claim in block.preregistration} >= {"read_oracle", "recovered", "readable"}


@pytest.mark.parametrize("name", ["soft", "soft-full"])
def test_the_study_of_soft_masks_holds_equal_things_against_each_other(name: str) -> None:
    config = load_study(ROOT / f"config/{name}.yaml")
    updates = {run.name: run.updates or config.training.full.updates for run in config.training.runs}
    more = updates.pop("binary-more")
    assert set(updates.values()) == {300}
    assert 3 * more >= 4 * updates["soft3"]  # an update of soft_masked: two forwards and a backward
    assert (3 * more == 4 * updates["soft3"]) == (name == "soft")
    arms = {arm.name: arm for arm in config.evaluation.arms}
    apart = {
        "soft-over-binary",
        "soft1-over-binary",
        "soft-over-binary-compute",
        "soft-over-binary-threshold",
    }
    for claim in config.study.preregistration:
        same = arms[claim.arm_a].weights == arms[claim.arm_b].weights
        of_training = claim.id in {*apart, "flow-against-soft", "paper-flow-against-soft"}
        assert same != of_training, claim.id
    by_model = {place.name: place.model for place in config.probes.places}
    for probe_claim in config.probes.preregistration:
        assert by_model[probe_claim.place_a] == by_model[probe_claim.place_b]
        assert probe_claim.measure == "nats"
    for model in config.model_names:  # the untouched base is what a place is held against
        first = next(place for place in config.probes.places if place.model == model)
        assert (first.weights, first.soft) == ("base", {})
