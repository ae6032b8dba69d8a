"""What a study and its plug-ins must agree on is checked before anything runs."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from xpflow.decoding.decoders import DECODERS
from xpflow.errors import ConfigError
from xpflow.models.registry import SHIPPED
from xpflow.study.check import check_arms, check_study
from xpflow.study.config import StudyConfig, study_from_mapping

MASK = {"name": "one", "decoder": "mask_prediction"}


def study(**arm: Any) -> StudyConfig:
    return study_from_mapping({"evaluation": {"arms": [{"name": "one", **arm}]}})


@pytest.mark.parametrize("decoder", list(DECODERS))
def test_a_decoder_has_a_policy_if_and_only_if_it_takes_one(decoder: str) -> None:
    takes = DECODERS[decoder].takes_policy
    right, wrong = ("confidence:8", "none") if takes else ("none", "confidence:8")
    check_arms(study(decoder=decoder, policy=right), "study.yaml")
    with pytest.raises(ConfigError, match=r"study.yaml: evaluation.arms\[one\]: decoder .* policy"):
        check_arms(study(decoder=decoder, policy=wrong), "study.yaml")


def test_a_policy_of_another_action_is_refused_before_anything_runs() -> None:
    with pytest.raises(ConfigError, match=r"arms\[one\]: the policy gives step sizes.* unmasking needs"):
        check_arms(study(decoder="unmasking", policy="shipped"), "study.yaml")
    with pytest.raises(ConfigError, match=r"arms\[one\]: the study's policy is trained for 'flow'"):
        check_arms(study(decoder="unmasking", policy="trained"), "study.yaml")
    check_arms(study(decoder="flow", policy="shipped"), "study.yaml")


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


def test_several_samples_need_an_arm_that_draws() -> None:
    several = {"samples_per_task": 4}
    with pytest.raises(ConfigError, match=r"arms\[one\]: several samples per task, and threshold") as caught:
        check_arms(study(decoder="threshold", **several), "study.yaml")
    assert "temperature" in caught.value.hint
    check_arms(study(decoder="threshold", settings={"temperature": 0.5}, **several), "study.yaml")
    check_arms(study(decoder="mask_prediction", settings={"remasking": "random"}, **several), "study.yaml")
    whole = {"samples_per_task": 2, "arms": [{"name": "one", "decoder": "mask_prediction"}]}
    with pytest.raises(ConfigError, match=r"arms\[one\]: several samples"):
        check_arms(study_from_mapping({"evaluation": whole}), "study.yaml")
    own = {**whole, "arms": [{**whole["arms"][0], "samples_per_task": 1}]}
    check_arms(study_from_mapping({"evaluation": own}), "study.yaml")


def test_noise_that_is_drawn_is_enough_for_several_samples(tmp_path: Path) -> None:
    fields = json.loads((SHIPPED / "llada-micro/config.json").read_text())
    for ids, fine in (([fields["mask_token_id"]], False), ([3, fields["mask_token_id"]], True)):
        (tmp_path / "config.json").write_text(json.dumps({**fields, "mask_token_ids": ids}))
        chosen = of_folder(tmp_path, evaluation={"arms": [{**MASK, "samples_per_task": 2}]})
        with nullcontext() if fine else pytest.raises(ConfigError, match="draws nothing"):
            check_arms(chosen, "study.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not a JSON object"),
        ('{"model_type": "lada"}', "unknown model_type 'lada'"),
        (None, "no such file"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_scaling"),
        ({"mask_token_id": 10**6}, "mask_token_id"),
    ],
)
def test_a_config_of_a_model_that_cannot_be_used_is_found_without_torch(
    tmp_path: Path, text: str | dict[str, Any] | None, said: str
) -> None:
    fields = json.loads((SHIPPED / "llada-micro/config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(fields))
    check_study(of_folder(tmp_path), "study.yaml")
    if text is None:
        (tmp_path / "config.json").unlink()
    else:
        changed = text if isinstance(text, str) else json.dumps({**fields, **text})
        (tmp_path / "config.json").write_text(changed)
    with pytest.raises(ConfigError, match=rf"study.yaml: models\[llada-micro\].directory: .*{said}"):
        check_study(of_folder(tmp_path), "study.yaml")


def of_folder(folder: Path, **blocks: Any) -> StudyConfig:
    """Return a study of one model, whose weights lie in a folder."""
    model = {"name": "llada-micro", "directory": str(folder), "training": "full"}
    evaluation = blocks.get("evaluation", {"arms": [MASK]})
    report = {"baseline_arm": "one", "flow_arm": "one", "trace_arm": None}
    return study_from_mapping({"models": [model], "evaluation": evaluation, "reporting": report})
