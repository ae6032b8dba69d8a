"""A claim about a side against itself, one place twice, or states that nobody reads is refused."""

from __future__ import annotations

from typing import Any

import pytest

from xpflow.errors import ConfigError
from xpflow.study.check import check_arms
from xpflow.study.config.load import study_from_mapping

CLAIM = {"id": "c", "text": "t"}
ARMS = {"arms": [{"name": "mask-base", "decoder": "mask_prediction", "seeds": "first"}]}
CURVES = {
    "curves": [{"name": "mask", "decoder": "mask_prediction", "values": ["1/4", "1/2"]}],
    "validation": {},
}
FACTORS = {
    "decoder": "mask_prediction",
    "factors": [
        {"name": "edge", "levels": [{"name": "off"}, {"name": "on", "settings": {"temperature": 0.5}}]}
    ],
}
PLACES = {"places": [{"name": "base", "model": "llada-micro"}]}
READERS = {"readers": [{"name": "ids", "place": "base"}], "validation": {"micropy-he": "micropy-mbpp"}}
STATE = {**CLAIM, "measure": "read_oracle", "place_a": "base", "place_b": "base"}
REST = {"grpo": {"weights": "base"}, "reporting": {"baseline_arm": None, "flow_arm": None, "trace_arm": None}}


def asked(**blocks: Any) -> None:
    study_from_mapping({"evaluation": ARMS, **REST, **blocks}, source="s.yaml")


def probes(claim: dict[str, Any] | None = None, **block: Any) -> dict[str, Any]:
    return {"probes": {**PLACES, **block, "preregistration": [claim] if claim else []}}


SAME_ARM = {"arm_a": "mask-base", "arm_b": "mask-base"}
ITSELF: dict[str, dict[str, Any]] = {
    "arms": {"study": {"preregistration": [{**CLAIM, "budget": "1/4", **SAME_ARM}]}},
    "curves": {"frontier": {**CURVES, "preregistration": [{**CLAIM, "curve_a": "mask", "curve_b": "mask"}]}},
    "levels": {"factorial": {**FACTORS, "preregistration": [{**CLAIM, "factor": "edge", "level": "off"}]}},
    "places": probes(STATE),
    "readers": {
        "probes": {
            **PLACES,
            "noisy": {
                **READERS,
                "preregistration": [{**CLAIM, "measure": "net", "reader_a": "ids", "reader_b": "ids"}],
            },
        }
    },
}


@pytest.mark.parametrize("kind", ITSELF)
def test_nothing_is_claimed_of_a_side_against_itself(kind: str) -> None:
    with pytest.raises(ConfigError, match="compared with itself"):
        asked(**ITSELF[kind])


@pytest.mark.parametrize(
    ("blocks", "told"),
    [
        ({"frontier": {**CURVES, "at": ["1/4", "2/8"]}}, "occurs twice"),
        (
            {"factorial": {**FACTORS, "gains": [{"name": "g", "start": {"edge": "on"}, "goal": {}}]}},
            "no gain",
        ),
        ({"multiverse": {"repeats": 2}}, "nothing is drawn"),
        (
            {
                "frontier": {
                    **CURVES,
                    "preregistration": [
                        {
                            **CLAIM,
                            "curve_a": "mask",
                            "curve_b": "mask",
                            "at_b": "1/2",
                            "also_at": ["1/8", "1/4"],
                        }
                    ],
                }
            },
            "each place is asked about once",
        ),
        (probes({**STATE, "geometry_b": "spherical"}, geometries=["linear"]), "spherical is none of"),
        (probes({**STATE, "geometry_b": "spherical", "snap_at": 0.5}), "is asked without a snap"),
        (
            probes(places=[{**PLACES["places"][0], "soft": {"weighting": "entropy"}}], passes=1),
            "fewer than two",
        ),
    ],
)
def test_a_claim_asks_for_what_is_read_and_once(blocks: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        asked(**blocks)


def test_a_reading_needs_settings_that_there_are() -> None:
    reading = {
        "name": "edge",
        "setting": "temperature",
        "values": [0.0, 0.5],
        "needs": {"geometri": "linear"},
    }
    block = {"readings": [reading], "decoder": "mask_prediction", "policy": "none", "weights": "base"}
    blocks = {"evaluation": ARMS, **REST, "multiverse": block, "training": {"runs": []}}
    with pytest.raises(ConfigError, match="edge needs 'geometri', no setting"):
        check_arms(study_from_mapping(blocks, source="s.yaml"), "s.yaml")


def test_two_geometries_of_one_place_and_two_places_of_one_curve_are_two_sides() -> None:
    asked(**probes({**STATE, "geometry_b": "spherical"}))
    curves = {**CLAIM, "curve_a": "mask", "curve_b": "mask", "at_b": "1/2"}
    asked(frontier={**CURVES, "preregistration": [curves]})
