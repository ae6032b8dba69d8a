"""The audit of a study's folders: what to compare them with, and replayed samples."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpflow.artifacts.audit import Finding, Scene, audit
from xpflow.artifacts.io import read_jsonl
from xpflow.config import StudyConfig, load_study
from xpflow.config.stages import expected_files, stage_fingerprint
from xpflow.errors import ArtifactError, XpflowError

STUDY = "study.yaml"


@dataclass(frozen=True, slots=True)
class Audited:
    """What was audited: the study (None where its file cannot be read) and the findings."""

    study: StudyConfig | None
    findings: tuple[Finding, ...]


def audit_study(results: Path, root: Path) -> Audited:
    """Audit results/<study> and paper_figures/<study>, or only a folder below results/<study>.

    Args:
        results: the folder. root: the folder that the study ran in; paths in manifests are relative to it.
    Raises:
        ArtifactError: there is no such folder.
    """
    if not results.is_dir():
        raise ArtifactError(f"no such folder: {results}", hint="name a study's folder, results/<study>")
    top = next((one for one in (results, *results.parents) if (one / STUDY).is_file()), results)
    study, trouble = _study(top)
    folders, expected = [results], list[str]()
    if top == results:
        folders += [path for path in [root / "paper_figures" / results.name] if path.is_dir()]
        expected = [] if study is None else expected_files(study)
    scene = Scene(
        root, (lambda stage: stage_fingerprint(study, stage)) if study else lambda stage: None, expected
    )
    return Audited(study, (*audit(folders, scene), *trouble))


def _study(top: Path) -> tuple[StudyConfig | None, list[Finding]]:
    try:
        return load_study(top / STUDY), []
    except XpflowError as error:
        why = f"the study's configuration cannot be read ({error.message}): settings were not compared"
        return None, [Finding(str(top / STUDY), "missing", why)]


@dataclass(frozen=True, slots=True)
class Replayed:
    """A sample that was decoded and graded again; `same` compares tokens, `verdicts` are (then, now)."""

    place: str
    task_id: str
    same: bool
    verdicts: tuple[str, str]


def draw_samples(results: Path, count: int, seed: int) -> list[tuple[Path, int]]:
    """Return `count` random samples of a study (all, where it has fewer) as (samples file, row number)."""
    files = sorted(results.glob("*/eval/*/*/*/seed*/samples.jsonl"))
    rows = [(file, number) for file in files for number in range(len(file.read_text().splitlines()))]
    if not rows:
        raise ArtifactError(f"{results} holds no samples to replay", hint="name a finished study's folder")
    return sorted(random.Random(seed).sample(rows, min(count, len(rows))))


def replay(study: StudyConfig, results: Path, chosen: Sequence[tuple[Path, int]]) -> Iterator[Replayed]:
    """Decode and grade samples again, one model's weights after the other, and compare.

    Tokens are compared one for one: on the device and in the precision of the study they have to be equal.
    """
    from xpflow.config.block import parse_budget
    from xpflow.config.expand import Row, find_arm
    from xpflow.config.jobs import kind_of
    from xpflow.evaluation.decode_job import Decoder
    from xpflow.grading import extract
    from xpflow.problems import problems_from_file
    from xpflow.training.solvable import make_grader

    jobs: dict[tuple[str, ...], list[tuple[Path, dict[str, Any], dict[str, Any]]]] = defaultdict(list)
    for file, number in chosen:
        sample = read_jsonl(file)[number]
        verdict = read_jsonl(file.with_name("verdicts.jsonl"))[number]
        kind = kind_of(find_arm(study, sample["arm"]))
        jobs[sample["model"], sample["benchmark"], kind, str(sample["seed"])].append((file, sample, verdict))
    with make_grader(study) as grader:
        for (model, benchmark, kind, seed), rows in jobs.items():
            problems = {
                one.task_id: one for one in problems_from_file(results / f"problems/{benchmark}.jsonl")
            }
            weights = kind.removesuffix("-trained")
            folder = results / model / "aligned" / weights / f"seed{seed}"
            policy = results / "policy" / f"seed{seed}" / "policy.safetensors"
            decoder = Decoder(
                study,
                model,
                list({sample["task_id"]: problems[sample["task_id"]] for _, sample, _ in rows}.values()),
                checkpoint=None if weights == "base" else folder,
                trained_policy=policy if kind.endswith("-trained") else None,
            )
            rule = decoder.protocol.extraction
            for file, sample, verdict in rows:
                problem = problems[sample["task_id"]]
                row = Row(model, benchmark, sample["arm"], parse_budget(sample["budget"]), int(seed))
                again = decoder.sample(row, sample["task_id"])
                [now] = grader.grade([(problem, extract(again["completion"], problem, rule(problem.shape)))])
                yield Replayed(
                    str(file),
                    sample["task_id"],
                    again["tokens"] == sample["tokens"],
                    (verdict["verdict"], now.verdict),
                )
