"""The generated files are what the models say; the three studies are valid and what they claim to be."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from xpflow.study.config import StudyConfig, load_study
from xpflow.study.config.render import render_plain, render_schema, render_yaml
from xpflow.study.rows import expand

ROOT = Path(__file__).parents[3]
STUDIES = sorted((ROOT / "config").glob("*.yaml"))


def test_micro_yaml_is_the_defaults_with_their_descriptions() -> None:
    written = (ROOT / "config/micro.yaml").read_text(encoding="utf-8")
    assert written == render_yaml(StudyConfig()), "run `make config`"


def test_schema_follows_the_models() -> None:
    written = (ROOT / "config/schema.json").read_text(encoding="utf-8")
    assert written == render_schema(), "run `make config`"


def test_the_rendered_default_says_the_same_as_the_models() -> None:
    assert StudyConfig.model_validate(yaml.safe_load(render_yaml(StudyConfig()))) == StudyConfig()


def test_every_key_of_the_schema_is_described() -> None:
    schema = json.loads(render_schema())
    for name, model in {**schema["$defs"], "root": schema}.items():
        for key, value in model["properties"].items():
            assert value.get("description"), f"{name}.{key} has no description"


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_study_is_valid_and_survives_a_round_trip(path: Path, tmp_path: Path) -> None:
    config = load_study(path)
    assert config.study.name == path.stem
    copy = tmp_path / "copy.yaml"
    copy.write_text(render_plain(config), encoding="utf-8")
    assert load_study(copy) == config


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_the_decoders_take_the_settings_of_every_arm(path: Path) -> None:
    from xpflow.study.check import check_arms

    check_arms(load_study(path), str(path))


def test_micro_is_the_first_seed_and_164_problems_of_each_test_set() -> None:
    config = load_study(ROOT / "config/micro.yaml")
    assert config.study.seeds == (0,)
    assert [(b.split, b.limit) for b in config.problems.benchmarks] == [("test", 164), ("test", 164)]


def test_micro_full_has_five_seeds_all_problems_and_registered_claims() -> None:
    config = load_study(ROOT / "config/micro-full.yaml")
    assert len(config.study.seeds) >= 5
    assert all(b.limit is None for b in config.problems.benchmarks)
    pairs = {(c.arm_a, c.arm_b) for c in config.study.preregistration if c.budget == Fraction(1, 4)}
    flow, base = "flow-shipped", "mask-base"
    assert {(flow, base), (flow, "mask-preserving"), (flow, "threshold-matched-base")} <= pairs
    assert {(flow, "flow-no-commit"), (flow, "flow-no-reedit"), (flow, "flow-no-alignment")} <= pairs


def test_smoke_has_every_arm_kind_and_little_of_it() -> None:
    config = load_study(ROOT / "config/smoke.yaml")
    assert {arm.decoder for arm in config.evaluation.arms} == {"mask_prediction", "flow", "threshold"}
    assert len(expand(config)) <= 24
    assert config.grpo.updates <= 2
