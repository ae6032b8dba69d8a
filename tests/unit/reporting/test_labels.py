"""Arms of a study have labels that tell them apart."""

from __future__ import annotations

from xpflow.reporting.from_config import arm_labels, plan_from_config
from xpflow.study.config import study_from_mapping


def test_arms_of_one_label_are_told_apart_by_what_they_do_not_share() -> None:
    common = {"decoder": "mask_prediction", "settings": {"block_length": 8}}
    arms = [
        {"name": "plain", **common},
        {
            "name": "last",
            "decoder": "mask_prediction",
            "settings": {"block_length": 8, "logits_eos_inf": True},
        },
        {"name": "other-weights", **common, "weights": "preserving"},
    ]
    found = study_from_mapping({"evaluation": {"arms": arms}})
    assert arm_labels(found) == {
        "plain": "mask prediction",
        "last": "mask prediction, logits_eos_inf True",
        "other-weights": "mask prediction",
    }
    twice = study_from_mapping(
        {"evaluation": {"arms": [*arms, {"name": "again", **common, "budgets": ["1/2"]}]}}
    )
    assert arm_labels(twice)["again"] == arm_labels(twice)["plain"]  # it decodes alike
    plan = plan_from_config(found)
    assert any("logits_eos_inf True" in one.name for one in plan.contrasts)
