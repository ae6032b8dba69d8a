"""Decoders with free axes: their corners are the named decoders, token for token, NFE included."""

from __future__ import annotations

import pytest

from xpflow.decoding import decode, settings_from
from xpflow.decoding.decoders import DECODERS
from xpflow.errors import DecodingError

N = 16


def run(model, prompts, name, **values):
    result = decode(
        model, prompts, settings_from(name, {"gen_length": N, **values}), seeds=range(len(prompts))
    )
    return result.tokens.tolist(), result.nfe.tolist()


TAU = {"threshold": 0.3}
PLAIN = {"weight": 0.0}
CORNERS = [
    ({**PLAIN, "rule": "quota"}, "mask_prediction", {}),
    ({**PLAIN, "rule": "threshold", **TAU}, "threshold", TAU),
    ({"geometry": "linear", "rule": "threshold", **TAU}, "soft_tokens", {"geometry": "linear", **TAU}),
    ({"rule": "quota"}, "soft_tokens", {"rule": "quota"}),
    ({"rule": "threshold", **TAU}, "soft_tokens", TAU),
    (
        {**PLAIN, "rule": "threshold", "strict": True, **TAU, "revision": "to_mask", "bound": 0.4},
        "token_to_mask",
        {**TAU, "bound": 0.4},
    ),
    (
        {**PLAIN, "rule": "threshold", "strict": True, **TAU, "revision": "to_token", "edit_threshold": 0.2},
        "token_editing",
        {**TAU, "edit_threshold": 0.2},
    ),
    # a policy that goes all the way where it is sure: progress is a threshold
    ({**PLAIN, "policy": "constant:0.0"}, "threshold", {"threshold": 1.0, "strict": True}),
    ({**PLAIN, "policy": "constant:1.0"}, "threshold", {"threshold": 0.0}),
]


@pytest.mark.parametrize("blocks", [{}, {"block_length": 8}])
@pytest.mark.parametrize("budget", ["1/1", "1/2", "1/4"])
@pytest.mark.parametrize(("own", "name", "values"), CORNERS)
def test_a_corner_is_the_named_decoder(make_model, prompts, own, name, values, budget, blocks):
    model = make_model(seed=5, scale=3)
    found = run(model, prompts, "composed", **own, budget=budget, **blocks)
    assert found == run(model, prompts, name, **values, budget=budget, **blocks)


class Sure:
    """A policy that jumps where the confidence reaches a threshold, and stays elsewhere."""

    needs_features = False

    def __call__(self, features, info):
        return (info.c_BM >= TAU["threshold"]).to(info.c_BM.dtype)


@pytest.mark.parametrize("state", [PLAIN, {"geometry": "linear"}, {"geometry": "spherical"}])
def test_progress_that_jumps_at_a_threshold_is_threshold_decoding(make_model, prompts, state):
    model = make_model(seed=5, scale=3)
    chosen = settings_from("composed", {"gen_length": N, "budget": "1/2", **state})
    found = decode(model, prompts, chosen, Sure())
    tokens, nfe = run(model, prompts, "composed", rule="threshold", budget="1/2", **TAU, **state)
    assert (found.tokens.tolist(), found.nfe.tolist()) == (tokens, nfe)


@pytest.mark.parametrize("budget", ["1/1", "1/2", "1/4"])
@pytest.mark.parametrize(
    "values",
    [dict(example) for example in DECODERS["flow"].examples] + [{"reedit": False}, {"commit": False}],
)
def test_flow_is_a_corner_of_its_side(make_model, prompts, values, budget):
    own = dict(values)
    if not own.pop("reedit", True):
        own["revision"] = "keep"
    model = make_model(seed=5, scale=3)
    assert run(model, prompts, "composed_flow", **own, budget=budget) == run(
        model, prompts, "flow", **values, budget=budget
    )


def test_flow_that_stands_still_and_commits_by_quota_is_mask_prediction(make_model, prompts):
    model = make_model(seed=5, scale=3)
    own = {"policy": "constant:0.0", "rule": "quota", "revision": "keep", "budget": "1/4"}
    found, _ = run(model, prompts, "composed_flow", **own)
    plain, _ = run(model, prompts, "mask_prediction", budget="1/4")
    assert found == plain


OWN = {
    "composed": {"rule": "threshold", "threshold": 0.2},
    "composed_flow": {"rule": "threshold", "threshold": 0.2},
}
REVISIONS = {
    "to_mask": {"bound": 0.6},
    "to_token": {"edit_threshold": 0.1},
    "reedit": {},
}


@pytest.mark.parametrize("revision", sorted(REVISIONS))
@pytest.mark.parametrize("name", sorted(OWN))
def test_every_revision_takes_something_back(make_model, prompts, name, revision):
    model = make_model(seed=5, scale=3)
    values = {**OWN[name], **REVISIONS[revision], "revision": revision, "budget": "1/2"}
    chosen = settings_from(name, {"gen_length": N, **values})
    traces = decode(model, prompts, chosen, trace=True).trace
    taken = [
        trace.arrays[event.name].sum() for trace in traces for event in DECODERS[name].events if event.revises
    ]
    assert sum(taken) > 0
    plain = run(model, prompts, name, **OWN[name], revision="keep", budget="1/2")
    assert run(model, prompts, name, **values)[0] != plain[0]


def test_no_place_is_remasked_more_often_than_it_may(make_model, prompts):
    model = make_model(seed=5, scale=3)
    values = {"policy": "constant:0.0", "rule": "threshold", "threshold": 0.0, "revision": "to_mask"}
    for times in (0, 1, 2):
        chosen = settings_from(
            "composed_flow", {"gen_length": N, **values, "bound": 1.0, "share": 1.0, "per_position": times}
        )
        traces = decode(model, prompts, chosen, trace=True).trace
        assert max(int(trace.arrays["remask"].sum(0).max()) for trace in traces) == times


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("composed", {"weight": 0.0, "revision": "reedit"}, "nothing between mask and token"),
        ("composed_flow", {"revision": "keep", "reedit": True}, "revision says what reedit is"),
        ("composed_flow", {"reedit": "false"}, "revision says what reedit is"),
    ],
)
def test_what_cannot_be_composed_is_said(name, values, told):
    with pytest.raises(DecodingError, match=told):
        settings_from(name, values)
