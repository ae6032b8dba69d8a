"""A setting of an objective that its other settings leave without effect is refused."""

from __future__ import annotations

from typing import Any

import pytest

from xpflow.errors import ConfigError
from xpflow.training.objective import make_loss
from xpflow.training.objectives import OBJECTIVES

IDLE: list[tuple[str, dict[str, Any], str]] = [
    ("infinite_mask", {"masks": 5}, "masks"),
    ("infinite_mask", {"noise": "table", "width": 8}, "width"),
    ("self_distillation", {"infinite": False, "width": 4}, "width"),
    ("self_distillation", {"infinite": False, "noise_from": "x.safetensors"}, "noise_from"),
    ("self_distillation", {"infinite": False, "noise_rate": 1e-3}, "noise_rate"),
    ("self_distillation", {"infinite": False, "noise": "gaussian"}, "noise"),
    ("self_distillation", {"masks": 3}, "masks"),
    ("forced", {"looks": 5}, "looks"),
    ("forced", {"keep_below": 0.2}, "keep_below"),
    ("forced", {"tau_zero": 1.0, "tau_low": 0.5}, "tau_low"),
    ("mixed_states", {"reedit": False, "reedit_margin": 0.3}, "reedit_margin"),
    ("certainty_forcing", {"certainty_weight": 0.0, "temperature": 0.7}, "temperature"),
    ("pseudo_trajectory", {"certainty_weight": 0.0, "temperature": 0.7}, "temperature"),
    ("on_policy_drafts", {"both": True, "on_policy": 0.9}, "on_policy"),
]


@pytest.mark.parametrize(("name", "values", "key"), IDLE)
def test_a_setting_that_does_nothing_is_refused(name: str, values: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError, match=f"objective '{name}', {key}: it does nothing here, it needs"):
        OBJECTIVES[name].checked(values, name)
    default = OBJECTIVES[name].settings.model_fields[key].default
    OBJECTIVES[name].checked({**values, key: default}, name)  # to say what is so anyway is no fault


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_what_an_objective_shows_as_examples_does_something(name: str) -> None:
    for values in OBJECTIVES[name].examples:
        OBJECTIVES[name].checked(values, name)


def test_these_objectives_have_a_loss_beside_masks_as_flow_needs() -> None:
    """It is noted with the weights: flow on those of all others is warned of."""
    found = {name for name in OBJECTIVES if make_loss(name, OBJECTIVES[name].examples[0]).everywhere}
    assert found == {
        "dsl",
        "mixed_states",
        "on_policy_drafts",
        "self_conditioned",
        "uniform_and_masked",
        "x_prediction",
    }
