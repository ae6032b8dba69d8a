"""`xpflow prompts`: the list, one protocol, one prompt with its hash, a study's page."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from xpflow.cli import main
from xpflow.problems import problems_to_file
from xpflow.problems.benchmark import load_benchmark
from xpflow.protocols import PROTOCOLS
from xpflow.protocols.prompter import Prompter, text_hash

OPENCOMPASS = Prompter(PROTOCOLS["llada-opencompass"])


def test_without_arguments_every_protocol_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompts"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        PROTOCOLS[name].label for name in PROTOCOLS
    ]


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_a_name_gives_what_the_protocol_fixes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompts", name]) == 0
    out = capsys.readouterr().out
    assert PROTOCOLS[name].source in out
    own = PROTOCOLS[name].recipes
    assert PROTOCOLS[name].extraction("humaneval" if "humaneval" in own else next(iter(own))) in out


@pytest.mark.parametrize("problem", ["1", "HumanEval/1"])
def test_show_prints_the_prompt_alone_and_its_hash_beside_it(
    problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prompts", "llada-opencompass", "--problem", problem, "--show"]) == 0
    printed, text = capsys.readouterr(), OPENCOMPASS.text(load_benchmark("humaneval")[1])
    assert printed.out == text
    assert text_hash(text) in printed.err
    assert "llada-opencompass@1, HumanEval/1" in printed.err
    assert "token ids" not in printed.err


def test_a_model_gives_its_template_and_the_hash_of_the_token_ids(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["prompts", "micropy", "--benchmark", "micropy-mbpp", "--model", "llada2-micro", "--show"]) == 0
    )
    printed = capsys.readouterr()
    assert printed.out.endswith("<role>ASSISTANT</role>")
    assert "token ids: " in printed.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["llada-opencompas"], "did you mean 'llada-opencompass'"),
        (["micropy", "--show"], "the model's own chat template"),
        (["llada-v1", "--problem", "164", "--show"], "a place from 0 to 163"),
        (["llada-v1", "--problem", "HumanEvl/3", "--show"], "did you mean 'HumanEval/3'"),
        (["llada-v1", "--benchmark", "humanevl", "--show"], "did you mean 'humaneval'"),
    ],
)
def test_mistakes_end_with_a_message(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prompts", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_studys_page_has_the_first_three_prompts_of_every_model_and_benchmark(tmp_path: Path) -> None:
    problems = load_benchmark("humaneval", limit=5)
    problems_to_file(tmp_path / "humaneval.jsonl", problems)
    study = {
        "problems": {"benchmarks": [{"name": "humaneval", "gen_length": 512}]},
        "models": [
            {"name": "llada-micro", "training": "full", "protocol": "llada-opencompass"},
            {"name": "elsewhere", "training": "full", "protocol": "llada-v1"},
            {"name": "unknown", "training": "full", "protocol": "lm-eval-instruct"},
        ],
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    out = tmp_path / "page.md"
    arguments = ["--config", str(tmp_path / "study.yaml"), "--problems", str(tmp_path), "--out", str(out)]
    assert main(["prompts", *arguments]) == 0
    page = out.read_text()
    for problem in problems[:3]:
        assert page.count(f"sha256 {text_hash(OPENCOMPASS.text(problem))}") == 2
        assert page.count(f"#### humaneval, {problem.task_id}\n") == 2
    assert problems[3].task_id not in page
    assert page.count("- token ids: ") == 3  # only the model whose tokenizer is here
    assert "the model's tokenizer is not on this machine" in page
