"""The address book: every path below results/ and paper_figures/, and no other module spells one.

Names (model, benchmark, run, seed, shard) may be Snakemake wildcards: `layout.run("{model}", "{run}",
"{seed}")` is the pattern of all of them. What one model makes lies in its own folder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

from xpflow.artifacts.manifest import ENDING
from xpflow.artifacts.places import FIGURES, LOGS, PARTS, RESULTS, SELFDATA, TIMES
from xpflow.study.config.base import budget_folder
from xpflow.study.config.root import StudyConfig
from xpflow.study.rows import Row

HUB = f"{RESULTS}/hub"  # shared by all studies
PRETRAIN = f"{RESULTS}/pretrain"
SAMPLES, VERDICTS, LOG, POLICY = "samples.jsonl", "verdicts.jsonl", "log.jsonl", "policy.safetensors"
STUDY_FILE = "study.yaml"
PROBE_FILES = ("validity.jsonl", "recovery.jsonl", "trajectory.jsonl")  # of mixed states
LIKELIHOOD_FILE = "likelihood.jsonl"  # of a study whose probes have passes
NOISY_FILES = ("noisy.jsonl", "noisy_choice.jsonl")  # of noisy text
TEXT_FILES = ("recipe.json", LOG, "scores.json")  # of a training on a world, beside its checkpoint
TEXT_WEIGHTS = ("config.json", "model.safetensors")  # of the checkpoint, every one has these
CORPUS_FILES = ("recipe.json", LOG)  # of a training on packed rows, beside its checkpoint
ROWS_FILES = ("tokens.bin", "corpus.json")  # of packed rows
TABLE_ENDINGS = ("md", "tex", "csv")
Name = str | int


def probe_file_names(config: StudyConfig) -> tuple[str, ...]:
    """Return the names of the files that a probing job writes of mixed states."""
    return (*PROBE_FILES, *((LIKELIHOOD_FILE,) if config.probes.passes else ()))


def manifest_of(path: Path) -> Path:
    """Return the path of a file's own manifest."""
    return path.with_name(path.name + ENDING)


def row_folder(arm: str, budget: Fraction, seed: int) -> str:
    """Return the folder of a row below that of its model and benchmark."""
    return f"{arm}/{budget_folder(budget)}/seed{seed}"


def row_names(folder: Path) -> dict[str, Any]:
    """Return the names of a row in its folder's path, as manifests have them."""
    model, _, benchmark, arm, budget, seed = folder.resolve().parts[-6:]
    number = int(seed.removeprefix("seed"))
    return {"model": model, "benchmark": benchmark, "arm": arm, "budget": budget, "seed": number}


@lru_cache(maxsize=256)
def _form(path: Path) -> re.Pattern[str]:
    """Return the regular expression of a path with names in braces."""
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path.as_posix())))


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one study: results/<study> and paper_figures/<study>."""

    results: Path
    figures: Path

    @classmethod
    def of(cls, study: str, root: Path | None = None) -> Layout:
        """Return the folders of a study below the folder that it runs in."""
        root = root or Path()
        return cls(root / RESULTS / study, root / FIGURES / study)

    @classmethod
    def of_results(cls, results: Path) -> Layout:
        """Return the folders of the study whose results/<study> this is."""
        return cls(results, results.parent.parent / FIGURES / results.name)

    @property
    def study(self) -> Path:
        """The whole configuration, defaults filled in: what every command reads."""
        return self.results / STUDY_FILE

    @property
    def logs(self) -> Path:
        """Folder of the jobs' logs."""
        return self.results / LOGS

    @property
    def times(self) -> Path:
        """Folder of the jobs' seconds and memory."""
        return self.results / TIMES

    @property
    def trace(self) -> Path:
        """The decoding that the picture of a study shows."""
        return self.results / "trace.npz"

    @property
    def problem_folder(self) -> Path:
        """Folder of the benchmarks' problem files."""
        return self.results / "problems"

    def problems(self, benchmark: str) -> Path:
        """The problems of a benchmark that the study evaluates."""
        return self.problem_folder / f"{benchmark}.jsonl"

    def training_problems(self, benchmark: str) -> Path:
        """The problems that the policy may be trained on."""
        return self.problem_folder / "training" / f"{benchmark}.jsonl"

    def selfdata(self, model: str, seed: Name) -> Path:
        """A model's own answers."""
        return self.results / model / SELFDATA / f"seed{seed}.jsonl"

    def selfdata_part(self, model: str, seed: Name, shard: str) -> Path:
        """A shard of a model's own answers."""
        return self.results / model / PARTS / SELFDATA / f"seed{seed}" / f"{shard}.jsonl"

    def answer_verdicts(self, model: str, seed: Name) -> Path:
        """The verdicts on a model's own answers."""
        return self.results / model / SELFDATA / "verdicts" / f"seed{seed}.jsonl"

    def run(self, model: str, run: str, seed: Name) -> Path:
        """Folder of the checkpoint that a training run ends with."""
        folder = self.results / model / "runs" / run / f"seed{seed}"
        before = self.results / model / "aligned" / run / f"seed{seed}"  # where studies of 0.1 have it
        return before if before.is_dir() and not folder.is_dir() else folder

    def run_log(self, model: str, run: str, seed: Name) -> Path:
        """The curves of a training run."""
        return self.run(model, run, seed) / LOG

    def solvable(self, model: str) -> Path:
        """The training problems that a model solves."""
        return self.results / model / "solvable.jsonl"

    def policy(self, seed: Name) -> Path:
        """Folder of the study's own policy."""
        return self.results / "policy" / f"seed{seed}"

    def policy_file(self, seed: Name) -> Path:
        """The study's own policy."""
        return self.policy(seed) / POLICY

    def policy_log(self, seed: Name) -> Path:
        """The learning curve of the study's own policy."""
        return self.policy(seed) / LOG

    def probe_policy(self, budget: str, seed: Name) -> Path:
        """Folder of a policy that is trained for the probes, by its train_budget as a folder: 1-4."""
        return self.results / "policy" / f"T{budget}" / f"seed{seed}"

    def probe(self, model: str, benchmark: str, place: str, seed: Name) -> Path:
        """Folder of one probing job: the files of mixed states (`probe_file_names`), NOISY_FILES, or both."""
        return self.results / model / "probes" / benchmark / place / f"seed{seed}"

    def text(self, world: str, run: str, seed: Name) -> Path:
        """Folder of one training of block `text`: the files TEXT_FILES, and the checkpoint."""
        return self.results / "text" / world / run / f"seed{seed}"

    def text_checkpoint(self, world: str, run: str, seed: Name) -> Path:
        """Folder of the model that such a training ends with."""
        return self.text(world, run, seed) / "checkpoint"

    def text_extra(self, world: str, run: str, seed: Name) -> Path:
        """The objective's own modules, beside that model: an order's heads, the noise of masks."""
        return self.text_checkpoint(world, run, seed) / "objective.safetensors"

    def text_scores(self, world: str, run: str, seed: Name) -> Path:
        """What the oracle says of that model."""
        return self.text(world, run, seed) / "scores.json"

    def couplings(self, world: str, run: str, seed: Name, pairs: Name, steps: Name) -> Path:
        """Couplings that the model of such a training makes."""
        return self.text(world, run, seed) / f"couplings-{pairs}-{steps}.safetensors"

    def corpus_rows(self, world: str, rows: str) -> Path:
        """Folder of packed rows of some texts: the files ROWS_FILES."""
        return self.results / "corpora" / world / rows

    def corpus_bounds(self, world: str, run: str, seed: Name) -> Path:
        """What a model of packed rows has as perplexities."""
        return self.text(world, run, seed) / "bounds.json"

    def corpus_samples(self, world: str, run: str, seed: Name) -> Path:
        """Folder of the texts that such a model makes."""
        return self.text(world, run, seed) / "samples"

    def corpus_judged(self, world: str, run: str, seed: Name) -> Path:
        """What the judge says of these texts."""
        return self.text(world, run, seed) / "judged.json"

    def part(self, model: str, benchmark: str, kind: str, seed: Name, shard: str) -> Path:
        """Folder of a decoding job's shard: samples and verdicts of all its arms and budgets."""
        return self.results / model / PARTS / benchmark / kind / f"seed{seed}" / shard

    def evaluation(self, model: str, benchmark: str) -> Path:
        """Folder of a model's published samples and verdicts on a benchmark."""
        return self.results / model / "eval" / benchmark

    def row(self, row: Row) -> Path:
        """Folder of one row: its samples and its verdicts."""
        return self.evaluation(row.model, row.benchmark) / row_folder(row.arm, row.budget, row.seed)

    def row_files(self, row: Row) -> list[Path]:
        """Samples and verdicts of one row."""
        return [self.row(row) / name for name in (SAMPLES, VERDICTS)]

    def names_at(self, path: str) -> dict[str, str]:
        """Return the names in the path of a file or its manifest, as manifests have them; {} elsewhere."""
        place = path.removesuffix(ENDING)
        names = next((found.groupdict() for form in self._forms() if (found := form.fullmatch(place))), {})
        if "shard" in names:
            names["shard"] = names["shard"].replace("-of-", "/")
        if _form(self.training_problems("{benchmark}")).fullmatch(place):
            names["split"] = "train"
        return names

    def _forms(self) -> list[re.Pattern[str]]:
        """Return a pattern of every kind of place below results/<study> that belongs to some names."""
        model, run, seed, shard, benchmark = "{model}", "{run}", "{seed}", "{shard}", "{benchmark}"
        world = "{world}"
        return [
            _form(self.couplings(world, run, seed, "{pairs}", "{steps}")),
            _form(self.text_checkpoint(world, run, seed) / "{file}"),
            _form(self.corpus_samples(world, run, seed) / "{file}"),
            _form(self.corpus_rows(world, "{rows}") / "{file}"),
            _form(self.text(world, run, seed) / "{file}"),
            _form(self.training_problems(benchmark)),
            _form(self.problems(benchmark)),
            _form(self.selfdata(model, seed)),
            _form(self.answer_verdicts(model, seed)),
            _form(self.selfdata_part(model, seed, shard)),
            _form(self.run(model, run, seed) / "{file}"),
            _form(self.solvable(model)),
            _form(self.policy(seed) / "{file}"),
            _form(self.probe_policy("{train_budget}", seed) / "{file}"),
            _form(self.probe(model, benchmark, "{place}", seed) / "{file}"),
            _form(Path(PRETRAIN) / model / "checkpoint/{file}"),
            _form(self.part(model, benchmark, "{kind}", seed, shard) / "{file}"),
            _form(self.evaluation(model, benchmark) / "{arm}/{budget}/seed{seed}/{file}"),
        ]

    def table(self, name: str) -> list[Path]:
        """A table in its three spellings."""
        return [self.figures / f"{name}.{ending}" for ending in TABLE_ENDINGS]

    def figure(self, name: str, ending: str) -> Path:
        """A figure, or a page of the report."""
        return self.figures / f"{name}.{ending}"
