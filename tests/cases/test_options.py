"""Kinds 11 and 14: options that do nothing or destroy, and odd values, are refused before the work."""

from __future__ import annotations

from typing import Any

import pytest

ARM = {"name": "mask", "decoder": "mask_prediction", "seeds": "first"}
PROMPT = ("decode", "--prompt", "Add.", "--set", "gen_length=4")


@pytest.fixture
def study(place: Any) -> str:
    found: str = place.study(evaluation={"arms": [ARM]})
    return found


def test_an_arm_and_a_decoder_are_not_both_given(place: Any, study: str, decode: tuple[str, ...]) -> None:
    words = ("--config", study, "--arm", "mask", "--decoder", "flow", "--out", "s.jsonl")
    place.run(*decode, *words).refused("--arm", "--decoder")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--set", "decoder=flow"), "decoder"),
        (("--set", "budget=1/2"), "budget"),
        (("--decoder", "flow", "--policy", ""), "policy"),
        (("--out", "s.jsonl"), "--out does nothing here"),
        (("--limit", "1"), "--limit does nothing here"),
        (("--split", "test"), "--split does nothing here"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(place: Any, words: tuple[str, ...], named: str) -> None:
    place.run(*PROMPT, *words).refused(named)


def test_samples_and_trace_are_not_one_file(place: Any, decode: tuple[str, ...]) -> None:
    place.run(*decode, "--out", "f.jsonl", "--trace", "f.jsonl").refused("--out", "--trace", "f.jsonl")
    assert not (place / "f.jsonl").exists()


@pytest.mark.parametrize("out", ["s.jsonl", "./s.jsonl", "link.jsonl"])
def test_verdicts_do_not_go_over_their_samples(place: Any, out: str) -> None:
    place.rows("s.jsonl", {"task_id": "HumanEval/0", "completion": "    return True\n"})
    (place / "link.jsonl").symlink_to("s.jsonl")
    before = (place / "s.jsonl").read_bytes()
    words = ("grade", "--benchmark", "humaneval", "--samples", "s.jsonl", "--out", out)
    place.run(*words).refused("--out", "--samples")
    assert (place / "s.jsonl").read_bytes() == before


def test_a_length_that_is_no_whole_number_of_steps_of_a_block_decodes_nothing(place: Any) -> None:
    words = ("decode", "--prompt", "Add.", "--model", "llada2-micro", "--set", "gen_length=10")
    done = place.run(*words, "--budget", "1/4")
    done.refused("steps")
    assert "step " not in done.out


CONFIGS: dict[str, dict[str, Any]] = {
    "a list of ends": {"eos_token_id": [1, 2]},
    "an id beyond the vocabulary": {"eos_token_id": 5000},
}


@pytest.mark.parametrize("name", CONFIGS)
def test_odd_ids_of_a_model_are_an_error_that_names_them(place: Any, name: str) -> None:
    folder = place.model(**CONFIGS[name])
    place.run(*PROMPT, "--model", folder).refused(*CONFIGS[name], "config.json")


def test_a_broken_chat_template_is_an_error_that_says_where_it_is(place: Any) -> None:
    folder = place.model()
    (folder / "chat_template.jinja").write_text("{% for m in messages %}{{ m", encoding="utf-8")
    place.run(*PROMPT, "--model", folder).refused("chat_template.jinja")


def test_more_tokens_than_a_vocabulary_has_are_not_mixed(place: Any) -> None:
    words = (*PROMPT, "--decoder", "flow", "--policy", "constant:0.5", "--set", "prediction=top")
    place.run(*words, "--set", "soft_top=99999").refused("soft_top")


def test_a_model_that_the_study_lacks_is_named(place: Any, study: str, decode: tuple[str, ...]) -> None:
    words = ("--config", study, "--arm", "mask", "--model", "nosuch", "--out", "s.jsonl")
    place.run(*decode, *words).refused("nosuch")


def test_a_budget_of_letters_is_named(place: Any, study: str) -> None:
    place.run("match", "--model", "llada-micro", "--config", study, "--budget", "abc").refused("abc")


def test_a_seed_below_zero_is_named(place: Any) -> None:
    rows = [{"task_id": f"t/{number}", "verdict": "passed", "mode": "strict"} for number in range(8)]
    names = [place.rows(name, *rows) for name in ("a.jsonl", "b.jsonl")]
    place.run("score", *names, "--seed", "-1").refused("--seed")


def test_a_prompt_that_is_no_text_is_named(place: Any) -> None:
    done = place.command.fresh(
        "decode", "--prompt", b"\xff".decode("utf-8", "surrogateescape"), folder=place.folder
    )
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert b"--prompt" in done.stderr
