"""Answers and scores as the harness asks for them: the same as ours, without lm_eval."""

from __future__ import annotations

import subprocess
import sys

import pytest

from xpflow.decoding import settings_from
from xpflow.decoding.samples import decode_samples
from xpflow.errors import ConfigError, DecodingError, ModelLoadError
from xpflow.harness import run as harness_run
from xpflow.harness.options import Options
from xpflow.harness.work import Ask, Work
from xpflow.models.registry import SHIPPED_NAMES
from xpflow.problems.benchmark import load_benchmark
from xpflow.protocols.find import find_protocol
from xpflow.protocols.prompter import Prompter

PROBLEMS = load_benchmark("micropy-he", limit=6)
DECODERS = [("mask_prediction", {}), ("threshold", {"threshold": 0.8}), ("flow", {"policy": "constant:0.5"})]


def asks(*, rows: bool = True) -> list[Ask]:
    return [
        Ask(f"task/{n}", one.prompt, length=32, row=one.to_row() if rows else None)
        for n, one in enumerate(PROBLEMS)
    ]


@pytest.mark.parametrize(("decoder", "extra"), DECODERS)
@pytest.mark.parametrize("name", SHIPPED_NAMES)
def test_answers_are_our_samples_bit_for_bit(name: str, decoder: str, extra: dict[str, object]) -> None:
    arguments = {
        "pretrained": name,
        "decoder": decoder,
        "budget": "1/2",
        "protocol": "micropy",
        "batch_size": 4,
    }
    work = Work(Options.of({**arguments, **extra}))
    found = work.answers(asks())
    prompter = Prompter(find_protocol("micropy"), work.tokenizer)
    by_id = {one.task_id: one for one in PROBLEMS}
    values = {"gen_length": 32, "budget": "1/2", "batch_size": 4, **extra}
    policy = values.pop("policy", None)
    ours, _ = decode_samples(
        work.model,
        lambda task_id, tokens: prompter.answer(by_id[task_id], tokens),
        [(one.task_id, prompter.encode(one)) for one in PROBLEMS],
        settings_from(decoder, values),
        policy,
    )
    assert [(one.text, one.nfe, one.tokens) for one in found] == [
        (row["completion"], row["nfe"], row["tokens"]) for row in ours
    ]
    assert {one.asked for one in found} == {"micropy@1"}


def test_without_a_protocol_texts_are_asked_as_they_are_and_end_at_a_stop() -> None:
    work = Work(Options.of({"pretrained": "llada-micro"}))
    text = work.tokenizer.apply_chat_template(
        [{"role": "user", "content": PROBLEMS[0].prompt.strip()}], tokenize=False, add_generation_prompt=True
    )
    whole, cut, other = work.answers(
        [Ask("a", text, (), 32), Ask("a", text, ("return",), 32), Ask("a", PROBLEMS[0].prompt, (), 32)]
    )
    assert "return" in whole.text
    assert cut.text == whole.text.partition("return")[0]
    assert cut.tokens == whole.tokens
    assert other.tokens != whole.tokens
    assert whole.asked == "as lm_eval words it"


def test_rows_that_are_no_problems_are_a_users_turn_of_the_protocol() -> None:
    work = Work(Options.of({"pretrained": "llada-micro", "protocol": "micropy"}))
    text = PROBLEMS[0].prompt.strip()
    plain, row, problem = work.answers(
        [Ask("a", text, (), 32), Ask("a", text, (), 32, {"question": "x", "answer": "y"}), asks()[0]]
    )
    assert plain.tokens == row.tokens == problem.tokens
    assert plain.asked == "a user's turn of micropy@1"


def test_lengths_come_from_options_then_the_protocol_then_the_task() -> None:
    problem = PROBLEMS[0]
    work = Work(Options.of({"pretrained": "llada-micro", "protocol": "llada-opencompass"}))
    assert work.settings(64, problem).gen_length == 512
    assert work.settings(64, problem).logits_eos_inf
    assert work.settings(64, None).gen_length == 64
    assert work.settings(None, None).gen_length == 256
    own = Work(Options.of({"pretrained": "llada-micro", "gen_length": 16, "batch_size": "auto"}))
    assert own.settings(64, None).gen_length == 16


def test_scores_are_seeded_and_prefer_the_right_answer() -> None:
    work = Work(Options.of({"pretrained": "llada-micro", "mc_num": 16, "seed": 3}))
    prompt = Prompter(find_protocol("micropy"), work.tokenizer).text(PROBLEMS[0])
    answer, wrong = (one.canonical_solution.strip("\n") for one in PROBLEMS[:2])
    right, other = work.scores([(prompt, answer), (prompt, wrong)])
    assert other.log_likelihood < right.log_likelihood < 0
    assert right.nfe >= 16
    [again] = work.scores([(prompt, answer)])
    assert again.log_likelihood == pytest.approx(right.log_likelihood, rel=1e-5)


def test_what_greedy_decoding_gives_is_said_to_be_greedy() -> None:
    work = Work(Options.of({"pretrained": "llada-micro", "mc_num": 1}))
    text = Prompter(find_protocol("micropy"), work.tokenizer).text(PROBLEMS[0])
    prompt, [answer] = work.ids(text), work.answers([Ask("a", text, (), 8)])
    pairs = [
        (prompt, answer.tokens[:4]),
        (prompt, answer.tokens),
        (prompt, answer.tokens[::-1]),
        (prompt, []),
    ]
    found = work._greedy(pairs)
    assert found[1:] == [(True, 8), (False, 8), (True, 0)]
    unasked = Work(Options.of({"pretrained": "llada-micro", "mc_num": 1, "check_greedy": False}))
    asked, other = work.scores([(text, "x")])[0], unasked.scores([(text, "x")])[0]
    assert (asked.log_likelihood, other.greedy) == (other.log_likelihood, False)
    assert asked.nfe > other.nfe == 1


def test_spaces_between_texts_belong_to_the_second() -> None:
    work = Work(Options.of({"pretrained": "llada-micro", "mc_num": 1}))
    assert work._encode_pair("return  ", "x") == work._encode_pair("return", "  x")
    first, rest = work._encode_pair("", "return x")
    assert (first, rest) == ([work.tokenizer.bos_token_id], work.ids("return x"))


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({}, ConfigError, "names no model"),
        ({"pretrained": "llada-macro"}, ModelLoadError, "neither a known model nor a folder"),
        ({"pretrained": "llada-micro", "decoder": "thresold"}, DecodingError, "did you mean 'threshold'"),
        ({"pretrained": "llada-micro", "treshold": 0.8}, DecodingError, "unknown setting 'treshold'"),
        ({"pretrained": "llada-micro", "seed": "x"}, ConfigError, "seed='x': expected int"),
        ({"pretrained": "llada-micro", "check_greedy": 1}, ConfigError, "expected bool"),
        ({"pretrained": "llada-micro", "dtype": "int8"}, ConfigError, "dtype=int8"),
        ({"pretrained": "llada-micro", "policy": "constant:1"}, DecodingError, "takes no policy"),
        ({"pretrained": "llada-micro", "decoder": "flow", "policy": "constant:2"}, DecodingError, "range"),
        ({"pretrained": "llada-micro", "protocol": "mcropy"}, ConfigError, "did you mean 'micropy'"),
    ],
)
def test_options_that_are_wrong_are_said_at_once(
    arguments: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        Work(Options.of(arguments))


def test_without_lm_eval_everything_else_imports_and_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(harness_run, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'xpflow\[lm-eval\]'"):
        harness_run.run(["--help"])
    code = "import sys; sys.modules['lm_eval'] = None; import xpflow.harness.work, xpflow.cli.lm_eval"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
