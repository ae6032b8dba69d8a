"""Identities between decoders when a knob of one stands at its end: token for token, NFE included."""

from __future__ import annotations

import pytest
import torch

from fakes.models import FakeModel
from xpflow.decoding import decode, settings_from

N = 16


def run(model, prompts, name, **values):
    result = decode(
        model, prompts, settings_from(name, {"gen_length": N, **values}), seeds=range(len(prompts))
    )
    return result.tokens.tolist(), result.nfe.tolist()


ONE_A_STEP = {
    "threshold": {"threshold": 1.0, "strict": True},
    "klass": {"kappa": -1.0},
    "entropy_bound": {"gamma": -1.0, "order": "confidence"},
    "factor": {"factor": -1.0},
    "path_planning": {"eta": 0.0},
    "soft_tokens": {"weight": 0.0, "rule": "quota"},
    "token_editing": {"threshold": 1.0, "edit_threshold": 1.0, "post_steps": 0},
    "token_to_mask": {"threshold": 1.0, "bound": 0.0, "post_steps": 0},
    "remix": {"threshold": 1.0, "beta": 0.0},
    "credit": {"threshold": 1.0, "strict": True, "alpha": 0.0},
}


@pytest.mark.parametrize("scale", [1, 3])
@pytest.mark.parametrize("name", sorted(ONE_A_STEP))
def test_one_token_a_step_is_mask_prediction_at_full_budget(make_model, prompts, name, scale):
    """decoders.E1."""
    model = make_model(seed=5, scale=scale)
    assert run(model, prompts, name, **ONE_A_STEP[name]) == run(model, prompts, "mask_prediction")


THRESHOLD = {
    "token_to_mask": {"bound": 0.0, "post_steps": 0},
    "token_editing": {"edit_threshold": 1.0, "post_steps": 0},
    "remix": {"beta": 0.0, "ceiling": 1.0, "ceiling_high": 1.0},
    "soft_tokens": {"weight": 0.0, "strict": True},
    "credit": {"alpha": 0.0, "strict": True},
}


@pytest.mark.parametrize("at_cap", ["fill", "continue"])
@pytest.mark.parametrize("blocks", [{"block_length": 8}, {}])
@pytest.mark.parametrize("name", sorted(THRESHOLD))
def test_a_switched_off_part_leaves_threshold_decoding(make_model, prompts, name, blocks, at_cap):
    model = make_model(seed=5, scale=3)
    values = {"budget": "1/2", "threshold": 0.4, "at_cap": at_cap, **blocks}
    found = run(model, prompts, name, **THRESHOLD[name], **values)
    assert found == run(model, prompts, "threshold", strict=True, **values)


def test_klass_without_a_look_at_divergence_is_threshold_decoding(make_model, prompts):
    """At full budget, where its quota is one token."""
    model = make_model(seed=5, scale=3)
    found = run(model, prompts, "klass", threshold=0.4, kappa=1e9, history=1)
    assert found == run(model, prompts, "threshold", threshold=0.4, strict=True)


@pytest.mark.parametrize("geometry", ["linear", "at_norm", "spherical"])
@pytest.mark.parametrize(("rule", "plain"), [("quota", "mask_prediction"), ("threshold", "threshold")])
def test_soft_tokens_of_weight_zero_are_their_base_decoder(make_model, prompts, geometry, rule, plain):
    model = make_model(seed=7, scale=3)
    own = {"threshold": 0.3} if rule == "threshold" else {}
    found = run(model, prompts, "soft_tokens", weight=0.0, geometry=geometry, rule=rule, budget="1/2", **own)
    assert found == run(model, prompts, plain, budget="1/2", **own)


def test_editing_everything_is_jacobi_iteration(make_model, prompts):
    """decoders.E3: LLaDA2.1 at thresholds 0, DMax with hard inputs and flow that jumps are one iteration."""
    model = make_model(seed=5, scale=3)
    steps = {"budget": "1/1"}
    edited = run(
        model, prompts, "token_editing", threshold=0.0, edit_threshold=0.0, post_steps=N - 1, **steps
    )
    jumped = run(model, prompts, "dmax", threshold=0.0, decided="hard", stop=None, at_cap="continue", **steps)
    assert edited == jumped
    flow = {"policy": "constant:1.0", "commit": False, "reedit": False, "at_one": "move"}
    assert run(model, prompts, "flow", **flow, **steps)[0] == edited[0]


@pytest.mark.parametrize("post_steps", [0, 1, 16])
def test_editing_looks_once_more_at_each_block(make_model, prompts, post_steps):
    """decoders.E4."""
    model = make_model(seed=5, scale=3)
    values = {"threshold": 0.4, "block_length": 8}
    tokens, nfe = run(model, prompts, "token_editing", edit_threshold=1.0, post_steps=post_steps, **values)
    plain, forwards = run(model, prompts, "threshold", strict=True, **values)
    assert tokens == plain
    assert nfe == [one + 2 * min(post_steps, 1) for one in forwards]


class Flipping(FakeModel):
    """A model that is sure of another token at every forward."""

    def forward(self, **inputs):
        """Return logits whose argmax moves with each call."""
        output = super().forward(**inputs)
        self.calls = getattr(self, "calls", 0) + 1
        shift = torch.full_like(output.logits, 0.0)
        shift[..., 4 + self.calls % 20] = 30.0
        output.logits = output.logits + shift
        return output


BOUNDS = {
    "token_editing": ({"threshold": 0.5, "edit_threshold": 0.0, "post_steps": 5}, N + 5),
    "token_to_mask": ({"bound": 0.9, "per_position": 2, "post_steps": 5, "at_cap": "continue"}, 3 * N + 5),
    "dmax": ({"threshold": 0.0, "stop": None, "at_cap": "continue"}, N),
    "saber": ({"least": 4, "at_cap": "continue"}, N),
    "path_planning": ({"eta": 2.0}, N),
    "ancestral": ({"remask": "cap", "eta": 0.9}, N),
    "remix": ({"reject": -1.0, "at_cap": "continue"}, N),
    "klass": ({"at_cap": "continue"}, N),
}


@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_every_block_ends_whatever_the_model_says(prompts, name):
    """decoders.E7, against a model that changes its mind at every forward."""
    model = Flipping(seed=5).double().eval()
    values, bound = BOUNDS[name]
    tokens, nfe = run(model, prompts, name, **values)
    assert max(nfe) <= bound
    assert model.config.mask_token_id not in {token for row in tokens for token in row}
