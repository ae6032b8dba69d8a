"""What every protocol shows a model, byte for byte: a changed prompt is another protocol, or a new version.

`protocols.json` holds hash, length, beginning and end of rendered prompts. To accept a change on purpose:
raise the protocol's version and run this file as a program.
"""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import pytest

from xpflow.models.load import load_tokenizer
from xpflow.models.registry import SHIPPED
from xpflow.problems import Problem
from xpflow.problems.benchmark import load_benchmark
from xpflow.protocols import PROTOCOLS
from xpflow.protocols.prompter import Prompter, text_hash

FILE = Path(__file__).with_name("protocols.json")
MODELS = ("llada-micro", "llada2-micro")
MBPP = (
    Problem.from_row(
        {
            "task_id": 11,
            "text": "Write a function to double a number.",
            "code": "def double(x):\r\n    return 2 * x",
            "test_list": ["assert double(2) == 4", "assert double(0) == 0 ", "assert double(-1) == -2"],
        }
    ),
    Problem.from_row(
        {
            "task_id": 12,
            "text": " Write a function that says \u00e9. ",
            "code": "def say():\n    return '\u00e9'",
            "test_list": ["assert say() == '\u00e9'"],
            "shown_tests": 1,
        }
    ),
)
REQUEST = Problem("p", "Sort this, please.\n", "", (), "", "tulu3-personas", "train", "mbpp", shown_tests=0)


def problems() -> list[Problem]:
    """Return the problems that are rendered: three of HumanEval, two of MBPP's shape, a request."""
    return [*(load_benchmark("humaneval")[number] for number in (0, 32, 163)), *MBPP, REQUEST]


def meanings() -> dict[str, Any]:
    """Return what else a version fixes: template, end of the answer, settings, extraction and stops."""
    return {
        protocol.label: {
            "template": protocol.template and protocol.template.name,
            "cut_at_end": protocol.cut_at_end,
            **{
                shape: {
                    "settings": dict(recipe.settings),
                    "extraction": recipe.extraction,
                    "stops": list(recipe.stops),
                }
                for shape, recipe in protocol.recipes.items()
            },
        }
        for protocol in map(PROTOCOLS.__getitem__, PROTOCOLS)
    }


def rendered() -> dict[str, Any]:
    """Return what the golden file holds."""
    found: dict[str, Any] = {}
    for protocol in map(PROTOCOLS.__getitem__, PROTOCOLS):
        for model in MODELS if protocol.template is None else ("any tokenizer",):
            tokenizer = None if protocol.template else load_tokenizer(SHIPPED / model)
            for problem in problems():
                text = Prompter(protocol, tokenizer).text(problem)
                found[f"{protocol.label}, {model}, {problem.task_id}"] = {
                    "sha256": text_hash(text),
                    "characters": len(text),
                    "start": text[:60],
                    "end": text[-80:],
                }
    return found


GOLDEN: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def test_every_protocol_renders_what_it_rendered_before() -> None:
    found = rendered()
    assert found.keys() == GOLDEN["prompts"].keys()
    for name, prompt in found.items():
        assert prompt == GOLDEN["prompts"][name], name


def test_every_protocol_decodes_and_reads_as_it_did_before() -> None:
    assert meanings() == GOLDEN["meanings"]


def text_of(protocol: str, problem: Problem) -> str:
    return Prompter(PROTOCOLS[protocol]).text(problem)


HEADER = "<|start_header_id|>{}<|end_header_id|>\n\n"
USER, ASSISTANT = HEADER.format("user"), HEADER.format("assistant")
OPENING = "You are an expert Python programmer, and here is your task: "
SHOTS_OF_OPENCOMPASS = (
    f"<|startoftext|>{USER}{OPENING}"
    "Write a function to find the similar elements from the given two tuple lists. "
    "Your code should pass these tests:\n\n"
    " assert similar_elements((3, 4, 5, 6),(5, 7, 4, 10)) == (4, 5)\n"
    "assert similar_elements((1, 2, 3, 4),(5, 4, 3, 7)) == (3, 4) \n"
    f"assert similar_elements((11, 12, 14, 13),(17, 15, 14, 13)) == (13, 14)<|eot_id|>{ASSISTANT}"
    "[BEGIN]\n 'def similar_elements(test_tup1, test_tup2):\r\n"
    "  res = tuple(set(test_tup1) & set(test_tup2))\r\n"
    f"  return (res)' \n[DONE]<|eot_id|>{USER}{OPENING}"
    "Write a python function to identify non-prime numbers. Your code should pass these tests:\n\n"
    " assert is_not_prime(2) == False \nassert is_not_prime(10) == True \n"
    f"assert is_not_prime(35) == True<|eot_id|>{ASSISTANT}"
    "[BEGIN]\n 'import math\r\ndef is_not_prime(n):\r\n    result = False\r\n"
    "    for i in range(2,int(math.sqrt(n)) + 1):\r\n        if n % i == 0:\r\n"
    f"            result = True\r\n    return result' \n[DONE]<|eot_id|>{USER}{OPENING}"
    "Write a function to find the largest integers from a given list of numbers using heap queue algorithm. "
    "Your code should pass these tests:\n\n"
    " assert heap_queue_largest( [25, 35, 22, 85, 14, 65, 75, 22, 58],3)==[85, 75, 65] \n"
    "assert heap_queue_largest( [25, 35, 22, 85, 14, 65, 75, 22, 58],2)==[85, 75] \n"
    "assert heap_queue_largest( [25, 35, 22, 85, 14, 65, 75, 22, 58],5)==[85, 75, 65, 58, 35]"
    f"<|eot_id|>{ASSISTANT}"
    "[BEGIN]\n 'import heapq as hq\r\ndef heap_queue_largest(nums,n):\r\n"
    "  largest_nums = hq.nlargest(n, nums)\r\n  return largest_nums' \n[DONE]<|eot_id|>"
)


@pytest.mark.parametrize("protocol", ["llada-opencompass", "llada-v1"])
def test_opencompass_mbpp_is_three_shots_and_a_query_with_their_white_space(protocol: str) -> None:
    query = (
        f"{USER}{OPENING}Write a function to double a number. Your code should pass these tests:\n\n"
        f" assert double(2) == 4\nassert double(0) == 0 \nassert double(-1) == -2<|eot_id|>{ASSISTANT}"
    )
    assert text_of(protocol, MBPP[0]) == SHOTS_OF_OPENCOMPASS + query


def test_opencompass_starts_the_answer_from_a_bare_header_without_begin() -> None:
    assert text_of("llada-opencompass", MBPP[0]).endswith(f"<|eot_id|>{ASSISTANT}")


@pytest.mark.parametrize("protocol", ["llada-opencompass", "llada-v1"])
def test_opencompass_humaneval_loses_the_white_space_at_the_prompts_end(protocol: str) -> None:
    problem = load_benchmark("humaneval")[0]
    assert problem.prompt.endswith('"""\n')
    expected = f"Complete the following python code:\n{problem.prompt.rstrip()}"
    assert text_of(protocol, problem) == f"<|startoftext|>{USER}{expected}<|eot_id|>{ASSISTANT}"


def test_llada2_has_a_system_turn_no_start_token_and_trims_nothing() -> None:
    start = "<role>SYSTEM</role>detailed thinking off<|role_end|><role>HUMAN</role>"
    problem = load_benchmark("humaneval")[0]
    assert text_of("llada2-chat", problem) == f"{start}{problem.prompt}<|role_end|><role>ASSISTANT</role>"
    assert text_of("llada2-chat", REQUEST) == f"{start}Sort this, please.\n<|role_end|><role>ASSISTANT</role>"


@pytest.mark.parametrize(("model", "trimmed"), [("llada-micro", True), ("llada2-micro", False)])
def test_the_open_answer_of_lm_eval_ends_as_the_template_ends_turns(model: str, trimmed: bool) -> None:
    prompter = Prompter(PROTOCOLS["lm-eval-instruct"], load_tokenizer(SHIPPED / model))
    problem = load_benchmark("humaneval")[0]
    prefix = f"Here is the completed function:\n```python\n{problem.prompt}\n"
    assert prompter.text(problem).endswith(prefix.strip() if trimmed else prefix)
    assert prompter.text(MBPP[0]).endswith("\n\n```python" if trimmed else "</role>\n```python\n")
    first = prompter.text(MBPP[0]).split("[", 1)[0]
    assert "```python\n def similar_elements(test_tup1, test_tup2):\r\n" in first  # the harness's space
    assert "  return (res) \n```" in first  # the data set's


@pytest.mark.parametrize("model", MODELS)
def test_the_open_answer_of_evalplus_keeps_its_end(model: str) -> None:
    prompter = Prompter(PROTOCOLS["evalplus-chat"], load_tokenizer(SHIPPED / model))
    text = prompter.text(MBPP[0])
    assert text.endswith("solves the problem and passes corresponding tests:\n```python\n")
    shown = 'block:\n```\n"""\nWrite a function to double a number.\nassert double(2) == 4\n"""\n```'
    assert shown in text
    assert "double(0)" not in text


@pytest.mark.parametrize("protocol", sorted(PROTOCOLS))
def test_a_prompt_without_tests_is_one_user_turn_of_its_own_text(protocol: str) -> None:
    (turn,) = PROTOCOLS[protocol].turns(REQUEST)
    assert turn == ("user", "Sort this, please.\n")


if __name__ == "__main__":
    made = {"python": platform.python_version(), "meanings": meanings(), "prompts": rendered()}
    FILE.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n", encoding="utf-8")
