"""Decoders that look at more than their block: a shadow of it (WINO), drafts of it (FreeDave); and spans."""

from __future__ import annotations

import pytest
import torch

from fakes.models import FakeModel
from xpflow.decoding import decode, settings_from
from xpflow.errors import DecodingError
from xpflow.models.architectures import ARCHITECTURES

N = 16
WIDE = {"ceiling": 1.0, "ceiling_high": 1.0}


def run(model, prompts, name, **values):
    chosen = settings_from(name, {"gen_length": N, **values})
    return decode(model, prompts, chosen, seeds=range(len(prompts)), trace=values.pop("trace", False))


def same(a, b) -> bool:
    return torch.equal(a.tokens, b.tokens) and torch.equal(a.nfe, b.nfe)


blocks = pytest.mark.parametrize("block", [0, 8])


@blocks
@pytest.mark.parametrize("scale", [1, 3])
def test_nobody_but_the_shadow_sees_the_shadow(make_model, prompts, block, scale):
    model = make_model(seed=5, scale=scale, block_length=block)
    values = {"threshold": 0.4, "budget": "1/2"}
    found = run(model, prompts, "wino", verify=0.0, **WIDE, **values)
    plain = run(model, prompts, "threshold", strict=True, **values)
    assert same(found, plain)
    assert (found.cost.positions_B > plain.cost.positions_B).all()
    assert torch.equal(found.cost.rows_B, found.nfe)


@blocks
def test_a_place_of_the_shadow_does_not_see_its_own_token(prompts, block):
    """With one layer nothing else can tell it: the token there may be any."""
    model = FakeModel(seed=5, scale=1, block_length=block).double().eval()
    del model.layers[1:]
    looks = []
    plain = model.forward

    def forward(input_ids, attention_mask, logits_positions_BN, position_ids):
        size = int(position_ids.max()) + 1
        first = int((position_ids[0] == position_ids[0, size]).nonzero()[0])  # where the block begins
        other = input_ids.clone()
        other[:, first] = (other[:, first] + 7) % 36
        both = [
            plain(ids, None, attention_mask, None, position_ids).logits[:, size:]
            for ids in (input_ids, other)
        ]
        looks.append(torch.allclose(both[0][:, 0], both[1][:, 0], atol=1e-12))
        looks.append(not torch.allclose(both[0][:, 1:], both[1][:, 1:], atol=1e-6))
        return plain(input_ids, None, attention_mask, logits_positions_BN, position_ids)

    model.forward = forward
    run(model, [prompts[0][:8] if block else prompts[0]], "wino", threshold=0.2, budget="1/2")
    assert looks
    assert all(looks)


def test_a_doubtful_token_is_masked_again_and_no_block_takes_more_forwards_than_places(make_model, prompts):
    model = make_model(seed=5, scale=1)
    chosen = settings_from(
        "wino", {"gen_length": N, "threshold": 0.02, "verify": 1.0, "at_cap": "continue", **WIDE}
    )
    chosen = chosen.model_copy(update={"ceiling_high": 0.25})
    result = decode(model, prompts, chosen, trace=True)
    assert any(trace.remask.any() for trace in result.trace)
    assert (result.nfe <= N).all()


def test_a_model_without_position_ids_is_named(prompts):
    class Plain(FakeModel):
        def forward(self, input_ids=None, inputs_embeds=None, attention_mask=None, logits_positions_BN=None):
            return super().forward(input_ids, inputs_embeds, attention_mask, logits_positions_BN)

    with pytest.raises(DecodingError, match="position_ids"):
        run(Plain().double(), prompts, "wino")
    with pytest.raises(DecodingError, match="kv_cache"):
        settings_from("wino", {"kv_cache": "on"})


@blocks
@pytest.mark.parametrize("drafts", [1, 3, 8])
@pytest.mark.parametrize("budget", ["1/1", "1/2"])
def test_drafts_give_the_tokens_of_mask_prediction(make_model, prompts, block, drafts, budget):
    """decoders.E9."""
    model = make_model(seed=5, scale=3, block_length=block)
    found = run(model, prompts, "drafts", drafts=drafts, budget=budget)
    plain = run(model, prompts, "mask_prediction", budget=budget)
    assert torch.equal(found.tokens, plain.tokens)
    if drafts == 1:
        assert torch.equal(found.nfe, plain.nfe)
    else:
        assert (found.nfe <= plain.nfe).all()
        assert found.nfe.sum() < plain.nfe.sum()
        assert (found.cost.rows_B > found.nfe).all()


def test_costs_are_what_the_model_was_fed(make_model, prompts):
    """Rows of one length and one block: nothing is padding."""
    same_length = [prompt[:3] for prompt in prompts]
    for name, values in (("threshold", {"threshold": 0.3}), ("wino", {"threshold": 0.3}), ("drafts", {})):
        model = make_model(seed=5, scale=3)
        cost = run(model, same_length, name, **values).cost
        assert (int(cost.rows_B.sum()), int(cost.positions_B.sum())) == (model.rows, model.fed), name


@pytest.mark.parametrize("scale", [1, 3])
def test_spans_without_delimiters_are_blocks(make_model, prompts, scale):
    """decoders.E5."""
    model = make_model(seed=5, scale=scale)
    found = run(model, prompts, "adablock", threshold=0.4, delimiter_threshold=2.0, span=8)
    plain = run(model, prompts, "threshold", threshold=0.4, strict=False, block_length=8)
    assert same(found, plain)


def test_a_span_ends_behind_the_likeliest_delimiter(make_model, prompts):
    """All ids may end one: the span ends where the model is surest, and is filled before what follows."""
    model = make_model(seed=5, scale=3)
    ends = list(range(36))
    chosen = settings_from(
        "adablock", {"gen_length": N, "threshold": 1.0, "delimiters": ends, "delimiter_threshold": 0.0}
    )
    for trace in decode(model, prompts, chosen, trace=True).trace:
        commits, c_LR = trace.commit, trace.c
        end = int(c_LR[0, : N // 4].argmax()) + 1
        assert set(commits[:end].argmax(-1).tolist()) == set(range(end))


def test_a_line_end_is_asked_of_the_tokenizer(make_model, prompts):
    model = make_model(seed=5)
    del model.newline_token_ids
    with pytest.raises(DecodingError, match="which tokens end a line"):
        run(model, prompts, "adablock")
    with pytest.raises(DecodingError, match="99 is no id"):
        run(model, prompts, "adablock", delimiters=[99])
    model.newline_token_ids = (7,)
    run(model, prompts, "adablock")


def test_one_slow_step_over_the_whole_block_is_threshold_decoding_by_twos(make_model, prompts):
    """decoders.E5: several at once, or the best alone."""
    model = make_model(seed=5, scale=1)
    chosen = settings_from("slow_fast", {"gen_length": N, "threshold": 0.3, "reach": 0.0, "explore": 0.01})
    for trace in decode(model, prompts, chosen, trace=True).trace:
        for step, commits in enumerate(trace.commit):
            sure = trace.c[step] >= 0.3
            best = int(torch.tensor(trace.c[step]).nan_to_num(-1).argmax())
            wanted = set(sure.nonzero()[0].tolist()) if sure.sum() > 1 else {best}
            assert set(commits.nonzero()[0].tolist()) == wanted


@pytest.mark.parametrize("explore_all", [False, True])
def test_a_span_ends_at_the_mean_rounded_down_and_the_next_begins_there(make_model, prompts, explore_all):
    """Three slow steps a cycle whose ends never count as close, and one commit a step."""
    model, reach = make_model(seed=5, scale=3), 0.6
    knobs = {"threshold": 1.0, "spread": 0.0, "window": 3, "explore": 3 / N, "explore_all": explore_all}
    chosen = settings_from("slow_fast", {"gen_length": N, "reach": reach, **knobs})
    rounded = 0
    for trace in decode(model, prompts, chosen, trace=True).trace:
        masks, steps, start = set(range(N)), iter(zip(trace.c, trace.commit, strict=True)), 0

        def commit(first, last, masks=masks, steps=steps):
            """Take the best mask between two places off; returns where confidence ended."""
            c, commits = next(steps)
            inside = [place for place in sorted(masks) if first <= place < last]
            assert commits.nonzero()[0].tolist() == [max(inside, key=lambda place: c[place])]
            masks -= set(commits.nonzero()[0].tolist())
            return 1 + max([place for place in inside if c[place] >= reach], default=first)

        while masks:
            ends = [commit(start, N) for _ in range(min(3, len(masks)))]
            rounded, end = rounded + sum(ends) % len(ends), sum(ends) // len(ends)
            while any(start <= place < end for place in masks):
                commit(start, end)
            start = end
    assert rounded, "no mean was rounded"


@blocks
def test_a_span_of_no_confidence_is_one_place(make_model, prompts, block):
    """In a block that begins in the prompt, too: a cycle begins at the first place that is decoded."""
    model = make_model(seed=5, scale=1, block_length=block)
    chosen = settings_from(
        "slow_fast", {"gen_length": N, "threshold": 1.0, "reach": 1.0, "explore": 1 / (block or N)}
    )
    for prompt, trace in zip(prompts, decode(model, prompts, chosen, trace=True).trace, strict=True):
        first, start = len(prompt) % block if block else 0, 0
        steps, size = iter(trace.commit), (block or N) - first
        masks = set(range(size))
        while masks:
            masks -= set(next(steps)[:size].nonzero()[0].tolist())
            if start in masks:
                assert next(steps)[:size].nonzero()[0].tolist() == [start]
                masks -= {start}
            start += 1


def test_no_place_of_few_tokens_is_looked_at_for_a_delimiter(make_model, prompts):
    model, every = make_model(seed=5, scale=3), list(range(36))
    values = {"threshold": 0.4, "look": 0.05, "span": 8}
    found = run(model, prompts, "adablock", delimiters=every, delimiter_threshold=0.0, **values)
    assert same(found, run(model, prompts, "threshold", threshold=0.4, strict=False, block_length=8))


@pytest.mark.parametrize("scale", [0.5, 3])
def test_beliefs_that_may_never_settle_do_not_do_so_by_rounding(make_model, prompts, scale):
    model = make_model(seed=5, scale=scale)
    found = run(model, prompts, "latent_refinement", settled=0.0, refine=2.0, weight=0.2, at_cap="continue")
    assert (found.nfe == 3 * N).all()


def test_refinement_that_is_off_is_lowest_entropy_first(make_model, prompts):
    model = make_model(seed=5, scale=1)
    found = run(model, prompts, "latent_refinement", weight=0.0, refine=0.0)
    assert same(found, run(model, prompts, "entropy_bound", gamma=-1.0))
    wasted = run(model, prompts, "latent_refinement", weight=0.0, settled=0.0, refine=0.25, at_cap="continue")
    assert torch.equal(wasted.tokens, found.tokens)
    assert (wasted.nfe == found.nfe + 4).all()


@pytest.mark.parametrize("name", ["llada", "llada2_moe"])
def test_positions_can_be_given(name):
    """A sequence and its positions, both in another order, give the same logits in that order."""
    kind = ARCHITECTURES[name]
    torch.manual_seed(0)
    model = kind.build(kind.config(**kind.micro(64))).double().eval()
    ids, order = torch.randint(0, 60, (2, 11)), torch.randperm(11)
    sees = torch.ones(1, 1, 11, 11, dtype=torch.bool)
    plain = model(input_ids=ids, attention_mask=sees).logits
    moved = model(input_ids=ids[:, order], attention_mask=sees, position_ids=order.expand(2, -1)).logits
    torch.testing.assert_close(moved, plain[:, order])
