"""Drawing samples of a study to replay, from the cells that its configuration has.

Each is drawn with its device class, which decides how numbers are rounded: two decodings of one class give
the same tokens.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from xpflow.artifacts.environment import environment_facts
from xpflow.artifacts.manifest import Manifest, manifest_of
from xpflow.errors import ArtifactError, ConfigError, DataError, XpflowError
from xpflow.models.registry import model_folder
from xpflow.problems import problems_from_file
from xpflow.problems.problem import Problem
from xpflow.runtime.models import model_source
from xpflow.study.config import StudyConfig
from xpflow.study.config.training import BASE
from xpflow.study.layout import SAMPLES, Layout
from xpflow.study.result_files import Answer, Fields, read_run, readable
from xpflow.study.rows import Row, expand


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
        torch = str((environment.get("libraries") or {}).get("torch"))
        device = str(facts.get("device")).partition(":")[0]
        return cls(device, str(facts.get("dtype")), str(environment.get("processor")), torch)

    @classmethod
    def here(cls, study: StudyConfig) -> DeviceClass:
        """Return the class that a study has on this machine; ConfigError where it has no such device."""
        require_device(study.runtime.device)
        import torch

        facts, device = environment_facts(), study.runtime.device
        kind = device.partition(":")[0]
        processor = torch.cuda.get_device_name(device) if kind == "cuda" else facts["processor"]
        return cls(kind, study.runtime.dtype, str(processor), str(facts["libraries"]["torch"]))

    def __str__(self) -> str:
        """Return the class in words."""
        return f"{self.device} ({self.processor}), {self.dtype}, torch {self.torch}"


def require_device(device: str) -> None:
    """Raise ConfigError unless a device is one of this machine's: cpu, cuda or cuda:N."""
    import torch

    named = re.fullmatch(r"cpu|cuda(?::([0-9]{1,3}))?", device)
    if named is None:
        raise ConfigError(f"no such device: {device[:40]!r}", hint="cpu, cuda or cuda:N")
    if device != "cpu" and int(named[1] or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"this machine has no device {device}", hint=f"it has {torch.cuda.device_count()} GPUs; cpu works"
        )


def made_on(samples: Path) -> DeviceClass | None:
    """Return the device class that decoded a published file of samples; None where no manifest tells.

    Raises:
        ArtifactError: a manifest of that folder is broken.
    """
    found = manifest_of(samples)
    for one in found[2].shards() if found else ():
        if one.stage["command"] == "evaluate":
            return DeviceClass.of_manifest(one)
    return None


@dataclass(frozen=True, slots=True)
class Weights:
    """What decoded a file of samples: a checkpoint (None: base weights), a trained policy if there is one.

    `source` is the model's name, or the folder of its own weights.
    """

    model: str
    source: str
    benchmark: str
    seed: int
    checkpoint: Path | None
    policy: Path | None

    @classmethod
    def of(cls, study: StudyConfig, results: Path, row: Row) -> Weights:
        """Return what decodes a row."""
        arm, layout = study.arm(row.arm), Layout.of_results(results)
        return cls(
            row.model,
            str(model_source(study, row.model)),
            row.benchmark,
            row.seed,
            None if arm.weights == BASE else layout.run(row.model, arm.weights, row.seed),
            layout.policy_file(row.seed) if arm.policy == "trained" else None,
        )

    def there(self) -> bool:
        """Return whether all are on this machine; a checkpoint may need the base weights too."""
        try:
            model_folder(self.source)
        except XpflowError:
            return False
        weights = self.checkpoint is None or any(self.checkpoint.glob("*.safetensors"))
        return weights and (self.policy is None or self.policy.exists())


@dataclass(frozen=True, slots=True)
class Choice:
    """A sample to replay, with its problem and its verdict; `made_on` is None where no manifest tells."""

    row: Row
    folder: Path
    problem: Problem
    sample: Fields
    verdict: Fields
    made_on: DeviceClass | None
    answer: Answer


@dataclass(frozen=True, slots=True)
class Draw:
    """What was drawn, from how many of a study's cells, and what of the others.

    absent: cells that are not there, without: whose weights are not here, broken: why their files do not fit.
    """

    chosen: tuple[Choice, ...]
    cells: int
    absent: int
    without: int
    broken: tuple[str, ...]

    def notes(self) -> Iterator[str]:
        """Yield in lines what was not drawn from."""
        yield from (f"does not fit  {why}" for why in self.broken)
        words = (
            (self.absent, "not there"),
            (self.without, "without their weights here"),
            (len(self.broken), "with files that do not fit"),
        )
        if others := ", ".join(f"{number} {why}" for number, why in words if number):
            yield f"drawn from {self.cells} runs of the study; left aside: {others}"


def draw_samples(study: StudyConfig, results: Path, count: int, seed: int, below: Path | None = None) -> Draw:
    """Return `count` random samples of a study (all, where it has fewer).

    Only samples whose weights and policy are there: a pack leaves them behind. `below` narrows the choice to
    a folder of the results.

    Raises:
        ArtifactError: there is no sample, or none that can be replayed.
    """
    layout = Layout.of_results(results)
    wanted = [row for row in expand(study) if _touches(layout.row(row), below or results)]
    rows = [row for row in wanted if any(file.exists() for file in layout.row_files(row))]
    if not rows:
        raise ArtifactError(f"{results} holds no samples to replay", hint="name a finished study's folder")
    there = [row for row in rows if Weights.of(study, results, row).there()]
    if not there:
        raise ArtifactError(
            f"the weights behind every sample of {results} were left behind",
            hint="replay where the study was run: a pack holds none",
        )
    cells, broken = list[list[Choice]](), list[str]()
    problems = lru_cache(maxsize=None)(lambda name: _problems(layout.problems(name)))
    for row in sorted(there, key=lambda row: layout.row(row).as_posix()):
        try:
            cells.append(_choices(results, row, problems(row.benchmark)))
        except DataError as error:
            broken.append(error.message)
    choices = [one for cell in cells for one in cell]
    numbers = sorted(random.Random(seed).sample(range(len(choices)), min(count, len(choices))))
    return Draw(
        chosen=tuple(choices[number] for number in numbers),
        cells=len(cells),
        absent=len(wanted) - len(rows),
        without=len(rows) - len(there),
        broken=tuple(broken),
    )


def _touches(folder: Path, below: Path) -> bool:
    return folder.is_relative_to(below) or below.is_relative_to(folder)


def _problems(path: Path) -> dict[str, Problem]:
    return {one.task_id: one for one in readable(path, problems_from_file)}


def _choices(results: Path, row: Row, problems: dict[str, Problem]) -> list[Choice]:
    """Return the samples of a row in their order; DataError where its files do not fit together."""
    run = read_run(results, row)
    if odd := sorted({answer.task for answer in run.samples} ^ problems.keys()):
        raise DataError(f"{run.folder}: not of the problems of {row.benchmark} (first: {odd[0]})")
    try:
        device = made_on(run.folder / SAMPLES)
    except (ArtifactError, OSError) as error:
        raise DataError(f"{run.folder}: a manifest cannot be read ({error})") from error
    return [
        Choice(row, run.folder, problems[answer.task], sample, run.verdicts[answer], device, answer)
        for answer, sample in run.samples.items()
    ]
