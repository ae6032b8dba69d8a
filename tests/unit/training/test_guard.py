"""A saved state is resumed only by the training that wrote it: its guard has all that a result depends on."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from xpflow.artifacts.io import write_jsonl
from xpflow.cli import main
from xpflow.errors import ArtifactError
from xpflow.grading.verdict import Verdict
from xpflow.models.checkpoint import save_checkpoint
from xpflow.models.load import load_model
from xpflow.problems import Problem, problems_to_file
from xpflow.problems.micropy import load
from xpflow.runtime.machine import Machine
from xpflow.study.config.training import FullSettings, GrpoBlock, LoraSettings, TrainingBlock, TrainingRun
from xpflow.training.examples import OwnAnswers
from xpflow.training.guard import require_same
from xpflow.training.policy import stage
from xpflow.training.policy.grpo import PolicyTrainer
from xpflow.training.policy.rollout import RolloutEngine
from xpflow.training.pretrain import Recipe, pretrainer
from xpflow.training.trainer import Trainer
from xpflow.training.tuning import tuner

Make = Callable[..., Any]
PROBLEMS = load("mbpp", "train")[:3]
REFUSED = "is the state of another training"


class Killed(Exception):
    """The run ends here."""


class Grader:
    """Passes a program by the sum of its characters: none runs."""

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to close."""

    def grade(self, items: Sequence[tuple[Problem, str]]) -> list[Verdict]:
        return [Verdict(p.task_id, "wrong" if sum(map(ord, code)) % 2 else "passed") for p, code in items]


def stop_at(update: int) -> Callable[[dict[str, Any]], None]:
    def report(row: dict[str, Any]) -> None:
        if row["update"] == update:
            raise Killed

    return report


def refused(resume: Callable[[], Any], state: Path, naming: str) -> None:
    """Hold that a resumption is an error that names what differs, and that the state stays as it is."""
    before = state.read_bytes()
    with pytest.raises(ArtifactError, match=f"{REFUSED}.*{re.escape(naming)}") as caught:
        resume()
    assert "it is left as it is" in caught.value.hint
    assert state.read_bytes() == before


# The policy


def policy_trainer(
    make_model: Make, tokenizer: PreTrainedTokenizerBase, changes: dict[str, Any] | None = None
) -> PolicyTrainer:
    """Return a small policy training; `changes` are of the block `grpo`, or one of the names below."""
    changes = dict(changes or {})
    model, length = make_model("llada-micro", changes.pop("model_seed", 0)), changes.pop("length", 8)
    config = changes.pop("config", {})
    for key, value in config.items():
        setattr(model.config, key, value)
    problems, seed = changes.pop("problems", PROBLEMS), changes.pop("seed", 0)
    facts = {"code": changes.pop("code", "1"), "grading": {"cpu_s": changes.pop("cpu_s", 2.0)}}
    small = {"updates": 3, "prompts_per_update": 2, "group_size": 2, "train_budget": Fraction(1, 2)}
    block = GrpoBlock(**{**small, "hidden": 8, "warm_start": None, "checkpoint_every": 1, **changes})
    grader: Any = Grader()
    engine = RolloutEngine(model.requires_grad_(False), tokenizer, grader, length, block.decoder)
    return PolicyTrainer(engine, problems, block, seed, facts=facts)


OTHER_TESTS = [replace(PROBLEMS[0], tests=("assert True",)), *PROBLEMS[1:]]  # the same task ids


@pytest.mark.parametrize(
    ("changes", "naming"),
    [
        ({"model_seed": 1}, "model.weights"),
        ({"config": {"rope_theta": 1234.5}}, "model.config.rope_theta (500000.0 there, 1234.5 here)"),
        ({"length": 12}, "gen_length (8 there, 12 here)"),
        ({"problems": OTHER_TESTS}, "problems.content"),
        ({"learning_rate": 0.5}, "grpo.learning_rate (0.0003 there, 0.5 here)"),
        ({"train_budget": Fraction(1, 4)}, "grpo.train_budget"),
        ({"warm_start": "constant:0.5"}, "grpo.warm_start"),
        ({"seed": 4}, "seed (0 there, 4 here)"),
        ({"cpu_s": 9.0}, "grading.cpu_s"),
        ({"code": "2"}, "code (1 there, 2 here)"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "+".join(value),
)
def test_the_policys_state_is_refused_by_a_training_with_another(
    changes: dict[str, Any],
    naming: str,
    make_model: Make,
    tokenizer: PreTrainedTokenizerBase,
    tmp_path: Path,
) -> None:
    state = tmp_path / "policy.state"
    with pytest.raises(Killed):
        policy_trainer(make_model, tokenizer).run(stop_at(1), state)
    other = policy_trainer(make_model, tokenizer, changes)
    refused(lambda: other.run(lambda row: None, state), state, naming)


def test_a_teachers_file_is_known_by_its_content(
    make_model: Make, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    state, teacher = tmp_path / "policy.state", tmp_path / "teacher.safetensors"
    changes = {"warm_start": str(teacher), "warm_start_updates": 1, "hidden": 64}
    for seed in (0, 1):
        policy_trainer(make_model, tokenizer, {"seed": seed, "hidden": 64}).policy.save(teacher)
        found = policy_trainer(make_model, tokenizer, changes)
        if seed:
            refused(lambda trainer=found: trainer.run(lambda row: None, state), state, "teacher")  # type: ignore[misc]
        else:
            with pytest.raises(Killed):
                found.run(stop_at(1), state)


def test_how_often_the_policys_state_is_saved_is_no_part_of_its_guard(
    make_model: Make, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    state = tmp_path / "policy.state"
    with pytest.raises(Killed):
        policy_trainer(make_model, tokenizer).run(stop_at(1), state)
    log = policy_trainer(make_model, tokenizer, {"checkpoint_every": 7}).run(lambda row: None, state)
    assert [row["update"] for row in log] == [0, 1, 2]


# Runs


def run_trainer(make_model: Make, data: OwnAnswers, changes: dict[str, Any] | None = None) -> Trainer:
    """Return a small training run; `changes` by the names below."""
    changes = dict(changes or {})
    full = FullSettings(updates=3, batch_size=5, learning_rate=changes.pop("learning_rate", 1e-3))
    lora = LoraSettings(rank=changes.pop("rank", 32))
    runs = (TrainingRun(name="other", settings={"kl_weight": changes.pop("others_kl", 0.0)}),)
    block = TrainingBlock(
        full=full, lora=lora, runs=runs, log_every=1, grad_clip=changes.pop("grad_clip", 1.0)
    )
    run = TrainingRun(
        name="paper",
        objective=changes.pop("objective", "x_prediction"),
        settings=changes.pop("settings", {}),
    )
    model = make_model("llada-micro", changes.pop("model_seed", 0))
    own = OwnAnswers(data.train[changes.pop("without", 0) :], data.probe, data.heldout)
    dtype, every = changes.pop("dtype", torch.float32), changes.pop("checkpoint_every", 1)
    seed, facts = changes.pop("seed", 0), {"code": changes.pop("code", "1")}
    assert not changes
    machine = Machine(dtype=dtype, checkpoint_every=every, micro_batch=None)
    return tuner(model, own, block, run, True, seed, machine=machine, facts=facts)


@pytest.mark.parametrize(
    ("changes", "naming"),
    [
        ({"model_seed": 1}, "model.weights"),
        ({"without": 1}, "data ("),
        ({"learning_rate": 2e-3}, "training.full.learning_rate (0.001 there, 0.002 here)"),
        ({"grad_clip": 0.5}, "training.grad_clip"),
        ({"settings": {"clean_weight": 0.5}}, "objective.settings.clean_weight (0.0 there, 0.5 here)"),
        ({"objective": "masked"}, "objective.name (x_prediction there, masked here)"),
        ({"dtype": torch.bfloat16}, "precision (torch.float32 there, torch.bfloat16 here)"),
        ({"seed": 3}, "seed"),
        ({"code": "2"}, "code (1 there, 2 here)"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "+".join(value),
)
def test_a_runs_state_is_refused_by_a_run_with_another(
    changes: dict[str, Any], naming: str, make_model: Make, data: OwnAnswers, tmp_path: Path
) -> None:
    state = tmp_path / "run.state"
    with pytest.raises(Killed):
        run_trainer(make_model, data).run(stop_at(2), state)
    other = run_trainer(make_model, data, changes)
    refused(lambda: other.run(lambda row: None, state), state, naming)


@pytest.mark.parametrize(
    "changes",
    [{"rank": 4}, {"others_kl": 0.5}, {"checkpoint_every": 9}, {"settings": {"kl_weight": 0.0}}],
    ids=str,
)
def test_what_a_run_does_not_depend_on_is_no_part_of_its_guard(
    changes: dict[str, Any], make_model: Make, data: OwnAnswers, tmp_path: Path
) -> None:
    state = tmp_path / "run.state"
    with pytest.raises(Killed):
        run_trainer(make_model, data).run(stop_at(2), state)
    log = run_trainer(make_model, data, changes).run(lambda row: None, state)
    assert log == run_trainer(make_model, data).run(lambda row: None)


# Pre-training

RECIPE = Recipe(steps=3, batch_size=4, warmup_steps=1, log_every=1, checkpoint_every=1, autocast=False)


def test_the_state_of_a_pre_training_is_refused_by_another_model_recipe_or_code(
    make_model: Make,
    tokenizer: PreTrainedTokenizerBase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xpflow.training.corpus.CHUNK", 8)
    state = tmp_path / "state.pt"
    with pytest.raises(Killed):
        pretrainer(make_model("llada-micro"), tokenizer, RECIPE, "1").run(stop_at(2), state)
    for name, recipe, code, naming in (
        ("llada2-micro", RECIPE, "1", "model.model_type (llada there"),
        ("llada-micro", replace(RECIPE, weight_decay=0.5), "1", "recipe.weight_decay"),
        ("llada-micro", replace(RECIPE, response_length=30), "1", "recipe.response_length"),
        ("llada-micro", RECIPE, "2", "code (1 there, 2 here)"),
    ):
        other = pretrainer(make_model(name), tokenizer, recipe, code)
        refused(lambda trainer=other: trainer.run(lambda row: None, state), state, naming)  # type: ignore[misc]


def test_a_state_from_before_guards_were_named_is_refused_and_says_so(tmp_path: Path) -> None:
    for found in (None, "no JSON", '{"seed": 0}'):
        with pytest.raises(ArtifactError, match=r"code \(nothing there, 3.abc here\)"):
            require_same(found, '{"code": "3.abc", "seed": 0}', tmp_path / "state")


# The commands, killed and started again on something else


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[[str, float], Path]:
    """Return a maker of folders with the shipped micro model, its head scaled by a factor."""

    def make(name: str, factor: float) -> Path:
        model, tokenizer = load_model("llada-micro")
        with torch.no_grad():
            model.get_output_embeddings().weight.mul_(factor)
        save_checkpoint(model, tokenizer, tmp_path / name)
        return tmp_path / name

    return make


def kill(monkeypatch: pytest.MonkeyPatch, trainer: type, method: str, update: int) -> None:
    """Let a trainer's update of a number end the process, once."""
    plain, done = getattr(trainer, method), []

    def killed(self: Any, number: int) -> Any:
        if number == update and not done:
            done.append(number)
            raise KeyboardInterrupt
        return plain(self, number)

    monkeypatch.setattr(trainer, method, killed)


GRPO = """
grpo: {updates: 3, prompts_per_update: 2, group_size: 2, train_budget: 1/8, warm_start: null,
  checkpoint_every: 1}
solvable: {gen_length: %d}
"""


def test_grpo_started_again_with_another_model_or_length_is_an_error_and_loses_nothing(
    checkpoint: Callable[[str, float], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stage, "make_grader", lambda study, processes: Grader())
    kill(monkeypatch, PolicyTrainer, "_update", 2)
    problems_to_file("problems.jsonl", PROBLEMS)
    for name, length in (("study.yaml", 16), ("longer.yaml", 32)):
        Path(name).write_text(GRPO % length)
    one, two = checkpoint("one", 1.0), checkpoint("two", 1.5)

    def grpo(model: Path, study: str) -> int:
        line = f"grpo --model {model.name} --problems problems.jsonl --out policy --config {study}"
        return main(line.split())

    assert grpo(one, "study.yaml") != 0
    before = Path("policy.state").read_bytes()
    for model, study, naming in ((two, "study.yaml", "model.weights"), (one, "longer.yaml", "gen_length")):
        capsys.readouterr()
        assert grpo(model, study) == 2
        err = capsys.readouterr().err
        assert REFUSED in err
        assert naming in err
        assert Path("policy.state").read_bytes() == before
        assert not Path("policy").exists()
    shutil.move("one", "elsewhere")  # the same weights in another place are the same
    assert grpo(Path("elsewhere"), "study.yaml") == 0
    assert "update 3/3" in capsys.readouterr().err
    assert not Path("policy.state").exists()


def test_train_started_again_after_the_models_directory_changed_is_an_error_and_loses_nothing(
    checkpoint: Callable[[str, float], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    kill(monkeypatch, Trainer, "update", 2)
    rows = [
        {"kind": kind, "prompt_ids": [5, 6, number], "response": [number] * 8}
        for number, kind in enumerate(["train"] * 4 + ["probe"], start=20)
    ]
    write_jsonl("data.jsonl", rows)
    for name in ("one", "two"):
        checkpoint(name, 1.0 if name == "one" else 1.5)
        text = "training: {full: {updates: 3, batch_size: 2}}\nruntime: {checkpoint_every: 1}\n"
        model = f"{{name: llada-micro, directory: {name}, training: full}}"
        Path(f"{name}.yaml").write_text(f"{text}models: [{model}]\n")

    def train(study: str) -> int:
        return main(f"train --model llada-micro --data data.jsonl --out run --config {study}".split())

    assert train("one.yaml") != 0
    before = Path("run.state").read_bytes()
    capsys.readouterr()
    assert train("two.yaml") == 2
    err = capsys.readouterr().err
    assert REFUSED in err
    assert "model.weights" in err
    assert Path("run.state").read_bytes() == before
    assert not Path("run").exists()
    assert train("one.yaml") == 0
    assert (tmp_path / "run" / "model.safetensors").exists()
