"""Protocols by name, their settings on the way to a decoder, and answers cut where they end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpflow.decoding import settings_from
from xpflow.errors import ConfigError
from xpflow.grading.extraction import EXTRACTIONS
from xpflow.models.load import load_tokenizer
from xpflow.models.registry import SHIPPED
from xpflow.models.tokenizer import decode_response, encode_prompt
from xpflow.problems import Problem
from xpflow.problems.benchmark import load_benchmark
from xpflow.problems.shapes import SHAPES
from xpflow.protocols import PROTOCOLS
from xpflow.protocols.find import find_protocol
from xpflow.protocols.llada import render as render_llada
from xpflow.protocols.micropy import instruction
from xpflow.protocols.prompter import Prompter
from xpflow.protocols.protocol import Turn
from xpflow.study.check import check_arms, check_study
from xpflow.study.config import study_from_mapping
from xpflow.study.settings import arm_settings, protocol_settings

HE = load_benchmark("humaneval", limit=1)[0]
MODELS = ("llada-micro", "llada2-micro")
TOKENIZERS = {model: load_tokenizer(SHIPPED / model) for model in MODELS}
DECODERS = ("mask_prediction", "threshold", "flow")


def study(**changes: object) -> object:
    benchmarks = [{"name": "humaneval", "gen_length": 512}, {"name": "mbpp", "gen_length": 256}]
    model = {"name": "llada", "training": "full", "protocol": "llada-opencompass"}
    arms = [
        {"name": "mask", "decoder": "mask_prediction", "seeds": "first"},
        {"name": "flow", "decoder": "flow", "policy": "confidence:8", "seeds": "first"},
    ]
    base = {
        "problems": {"benchmarks": benchmarks},
        "models": [model],
        "grpo": {"model": "llada"},
        "evaluation": {"arms": arms},
    }
    return study_from_mapping({**base, **changes})


def test_a_name_gives_its_protocol_with_or_without_the_version() -> None:
    assert find_protocol("llada-v1") is find_protocol("llada-v1@1") is PROTOCOLS["llada-v1"]
    with pytest.raises(ConfigError, match="did you mean 'llada-opencompass'"):
        find_protocol("llada-opencompas")
    with pytest.raises(ConfigError, match="this xpflow has micropy@1"):
        find_protocol("micropy@7")


def test_every_protocol_names_an_extraction_rule_and_settings_that_a_decoder_knows() -> None:
    for protocol in map(PROTOCOLS.__getitem__, PROTOCOLS):
        for shape in SHAPES:
            assert protocol.extraction(shape) in EXTRACTIONS
            assert protocol.source
            unknown = set(protocol.recipe(shape).settings) - set(
                protocol_settings(protocol.name, shape, "threshold")
            )
            assert unknown == set()
            for decoder in DECODERS:
                settings_from(decoder, protocol_settings(protocol.name, shape, decoder))


def test_an_unknown_protocol_is_a_mistake_of_the_configuration_with_its_nearest_name() -> None:
    with pytest.raises(ConfigError, match="did you mean 'llada-opencompass'") as caught:
        study(models=[{"name": "llada", "training": "full", "protocol": "llada-opencompas"}])
    assert "models[llada].protocol" in str(caught.value)


def test_a_length_that_is_not_the_protocols_is_a_mistake_unless_an_arm_says_so() -> None:
    with pytest.raises(ConfigError, match="llada-opencompass of llada decodes 512 tokens, not 256"):
        check_study(study(problems={"benchmarks": [{"name": "humaneval", "gen_length": 256}]}), "study")
    shorter = {
        "name": "short",
        "decoder": "mask_prediction",
        "settings": {"gen_length": 256},
        "seeds": "first",
    }
    config = study(evaluation={"arms": [shorter]})
    [arm] = config.evaluation.arms
    assert arm_settings(config, arm, "llada", "humaneval", config.evaluation.budgets[0])["gen_length"] == 256


def test_a_split_that_the_benchmark_lacks_is_a_mistake_of_the_configuration() -> None:
    asked = study(problems={"benchmarks": [{"name": "mbpp", "split": "all", "gen_length": 256}]})
    with pytest.raises(ConfigError, match="there is no split 'all'"):
        check_study(asked, "study")


def test_settings_go_from_the_protocol_over_study_and_model_to_the_arm() -> None:
    config = study()
    mask, flow = config.evaluation.arms
    budget = config.evaluation.budgets[0]
    he = arm_settings(config, mask, "llada", "humaneval", budget)
    assert (he["logits_eos_inf"], he["block_length"], he["tie_break"]) == (True, None, "torch_topk")
    assert arm_settings(config, mask, "llada", "mbpp", budget)["confidence_eos_eot_inf"] == "official"
    assert "confidence_eos_eot_inf" not in arm_settings(config, flow, "llada", "mbpp", budget)
    assert arm_settings(config, flow, "llada", "humaneval", budget)["logits_eos_inf"] is True
    check_arms(config, "study")
    block = {"tie_break": "lowest_index", "block_length": 64}
    model = {"name": "llada", "training": "full", "protocol": "llada-v1", "block_length": 128}
    arm = {
        "name": "mask",
        "decoder": "mask_prediction",
        "settings": {"tie_break": "torch_topk"},
        "seeds": "first",
    }
    config = study(
        problems={"benchmarks": [{"name": "humaneval", "gen_length": 512}]},
        models=[model],
        evaluation={"arms": [arm], "settings": block},
    )
    found = arm_settings(config, config.evaluation.arms[0], "llada", "humaneval", budget)
    assert (found["tie_break"], found["block_length"]) == ("torch_topk", 128)
    assert found["confidence_dtype"] == "float64"


@pytest.mark.parametrize("model", MODELS)
def test_micropy_encodes_and_reads_as_the_micro_models_were_trained(model: str) -> None:
    tokenizer = TOKENIZERS[model]
    prompter = Prompter(PROTOCOLS["micropy"], tokenizer)
    for name in ("micropy-he", "micropy-mbpp", "micropy-personas", "humaneval"):
        for problem in load_benchmark(name, limit=4):
            assert prompter.encode(problem) == encode_prompt(tokenizer, instruction(problem))
    eos = tokenizer.eos_token_id
    tokens = [*tokenizer("a = 1", add_special_tokens=False)["input_ids"], eos, *prompter.encode_text("b")]
    assert prompter.answer(HE, tokens) == decode_response(tokenizer, tokens)


@given(
    st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text(max_size=20)), min_size=1, max_size=4)
)
def test_lladas_template_is_that_of_the_tokenizer(turns: list[tuple[str, str]]) -> None:
    messages = [{"role": role, "content": text} for role, text in turns]
    expected = TOKENIZERS["llada-micro"].apply_chat_template(messages, tokenize=False)
    assert render_llada([Turn(role, text) for role, text in turns]) == expected


def tokens_of(model: str, text: str) -> list[int]:
    return list(TOKENIZERS[model](text, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize(
    ("protocol", "model", "response", "answer"),
    [
        # LLaDA's published answers are not cut: what follows an end of turn is read too.
        ("llada-opencompass", "llada-micro", "a = 1<|eot_id|>b = 2<|endoftext|>", "a = 1b = 2"),
        ("llada2-chat", "llada2-micro", "a = 1<|role_end|>b = 2", "a = 1"),
        ("llada2-chat", "llada2-micro", "a = 1<|endoftext|>b = 2", "a = 1"),
        ("lm-eval-instruct", "llada-micro", "a = 1<|eot_id|>b = 2", "a = 1"),
        ("lm-eval-instruct", "llada-micro", "    a = 1\nprint(a)\n", "    a = 1"),
        ("evalplus-chat", "llada-micro", "a = 1\n\ndef main():\n    pass\n", "a = 1\n"),
        ("evalplus-chat", "llada2-micro", "a = 1\n```\nDone.<|role_end|>", "a = 1"),
    ],
)
def test_answers_end_where_the_protocol_says(protocol: str, model: str, response: str, answer: str) -> None:
    prompter = Prompter(PROTOCOLS[protocol], TOKENIZERS[model])
    assert prompter.answer(HE, tokens_of(model, response)) == answer


def test_a_protocol_without_a_template_of_its_own_asks_for_a_tokenizer() -> None:
    with pytest.raises(ConfigError, match="the model's own chat template"):
        Prompter(PROTOCOLS["micropy"])


def test_prefixes_belong_to_problems_with_tests() -> None:
    request = Problem("p", "Sort.", "", (), "", "tulu3-personas", "train", "mbpp", shown_tests=0)
    prompter = Prompter(PROTOCOLS["evalplus-chat"], TOKENIZERS["llada-micro"])
    assert prompter.encode(request) == prompter.encode_text("Sort.")
