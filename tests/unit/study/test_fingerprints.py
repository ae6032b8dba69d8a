"""A fingerprint changes with the settings of its stage, and with nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from xpflow.study import fingerprints as fp
from xpflow.study.config import StudyConfig, study_from_mapping
from xpflow.study.rows import jobs_of

DEFAULT = StudyConfig()


def all_of(config: StudyConfig) -> dict[str, str]:
    """Return every stage's fingerprint by name."""
    found = {
        "problems": fp.problems(config, "micropy-he"),
        "training_problems": fp.training_problems(config),
        "solvable": fp.solvable(config, "llada-micro"),
        "grpo": fp.grpo(config),
        "trace": fp.trace(config),
        "report": fp.report(config),
        "prompts": fp.prompts(config),
    }
    for model in config.model_names:
        found[f"selfdata {model}"] = fp.selfdata(config, model)
        found[f"grade {model}"] = fp.grade(config, model)
        for run in config.training.runs:
            found[f"train {model} {run.name}"] = fp.train(config, model, run.name)
    for job in jobs_of(config):
        found[f"decode {job.model} {job.benchmark} {job.kind} {job.seed}"] = fp.decode(config, job)
    return found


def changed(changes: dict[str, Any]) -> set[str]:
    """Return the stages whose fingerprints differ from the default study's."""
    before, after = all_of(DEFAULT), all_of(study_from_mapping(changes))
    return {name for name in before if before[name] != after[name]} - {"report"}


@pytest.mark.parametrize(
    "changes",
    [
        {"runtime": {"threads": 2, "shards": 5, "device": "cuda", "compile": "always"}},
        {"grading": {"workers": 7, "retries": 5}},
        {"reporting": {"confidence": 0.9}},
        {"study": {"title": "Another title"}},
    ],
    ids=["runtime", "workers", "report", "title"],
)
def test_what_changes_no_result_changes_no_stage(changes: dict[str, Any]) -> None:
    assert changed(changes) == set()


def test_how_the_machine_is_used_does_not_even_draw_the_report_again() -> None:
    used = study_from_mapping({"runtime": {"threads": 2}, "grading": {"workers": 1}})
    assert fp.report(used) == fp.report(DEFAULT)
    assert fp.report(study_from_mapping({"reporting": {"confidence": 0.9}})) != fp.report(DEFAULT)


def test_the_settings_of_a_run_concern_its_own_trainings() -> None:
    runs = [{"name": "paper"}, {"name": "preserving", "settings": {"kl_weight": 0.5}}]
    found = changed({"training": {"runs": runs}})
    assert found == {"train llada-micro preserving", "train llada2-micro preserving"}


def test_how_own_answers_are_decoded_concerns_them_and_only_where_it_differs_from_before() -> None:
    same = {"split": None, "settings": {}, "steps": False, "answers": "own"}
    assert changed({"selfdata": same}) == set()
    for other in (
        {"split": "train"},
        {"settings": {"temperature": 0.5}},
        {"steps": True},
        {"answers": "reference"},
    ):
        found = changed({"selfdata": other})
        assert found == {"selfdata llada-micro", "selfdata llada2-micro"}
    assert fp.report(study_from_mapping({"selfdata": same})) == fp.report(DEFAULT)
    assert fp.report(study_from_mapping({"selfdata": {"steps": True}})) != fp.report(DEFAULT)


def test_a_rate_of_matrices_concerns_models_with_all_weights_trained_and_none_is_as_before() -> None:
    assert changed({"training": {"full": {"matrix_rate": None}}}) == set()
    found = changed({"training": {"full": {"matrix_rate": 4e-4}}})
    full = [entry.name for entry in DEFAULT.models if entry.training == "full"]
    assert found == {f"train {model} {run.name}" for model in full for run in DEFAULT.training.runs}


def test_sizes_of_a_run_s_own_concern_its_trainings_and_none_are_as_before() -> None:
    plain = [{"name": "paper"}, {"name": "preserving", "settings": {"kl_weight": 0.3, "clean_weight": 0.3}}]
    none = [plain[0], {**plain[1], "updates": None, "batch_size": None}]
    assert changed({"training": {"runs": none}}) == set()
    assert fp.report(study_from_mapping({"training": {"runs": none}})) == fp.report(DEFAULT)
    for own in ({"updates": 7}, {"batch_size": 3}):
        runs = [plain[0], {**plain[1], **own}]
        trained = {"train llada-micro preserving", "train llada2-micro preserving"}
        assert changed({"training": {"runs": runs}}) == trained
        assert fp.report(study_from_mapping({"training": {"runs": runs}})) != fp.report(DEFAULT)


def test_answers_that_passed_concern_the_training_of_a_run_and_all_answers_are_as_before() -> None:
    plain = [{"name": "paper"}, {"name": "preserving", "settings": {"kl_weight": 0.3, "clean_weight": 0.3}}]
    same = [plain[0], {**plain[1], "answers": "all"}]
    assert changed({"training": {"runs": same}}) == set()
    assert fp.report(study_from_mapping({"training": {"runs": same}})) == fp.report(DEFAULT)
    runs = [plain[0], {**plain[1], "answers": "passed"}]
    assert changed({"training": {"runs": runs}}) == {
        "train llada-micro preserving",
        "train llada2-micro preserving",
    }
    assert fp.report(study_from_mapping({"training": {"runs": runs}})) != fp.report(DEFAULT)


def test_verdicts_on_own_answers_depend_on_tests_and_limits_and_not_on_how_answers_were_decoded() -> None:
    before = fp.grade_answers(DEFAULT, "llada-micro")
    for same in ({"selfdata": {"budget": "1/2"}}, {"grading": {"workers": 7}}):
        assert fp.grade_answers(study_from_mapping(same), "llada-micro") == before
    for other in ({"selfdata": {"benchmark": "micropy-training"}}, {"grading": {"cpu_s": 1.5}}):
        assert fp.grade_answers(study_from_mapping(other), "llada-micro") != before


def test_a_protocol_concerns_what_its_model_decodes_and_its_grading() -> None:
    models = [entry.model_dump(mode="json") for entry in DEFAULT.models]
    models[1]["protocol"] = "llada2-chat"
    benchmarks = [{"name": "micropy-he", "gen_length": 512}, {"name": "micropy-mbpp", "gen_length": 256}]
    length = {"problems": {"benchmarks": benchmarks}}
    before = all_of(study_from_mapping(length))
    after = all_of(study_from_mapping({**length, "models": models}))
    found = {name for name in before if before[name] != after[name]}
    decoded = {name for name in before if name.startswith("decode llada2-micro")}
    assert found == {"selfdata llada2-micro", "grade llada2-micro", "report", "prompts", *decoded}


def test_settings_of_lora_concern_the_models_aligned_by_it() -> None:
    found = changed({"training": {"lora": {"rank": 4}}})
    assert found == {"train llada2-micro paper", "train llada2-micro preserving"}


def test_a_limit_of_the_grader_concerns_all_that_is_graded() -> None:
    assert changed({"grading": {"cpu_s": 1.0}}) == {
        *("grade llada-micro", "grade llada2-micro", "solvable", "grpo")
    }


def test_a_setting_of_one_arm_concerns_its_own_jobs() -> None:
    arms = [arm.model_dump(mode="json") for arm in DEFAULT.evaluation.arms]
    for arm in arms:
        if arm["name"] == "mask-preserving":
            arm["settings"] = {"temperature": 0.5}
    found = changed({"evaluation": {"arms": arms}}) - {"trace"}
    assert found == {
        f"decode {model} {benchmark} preserving 0"
        for model in DEFAULT.model_names
        for benchmark in DEFAULT.benchmark_names
    }


def test_the_content_of_a_checkpoint_counts_and_not_its_place(tmp_path: Any) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(b"weights")

    def study(folder: str) -> StudyConfig:
        model = {"name": "llada-micro", "training": "full", "directory": str(tmp_path / folder)}
        return study_from_mapping({"models": [model], "grpo": {"model": "llada-micro"}})

    assert fp.selfdata(study("one"), "llada-micro") == fp.selfdata(study("two"), "llada-micro")
    (tmp_path / "two" / "model.safetensors").write_bytes(b"other weights")
    assert fp.selfdata(study("one"), "llada-micro") != fp.selfdata(study("two"), "llada-micro")


def test_samples_per_task_concern_decodings_and_report_and_one_is_as_before_there_were_several() -> None:
    arms = [arm.model_dump(mode="json") for arm in DEFAULT.evaluation.arms]
    one = fp._evaluation(DEFAULT)
    assert "samples_per_task" not in repr(one)
    assert one.keys() == DEFAULT.evaluation.model_dump().keys() - {"samples_per_task"}
    [first, *others] = arms
    several = study_from_mapping({"evaluation": {"arms": [{**first, "samples_per_task": 3}, *others]}})
    found = {name for name, value in all_of(several).items() if value != all_of(DEFAULT)[name]}
    assert {name for name in found if not name.startswith("decode ")} == {"trace", "report"}
    assert {name.split()[3] for name in found if name.startswith("decode ")} == {first["weights"]}
    assert all_of(study_from_mapping({"evaluation": {"samples_per_task": 1}})) == all_of(DEFAULT)
