"""A mistake in a configuration names the file, the line, the key and the nearest valid key."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpflow.errors import ConfigError
from xpflow.study.config import load_study, study_from_mapping
from xpflow.study.rows import trained_runs


def mistake(folder: Path, text: str) -> str:
    file = folder / "study.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_study(file)
    return str(caught.value).replace(f"{file}", "study.yaml")


def test_an_unknown_key_gives_file_line_key_and_the_nearest_one(tmp_path: Path) -> None:
    text = mistake(tmp_path, "study: {seeds: [0]}\ntraining:\n  full:\n    updats: 3\n")
    assert text == "study.yaml, line 4: training.full.updats: no such key\n  hint: did you mean 'updates'?"


def test_an_unknown_block_gives_the_nearest_block(tmp_path: Path) -> None:
    assert "did you mean 'evaluation'?" in mistake(tmp_path, "evalution: {}\n")


def test_a_wrong_choice_gives_the_choices_and_the_nearest_one(tmp_path: Path) -> None:
    text = mistake(tmp_path, "runtime:\n  dtype: float23\n")
    assert "line 2: runtime.dtype: 'float23' is not one of float32, bfloat16, auto" in text
    assert "did you mean 'float32'?" in text


def test_an_arm_is_named_by_its_name(tmp_path: Path) -> None:
    text = mistake(tmp_path, "evaluation:\n  arms:\n    - {name: mine, decoder: threshold, weigths: base}\n")
    assert "line 3: evaluation.arms[mine].weigths: no such key" in text
    assert "did you mean 'weights'?" in text


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = mistake(tmp_path, "grpo: {updates: 0}\nsolvable: {limit: x}\nevaluation: {settings: {a: [1]}}\n")
    assert text.startswith("3 mistakes in study.yaml")
    assert "grpo.updates: input should be greater than 0, found 0" in text
    assert "line 2: solvable.limit" in text
    assert "evaluation.settings.a: expected one plain value, found [1]" in text


@pytest.mark.parametrize("budget", ["3/2", "0/1", "true", "a", "[1]"])
def test_a_budget_is_a_fraction_in_0_1(tmp_path: Path, budget: str) -> None:
    assert "budget" in mistake(tmp_path, f"solvable: {{budget: {budget}}}\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("study: {seeds: [0, 0]}", "0 occurs twice"),
        ("grpo: {model: llada-mico}", "did you mean 'llada-micro'?"),
        (
            "evaluation: {arms: [{name: a, decoder: threshold, weights: paper, seeds: first}]}",
            "depend on the seed",
        ),
        ("evaluation: {arms: [{name: a, decoder: threshold, weights: papr}]}", "did you mean 'paper'?"),
        (
            "study: {preregistration: [{id: c, text: t, arm_a: mask-base, arm_b: flow-traind, budget: 1/4}]}",
            "did you mean 'flow-trained'?",
        ),
        (
            "study: {preregistration: [{id: c, text: t, arm_a: mask-base, arm_b: mask-paper, budget: 1/2}]}",
            "arm 'mask-paper' is not run at budget 1/2",
        ),
    ],
)
def test_a_name_that_no_block_defines_is_a_mistake(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in mistake(tmp_path, text)


def test_a_key_that_occurs_twice_is_a_mistake(tmp_path: Path) -> None:
    assert "line 3: 'grpo' occurs twice" in mistake(tmp_path, "grpo: {}\nstudy: {}\ngrpo: {}\n")


def test_broken_yaml_and_a_missing_file_are_config_errors(tmp_path: Path) -> None:
    assert "line 2: not YAML" in mistake(tmp_path, "a: 1\n b: 2\n")
    assert "expected keys and values" in mistake(tmp_path, "- 1\n")
    with pytest.raises(ConfigError, match="cannot read"):
        load_study(tmp_path / "none.yaml")


def test_an_empty_file_is_the_default_study(tmp_path: Path) -> None:
    file = tmp_path / "empty.yaml"
    file.write_text("# nothing\n", encoding="utf-8")
    assert load_study(file) == study_from_mapping({})


def test_a_study_extends_another_block_by_block(tmp_path: Path) -> None:
    (tmp_path / "below.yaml").write_text("grpo: {updates: 7, group_size: 3}\nstudy: {seeds: [1, 2]}\n")
    file = tmp_path / "above.yaml"
    file.write_text("extends: below.yaml\ngrpo: {updates: 9}\nstudy: {seeds: [4]}\n")
    study = load_study(file)
    assert (study.grpo.updates, study.grpo.group_size, study.study.seeds) == (9, 3, (4,))


def test_a_mistake_below_is_told_with_the_file_below(tmp_path: Path) -> None:
    (tmp_path / "below.yaml").write_text("grpo: {updats: 7}\n")
    text = mistake(tmp_path, "extends: below.yaml\n")
    assert "below.yaml, line 1: grpo.updats: no such key" in text


def test_a_study_cannot_extend_itself(tmp_path: Path) -> None:
    (tmp_path / "below.yaml").write_text("extends: study.yaml\n")
    assert "extends this file" in mistake(tmp_path, "extends: below.yaml\n")
    assert "line 1: extends: expected the name of a file" in mistake(tmp_path, "extends: 3\n")


def test_a_file_that_is_no_text_is_said(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_bytes(b"\x89PNG")
    with pytest.raises(ConfigError, match="not text"):
        load_study(tmp_path / "study.yaml")


def test_a_study_of_0_1_means_what_it_meant() -> None:
    old = {
        "models": [{"name": "llada-micro", "alignment": "full"}],
        "alignment": {
            "variants": [{"name": "paper", "kl_weight": 0.0}, {"name": "kept", "kl_weight": 0.3}],
            "log_every": 3,
        },
        "grpo": {"variant": "kept"},
        "evaluation": {"arms": [{"name": "flow", "decoder": "flow", "weights": "kept", "policy": "shipped"}]},
    }
    study = study_from_mapping(old)
    assert [(run.name, run.settings) for run in study.training.runs] == [
        ("paper", {}),
        ("kept", {"kl_weight": 0.3}),
    ]
    assert study.training.log_every == 3
    assert (study.models[0].training, study.grpo.weights) == ("full", "kept")
    with pytest.raises(ConfigError, match="beside"):
        study_from_mapping({**old, "training": {}})


def test_a_run_starts_from_one_above_it() -> None:
    runs = [{"name": "one"}, {"name": "two-more", "from": "one"}]
    study = study_from_mapping({"training": {"runs": runs}, "grpo": {"weights": "two-more"}, **ARMS})
    assert trained_runs(study) == [("llada-micro", "one", 0), ("llada-micro", "two-more", 0)]
    with pytest.raises(ConfigError, match="'one' is not known here"):
        study_from_mapping({"training": {"runs": runs[::-1]}, "grpo": {"weights": "one"}, **ARMS})


ARMS = {
    "evaluation": {
        "arms": [
            {
                "name": "flow",
                "decoder": "flow",
                "weights": "two-more",
                "policy": "confidence:8",
                "models": ["llada-micro"],
            }
        ]
    }
}
