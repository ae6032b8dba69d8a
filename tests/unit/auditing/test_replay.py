"""`--replay` finds every field of a sample that was changed, and says what it could not replay."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from xpflow.artifacts.audit import STATUSES
from xpflow.artifacts.io import write_jsonl
from xpflow.auditing.cells import explain_cell, parse_cell, rendered_cell
from xpflow.auditing.draw import draw_samples
from xpflow.auditing.replay import TEXT, replay
from xpflow.decoding.decode import batches, decode
from xpflow.errors import ArtifactError
from xpflow.evaluation.decode_job import Decoder, run_job
from xpflow.evaluation.merge import merge_evaluation
from xpflow.grading.samples import grade_samples
from xpflow.problems import problems_from_file
from xpflow.study.config import StudyConfig, load_study
from xpflow.study.rows import Job, expand

RESULTS = Path("results/little")
EVAL = RESULTS / "llada-micro/eval/micropy-he"
RUN = EVAL / "flow/1-4/seed0"
UNFINISHED = STATUSES["missing"]  # the little study has neither contrasts nor claims
Edit = Callable[[Path, Callable[[list[dict[str, Any]]], object]], None]
Told = Callable[..., tuple[int, str]]


def test_an_untouched_study_replays_the_same(inside: Path, told: Told) -> None:
    code, said = told("results/little", "--replay", 20)
    assert code == UNFINISHED
    assert "replayed 6 samples: 6 the same in tokens, NFE, answer and verdict" in said


@pytest.mark.parametrize(
    ("file", "field", "value", "names"),
    [
        ("samples", "nfe", 4, {"nfe"}),
        ("samples", "completion", "    return 7", {"completion", TEXT}),
        ("samples", "tokens", [-1, 10**12], {"tokens", TEXT}),
        ("samples", "decoder", "threshold", {"decoder"}),
        ("samples", "more", 1, {"more"}),
        ("verdicts", "verdict", "passed", {"verdict"}),
        ("verdicts", "mode", "shared", {"mode"}),
        ("verdicts", "protocol", "llada-v1@1", {"protocol"}),
    ],
)
def test_a_field_that_was_changed_and_sealed_anew_is_named(
    inside: Path, edit: Edit, file: str, field: str, value: object, names: set[str]
) -> None:
    edit(RUN / f"{file}.jsonl", lambda rows: rows[1].update({field: value}))
    study = load_study(RESULTS / "study.yaml")
    done = list(replay(study, RESULTS, draw_samples(study, RESULTS, 20, seed=0).chosen))
    assert [set(one.differs) for one in done if one.differs] == [names]


def test_a_sample_is_decoded_beside_those_that_the_study_decoded_it_with(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[list[list[int]]] = []

    def spy(model: Any, prompts: list[list[int]], *rest: Any, **options: Any) -> Any:
        decoded.append(prompts)
        return decode(model, prompts, *rest, **options)

    monkeypatch.setattr("xpflow.decoding.samples.decode", spy)
    for size in (32, 2):
        study = of_batches(load_study(RESULTS / "study.yaml"), size)
        problems = problems_from_file(RESULTS / "problems/micropy-he.jsonl")
        whole = Decoder(study, "llada-micro", problems)
        prompts = [list(prompt) for _, prompt in whole.items]
        together = {row: [prompts[one] for one in rows] for rows in batches(prompts, size) for row in rows}
        row = next(row for row in expand(study) if row.arm == "flow")
        run = whole.samples(row, (1, 1))
        for place, choice in enumerate(draw_samples(study, RESULTS, 20, seed=0, below=RUN).chosen):
            decoded.clear()
            [found] = replay(study, RESULTS, [choice])
            assert decoded == [together[place]], "not the batch of the study"
            assert found.answer == run[place]["task_id"]
            assert whole.sample(row, found.answer) == run[place]


def of_batches(study: StudyConfig, size: int) -> StudyConfig:
    evaluation = study.evaluation.model_copy(update={"batch_size": size})
    return study.model_copy(update={"evaluation": evaluation})


def test_a_study_of_several_samples_is_read_explained_drawn_and_replayed(
    inside: Path,
) -> None:
    fields = yaml.safe_load((RESULTS / "study.yaml").read_text())
    mask, flow = fields["evaluation"]["arms"]
    fields["evaluation"]["samples_per_task"], flow["samples_per_task"] = 2, 1
    mask["settings"] = {"temperature": 0.8}
    (RESULTS / "study.yaml").write_text(yaml.safe_dump(fields))
    study = of_batches(load_study(RESULTS / "study.yaml"), 2)
    [row] = [row for row in expand(study) if row.arm == "mask"]
    problems = problems_from_file(RESULTS / "problems/micropy-he.jsonl")
    decoder = Decoder(study, "llada-micro", problems)
    samples = run_job(decoder, Job("llada-micro", "micropy-he", "base", False, 0, (row,)))
    assert [one["sample"] for one in samples] == [0, 1] * 3
    verdicts = [verdict.to_row() for verdict in grade_samples(problems, samples, workers=1)]
    assert [one["sample"] for one in verdicts] == [0, 1] * 3
    part = inside / "part"
    write_jsonl(part / "samples.jsonl", samples)
    write_jsonl(part / "verdicts.jsonl", verdicts)
    merge_evaluation([part], [problem.task_id for problem in problems], EVAL)

    chosen = draw_samples(study, RESULTS, 20, seed=0, below=EVAL / "mask").chosen
    assert len(chosen) == 6
    done = list(replay(study, RESULTS, chosen))
    assert [one.differs for one in done] == [()] * 6
    assert [one.answer for one in done[:2]] == [problems[0].task_id, f"{problems[0].task_id}, sample 1"]

    question = parse_cell(f"llada-micro,micropy-he,mask,1/4,{problems[1].task_id}", study)
    found = explain_cell(study, RESULTS, Path("paper_figures/little"), question, inside)
    assert found.counted.answers == 6
    lines = [line for line in rendered_cell(found) if line.startswith("seed0, ")]
    assert [line.partition(":")[0] for line in lines] == [
        f"seed0, {problems[1].task_id}",
        f"seed0, {problems[1].task_id}, sample 1",
    ]


def test_a_forged_mean_nfe_is_told_with_the_exit_code(inside: Path, told: Told, edit: Edit) -> None:
    for arm in ("flow", "mask"):
        edit(
            EVAL / arm / "1-4/seed0/samples.jsonl",
            lambda rows: [row.update(nfe=row["nfe"] / 2, completion="pass") for row in rows],
        )
    code, said = told("results/little", "--replay", 20)
    assert code == STATUSES["altered"]
    assert "other answer, NFE 8 -> " not in said
    assert "NFE 4 -> 8" in said
    assert f"differs       {RUN} MicroPy-HE/test/" in said
    assert "replayed 6 samples: 0 the same" in said


def test_an_answer_with_other_line_ends_is_one_row(inside: Path, told: Told, edit: Edit) -> None:
    edit(RUN / "samples.jsonl", lambda rows: rows[0].update(completion="a\u2028b\u0085c"))
    code, said = told("results/little", "--replay", 20)
    assert code == STATUSES["altered"]
    assert "replayed 6 samples: 5 the same" in said


def test_verdicts_are_matched_by_task_and_not_by_place(inside: Path, told: Told, edit: Edit) -> None:
    edit(RUN / "verdicts.jsonl", lambda rows: rows.reverse())
    code, said = told("results/little", "--replay", 20)
    assert code == UNFINISHED
    assert "6 the same" in said


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda: (RUN / "verdicts.jsonl").write_text(""), "verdicts.jsonl is empty"),
        (lambda: (RUN / "verdicts.jsonl").unlink(), "no such file"),
        (lambda: (RUN / "samples.jsonl").write_bytes(b'{"\xff"'), "not UTF-8"),
        (lambda: (RUN / "samples.jsonl").write_text("[" * 100_000), "not JSON"),
        (lambda: drop(RUN / "verdicts.jsonl", 1), "not of the same problems"),
        (lambda: [drop(RUN / f"{name}.jsonl", 1) for name in ("samples", "verdicts")], "not of the problems"),
        (lambda: rename(RUN / "samples.jsonl"), "is of arm 'mask', not 'flow'"),
        (lambda: (RUN / "merge.manifest.json").write_text("{}"), "merge.manifest.json"),
    ],
)
def test_a_run_that_does_not_fit_together_is_said_and_the_others_replayed(
    inside: Path, told: Told, harm: Callable[[], object], said: str
) -> None:
    harm()
    code, found = told("results/little", "--replay", 20)
    assert code >= STATUSES["altered"]
    [line] = [line for line in found.splitlines() if line.startswith("does not fit")]
    assert said in line
    assert str(inside) not in line
    assert "drawn from 1 runs of the study; left aside: 1 with files that do not fit" in found
    assert "replayed 3 samples: 3 the same" in found


def drop(file: Path, count: int) -> None:
    file.write_text("".join(file.read_text().splitlines(keepends=True)[count:]))


def rename(file: Path) -> None:
    file.write_text(file.read_text().replace('"arm": "flow"', '"arm": "mask"'))


def test_foreign_folders_are_not_drawn_from(inside: Path, told: Told) -> None:
    shutil.copytree(RUN, RUN.with_name("seedX"))
    shutil.copytree(EVAL / "flow", EVAL / "no-such-arm")
    _, found = told("results/little", "--replay", 20)
    assert "replayed 6 samples: 6 the same" in found


def test_a_run_that_is_absent_is_counted(inside: Path, told: Told) -> None:
    shutil.rmtree(EVAL / "flow")
    code, found = told("results/little", "--replay", 20)
    assert code == UNFINISHED
    assert "left aside: 1 not there" in found


def test_runs_of_a_model_that_is_not_here_are_left_aside(inside: Path) -> None:
    text = (RESULTS / "study.yaml").read_text().replace("directory: null", "directory: /nowhere/at/all")
    (RESULTS / "study.yaml").write_text(text)
    with pytest.raises(ArtifactError, match="weights behind every sample"):
        draw_samples(load_study(RESULTS / "study.yaml"), RESULTS, 20, seed=0)


def test_a_folder_of_a_study_narrows_the_draw(inside: Path, told: Told) -> None:
    code, found = told(RUN, "--replay", 20)
    assert code == 0
    assert "replayed 3 samples: 3 the same" in found


@pytest.mark.parametrize(
    ("device", "said"),
    [("nonsense", "no such device"), ("cuda:99", "has no device cuda:99"), ("cpu:x", "no")],
)
def test_a_device_that_is_not_there_is_an_error(inside: Path, told: Told, device: str, said: str) -> None:
    code, found = told("results/little", "--replay", 1, "--device", device)
    assert code == 2
    assert said in found


def test_a_study_that_cannot_be_read_is_an_error_and_no_silence(inside: Path, told: Told) -> None:
    (RESULTS / "study.yaml").write_text("study: [")
    code, found = told("results/little", "--replay", 1, "--json", "all.json")
    assert code == 2
    assert "nothing was replayed: the study's configuration cannot be read" in found
    assert json.loads(Path("all.json").read_text())["findings"]


def test_weights_of_the_study_that_are_broken_leave_the_others_to_be_replayed(inside: Path) -> None:
    study = load_study(RESULTS / "study.yaml")
    arms = [
        arm.model_copy(update={"policy": "trained"}) if arm.name == "flow" else arm
        for arm in study.evaluation.arms
    ]
    study = study.model_copy(update={"evaluation": study.evaluation.model_copy(update={"arms": tuple(arms)})})
    policy = RESULTS / "policy/seed0/policy.safetensors"
    policy.parent.mkdir(parents=True)
    policy.write_bytes(b"nothing")
    done = list(replay(study, RESULTS, draw_samples(study, RESULTS, 20, seed=0).chosen))
    assert [bool(one.failed) for one in done] == [True] * 3 + [False] * 3
    assert all("not a saved step-size policy" in one.failed for one in done[:3])
