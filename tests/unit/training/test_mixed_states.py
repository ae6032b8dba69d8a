"""The objective `mixed_states`: it walks as flow walks, and its limits."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from xpflow.decoding import decode
from xpflow.decoding.registry import settings_from
from xpflow.decoding.stepper import StepRecord
from xpflow.runtime.machine import Machine
from xpflow.training.corruption import Corrupted
from xpflow.training.examples import Batch, Example, OwnAnswers
from xpflow.training.objective import Loss, make_loss
from xpflow.training.student import Student
from xpflow.training.trainer import prepared

Make = Callable[..., Any]
both = pytest.mark.parametrize("name", ["llada-micro", "llada2-micro"])
WALK = {"all_masks": 1.0, "own": 1.0, "power": 0.5, "reedit_margin": 0.6}


def at_work(
    model: Any, examples: list[Example], values: dict[str, Any]
) -> tuple[Student, Loss, Corrupted, list[Tensor]]:
    """Return a student, its loss, a batch of six rows, and a list that will hold what the model reads."""
    loss = make_loss("mixed_states", values)
    student, _ = prepared(model, loss, Machine(), 0)
    clean = Batch.of(examples[:6], model.config.pad_token_id)
    batch = loss.corrupt(clean, model, torch.Generator().manual_seed(5))
    asked: list[Tensor] = []
    predict = student.predict
    student.predict = lambda one, x: (asked.append(x.detach()), predict(one, x))[1]
    return student, loss, batch, asked


@both
def test_with_the_student_s_own_tokens_it_visits_what_flow_visits(
    name: str, make_model: Make, data: OwnAnswers
) -> None:
    """Every place of every state of a flow decode, block by block: how far it is, and where it stands."""
    model = make_model(name)
    prompts = [example.prompt[:4] for example in data.train[:6]]
    how = {"policy": "confidence:0.5", "gen_length": 8, "suppress": "special", "confidence_dtype": "float32"}
    settings = settings_from("flow", {**how, "stop_at_fixed_point": False, "reedit_margin": 0.6})
    seen: dict[tuple[int, int], list[tuple[float, int]]] = {}

    def watch(record: StepRecord) -> None:
        offset_BM = record.info.block.offset_BM
        for row, *places in zip(
            record.info.rows_B.tolist(), offset_BM, record.t_BM, record.tokens_BM, strict=True
        ):
            for offset, t, token in zip(*(place.tolist() for place in places), strict=True):
                if 0 <= offset < 8:
                    seen.setdefault((row, offset), []).append((t, token))

    tokens = decode(model, prompts, settings, observer=watch).tokens
    own = [Example(prompt, tuple(row)) for prompt, row in zip(prompts, tokens.tolist(), strict=True)]
    steps = min(len(places) for places in seen.values())
    student, loss, batch, _ = at_work(model, own, {**WALK, "states": steps + 1})
    walks, over = [], loss._over
    loss._over = lambda walk, one: (walks.append(walk), over(walk, one))[1]
    loss.forward(student, batch)
    place_BK, mixed = (batch.response_BK.cumsum(-1) - 1).clamp(min=0), 0
    for number, walk in enumerate(walks[1:]):
        for row, k in batch.response_BK.nonzero().tolist():
            t, token = seen[row, int(place_BK[row, k])][number]
            assert float(walk.t_BK[row, k]) == pytest.approx(t, abs=1e-4), (row, k, number)
            mixed += 0.05 < t < 0.95
            if t == 1.0:
                there_D = student.table_VD[token]
                torch.testing.assert_close(walk.x_BKD[row, k].detach(), there_D, rtol=1e-4, atol=1e-5)
    assert mixed > 6, "some stand between mask and token"


@both
def test_one_state_of_masks_is_masked_diffusion_at_all_masks(
    name: str, make_model: Make, data: OwnAnswers
) -> None:
    model = make_model(name)
    student, loss, batch, asked = at_work(model, data.train, {"states": 1, "all_masks": 1.0})
    found = loss.terms(loss.forward(student, batch), batch)["ce"].values
    assert torch.equal(asked[0], student.embed(batch.ids_BK).detach())
    plain, _ = prepared(model, make_loss("masked"), Machine(), 0)
    values = plain.predict(batch).terms(batch.target_BK, ["ce"])["ce"]
    wanted = (values * batch.response_BK).sum(-1) / batch.response_BK.sum(-1)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_the_teacher_s_tokens_are_never_left_and_doubted_places_go_back(
    make_model: Make, data: OwnAnswers
) -> None:
    """Rows that follow the answer stand on the line from mask to its token; without doubt t never falls."""
    model = make_model("llada-micro")
    for reedit in (True, False):
        values = {"own": 0.0, "all_masks": 0.0, "states": 4, "power": 0.5, "reedit": reedit}
        student, loss, batch, asked = at_work(model, data.train, values)
        loss.forward(student, batch)
        mask_BKD, token_BKD = (student.embed(ids) for ids in (batch.draws["noise_BK"], batch.target_BK))
        way_BKD = (token_BKD - mask_BKD).detach()
        shares = []
        for x_BKD in asked:
            moved_BKD = x_BKD - mask_BKD.detach()
            share_BK = (moved_BKD * way_BKD).sum(-1) / way_BKD.square().sum(-1)
            torch.testing.assert_close(moved_BKD, share_BK[..., None] * way_BKD, rtol=1e-3, atol=1e-5)
            shares.append(share_BK[batch.response_BK])
        fell = any(bool((b < a - 1e-4).any()) for a, b in pairwise(shares))
        assert fell == reedit
    torch.testing.assert_close(shares[0], batch.draws["t_BK"][batch.response_BK], rtol=1e-4, atol=1e-5)
    assert bool(((shares[0] > 0.05) & (shares[0] < 0.95)).any()), "some are on their way at first"
