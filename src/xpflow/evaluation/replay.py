"""Replaying samples: decoded and graded again, compared token for token, or by verdict on another device.

Two processors may round differently, and one bit can decide between two tokens. So tokens have to be equal
only where device, precision, processor and torch are those that made the samples; elsewhere the verdicts are
compared, and what is reported is the share that flipped.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpflow.artifacts.environment import environment_facts
from xpflow.artifacts.io import read_jsonl
from xpflow.artifacts.manifest import Manifest, manifest_of
from xpflow.config import StudyConfig
from xpflow.config.block import parse_budget
from xpflow.config.expand import Row, find_arm
from xpflow.config.jobs import TRAINED, kind_of
from xpflow.errors import ArtifactError
from xpflow.evaluation.merge import VERDICTS, run_names


@dataclass(frozen=True, slots=True)
class DeviceClass:
    """What decides how numbers are rounded; two samples of one class have the same tokens."""

    device: str
    dtype: str
    processor: str
    torch: str

    @classmethod
    def of_manifest(cls, manifest: Manifest) -> DeviceClass:
        """Return the class that a manifest of `xpflow evaluate` names."""
        facts, environment = manifest.facts, manifest.environment
        torch = str(environment.get("libraries", {}).get("torch"))
        device = str(facts.get("device")).partition(":")[0]
        return cls(device, str(facts.get("dtype")), str(environment.get("processor")), torch)

    @classmethod
    def here(cls, study: StudyConfig) -> DeviceClass:
        """Return the class that a study has on this machine."""
        import torch

        facts, device = environment_facts(), study.runtime.device.partition(":")[0]
        processor = torch.cuda.get_device_name() if device == "cuda" else facts["processor"]
        return cls(device, study.runtime.dtype, str(processor), str(facts["libraries"]["torch"]))

    def __str__(self) -> str:
        """Return the class in words."""
        return f"{self.device} ({self.processor}), {self.dtype}, torch {self.torch}"


@dataclass(frozen=True, slots=True)
class Replayed:
    """A sample that was decoded and graded again; `same` compares tokens, `verdicts` are (then, now).

    `made_on` is the device class that made it, None where no manifest says so.
    """

    place: str
    task_id: str
    same: bool
    verdicts: tuple[str, str]
    made_on: DeviceClass | None

    @property
    def flipped(self) -> bool:
        """Whether the verdict is another."""
        return self.verdicts[0] != self.verdicts[1]


def draw_samples(study: StudyConfig, results: Path, count: int, seed: int) -> list[tuple[Path, int]]:
    """Return `count` random samples of a study (all, where it has fewer) as (samples file, row number).

    Only samples whose weights and policy are there: a pack leaves them behind.

    Raises:
        ArtifactError: there is no sample, or none that can be replayed.
    """
    files = sorted(results.glob("*/eval/*/*/*/seed*/samples.jsonl"))
    if not files:
        raise ArtifactError(f"{results} holds no samples to replay", hint="name a finished study's folder")
    there = [file for file in files if _weights_of(study, results, file).there()]
    if not there:
        raise ArtifactError(
            f"the weights behind every sample of {results} were left behind",
            hint="replay where the study was run: a pack holds none",
        )
    rows = [(file, number) for file in there for number in range(len(file.read_text().splitlines()))]
    return sorted(random.Random(seed).sample(rows, min(count, len(rows))))


@dataclass(frozen=True, slots=True)
class _Weights:
    """What decoded a file of samples: a checkpoint (None: base weights), a trained policy if there is one."""

    model: str
    benchmark: str
    seed: int
    checkpoint: Path | None
    policy: Path | None

    def there(self) -> bool:
        """Return whether both are on this machine."""
        weights = self.checkpoint is None or any(self.checkpoint.glob("*.safetensors"))
        return weights and (self.policy is None or self.policy.exists())


def _weights_of(study: StudyConfig, results: Path, samples: Path) -> _Weights:
    names = run_names(samples.parent)
    kind, seed = kind_of(find_arm(study, names["arm"])), names["seed"]
    variant = kind.removesuffix(TRAINED)
    return _Weights(
        names["model"],
        names["benchmark"],
        seed,
        None if variant == "base" else results / names["model"] / "aligned" / variant / f"seed{seed}",
        results / f"policy/seed{seed}/policy.safetensors" if kind.endswith(TRAINED) else None,
    )


def replay(study: StudyConfig, results: Path, chosen: Sequence[tuple[Path, int]]) -> Iterator[Replayed]:
    """Decode and grade samples again on the study's device, one model's weights after the other."""
    from xpflow.training.solvable import make_grader

    jobs: dict[_Weights, list[tuple[Path, int]]] = defaultdict(list)
    for file, number in chosen:
        jobs[_weights_of(study, results, file)].append((file, number))
    with make_grader(study) as grader:
        for weights, places in jobs.items():
            yield from _replayed(study, results, weights, places, grader)


def _replayed(
    study: StudyConfig, results: Path, weights: _Weights, places: Sequence[tuple[Path, int]], grader: Any
) -> Iterator[Replayed]:
    """Replay samples that share their weights: the model is loaded once."""
    from xpflow.evaluation.decode_job import Decoder
    from xpflow.grading import extract
    from xpflow.problems import problems_from_file

    rows = [
        (file, read_jsonl(file)[number], read_jsonl(file.with_name(VERDICTS))[number])
        for file, number in places
    ]
    wanted = {sample["task_id"] for _, sample, _ in rows}
    found = problems_from_file(results / f"problems/{weights.benchmark}.jsonl")
    problems = {one.task_id: one for one in found if one.task_id in wanted}
    decoder = Decoder(
        study,
        weights.model,
        list(problems.values()),
        checkpoint=weights.checkpoint,
        trained_policy=weights.policy,
    )
    rule = decoder.protocol.extraction
    for file, sample, verdict in rows:
        problem, budget = problems[sample["task_id"]], parse_budget(sample["budget"])
        row = Row(weights.model, weights.benchmark, sample["arm"], budget, weights.seed)
        again = decoder.sample(row, sample["task_id"])
        [now] = grader.grade([(problem, extract(again["completion"], problem, rule(problem.shape)))])
        same = again["tokens"] == sample["tokens"]
        yield Replayed(str(file), sample["task_id"], same, (verdict["verdict"], now.verdict), made_on(file))


def made_on(samples: Path) -> DeviceClass | None:
    """Return the device class that decoded a published file of samples; None where no manifest tells."""
    found = manifest_of(samples)
    for one in found[2].inputs if found else ():
        if one.record and one.record["stage"]["command"] == "evaluate":
            return DeviceClass.of_manifest(Manifest.from_fields(one.record))
    return None
