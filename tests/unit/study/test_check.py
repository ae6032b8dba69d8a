"""What a study and its plug-ins must agree on is checked before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from xpflow.decoding.decoders import DECODERS
from xpflow.errors import ConfigError
from xpflow.study.check import check_arms
from xpflow.study.config import StudyConfig, study_from_mapping


def study(**arm: Any) -> StudyConfig:
    return study_from_mapping({"evaluation": {"arms": [{"name": "one", **arm}]}})


@pytest.mark.parametrize("decoder", list(DECODERS))
def test_a_decoder_has_a_policy_if_and_only_if_it_takes_one(decoder: str) -> None:
    takes = DECODERS[decoder].takes_policy
    right, wrong = ("confidence:8", "none") if takes else ("none", "confidence:8")
    check_arms(study(decoder=decoder, policy=right), "study.yaml")
    with pytest.raises(ConfigError, match=r"study.yaml: evaluation.arms\[one\]: decoder .* policy"):
        check_arms(study(decoder=decoder, policy=wrong), "study.yaml")


def test_an_unknown_decoder_or_setting_names_the_arm_and_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"arms\[one\]: no such decoder: 'tresh'"):
        check_arms(study(decoder="tresh"), "study.yaml")
    [first, *_] = DECODERS
    with pytest.raises(ConfigError, match=r"arms\[one\]: unknown setting 'gen_lenght'") as caught:
        check_arms(study(decoder=first, settings={"gen_lenght": 3}), "study.yaml")
    assert "gen_length" in caught.value.hint


@pytest.mark.parametrize("path", ["/tmp/mine.py:DECODER", "../mine.py:DECODER"])
def test_a_plug_in_of_a_study_lies_where_the_study_runs(path: str) -> None:
    with pytest.raises(ConfigError, match="does not lie below the folder"):
        study(decoder=path)
