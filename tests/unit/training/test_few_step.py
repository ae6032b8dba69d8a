"""Objectives that distil few-step decoding: the states they visit, exact limits, costs, and resumed runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from xpflow.decoding import decode
from xpflow.decoding.registry import settings_from
from xpflow.errors import ConfigError
from xpflow.runtime.machine import Machine
from xpflow.runtime.processes import Team
from xpflow.study.config.training import FullSettings, LoraSettings, TrainingBlock, TrainingRun
from xpflow.training.corruption import Corrupted, laid_out
from xpflow.training.decision_steps import DecisionSteps
from xpflow.training.examples import Batch, Example, OwnAnswers
from xpflow.training.objective import Loss, make_loss
from xpflow.training.objectives import OBJECTIVES
from xpflow.training.objectives.certainty_forcing import entropy_of
from xpflow.training.states import deciding_keys, grouped, hidden_ids, read
from xpflow.training.student import Prediction, Student
from xpflow.training.trainer import Row, Trainer, prepared
from xpflow.training.tuning import tuner

Make = Callable[..., Any]
NEW = (
    *("forced", "certainty_forcing", "pseudo_trajectory", "on_policy_drafts", "trajectory_consistency"),
    "mixed_states",
)
CASES = [(name, dict(values)) for name in NEW for values in OBJECTIVES[name].examples]
CASES.append(("self_distillation", {"dt": 0.25, "infinite": False}))
IDS = [f"{name}-{number}" for number, (name, _) in enumerate(CASES)]
KINDS = [("llada-micro", True), ("llada2-micro", True), ("llada2-micro", False)]
both = pytest.mark.parametrize("name", ["llada-micro", "llada2-micro"])
every = pytest.mark.parametrize(("objective", "values"), CASES, ids=IDS)
FORCED = {"all_masks": 1.0, "tau_zero": 0.0}


def at_work(
    model: Any, data: OwnAnswers, objective: str, values: dict[str, Any], seed: int = 5, **machine: Any
) -> tuple[Student, Loss, Corrupted]:
    """Return a student with a reference of the same weights, its loss, and a batch of six rows."""
    loss = make_loss(objective, values)
    base = type(model)(model.config)
    base.load_state_dict(model.state_dict())
    student, _ = prepared(model, loss, Machine(**machine), 0, base=base.eval())
    clean = Batch.of(data.train[:6], model.config.pad_token_id)
    return student, loss, loss.corrupt(clean, model, torch.Generator().manual_seed(seed))


def rows_of(student: Student, loss: Loss, batch: Corrupted) -> dict[str, Tensor]:
    """Return each term's value of each row, [B]."""
    terms = student(lambda s: loss.terms(loss.forward(s, batch), batch))
    return {name: term.rows(len(batch.mask_BK)).detach() for name, term in terms.items()}


def masks_of(student: Student, loss: Loss, batch: Corrupted) -> list[Tensor]:
    """Return the masks of all states that `forced` visits, and require that no state is wrong."""
    noise = torch.tensor(hidden_ids(student.model.config))
    found = []
    for visit in loss.forward(student, batch).visits:
        ids_BK, mask_BK = visit.state.ids_BK, visit.state.mask_BK
        hidden_BK = mask_BK | batch.draws["later_BK"]
        assert torch.equal(ids_BK[~hidden_BK], batch.target_BK[~hidden_BK])
        assert bool(torch.isin(ids_BK[hidden_BK], noise).all())
        found.append(mask_BK)
    return found


# ---- forced


@both
def test_one_state_of_random_masks_is_the_objective_masked(
    name: str, make_model: Make, data: OwnAnswers
) -> None:
    plain = rows_of(*at_work(make_model(name), data, "masked", {}))
    for values in ({"tau_low": 1.0, "tau_high": 1.0}, {"mean": "states", "rollback": 0.5}):
        found = rows_of(*at_work(make_model(name), data, "forced", {"states": 1, "all_masks": 0.0, **values}))
        assert torch.equal(found["ce"], plain["ce"])


@both
def test_states_start_with_all_masks_or_random_ones(name: str, make_model: Make, data: OwnAnswers) -> None:
    _, _, batch = at_work(make_model(name), data, "forced", {"all_masks": 1.0})
    assert torch.equal(batch.mask_BK, batch.response_BK)
    _, _, batch = at_work(make_model(name), data, "forced", {"all_masks": 0.0})
    _, _, plain = at_work(make_model(name), data, "masked", {})
    assert torch.equal(batch.mask_BK, plain.mask_BK)


@both
def test_tau_says_how_much_a_state_reveals_and_the_surest_place_always_goes(
    name: str, make_model: Make, data: OwnAnswers
) -> None:
    model = make_model(name)
    student, loss, batch = at_work(model, data, "forced", {**FORCED, "tau_low": 0.0, "tau_high": 0.0})
    first, *rest = masks_of(student, loss, batch)
    assert torch.equal(first, batch.response_BK)
    assert not any(mask_BK.any() for mask_BK in rest), "tau 0 reveals everything at once"
    student, loss, batch = at_work(model, data, "forced", {**FORCED, "tau_low": 2.0, "tau_high": 2.0})
    visits = loss.forward(student, batch).visits
    for visit, after in zip(visits, masks_of(student, loss, batch)[1:], strict=False):
        seen = read(visit.prediction, batch.target_BK, hidden_ids(model.config))
        gone_BK = visit.state.mask_BK & ~after
        scores_GW = grouped(seen.confidence_BK.masked_fill(~visit.state.mask_BK, -1.0), model)
        for scores_W, open_W, gone_W in zip(
            scores_GW, grouped(visit.state.mask_BK, model), grouped(gone_BK, model), strict=True
        ):
            if open_W.any():
                assert gone_W.nonzero().flatten().tolist() == [int(scores_W.argmax())]
            else:
                assert not gone_W.any()


@both
def test_with_its_own_answer_as_the_teacher_s_it_visits_what_its_decoder_visited(
    name: str, make_model: Make, data: OwnAnswers
) -> None:
    """The states of a threshold decode, block by block, to the last mask (the answer ends with a block)."""
    model = make_model(name)
    asked, _, open_all = at_work(model, data, "forced", FORCED)
    seen = read(asked.predict(open_all), open_all.target_BK, hidden_ids(model.config))
    tau = float(seen.confidence_BK[open_all.response_BK].quantile(0.7))
    prompts = [example.prompt[:4] for example in data.train[:6]]
    watch = DecisionSteps(6, 8)
    settings = settings_from(
        "threshold", {"threshold": tau, "gen_length": 8, "suppress": "special", "confidence_dtype": "float32"}
    )
    tokens = decode(model, prompts, settings, observer=watch).tokens
    if name == "llada2-micro":
        assert not (tokens == model.config.eos_token_id).any(), "a block is not cut short"
    steps_BN = watch.of(tokens)
    own = [Example(prompt, tuple(row)) for prompt, row in zip(prompts, tokens.tolist(), strict=True)]
    values = {**FORCED, "states": 8, "tau_low": tau, "tau_high": tau}
    student, loss, batch = at_work(model, OwnAnswers(own, [], []), "forced", values)
    place_BK = (batch.response_BK.cumsum(-1) - 1).clamp(min=0)
    step_BK = steps_BN.gather(1, place_BK)
    step_GW = grouped(step_BK.masked_fill(~batch.response_BK, 99), model)
    since_BK = (step_GW - step_GW.min(-1, keepdim=True).values).view_as(step_BK)
    masks = masks_of(student, loss, batch)
    assert any(1 < int(mask_BK.sum()) < int(batch.response_BK.sum()) for mask_BK in masks)
    for number, mask_BK in enumerate(masks):
        assert torch.equal(mask_BK, batch.response_BK & (since_BK >= number)), number


def test_a_window_of_a_dense_model_hides_what_is_behind_and_reveals_what_is_before(
    make_model: Make, data: OwnAnswers
) -> None:
    student, loss, batch = at_work(make_model("llada-micro"), data, "forced", {**FORCED, "block": 4})
    first = masks_of(student, loss, batch)[0]
    for mask_N, later_N in zip(first.tolist(), batch.draws["later_BK"].tolist(), strict=True):
        assert (mask_N, later_N) in (
            ([True] * 4 + [False] * 4, [False] * 4 + [True] * 4),
            ([False] * 4 + [True] * 4, [False] * 8),
        )
    assert len({tuple(row) for row in first.tolist()}) == 2, "both blocks are drawn"


def test_rolled_back_tokens_are_masked_again_but_never_clean_ones(make_model: Make, data: OwnAnswers) -> None:
    values = {"all_masks": 0.0, "tau_zero": 0.0, "tau_low": 2.0, "tau_high": 2.0, "rollback": 1.0}
    student, loss, batch = at_work(make_model("llada-micro"), data, "forced", values)
    first, second, third = masks_of(student, loss, batch)
    assert not bool((second & ~first).any() | (third & ~first).any())
    enough_B = first.sum(-1) > 2
    assert torch.equal((first & ~second).sum(-1)[enough_B], torch.ones(int(enough_B.sum()), dtype=torch.long))
    assert bool(third[first & ~second].all()), "what the second state read was unlikely, and is masked again"
    without = at_work(make_model("llada-micro"), data, "forced", {**values, "rollback": 0.0})
    assert not bool((masks_of(*without)[2] & ~second).any())


@both
def test_the_loss_is_the_mean_over_places_or_states(name: str, make_model: Make, data: OwnAnswers) -> None:
    values = {"tau_low": 2.0, "tau_high": 2.0, "tau_zero": 0.4}
    student, loss, batch = at_work(make_model(name), data, "forced", values)
    visits = loss.forward(student, batch).visits
    ce = [visit.prediction.terms(batch.target_BK, ["ce"])["ce"].detach() for visit in visits]
    masks = [visit.state.mask_BK for visit in visits]
    sums_B = torch.stack([(a * m).sum(-1) for a, m in zip(ce, masks, strict=True)])
    counts_B = torch.stack([m.sum(-1) for m in masks])
    assert bool((counts_B == 0).any()), "some rows have seen the end"
    torch.testing.assert_close(rows_of(student, loss, batch)["ce"], sums_B.sum(0) / counts_B.sum(0))
    each_B = (sums_B / counts_B.clamp(min=1)).sum(0) / (counts_B > 0).sum(0)
    other = make_loss("forced", {**values, "mean": "states"})
    torch.testing.assert_close(rows_of(student, other, batch)["ce"], each_B)


@both
def test_a_student_that_is_its_teacher_learns_only_from_what_the_teacher_knows_better(
    name: str, make_model: Make, data: OwnAnswers
) -> None:
    """Where the student sees what a look sees there is nothing to learn; from fewer tokens there is."""
    values = {"states": 1, "teacher": "distribution", "keep_weight": 0.5, "keep_below": 1.0}
    student, loss, batch = at_work(make_model(name), data, "forced", values)
    found = rows_of(student, loss, batch)
    assert found["keep"].abs().max() < 1e-5, "it has not moved yet"
    assert found["kl"].min() > 1e-6
    looks_BK = batch.draws["look_BK"]
    for look in (0, 1):
        same = replace(batch, mask_BK=batch.response_BK & (looks_BK == look))
        assert rows_of(student, loss, same)["kl"].abs().max() < 1e-5
    sizes = [int((batch.response_BK & (looks_BK == look)).sum()) for look in (0, 1)]
    assert sum(sizes) == int(batch.response_BK.sum())


def test_what_is_kept_is_only_what_the_base_was_unsure_of(make_model: Make, data: OwnAnswers) -> None:
    student, loss, batch = at_work(
        make_model("llada-micro"), data, "forced", {"keep_weight": 1.0, "states": 1}
    )
    with torch.no_grad():
        student.model.get_output_embeddings().weight.mul_(3.0)
    assert rows_of(student, loss, batch)["keep"].min() > 1e-4
    sure = make_loss("forced", {"keep_weight": 1.0, "keep_below": 0.0, "states": 1})
    assert rows_of(student, sure, batch)["keep"].abs().max() == 0, "it was sure of everything"


# ---- certainty forcing and pseudo-trajectories


def test_certainty_is_zero_where_the_distribution_is_one_hot_and_log_v_where_it_is_flat() -> None:
    logits = torch.zeros(1, 2, 8)
    logits[0, 0, 3] = 200.0
    entropy = entropy_of(Prediction(torch.zeros(8, 2), logits), 0.5)
    assert entropy[0, 0] == 0
    torch.testing.assert_close(entropy[0, 1], torch.tensor(math.log(8)))
    logits.requires_grad_(True)
    entropy_of(Prediction(torch.zeros(8, 2), logits), 0.5).sum().backward()
    assert bool(logits.grad.isfinite().all())
    warm = torch.randn(1, 2, 8, generator=torch.Generator().manual_seed(0))
    wanted = torch.distributions.Categorical(logits=warm / 0.5).entropy()
    torch.testing.assert_close(entropy_of(Prediction(torch.zeros(8, 2), warm), 0.5), wanted)


@both
def test_halves_are_complements_and_certainty_counts_only_where_it_is_right(
    name: str, make_model: Make, data: OwnAnswers
) -> None:
    student, loss, batch = at_work(make_model(name), data, "certainty_forcing", {"block": 0})
    (first, one), (second, two) = loss.forward(student, batch)
    assert torch.equal(first.mask_BK ^ second.mask_BK, batch.response_BK)
    right = replace(batch, target_BK=one.logits_BKV.argmax(-1))
    found = loss.terms([(replace(first, target_BK=right.target_BK), one)], right)
    entropy_BK = entropy_of(one, 0.5)
    wanted_B = (entropy_BK * first.mask_BK).sum(-1) / first.mask_BK.sum(-1).clamp(min=1)
    torch.testing.assert_close(found["certainty"].values, wanted_B)
    assert found["certainty"].weight == 2.0
    wrong = replace(first, target_BK=(right.target_BK + 1) % one.logits_BKV.shape[-1])
    assert loss.terms([(wrong, one)], right)["certainty"].values.abs().max() == 0
    both_B = loss.terms([(first, one), (second, two)], batch)["ce"].values
    alone_B = sum(loss.terms([half], batch)["ce"].values for half in ((first, one), (second, two)))
    torch.testing.assert_close(both_B, alone_B)


def test_everything_masked_without_certainty_is_forced_with_one_state_of_all_masks(
    make_model: Make, data: OwnAnswers
) -> None:
    model = make_model("llada2-micro")
    values = {"mask_ratio": 1.0, "complement": False, "certainty_weight": 0, "block": 0}
    certain = rows_of(*at_work(model, data, "certainty_forcing", values))
    forced = rows_of(*at_work(model, data, "forced", {"states": 1, "all_masks": 1.0}))
    teacher = {"ratio_low": 1.0, "ratio_high": 1.0, "certainty_weight": 0}
    teacher |= {"window_first": 0, "window_last": 0}
    pseudo = rows_of(*at_work(model, data, "pseudo_trajectory", teacher))
    assert list(certain) == list(pseudo) == ["ce"]
    assert torch.equal(certain["ce"], forced["ce"])
    assert torch.equal(pseudo["ce"], forced["ce"])


def test_the_last_decided_places_are_masked_and_equals_fall_to_the_right(make_model: Make) -> None:
    """Half of eight places: of steps 2 0 1 2 0 3 1 1 the places 0, 3, 5 and, of the ones, the last."""
    rows = [Example((5, 6, 7), tuple(range(10, 18)), (2, 0, 1, 2, 0, 3, 1, 1))]
    values = {"ratio_low": 0.5, "ratio_high": 0.5, "window_first": 0, "window_last": 0}
    _, _, batch = at_work(make_model("llada-micro"), OwnAnswers(rows, [], []), "pseudo_trajectory", values)
    assert batch.mask_BK[0].nonzero().flatten().tolist() == [0, 3, 5, 7]
    _, _, batch = at_work(make_model("llada2-micro"), OwnAnswers(rows, [], []), "pseudo_trajectory", values)
    answer = (batch.target_BK[0] >= 10) & (batch.target_BK[0] < 18) & batch.response_BK[0]
    assert batch.mask_BK[0][answer].nonzero().flatten().tolist() == _by_block(rows[0].steps)


def _by_block(steps: tuple[int, ...]) -> list[int]:
    """Return the last-decided half of each block of 4, after a prompt of 3: blocks of 1, 4 and 3 places."""
    found = []
    for start, stop in ((0, 1), (1, 5), (5, 8)):
        order = sorted(range(start, stop), key=lambda place: (steps[place], place))
        found += order[min((stop - start) // 2, stop - start - 1) :]
    return sorted(found)


def test_curricula_run_from_their_first_values_to_their_last(make_model: Make, data: OwnAnswers) -> None:
    loss = make_loss("pseudo_trajectory", {"ratio_low": 0.2, "window_first": 2, "window_last": 8})
    seen = []
    for progress in (0.0, 0.5, 1.0):
        loss.begin(progress)
        seen.append((round(loss.ratio_low, 6), loss.window))
    assert seen == [(0.2, 2), (0.5, 5), (0.8, 8)]
    model = make_model("llada-micro")
    clean = Batch.of(data.train, model.config.pad_token_id)
    batch = loss.corrupt(clean, model, torch.Generator().manual_seed(0))
    assert set(batch.mask_BK.sum(-1).tolist()) == {7}, "0.8 of 8 places, at least: 1 of 8 is left"
    heard: list[float] = []
    found = trainer(model, data, "pseudo_trajectory", {}, True, updates=4)
    found.objective.begin = heard.append
    found.run(lambda row: None)
    assert heard == [0.0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize("objective", ["pseudo_trajectory", "trajectory_consistency"])
def test_an_order_that_the_data_lacks_is_refused_or_drawn(objective: str, make_model: Make) -> None:
    data = OwnAnswers([Example((5, 6), (10, 11, 12, 13))] * 6, [], [])
    with pytest.raises(ConfigError, match="does not say when"):
        at_work(make_model("llada-micro"), data, objective, {})
    _, _, batch = at_work(make_model("llada-micro"), data, objective, {"trajectory": "random"})
    assert len({tuple(row) for row in batch.mask_BK.tolist()}) > 1


# ---- drafts and consistency


@both
def test_drafts_are_the_student_s_own_and_never_noise(name: str, make_model: Make, data: OwnAnswers) -> None:
    model = make_model(name)
    for values in ({"on_policy": 1.0}, {"on_policy": 1.0, "draft": "sample"}):
        student, loss, batch = at_work(model, data, "on_policy_drafts", values)
        asked: list[Tensor] = []
        predict = student.predict
        student.predict = lambda one, p=predict, a=asked: (a.append(one.ids_BK), p(one))[1]
        loss.forward(student, batch)
        masked, drafted = asked
        assert torch.equal(masked, batch.ids_BK)
        assert torch.equal(drafted[~batch.mask_BK], batch.target_BK[~batch.mask_BK])
        noise = torch.tensor(hidden_ids(model.config))
        assert not bool(torch.isin(drafted[batch.mask_BK], noise).any())
        if values.get("draft") is None:
            guess = read(predict(batch), batch.target_BK, hidden_ids(model.config)).guess_BK
            assert torch.equal(drafted[batch.mask_BK], guess[batch.mask_BK])
        student.predict = predict


@both
def test_without_drafts_it_is_masked_diffusion_at_its_own_noise(
    name: str, make_model: Make, data: OwnAnswers
) -> None:
    """And with `both`, what is learned from masks is that, and what from drafts is `on_policy: 1`."""
    model = make_model(name)

    def found(**values: Any) -> dict[str, Tensor]:
        return rows_of(*at_work(model, data, "on_policy_drafts", {"over": "masked", **values}))

    student, _, batch = at_work(model, data, "on_policy_drafts", {})
    plain = make_loss("masked")
    assert torch.equal(found(on_policy=0.0)["ce"], rows_of(student, plain, batch)["ce"])
    twice = found(both=True)
    assert torch.equal(twice["masks"], found(on_policy=0.0)["ce"])
    assert torch.equal(twice["drafts"], found(on_policy=1.0)["ce"])
    flags_B = at_work(model, data, "on_policy_drafts", {})[2].draws["drafts_BK"][:, 0]
    mixed = found()["ce"]
    torch.testing.assert_close(mixed, torch.where(flags_B, twice["drafts"], twice["masks"]))
    assert 0 < int(flags_B.sum()) < 6


@both
def test_states_of_one_trajectory_are_nested_and_equal_ones_are_consistent(
    name: str, make_model: Make, data: OwnAnswers
) -> None:
    model = make_model(name)
    student, loss, batch = at_work(model, data, "trajectory_consistency", {})
    now_BK, next_BK = batch.mask_BK, batch.draws["next_BK"]
    assert not bool((next_BK & ~now_BK).any())
    assert bool(now_BK.any(-1).all())
    assert not bool((next_BK.sum(-1) >= now_BK.sum(-1)).any())
    found = rows_of(student, loss, batch)
    assert found["consistency"].max() > 1e-6
    same = replace(batch, draws={**batch.draws, "next_BK": now_BK})
    equal = rows_of(student, loss, same)
    assert equal["consistency"].abs().max() < 1e-6
    assert equal["distill"].abs().max() == 0, "nothing is decided between equal states"
    torch.testing.assert_close(equal["mask"], found["mask"])
    nothing = replace(batch, draws={**batch.draws, "next_BK": torch.zeros_like(now_BK)})
    plain = rows_of(student, make_loss("masked"), batch)["ce"]
    assert torch.equal(rows_of(student, loss, nothing)["distill"], plain)


def test_the_later_state_has_no_gradient(make_model: Make, data: OwnAnswers) -> None:
    student, loss, batch = at_work(make_model("llada-micro"), data, "trajectory_consistency", {})
    outputs = loss.forward(student, batch)
    assert not outputs.later.logits_BKV.requires_grad
    assert outputs.now.logits_BKV.requires_grad


# ---- all of them


@every
@both
def test_forwards_are_those_that_a_plan_reckons_with(
    name: str, objective: str, values: dict[str, Any], make_model: Make, data: OwnAnswers
) -> None:
    student, loss, batch = at_work(make_model(name), data, objective, values)
    counted: list[bool] = []
    for model in (student.model, student.base):
        forward = model.forward
        model.forward = lambda f=forward, **inputs: (counted.append(torch.is_grad_enabled()), f(**inputs))[1]
    rows_of(student, loss, batch)
    entry = OBJECTIVES[objective]
    cost = entry.cost(entry.checked(values))
    assert (counted.count(True), counted.count(False)) == (cost.trained, cost.free)
    assert cost.reference == loss.needs_reference


@every
@both
def test_a_row_costs_the_same_alone_and_in_chunks_and_seeds_repeat(
    name: str, objective: str, values: dict[str, Any], make_model: Make, data: OwnAnswers
) -> None:
    student, loss, batch = at_work(make_model(name), data, objective, values)
    whole = rows_of(student, loss, batch)
    assert all(bool(rows_B.isfinite().all()) for rows_B in whole.values())
    alone = rows_of(student, loss, batch.take([4], torch.device("cpu")))
    chunked = rows_of(*at_work(make_model(name), data, objective, values, vocab_chunk=7))
    again = rows_of(*at_work(make_model(name), data, objective, values))
    for term, rows_B in whole.items():
        torch.testing.assert_close(alone[term], rows_B[4:5], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(chunked[term], rows_B, rtol=1e-4, atol=1e-5)
        assert torch.equal(again[term], rows_B)
    other = rows_of(*at_work(make_model(name), data, objective, values, seed=6))
    assert any(not torch.equal(other[term], rows_B) for term, rows_B in whole.items())


class Killed(Exception):
    """The run ends here."""


def trainer(
    model: Any,
    data: OwnAnswers,
    objective: str,
    values: dict[str, Any],
    full: bool,
    updates: int = 3,
    **on: Any,
) -> Trainer:
    """Return the trainer of a run with an objective, in small steps."""
    block = TrainingBlock(
        full=FullSettings(updates=updates, batch_size=5, learning_rate=3e-3),
        lora=LoraSettings(updates=updates, batch_size=5, learning_rate=3e-3, rank=4),
        log_every=2,
        warmup_updates=0,
    )
    run = TrainingRun(name="few", objective=objective, settings=values)
    return tuner(model, data, block, run, full, 0, machine=Machine(checkpoint_every=1, **on))


def kill_at(update: int) -> Callable[[Row], None]:
    def report(row: Row) -> None:
        if row["update"] == update:
            raise Killed

    return report


@every
@pytest.mark.parametrize(("name", "full"), KINDS)
def test_a_killed_run_ends_with_the_bytes_of_an_uninterrupted_one(
    objective: str,
    values: dict[str, Any],
    name: str,
    full: bool,
    make_model: Make,
    data: OwnAnswers,
    tmp_path: Path,
) -> None:
    whole = trainer(make_model(name), data, objective, values, full)
    rows = whole.run(lambda row: None)
    with pytest.raises(Killed):
        trainer(make_model(name), data, objective, values, full).run(kill_at(2), tmp_path / "state")
    resumed = trainer(make_model(name), data, objective, values, full)
    assert resumed.run(lambda row: None, tmp_path / "state") == rows
    wanted = whole.model(torch.float32).state_dict()
    found = resumed.model(torch.float32).state_dict()
    assert all(torch.equal(value, wanted[key]) for key, value in found.items())
    start = make_model(name).state_dict()
    assert any(not torch.equal(value, start[key]) for key, value in found.items()), "it has learned something"


@every
def test_micro_batches_change_no_number(
    objective: str, values: dict[str, Any], make_model: Make, data: OwnAnswers
) -> None:
    def losses(**on: Any) -> list[float]:
        found = trainer(make_model("llada2-micro"), data, objective, values, False, updates=2, **on)
        return [row["loss"] for row in found.run(lambda row: None)[1:]]

    assert losses(micro_batch=2, vocab_chunk=7, activation_checkpointing=True) == pytest.approx(
        losses(), rel=1e-4
    )


@both
def test_hidden_matrices_may_have_muon_and_a_rate_of_their_own(
    name: str, make_model: Make, data: OwnAnswers, tmp_path: Path
) -> None:
    def muon(**on: Any) -> Trainer:
        full = FullSettings(updates=3, batch_size=5, learning_rate=1e-3, matrix_rate=2e-3)
        block, run = TrainingBlock(full=full, log_every=2), TrainingRun(name="few", objective="forced")
        return tuner(make_model(name), data, block, run, True, 0, machine=Machine(checkpoint_every=1, **on))

    whole = muon()
    matrices, rest = whole.optimizers
    assert isinstance(matrices, torch.optim.Muon)
    assert isinstance(rest, torch.optim.AdamW)
    trained = [p for one in whole.optimizers for group in one.param_groups for p in group["params"]]
    assert {id(p) for p in trained} == {id(p) for p in whole.student.parameters()}
    assert len(trained) == len(list(whole.student.parameters()))
    table = whole.student.model.get_input_embeddings().weight
    assert all(p is not table and p.ndim == 2 for p in matrices.param_groups[0]["params"])
    rows = whole.run(lambda row: None)
    with pytest.raises(Killed):
        muon().run(kill_at(2), tmp_path / "state")
    resumed = muon()
    assert resumed.run(lambda row: None, tmp_path / "state") == rows
    wanted = whole.model(torch.float32).state_dict()
    assert all(torch.equal(v, wanted[key]) for key, v in resumed.model(torch.float32).state_dict().items())
    with pytest.raises(ConfigError, match="Muon needs whole matrices"):
        muon(team=Team(0, 2))


@pytest.mark.parametrize("objective", [name for name in NEW if name != "mixed_states"])
def test_adapters_of_a_mixture_of_experts_lower_the_cross_entropy_of_own_answers(
    objective: str, make_model: Make, data: OwnAnswers
) -> None:
    found = trainer(make_model("llada2-micro"), data, objective, {}, False, updates=30)
    rows = found.run(lambda row: None)
    assert rows[-1]["loss"] < rows[1]["loss"]


@both
def test_read_positions_have_the_steps_of_their_own_tokens(
    name: str, make_model: Make, data: OwnAnswers
) -> None:
    model = make_model(name)
    batch = Batch.of(data.train[:6], model.config.pad_token_id)
    clean = laid_out(batch, model)
    keys_BK = deciding_keys(batch, clean, "steps", torch.Generator().manual_seed(0))
    for row, example in enumerate(data.train[:6]):
        inside_K = clean.response_BK[row]
        assert tuple(clean.target_BK[row][inside_K].tolist()) == example.response
        assert tuple(keys_BK[row][inside_K].tolist()) == example.steps
