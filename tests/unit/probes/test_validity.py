"""Readings of mixed states: what is mixed, what the two ends are, and what a model that copies would say."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from xpflow.decoding.canvas import model_facts
from xpflow.errors import ConfigError
from xpflow.probes.validity import Subject, answer_length, draw, validity_rows
from xpflow.stats.calibration import dense
from xpflow.study.config.probes import ProbesBlock
from xpflow.training.examples import Example

BLOCK = ProbesBlock(t=(0.0, 0.5, 1.0), share=0.5)
HIDDEN = [0, 36]


def subjects(count: int = 5, length: int = 16) -> list[Subject]:
    generator = torch.Generator().manual_seed(7)
    found = []
    for number in range(count):
        prompt = torch.randint(3, 36, (4 + number,), generator=generator).tolist()
        answer = torch.randint(3, 36, (length,), generator=generator).tolist()
        answer[8 + number :] = [1] * (length - 8 - number)  # EOS to the end
        found.append(Subject(f"task/{number}", Example(tuple(prompt), tuple(answer))))
    return found


class Nearest(nn.Module):
    """A model without context: it names the token that lies nearest to its input, the mask among them."""

    def __init__(self, block_length: int = 0) -> None:
        super().__init__()
        self.embed = nn.Embedding(37, 24)
        with torch.no_grad():
            self.embed.weight.copy_(torch.randn(37, 24, generator=torch.Generator().manual_seed(2)))
        self.config = SimpleNamespace(
            vocab_size=37,
            mask_token_id=36,
            eos_token_id=1,
            pad_token_id=1,
            eot_token_id=2,
            suppress_token_ids=[0, 36],
            block_length=block_length,
        )

    def get_input_embeddings(self) -> nn.Embedding:
        return self.embed

    def forward(self, inputs_embeds, logits_positions_BN, attention_mask=None, position_ids=None):
        index = logits_positions_BN[..., None].expand(-1, -1, inputs_embeds.shape[-1])
        far = torch.cdist(inputs_embeds.gather(1, index), self.embed.weight.expand(len(index), -1, -1))
        return SimpleNamespace(logits=-20 * far)


def test_an_answer_counts_up_to_its_first_eos() -> None:
    assert answer_length([5, 6, 1, 1], 1) == 3
    assert answer_length([5, 6], 1) == 2


def test_draws_depend_on_seed_and_task_alone_and_wrong_tokens_are_wrong(make_model) -> None:
    facts = model_facts(make_model())
    for one in subjects():
        found = draw(one, 0.5, facts, HIDDEN, 0)
        length = answer_length(one.example.response, 1)
        assert int(found.mixed_N.sum()) == round(0.5 * length)
        assert not (found.mixed_N & found.beside_N).any()
        assert (found.mixed_N | found.beside_N).tolist() == [place < length for place in range(16)]
        assert not (found.wrong_N == torch.tensor(one.example.response)).any()
        assert not torch.isin(found.wrong_N, torch.tensor(HIDDEN)).any()
        assert torch.equal(found.wrong_N, draw(one, 0.5, facts, HIDDEN, 0).wrong_N)
    other = draw(subjects()[0], 0.5, facts, HIDDEN, 1)
    assert not torch.equal(other.wrong_N, draw(subjects()[0], 0.5, facts, HIDDEN, 0).wrong_N)


def test_one_place_is_mixed_at_least_and_one_is_left(make_model) -> None:
    facts, one = model_facts(make_model()), subjects()[0]
    assert int(draw(one, 0.001, facts, HIDDEN, 0).mixed_N.sum()) == 1
    assert int(draw(one, 0.999, facts, HIDDEN, 0).beside_N.sum()) == 1


@pytest.mark.parametrize("block_length", [0, 8])
def test_a_model_that_names_the_nearest_token_reads_what_lies_there(block_length) -> None:
    rows = validity_rows(Nearest(block_length), subjects(), BLOCK, HIDDEN, batch_size=2)
    assert [(row["task_id"], row["t"]) for row in rows[:3]] == [("task/0", t) for t in BLOCK.t]
    assert len(rows) == 5 * 2 * 2 * 3
    for row in rows:
        assert row["places"] + row["beside"] == 9 + int(row["task_id"][-1])
        assert sum(dense(row["tally"])[:, 0]) == row["places"]
        assert sum(dense(row["tally"])[:, 2]) == row["right"]
        if row["t"] == 1.0:
            assert row["kept"] == row["places"] == row["nearest_first"]
            assert (row["rank"], row["nearest"], row["norm"]) == (0.0, 0.0, 1.0)
            assert row["angle_token"] == 0.0
            assert row["right"] == (row["places"] if row["token"] == "oracle" else 0)
        if row["t"] == 0.0:
            assert row["angle_mask"] == 0.0
    for row in rows:
        if row["t"] == 0.5 and row["geometry"] == "linear":
            assert row["kept"] > row["places"] // 2  # m does not count, and the token is next


@pytest.mark.parametrize("block_length", [0, 8])
def test_at_0_nothing_tells_true_and_wrong_or_geometries_apart(make_model, block_length) -> None:
    rows = validity_rows(make_model(block_length=block_length), subjects(), BLOCK, HIDDEN)
    names = ("right", "nats", "tally", "beside_right", "beside_nats")
    for task in {row["task_id"] for row in rows}:
        found = [[row[name] for name in names] for row in rows if (row["task_id"], row["t"]) == (task, 0.0)]
        assert len(found) == 4
        assert all(one == found[0] for one in found)


def test_at_1_states_are_tokens_so_the_readings_are_those_of_ids(make_model) -> None:
    """The masks beside plain tokens are read as mask prediction would read them."""
    model, one = make_model(), subjects(1)[0]
    [row] = [
        row
        for row in validity_rows(model, [one], BLOCK, HIDDEN)
        if (row["t"], row["token"], row["geometry"]) == (1.0, "oracle", "linear")
    ]
    drawn = draw(one, BLOCK.share, model_facts(model), HIDDEN, 0)
    response = torch.tensor(one.example.response)
    ids = torch.cat((torch.tensor(one.example.prompt), torch.where(drawn.mixed_N, response, 36)))[None]
    logits = model(input_ids=ids).logits[0, len(one.example.prompt) :]
    logits[:, HIDDEN] = -torch.inf
    right = (logits.argmax(-1) == response) & drawn.beside_N
    assert row["beside_right"] == int(right.sum())
    nats = -logits.log_softmax(-1).gather(1, response[:, None])[drawn.beside_N].mean()
    assert row["beside_nats"] == pytest.approx(nats.item(), rel=1e-4)


def test_batches_change_nothing(make_model) -> None:
    model = make_model()
    one, all_ = (validity_rows(model, subjects(), BLOCK, HIDDEN, batch_size=size) for size in (1, 5))
    assert [(row["task_id"], row["right"], row["kept"]) for row in one] == [
        (row["task_id"], row["right"], row["kept"]) for row in all_
    ]


def test_a_model_without_a_single_mask_cannot_be_probed(make_model) -> None:
    model = make_model()
    model.config.mask_token_ids = [0, 36]
    with pytest.raises(ConfigError, match="one mask token"):
        validity_rows(model, subjects(), BLOCK, HIDDEN)
