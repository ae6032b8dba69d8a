"""Self-alignment data and the solvable filter, with a decoder that gives canned answers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from xpflow.errors import DataError
from xpflow.models.tokenizer import encode_prompt
from xpflow.problems.micropy import load
from xpflow.protocols.micropy import instruction
from xpflow.study.config.root import StudyConfig
from xpflow.study.config.training import SelfdataBlock
from xpflow.training import selfdata, solvable
from xpflow.training.corpus import response_ids
from xpflow.training.decision_steps import DecisionSteps
from xpflow.training.examples import Batch, Example, OwnAnswers
from xpflow.training.selfdata import PROBES, prompts_of_seed, self_aligned_rows
from xpflow.training.solvable import solvable_problems

STUDY = StudyConfig(selfdata=SelfdataBlock(prompts=12, heldout=5))
Answer = Callable[[Sequence[int]], Sequence[int]]


def use(
    monkeypatch: pytest.MonkeyPatch, module: Any, tokenizer: PreTrainedTokenizerBase, answer: Answer
) -> None:
    """Let a stage load no model and decode by a function of the prompt."""

    def decode(model: Any, prompts: list[list[int]], *_: Any, **__: Any) -> SimpleNamespace:
        return SimpleNamespace(tokens=torch.tensor([list(answer(prompt)) for prompt in prompts]))

    monkeypatch.setattr(module, "open_model", lambda study, source: (None, tokenizer))
    monkeypatch.setattr(module, "decode", decode)


def test_no_two_seeds_share_a_prompt_and_all_share_the_held_out_ones() -> None:
    sets = [prompts_of_seed(STUDY, seed) for seed in range(3)]
    asked = [problem.prompt for own, _ in sets for problem in own]
    assert len(asked) == len(set(asked)) == 3 * (12 + PROBES)
    assert all(held == sets[0][1] for _, held in sets)
    assert len(sets[0][1]) == 5
    assert not set(asked) & {problem.prompt for problem in sets[0][1]}
    with pytest.raises(DataError, match="held out"):
        prompts_of_seed(STUDY, 1000)


def test_shards_together_are_the_whole_set(
    monkeypatch: pytest.MonkeyPatch, tokenizer: PreTrainedTokenizerBase
) -> None:
    use(monkeypatch, selfdata, tokenizer, lambda prompt: [len(prompt), *prompt[-3:]])
    whole = self_aligned_rows(STUDY, "none", 1)
    parts = [row for k in (2, 1, 3) for row in self_aligned_rows(STUDY, "none", 1, shard=(k, 3))]
    assert sorted(map(repr, parts)) == sorted(map(repr, whole))
    kinds = [row["kind"] for row in whole]
    assert (kinds.count("train"), kinds.count("probe")) == (12, PROBES)
    for row in whole:
        if row["kind"] != "heldout":
            assert row["response"] == [len(row["prompt_ids"]), *row["prompt_ids"][-3:]]


def test_reference_answers_are_the_benchmark_s_and_need_no_decoding(
    monkeypatch: pytest.MonkeyPatch, tokenizer: PreTrainedTokenizerBase
) -> None:
    use(monkeypatch, selfdata, tokenizer, lambda prompt: pytest.fail("a model was asked"))
    block = STUDY.selfdata.model_copy(update={"answers": "reference", "gen_length": 64})
    rows = self_aligned_rows(STUDY.model_copy(update={"selfdata": block}), "none", 0)
    own, held = prompts_of_seed(STUDY, 0)
    assert [row["task_id"] for row in rows] == [problem.task_id for problem in (*own, *held)]
    for row, problem in zip(rows, (*own, *held), strict=True):
        answer = problem.canonical_solution.rstrip("\n")
        assert tuple(row["response"]) == response_ids(tokenizer, answer, 64)
    assert [row["kind"] for row in rows] == ["train"] * 12 + ["probe"] * PROBES + ["heldout"] * 5
    with pytest.raises(ValueError, match="leave out `steps`"):
        SelfdataBlock(answers="reference", steps=True)


def test_the_filter_keeps_exactly_what_passes_in_order(
    monkeypatch: pytest.MonkeyPatch, tokenizer: PreTrainedTokenizerBase
) -> None:
    problems = load("mbpp", "train")[:9]
    answers = {}
    for number, problem in enumerate(problems):
        code = problem.canonical_solution.rstrip("\n")
        wrong = code.replace("return ", "return None, ") if number % 3 else code
        ids = response_ids(tokenizer, code if number % 2 else wrong, 128)
        assert ids is not None
        answers[tuple(encode_prompt(tokenizer, instruction(problem)))] = ids
    use(monkeypatch, solvable, tokenizer, lambda prompt: answers[tuple(prompt)])
    kept = solvable_problems(STUDY, "none", problems)
    assert kept == [p for number, p in enumerate(problems) if number % 2 or number % 3 == 0]


def test_its_decoder_has_settings_and_says_when_it_decided_each_token(
    monkeypatch: pytest.MonkeyPatch, tokenizer: PreTrainedTokenizerBase, make_model: Callable[..., Any]
) -> None:
    """At a threshold that nothing reaches one token a forward is decided, at 0 all of a block at once."""
    model = make_model("llada-micro")
    monkeypatch.setattr(selfdata, "open_model", lambda study, source: (model, tokenizer))

    def steps(threshold: float) -> list[list[int]]:
        block = SelfdataBlock(
            prompts=2,
            heldout=1,
            decoder="threshold",
            settings={"threshold": threshold},
            steps=True,
        )
        rows = self_aligned_rows(StudyConfig(selfdata=block), "none", 0)
        assert rows[-1]["kind"] == "heldout"
        assert "steps" not in rows[-1], "real answers were not decoded"
        return [row["steps"] for row in rows if row["kind"] != "heldout"]

    assert all(sorted(row) == list(range(32)) for row in steps(1.0))
    assert all(row == [0] * 32 for row in steps(0.0))


def test_keys_of_the_block_are_no_settings_of_its_decoder() -> None:
    with pytest.raises(ValueError, match="budget, gen_length belong into the block itself"):
        SelfdataBlock(settings={"gen_length": 8, "budget": "1/2"})


def test_prompts_come_from_the_split_that_is_named() -> None:
    block = SelfdataBlock(benchmark="micropy-mbpp", split="train", prompts=4, heldout=2)
    asked, held = prompts_of_seed(StudyConfig(selfdata=block), 0)
    wanted = load("mbpp", "train")
    assert [one.task_id for one in asked] == [one.task_id for one in wanted[: 4 + PROBES]]
    assert [one.task_id for one in held] == [one.task_id for one in wanted[-2:]]


def test_a_token_is_decided_where_it_took_its_last_value() -> None:
    """A position that is revised counts from the revision, one that was cut off from the last forward."""
    watch = DecisionSteps(2, 3)

    def record(tokens: list[list[int]]) -> Any:
        shape = torch.tensor(tokens)
        block = SimpleNamespace(
            offset_BM=torch.arange(3).expand_as(shape), open_BM=torch.ones_like(shape).bool()
        )
        return SimpleNamespace(
            info=SimpleNamespace(rows_B=torch.tensor([1, 0]), block=block), tokens_BM=shape
        )

    for tokens in ([[5, 0, 0], [7, 0, 0]], [[5, 6, 0], [8, 0, 0]], [[5, 6, 9], [8, 4, 4]]):
        watch(record(tokens))
    assert watch.of(torch.tensor([[8, 4, 3], [5, 6, 9]])).tolist() == [[1, 2, 2], [0, 1, 2]]


def test_steps_change_the_hash_of_the_data_and_nothing_else_does() -> None:
    plain = OwnAnswers([Example((1, 2), (3, 4))], [], [])
    noted = OwnAnswers([Example((1, 2), (3, 4), (1, 0))], [], [])
    assert (
        plain.sha256() == hashlib.sha256(b"([Example(prompt=(1, 2), response=(3, 4))], [], [])").hexdigest()
    )
    assert noted.sha256() != plain.sha256()
    assert Batch.of(noted.train, 0).steps_BN.tolist() == [[1, 0]]
    assert Batch.of([*noted.train, *plain.train], 0).steps_BN is None
