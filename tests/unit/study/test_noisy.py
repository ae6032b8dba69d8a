"""Block `probes.noisy`: what it makes of a study's jobs, files and names, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from xpflow.errors import ConfigError
from xpflow.study.config import StudyConfig, load_study, study_from_mapping
from xpflow.study.fingerprints import probe as probe_fingerprint
from xpflow.study.fingerprints import report
from xpflow.study.layout import NOISY_FILES, PROBE_FILES
from xpflow.study.probes import probe_arms, probe_jobs, trained_policies
from xpflow.study.stages import figure_names, probe_outputs, table_names

ROOT = Path(__file__).parents[3]
BASE = {"name": "base", "model": "llada-micro"}
DSL = {"name": "dsl", "model": "llada-micro", "weights": "paper"}
IDS = {"name": "ids", "place": "base"}
CODES = {"name": "codes", "place": "dsl", "way": "codes", "candidates": [0.1, 1.0]}
CLAIM = {"id": "one", "text": "It does.", "measure": "net", "reader_a": "codes", "reader_b": "ids"}


def study(probes: dict[str, Any] | None = None, **noisy: Any) -> StudyConfig:
    block = {"validation": {"micropy-he": "known"}, "readers": [IDS, CODES], **noisy}
    known = {"name": "known", "source": "micropy-he", "split": "validation"}
    return study_from_mapping(
        {
            "study": {"name": "noised"},
            "problems": {"benchmarks": [{"name": "micropy-he"}, known]},
            "evaluation": {"arms": [{"name": "mask", "decoder": "mask_prediction", "seeds": "first"}]},
            "probes": {"mixed": False, "places": [BASE, DSL], "noisy": block, **(probes or {})},
        },
        source="s.yaml",
    )


def test_without_mixed_states_nothing_of_flow_is_decoded_and_no_policy_trained() -> None:
    config = study({"policies": [{"name": "quarter", "train_budget": "1/4"}]})
    assert list(probe_arms(config)) == []
    assert trained_policies(config) == ()
    assert probe_outputs(config) == NOISY_FILES
    assert probe_outputs(study({"mixed": True})) == (*PROBE_FILES, *NOISY_FILES)
    assert {"noisy", "noisy_snr", "noisy_claims"} <= set(table_names(config))
    assert "noisy" in figure_names(config)
    assert not {"probes", "probes_validity"} & {*table_names(config), *figure_names(config)}
    assert config.chosen_on == {"known"}


def test_only_the_readers_of_a_place_make_its_job_stale() -> None:
    base, dsl = probe_jobs(study())
    more = {"candidates": [0.1, 0.5, 1.0]}
    other = study(readers=[IDS, {**CODES, **more}], preregistration=[CLAIM])
    assert probe_fingerprint(study(), base) == probe_fingerprint(other, base)
    assert probe_fingerprint(study(), dsl) != probe_fingerprint(other, dsl)
    assert probe_fingerprint(study(), base) != probe_fingerprint(study(masks=0.5), base)


def test_a_study_of_mixed_states_alone_is_what_it_was() -> None:
    """New keys with nothing in them say nothing of a job or a report."""
    without = study({"mixed": True}, readers=[], validation={})
    other = study({"mixed": True}, readers=[], validation={}, masks=0.7)
    [job, *_] = probe_jobs(without)
    assert probe_fingerprint(without, job) == probe_fingerprint(other, job)
    assert report(without) == report(other)
    assert report(study()) != report(study(masks=0.7))


@pytest.mark.parametrize(
    ("probes", "noisy", "told"),
    [
        ({}, {"readers": [IDS]}, "'dsl' has no reader"),
        ({}, {"readers": [IDS, {**CODES, "place": "dls"}]}, "'dls' is not known here; did you mean 'dsl'"),
        ({}, {"readers": [IDS, IDS, CODES]}, "'ids' occurs twice"),
        ({}, {"readers": [IDS, {**CODES, "candidates": []}]}, "have candidates"),
        ({}, {"readers": [{**IDS, "candidates": [0.5]}, CODES]}, "a reader of ids has none"),
        ({}, {"readers": [IDS, {**CODES, "way": "evidence"}]}, "alpha is below 1"),
        ({}, {"validation": {}}, "'micropy-he' has no validation benchmark"),
        ({}, {"readers": []}, "nothing is probed"),
        ({}, {"shares": [0.1, 0.1]}, "shares holds different numbers"),
        ({}, {"preregistration": [{**CLAIM, "share": 0.2}]}, r"0.2 is none of probes.noisy.shares"),
        ({}, {"preregistration": [{**CLAIM, "reader_b": None}]}, "either `reader_b` or `least`"),
        ({}, {"preregistration": [{**CLAIM, "reader_b": "id"}]}, "'id' is not known here"),
        ({}, {"kinds": ["near"], "preregistration": [CLAIM]}, "uniform is none of probes.noisy.kinds"),
    ],
)
def test_what_cannot_be_read_is_named(probes: dict[str, Any], noisy: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        study(probes, **noisy)


def test_the_shipped_study_registers_what_its_issue_asks() -> None:
    config = load_study(ROOT / "config" / "dsl.yaml")
    claims = {claim.id: claim for claim in config.probes.noisy.preregistration}
    assert (claims["twice-at-10"].times, claims["keeps-at-10"].least) == (2.0, 0.98)
    assert {claims["net-uniform"].kind, claims["net-near"].kind} == {"uniform", "near"}
    registered = {reader.name: reader for reader in config.probes.noisy.readers}
    assert (registered["xdlm"].way, registered["dsl"].way) == ("evidence", "codes")
    objectives = {run.name: run.objective for run in config.training.runs}
    assert {"dsl", "masked", "uniform_and_masked", "self_conditioned"} <= set(objectives.values())
    assert len(load_study(ROOT / "config" / "dsl-full.yaml").study.seeds) == 5
