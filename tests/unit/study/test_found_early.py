"""What a stage would refuse is refused before the first job, with the key that is wrong."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from xpflow.errors import ConfigError, XpflowError
from xpflow.runtime import check as machine
from xpflow.runtime.check import check_data, check_machine
from xpflow.study.check import check_plugins, check_study, notes_of
from xpflow.study.config import StudyConfig, load_study, study_from_mapping

LLADA, LLADA2 = {"name": "llada-micro", "training": "full"}, {"name": "llada2-micro", "training": "lora"}


def arms(*found: dict[str, Any]) -> dict[str, Any]:
    return {"arms": [{"name": f"arm-{index}", **one} for index, one in enumerate(found)]}


def everything(values: dict[str, Any]) -> None:
    """Ask what `xpflow config check` asks, as far as it says something about the study."""
    study = study_from_mapping(values, source="s.yaml")
    check_study(study, "s.yaml")
    check_plugins(study, "s.yaml")
    check_data(study, "s.yaml")


MASK = {"decoder": "mask_prediction", "seeds": "first"}
FLOW = {"decoder": "flow", "policy": "confidence:8", "seeds": "first"}
POLICY = {"evaluation": arms({"decoder": "flow", "policy": "trained"})}  # a policy of the study's own
BLOCKS = {"models": [{**LLADA2, "block_length": 12}], "grpo": {"model": "llada2-micro"}}
LONG = {
    "problems": {"benchmarks": [{"name": "micropy-he", "limit": 2, "gen_length": 480}]},
    "evaluation": arms(MASK),
    "models": [LLADA],
}


def mask(**values: Any) -> dict[str, Any]:
    return {"evaluation": arms({**MASK, **values})}


def flow(**values: Any) -> dict[str, Any]:
    return {"evaluation": arms({**FLOW, **values})}


def run(**values: Any) -> dict[str, Any]:
    return {"training": {"runs": [{"name": "paper", **values}, {"name": "preserving"}]}}


INF = float("inf")
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "block length of the study": (BLOCKS, "block_length 12 does not fit"),
    "block length of an arm": (mask(settings={"block_length": 12}), "multiple of block_length"),
    "budget on blocks": (mask(budgets=["1/32"]), "of a block of 16"),
    "budget of no whole step": (mask(budgets=["1/5"]), "is 6.4 steps"),
    "cache of a model without one": (mask(settings={"kv_cache": "on"}), "no exact key-value cache"),
    "budget as a setting": (mask(settings={"budget": "1/2"}), "budget is no setting"),
    "decoder as a setting": (mask(settings={"decoder": "flow"}), "decoder is no setting"),
    "missing policy": (flow(policy="nosuch.safetensors"), "no such policy or file"),
    "policy without a number": (flow(policy="confidence:eight"), "needs a number"),
    "policy without a name": (flow(policy=""), "no such policy or file"),
    "not finite in a setting": (flow(settings={"reedit_margin": INF}), "reedit_margin: .*found inf"),
    "not finite in a block": ({"training": {"full": {"learning_rate": INF}}}, "learning_rate: .*finite"),
    "not finite in a limit": ({"grading": {"wall_s": INF}}, "wall_s: .*finite"),
    "benchmark": ({"problems": {"benchmarks": [{"name": "micropie"}]}}, "'micropie' is not known"),
    "selfdata's benchmark": ({"selfdata": {"benchmark": "personae"}}, "selfdata: no such benchmark"),
    "selfdata's budget": ({"selfdata": {"budget": "1/5"}}, "selfdata: .* 6.4 steps"),
    "selfdata's split": ({"selfdata": {"split": "tests"}}, "no split 'tests'"),
    "selfdata's setting": (
        {"selfdata": {"decoder": "threshold", "settings": {"treshold": 0.9}}},
        "selfdata: unknown setting 'treshold'",
    ),
    "selfdata's own key as a setting": (
        {"selfdata": {"settings": {"budget": "1/2"}}},
        "belong into the block",
    ),
    "selfdata without the steps of a run": (
        run(objective="pseudo_trajectory", settings={}),
        r"runs\[paper\]: pseudo_trajectory follows the order",
    ),
    "selfdata's prompts": ({"selfdata": {"prompts": 999_999}}, "selfdata: seed 0 needs prompts 0 to 1000031"),
    "solvable's benchmark": ({"solvable": {"benchmark": "humaneval"}, **POLICY}, "no split 'train'"),
    "solvable's budget": ({"solvable": {"budget": "1/5"}, **POLICY}, "solvable: .* 6.4 steps"),
    "grpo's budget": ({"grpo": {"train_budget": "1/3"}, **POLICY}, "grpo.train_budget: .*steps"),
    "grpo's decoder": ({"grpo": {"decoder": "threshold"}, **POLICY}, "grpo.decoder: .*takes no policy"),
    "grpo's warm start": ({"grpo": {"warm_start": "confidence:x"}, **POLICY}, "grpo.warm_start"),
    "rollouts' shards": ({"runtime": {"processes": 2}, **POLICY}, "rollout_shards"),
    "device": ({"runtime": {"device": "cuda:x"}}, "runtime.device"),
    "seeds": ({"study": {"seeds": [-1]}}, r"study.seeds\[0\]"),
    "an objective's setting": (
        run(settings={"kl_wait": 1}),
        r"runs\[paper\]: objective '.*', kl_wait",
    ),
    "an objective": (run(objective="nosuch"), r"runs\[paper\]: no such objective"),
    "a file of no benchmark": ({"problems": {"sources": {"files": {"mine": "x"}}}}, r"files\[mine\]: no"),
    "a file of a made one": ({"problems": {"sources": {"files": {"micropy-he": "x"}}}}, "takes no file here"),
    "a file under the wrong key": ({"problems": {"sources": {"files": {"mbpp": "x"}}}}, "takes no file here"),
    "a budget twice": ({"evaluation": {"budgets": ["1/4", 0.25]}}, "'1/4' occurs twice"),
    "a budget twice in an arm": (mask(budgets=["1/2", "2/4"]), "'1/2' occurs twice"),
    "a level that decides all": ({"reporting": {"confidence": 0.2}}, "greater than or equal to 0.5"),
    "a budget to validate at": (
        {**POLICY, "grpo": {"validate_every": 1}, "reporting": {"headline_budget": "1/3"}},
        "at which grpo validates: budget 1/3",
    ),
    "a setting of another rule": (mask(settings={"noise_scope": "canvas"}), "'noise_scope' does nothing"),
    "the picture's problem": ({"reporting": {"trace_problem": 5000}}, "no number 5000"),
    "positions": (LONG, "more than the 512 positions"),
    "a model's folder": ({"models": [{**LLADA, "directory": "nowhere"}]}, "neither a known model nor"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_stage_would_refuse_is_refused_before(name: str) -> None:
    values, message = WRONG[name]
    with pytest.raises(ConfigError, match=message):
        everything(values)


def test_a_model_without_adapters_is_not_tuned_by_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from xpflow.models.architectures import llada

    monkeypatch.setattr(llada, "ARCHITECTURE", replace(llada.ARCHITECTURE, lora_targets=""))
    with pytest.raises(ConfigError, match=r"models\[llada-micro\].training: .*takes no adapters"):
        everything({"models": [{**LLADA, "training": "lora"}]})


@pytest.mark.parametrize("values", [{}, {"models": [LLADA]}, {"study": {"seeds": [0, 1]}}])
def test_right_studies_pass(values: dict[str, Any]) -> None:
    everything(values)
    assert notes_of(study_from_mapping(values)) == []


def test_a_headline_budget_that_nobody_runs_is_said() -> None:
    for budget, notes in (("1/2", 0), ("1/16", 1)):
        study = study_from_mapping({"reporting": {"headline_budget": budget}})
        assert sum(f"no arm has budget {budget}" in note for note in notes_of(study)) == notes


def test_an_alias_that_holds_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: &a [*a]\n")
    with pytest.raises(ConfigError, match="an alias"):
        load_study(tmp_path / "a.yaml")


def test_what_a_report_will_lack_is_said() -> None:
    [aligned, full] = notes_of(study_from_mapping({"evaluation": arms({**MASK, "budgets": ["1/4"]}, FLOW)}))
    assert "aligned" in aligned
    assert "1/1" in full


class TestMachine:
    study = StudyConfig()

    @pytest.fixture(autouse=True)
    def here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(machine, "choose_jail", lambda name: None)
        return tmp_path

    def test_a_jail_that_does_not_work_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(name: str) -> None:
            raise XpflowError(f"jail {name} does not work here")

        monkeypatch.setattr(machine, "choose_jail", broken)
        with pytest.raises(ConfigError, match=r"grading.jail: jail auto does not work"):
            check_machine(self.study, "s.yaml")

    def test_a_gpu_that_is_not_there_is_found(self) -> None:
        study = study_from_mapping({"runtime": {"device": "cuda:99"}})
        with pytest.raises(ConfigError, match=r"runtime.device: cuda:99 is asked for"):
            check_machine(study, "s.yaml")

    def test_a_place_that_cannot_be_written_is_found(self, here: Path) -> None:
        (here / "results").write_text("no folder")
        with pytest.raises(ConfigError, match="'results' is no folder"):
            check_machine(self.study, "s.yaml")

    def test_a_read_only_place_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(**options: Any) -> None:
            raise OSError(errno.EROFS, "Read-only file system")

        monkeypatch.setattr("tempfile.mkstemp", refused)
        with pytest.raises(ConfigError, match="Read-only file system"):
            check_machine(self.study, "s.yaml")

    def test_a_disk_that_is_too_small_is_found_and_what_is_there_counts(
        self, here: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), {"free": 100})())
        with pytest.raises(ConfigError, match="GB are free"):
            check_machine(self.study, "s.yaml", disk=150.0)
        (here / "results" / "micro").mkdir(parents=True)
        (here / "results" / "micro" / "weights").write_bytes(b"0" * 60)
        check_machine(self.study, "s.yaml", disk=150.0)
