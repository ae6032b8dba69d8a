"""Self-alignment data and the solvable filter, with a decoder that gives canned answers."""

from __future__ import annotations

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
