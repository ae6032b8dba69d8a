"""Robustness on models made by hand, whose readings are known token by token."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from xpflow.continuous.converter import Converter
from xpflow.noise import OneMask
from xpflow.probes.robustness import (
    Robustness,
    Texts,
    accuracy_at,
    code_reader,
    context_accuracy,
    evidence_reader,
    plain_reader,
    robustness,
    wrong_tokens,
)
from xpflow.training.examples import Example

V, MASK, EOS = 30, 29, 1
Rule = Callable[[Tensor], Tensor]  # from ids [B, S] to the tokens that are read, [B, S]


class HandMade(nn.Module):
    """Reads what a rule says of the ids; embeddings are one-hot, and mixtures say what is in them."""

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self.rule, self.table = rule, nn.Embedding.from_pretrained(torch.eye(V))
        self.config = SimpleNamespace(
            vocab_size=V, mask_token_id=MASK, eos_token_id=EOS, pad_token_id=EOS, suppress_token_ids=[0, MASK]
        )

    def get_input_embeddings(self) -> nn.Embedding:
        return self.table

    def forward(
        self,
        input_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        attention_mask: Tensor | None = None,
        logits_positions_BN: Tensor | None = None,
    ) -> SimpleNamespace:
        ids = input_ids if inputs_embeds is None else inputs_embeds.argmax(-1)
        assert ids is not None
        assert logits_positions_BN is not None
        logits = 9.0 * torch.nn.functional.one_hot(self.rule(ids), V).float()
        return SimpleNamespace(logits=logits.gather(1, logits_positions_BN[..., None].expand(-1, -1, V)))


def same(ids: Tensor) -> Tensor:
    """Read every token as it stands."""
    return ids


def echo(ids: Tensor) -> Tensor:
    """Read the prompt's first token everywhere: what these answers are."""
    return ids[:, :1].expand_as(ids)


def always_five(ids: Tensor) -> Tensor:
    return torch.full_like(ids, 5)


@pytest.fixture
def examples() -> list[Example]:
    """Return answers of nine times the prompt's first token and EOS; what is behind that never counts."""
    return [Example((token, 3, 4), (token,) * 9 + (EOS, EOS, 7)) for token in (5, 6, 7, 8, 9)]


@pytest.mark.parametrize("kind", ["uniform", "near"])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_a_model_that_copies_fixes_nothing_and_keeps_all(
    share: float, kind: Any, examples: list[Example]
) -> None:
    model = HandMade(same)
    found = robustness(model, Texts(examples, kind), share, plain_reader(model))
    bad = round(share * 10)
    assert found == Robustness(5 * bad, 0, 5 * (10 - bad), 5 * (10 - bad))
    assert (found.fixed_share, found.kept_share, found.net) == (0.0, 1.0, 0.0)


def test_a_model_that_knows_the_answers_fixes_all_but_their_ends(examples: list[Example]) -> None:
    model = HandMade(echo)
    found = robustness(model, Texts(examples), 0.5, plain_reader(model))
    assert (found.corrupted, found.clean) == (25, 25)
    assert found.fixed + found.kept == 45  # the EOS of each answer is never read
    assert found.net == pytest.approx(100 * (found.fixed - (found.clean - found.kept)) / 50)


def test_net_counts_what_is_broken_too(examples: list[Example]) -> None:
    """One of five answers is of fives, and 9 of its 10 tokens: all others are broken, or stay wrong."""
    model = HandMade(always_five)
    found = robustness(model, Texts(examples), 0.3, plain_reader(model))
    assert found.fixed + found.kept == 9
    assert found.net < -50


def test_corruption_depends_on_the_answers_number_alone(examples: list[Example]) -> None:
    seen: dict[int, list[Tensor]] = {}
    for size in (1, 2, 5):

        def look(ids: Tensor, size: int = size) -> Tensor:
            seen.setdefault(size, []).extend(ids[:, 3:15].clone())
            return ids

        model = HandMade(look)
        robustness(model, Texts(examples, size=size), 0.5, plain_reader(model))
    rows = {size: torch.stack(found) for size, found in seen.items()}
    assert torch.equal(rows[1], rows[2])
    assert torch.equal(rows[1], rows[5])
    clean = torch.tensor([one.response for one in examples])
    changed = (rows[1] != clean).sum(-1)
    assert changed.tolist() == [5] * 5  # a wrong token is never the right one
    assert torch.equal(rows[1][:, 10:], clean[:, 10:])  # behind the EOS nothing changes
    assert not torch.isin(rows[1][rows[1] != clean], torch.tensor([0, EOS, MASK])).any()


def test_near_tokens_are_of_the_five_nearest_and_uniform_ones_of_all() -> None:
    line = torch.arange(V, dtype=torch.float32)[:, None]  # embeddings on a line
    ids, allowed = torch.full((400,), 10), torch.arange(2, V - 1)
    near = wrong_tokens(ids, "near", allowed, line, torch.Generator().manual_seed(0))
    assert set(near.tolist()) in ({8, 9, 11, 12, 7}, {8, 9, 11, 12, 13})
    uniform = wrong_tokens(ids, "uniform", allowed, line, torch.Generator().manual_seed(0))
    assert set(uniform.tolist()) == set(allowed.tolist()) - {10}
    eos = wrong_tokens(torch.full((400,), EOS), "uniform", allowed, line, torch.Generator().manual_seed(0))
    assert set(eos.tolist()) == set(allowed.tolist())


def test_context_is_read_around_masks_with_a_share_of_the_rest_wrong(examples: list[Example]) -> None:
    seen: list[Tensor] = []

    def next_to(ids: Tensor) -> Tensor:
        """Read a mask as the token before it, or the next before that."""
        seen.append(ids[:, 3:13].clone())
        found = ids.clone()
        for place in range(1, ids.shape[1]):
            found[:, place] = torch.where(found[:, place] == MASK, found[:, place - 1], found[:, place])
        return found

    model = HandMade(next_to)
    clean = torch.tensor([one.response[:10] for one in examples])
    for share, wrong in ((0.0, 0), (0.5, 4)):  # of the 7 that are seen: round(3.5)
        accuracy = context_accuracy(model, Texts(examples), 0.3, share)
        ids = torch.cat(seen)
        seen.clear()
        assert ((ids == MASK).sum(-1) == 3).all()
        assert ((ids != clean) & (ids != MASK)).sum(-1).tolist() == [wrong] * 5
        assert 0 < accuracy < (1.0 if share else 1.01)


@pytest.fixture
def converter() -> Converter:
    """Return a converter of one-hot embeddings."""
    return Converter.fresh(torch.eye(V), OneMask(MASK), 12)


def test_accuracy_against_s_rises_from_chance_to_one(examples: list[Example], converter: Converter) -> None:
    """The argmax of the posterior over codes, where half the weight of z = 0 is on the mask."""
    model, top = HandMade(same), float(converter.snr_max)
    found = [accuracy_at(model, Texts(examples * 20), converter, ratio * top) for ratio in (0.01, 0.2, 1.0)]
    assert found[0] < 0.2 < found[1] < found[2]
    assert found[2] > 0.99
    assert accuracy_at(HandMade(echo), Texts(examples), converter, 1.0) == 0.9  # all but the EOS


def test_codes_are_read_at_the_s_that_is_asked_for_and_masks_as_nothing(
    examples: list[Example], converter: Converter
) -> None:
    shown: list[Tensor] = []
    model = HandMade(same)
    plain = model.forward
    model.forward = lambda **rest: shown.append(rest["inputs_embeds"]) or plain(**rest)  # type: ignore[assignment]
    context_accuracy(model, Texts(examples[:1]), 0.3, 0.0, code_reader(model, converter, 8.0))
    [x] = shown[0]
    assert torch.equal(x[:3], torch.eye(V)[[5, 3, 4]])  # the prompt as ever
    open_places = torch.isclose(x[3:13], converter(torch.zeros(12))).all(-1)
    assert int(open_places.sum()) == 3
    some = int((~open_places[:9]).nonzero()[0])
    torch.testing.assert_close(x[3 + some], converter(8.0 * converter.codes[5]))


def test_own_evidence_makes_a_model_keep_what_it_leaves_out(examples: list[Example]) -> None:
    """Read as it is, a model that says five everywhere breaks all else; trusted text stays."""
    model, texts = HandMade(always_five), Texts(examples)
    assert robustness(model, texts, 0.1, plain_reader(model)).kept_share < 0.3
    found = robustness(model, texts, 0.1, evidence_reader(model, 0.999, 0.1))
    assert found.kept_share == 1.0
    doubting = robustness(model, texts, 0.1, evidence_reader(model, 0.001, 0.1))
    assert doubting.kept_share < 0.3
