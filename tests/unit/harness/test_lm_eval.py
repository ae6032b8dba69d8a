"""lm_eval itself, offline, on the micro model: what it reports is what we find for the same samples.

Needs the extra: `pip install 'xpflow[lm-eval]'`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from xpflow.decoding import settings_from
from xpflow.decoding.samples import decode_samples
from xpflow.grading.samples import grade_samples
from xpflow.harness.options import Options
from xpflow.harness.work import Work
from xpflow.models.load import load_model
from xpflow.problems import Problem, problems_from
from xpflow.problems.benchmark import load_benchmark
from xpflow.problems.dataset import of_problems, write_dataset
from xpflow.protocols.find import find_protocol
from xpflow.protocols.prompter import Prompter

pytest.importorskip("lm_eval", reason="lm-evaluation-harness is an extra: pip install 'xpflow[lm-eval]'")

TASKS = Path(__file__).parents[2] / "data" / "lm_eval"
DECODER = {"decoder": "threshold", "threshold": 0.9, "budget": "1/1", "gen_length": 32, "batch_size": 8}


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return load_benchmark("micropy-he", limit=20)


@pytest.fixture
def desk(tmp_path: Path, problems: list[Problem]) -> Path:
    """A folder with the tasks and their problems."""
    shutil.copytree(TASKS, tmp_path / "tasks")
    write_dataset(tmp_path / "micropy", [of_problems("problems", problems)])
    return tmp_path


def evaluated(
    desk: Path, task: str, *more: str, **arguments: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Run `xpflow lm-eval` and return its results and logged samples."""
    given = ",".join(f"{key}={value}" for key, value in {"pretrained": "llada-micro", **arguments}.items())
    out = ["--include_path", "tasks", "--output_path", "out", "--log_samples"]
    places = {"HF_HOME": str(desk / "hf"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "xpflow.cli", "lm-eval", "--model", "xpflow", "--model_args", given,
         "--tasks", task, *out, *more],
        cwd=desk, env={**os.environ, **places}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    [results] = (desk / "out").rglob("results_*.json")
    [samples] = (desk / "out").rglob(f"samples_{task}_*.jsonl")
    lines = samples.read_text(encoding="utf-8").splitlines()
    return json.loads(results.read_text()), [json.loads(line) for line in lines]


def test_the_pass_rate_and_the_nfe_are_ours_on_the_same_samples(desk: Path, problems: list[Problem]) -> None:
    found, samples = evaluated(desk, "micropy_generate", protocol="micropy", nfe_file="nfe.jsonl", **DECODER)
    model, tokenizer = load_model("llada-micro")
    prompter = Prompter(find_protocol("micropy"), tokenizer)
    by_id = {one.task_id: one for one in problems}
    ours, _ = decode_samples(
        model,
        lambda task_id, tokens: prompter.answer(by_id[task_id], tokens),
        [(one.task_id, prompter.encode(one)) for one in problems],
        settings_from("threshold", {key: value for key, value in DECODER.items() if key != "decoder"}),
    )
    verdicts = grade_samples(problems, ours, None, 1, protocol="micropy")
    assert [one["resps"][0][0] for one in samples] == [row["completion"] for row in ours]
    rate = sum(one.passed for one in verdicts) / len(problems)
    assert 0 < rate < 1
    assert found["results"]["micropy_generate"]["passed,none"] == pytest.approx(rate)
    assert problems_from([one["doc"] for one in samples], "docs") == problems
    said = found["config"]["xpflow"]
    assert (said["decoder"], said["protocol"], said["settings"]["threshold"]) == (
        "threshold",
        "micropy@1",
        0.9,
    )
    nfe = said["nfe"]["micropy_generate"]
    assert [(one["doc_id"], one["nfe"]) for one in nfe["samples"]] == list(
        enumerate(row["nfe"] for row in ours)
    )
    assert nfe["mean"] == sum(row["nfe"] for row in ours) / len(ours) < 32
    rows = [json.loads(line) for line in (desk / "nfe.jsonl").read_text().splitlines()]
    assert [(row["task"], row["doc_id"], row["nfe"]) for row in rows] == [
        ("micropy_generate", number, row["nfe"]) for number, row in enumerate(ours)
    ]


def test_a_multiple_choice_task_is_scored_by_our_likelihoods(desk: Path) -> None:
    found, samples = evaluated(
        desk, "micropy_choice", "--apply_chat_template", "--limit", "6", mc_num=8, check_greedy=False, seed=1
    )
    work = Work(
        Options.of(
            {"pretrained": "llada-micro", "mc_num": 8, "check_greedy": False, "seed": 1, "batch_size": 1}
        )
    )
    right = 0
    for one in samples:
        pairs = [(pair["arg_0"], pair["arg_1"]) for pair in one["arguments"].values()]
        scores = [score.log_likelihood for score in work.scores(pairs)]
        logged = [float(response[0][0]) for response in one["resps"]]
        assert logged == pytest.approx(scores, rel=1e-6)
        right += max(range(3), key=scores.__getitem__) == 0
    assert found["results"]["micropy_choice"]["acc,none"] == pytest.approx(right / 6)
    assert right > 3
    assert found["config"]["xpflow"]["nfe"]["micropy_choice"]["total"] == 6 * 3 * 8


def test_rolling_likelihoods_windows_and_sampling() -> None:
    from types import SimpleNamespace

    from xpflow.errors import ConfigError
    from xpflow.harness.lm import XpflowLM

    model = XpflowLM.create_from_arg_string("pretrained=llada-micro,mc_num=2,batch_size=2", {"batch_size": 1})
    assert model.work.options.batch_size == 2
    one = SimpleNamespace(task_name="t", doc_id=0, doc={}, idx=0, args=("def f(x):\n    return x\n",))
    [total] = model.loglikelihood_rolling([one], disable_tqdm=True)
    assert total < 0
    assert model.rows[-1]["nfe"] == 2
    one.args = ("x", {"until": "y", "do_sample": True, "temperature": 0.7})
    with pytest.raises(ConfigError, match="asks for sampling"):
        model.generate_until([one])
    chat = [{"role": "user", "content": "x"}]
    assert "x" in model.apply_chat_template(chat)
    other = XpflowLM(pretrained="llada-micro", protocol="micropy")
    with pytest.raises(ConfigError, match="apply_chat_template"):
        other.apply_chat_template(chat)
