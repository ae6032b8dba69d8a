"""Runs that learn only from answers that passed: the verdicts, what is kept, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from xpflow.artifacts.io import read_jsonl, write_jsonl
from xpflow.artifacts.manifest import read_manifest
from xpflow.cli import main
from xpflow.errors import ConfigError, DataError
from xpflow.models.load import named_tokenizer
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.problems.micropy.training_problems import training_problems, with_tests
from xpflow.problems.problem import Problem
from xpflow.protocols.find import find_protocol
from xpflow.protocols.micropy import instruction
from xpflow.protocols.prompter import Prompter
from xpflow.study.answers import graded_answers
from xpflow.study.check import check_study
from xpflow.study.config import StudyConfig, study_from_mapping
from xpflow.study.layout import manifest_of
from xpflow.training.answer_verdicts import answer_verdicts
from xpflow.training.examples import OwnAnswers, response_ids
from xpflow.training.kept_answers import keep_passed

Row = dict[str, Any]
RUN = {"name": "correct", "objective": "masked", "answers": "passed", "batch_size": 2}
FILTERED: dict[str, Any] = {
    "study": {"name": "correct"},
    "models": [{"name": "llada-micro", "training": "full"}],
    "selfdata": {"benchmark": "micropy-training", "prompts": 6, "heldout": 2},
    "training": {
        "runs": [{"name": "plain", "objective": "masked"}, RUN],
        "full": {"updates": 1, "batch_size": 2},
    },
    "grpo": {"weights": "base"},
    "evaluation": {
        "arms": [
            {"name": name, "decoder": "mask_prediction", "weights": name} for name in ("plain", "correct")
        ],
    },
}
ANSWERS = ("passed", "wrong", "error", "passed", "wrong", "passed")  # the verdict that each was made for


def filtered(**changes: Any) -> StudyConfig:
    return study_from_mapping({**FILTERED, **changes}, source="s.yaml")


def made_for(problem: Problem, verdict: str) -> str:
    """Return an answer to a problem that gets a verdict."""
    body = problem.shape == "humaneval"
    head = "" if body else problem.canonical_solution.partition("\n")[0] + "\n"
    return {
        "passed": problem.canonical_solution.rstrip("\n"),
        "wrong": f"{head}    return None",
        "error": f"{head}    return 1 // 0",
    }[verdict]


@pytest.fixture(autouse=True)
def few_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the benchmark have 60 prompts, which take no time to draw."""
    monkeypatch.setattr("xpflow.problems.benchmarks.micropy_training.COUNT", 60)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    """Return the tokenizer that ships with the model, which the command reads answers by."""
    return named_tokenizer("llada-micro")


@pytest.fixture
def rows(tokenizer: PreTrainedTokenizerBase) -> list[Row]:
    """Return six answers with known verdicts, a probe that is wrong, and a held-out answer."""
    problems = training_problems(8)
    kinds = ["train"] * 6 + ["probe", "heldout"]
    found = []
    for problem, kind, verdict in zip(problems, kinds, (*ANSWERS, "wrong", "passed"), strict=True):
        ids = response_ids(tokenizer, made_for(problem, verdict), 64)
        assert ids is not None
        found.append({"task_id": problem.task_id, "prompt_ids": [5], "response": list(ids), "kind": kind})
    return found


def verdicts_of(rows: list[Row]) -> list[Row]:
    trained = [row["task_id"] for row in rows if row["kind"] == "train"]
    return [{"task_id": task, "verdict": said} for task, said in zip(trained, ANSWERS, strict=True)]


def test_answers_get_the_verdicts_that_they_were_made_for(
    tokenizer: PreTrainedTokenizerBase, rows: list[Row]
) -> None:
    """In both shapes; what is only looked at is not graded, and grading again gives the same rows."""
    prompter = Prompter(find_protocol(), tokenizer)
    found = answer_verdicts(filtered(), prompter, rows)
    assert found == verdicts_of(rows)
    with pytest.raises(DataError, match=r"Nobody/7 is no problem of micropy-training"):
        answer_verdicts(filtered(), prompter, [{**rows[0], "task_id": "Nobody/7"}])


def test_exactly_what_passed_is_kept_and_what_is_only_looked_at_stays(rows: list[Row]) -> None:
    kept = keep_passed(rows, verdicts_of(rows), least=3)
    assert kept.rows == [rows[0], rows[3], rows[5], *rows[6:]]
    assert str(kept) == "learns from the 3 of 6 answers that passed"
    assert kept.facts == {"answers_passed": 3, "answers_asked": 6}
    few, all_of = OwnAnswers.from_rows(kept.rows), OwnAnswers.from_rows(rows)
    assert (few.probe, few.heldout) == (all_of.probe, all_of.heldout)
    assert few.sha256() != all_of.sha256(), "a saved state of the one is none of the other"


def test_fewer_than_a_batch_or_an_answer_without_verdict_is_an_error(rows: list[Row]) -> None:
    with pytest.raises(DataError, match="3 of 6 answers passed, fewer than the 4 of a batch") as caught:
        keep_passed(rows, verdicts_of(rows), least=4)
    assert "selfdata.prompts" in caught.value.hint
    with pytest.raises(DataError, match=r"1 of 6 answers have no verdict \(first: MicroPy-Training/0\)"):
        keep_passed(rows, verdicts_of(rows)[1:], least=1)
    with pytest.raises(DataError, match="row 1 of the answers, field 'prompt_ids': found None"):
        keep_passed(verdicts_of(rows), verdicts_of(rows), least=1)
    with pytest.raises(DataError, match="row 2 of the answers, field 'kind': found 'other'"):
        OwnAnswers.from_rows([rows[0], {**rows[1], "kind": "other"}])


def test_tests_of_training_prompts_change_no_prompt_and_hold_of_their_solutions() -> None:
    """Whichever are asked for; the one that a prompt shows is the first."""
    plain = training_problems(40)
    assert BENCHMARKS["micropy-training"].tested is with_tests
    found = with_tests(plain[30:])
    assert found == with_tests(plain)[30:]
    for before, after in zip(plain[30:], found, strict=True):
        assert instruction(after) == instruction(before)
        assert after.tests[: len(before.tests)] == before.tests
        names: dict[str, Any] = {}
        if after.shape == "humaneval":
            exec(after.prompt + after.canonical_solution + after.tests[0], names)  # our own code
            names["check"](names[after.entry_point])
        else:
            assert len(after.tests) >= 6
            exec("\n".join((after.canonical_solution, *after.tests)), names)
    with pytest.raises(DataError, match="is no prompt of micropy-training"):
        with_tests(training_problems(1, seed=1))


@pytest.mark.parametrize("name", ["micropy-personas", "micropy-l-personas", "tulu3-personas"])
def test_prompts_without_tests_are_refused_before_anything_runs(name: str) -> None:
    prompts_only = {**FILTERED["selfdata"], "benchmark": name}
    with pytest.raises(
        ConfigError, match=f"s.yaml: selfdata: run 'correct' .* {name} has no tests"
    ) as caught:
        check_study(filtered(selfdata=prompts_only), "s.yaml")
    assert "leave `answers` of the run out" in caught.value.hint


def test_reference_answers_are_not_graded_and_runs_that_take_all_need_no_tests() -> None:
    with pytest.raises(ConfigError, match="learns from a benchmark's own"):
        check_study(filtered(selfdata={**FILTERED["selfdata"], "answers": "reference"}), "s.yaml")
    check_study(filtered(), "s.yaml")
    plain = {
        **FILTERED["training"],
        "runs": [{**RUN, "answers": "all"}, {**RUN, "name": "plain", "answers": "all"}],
    }
    everything = filtered(training=plain, selfdata={**FILTERED["selfdata"], "benchmark": "micropy-personas"})
    check_study(everything, "s.yaml")
    assert graded_answers(everything) == []


def test_verdicts_are_of_a_model_and_seed_that_a_run_wants_them_of() -> None:
    study = filtered(study={"name": "correct", "seeds": [0, 1]})
    assert graded_answers(study) == [("llada-micro", 0), ("llada-micro", 1)]
    unused = [one for one in FILTERED["evaluation"]["arms"] if one["name"] == "plain"]
    assert graded_answers(filtered(evaluation={"arms": unused})) == [], (
        "a run that no arm needs is not trained"
    )


def test_the_commands_grade_and_train_and_say_how_many_were_kept(
    rows: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import yaml

    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(yaml.safe_dump(FILTERED), encoding="utf-8")
    write_jsonl(Path("data.jsonl"), rows)
    words = "--config s.yaml --model llada-micro --data data.jsonl"
    assert main(f"grade-answers {words} --out verdicts.jsonl".split()) == 0
    assert read_jsonl(Path("verdicts.jsonl")) == verdicts_of(rows)
    manifest = read_manifest(manifest_of(Path("verdicts.jsonl")))
    assert manifest.stage == {"command": "grade-answers", "model": "llada-micro", "seed": 0}
    assert manifest.facts["verdicts"] == {"error": 1, "passed": 3, "wrong": 2}
    assert {"data.jsonl"} <= {one.path for one in manifest.inputs}
    assert main(f"train {words} --run correct --out without".split()) == 2
    assert main(f"train {words} --run plain --verdicts verdicts.jsonl --out without".split()) == 2
    assert (
        capsys.readouterr().err.count("give --verdicts FILE for a run that learns from those that passed")
        == 2
    )
    assert main(f"train {words} --run correct --verdicts verdicts.jsonl --out out".split()) == 0
    assert "train llada-micro correct: learns from the 3 of 6 answers that passed" in capsys.readouterr().err
    trained = read_manifest(manifest_of(Path("out/train")))
    assert trained.facts["training"]["answers_passed"] == 3
    assert {"data.jsonl", "verdicts.jsonl"} <= {one.path for one in trained.inputs}
