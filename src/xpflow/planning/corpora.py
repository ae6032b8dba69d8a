"""The trainings of block `text.corpus` as the plan counts them, and what is asked of their models afterwards.

Rows follow from the bytes of text that a corpus says (`corpora.corpus.Corpus.sizes`) and the assumption
below; heads of a learned order and noise of masks are not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xpflow.corpora.tokenizers import TOKENIZERS
from xpflow.planning.alignment import Alignment
from xpflow.planning.sizes import ModelSizes, sizes_in
from xpflow.planning.stages import Aligning
from xpflow.planning.work import Forward, Memory, Work, layer_bytes
from xpflow.study.config.corpus import CorpusText, MeasuredPart
from xpflow.study.config.root import StudyConfig
from xpflow.study.config.training import FullSettings
from xpflow.study.corpus import (
    LEARNED,
    corpus_couplings,
    corpus_jobs,
    corpus_recipe,
    corpus_text,
    reported_jobs,
    rows_jobs,
    sample_files,
    sampled_jobs,
    source_of,
)
from xpflow.study.text import TextJob, text_run
from xpflow.training.objectives import OBJECTIVES

FP32 = 4
# OpenWebText: 39,769,491,688 bytes (its card) are 9,040,017,095 tokens of GPT-2 (nanoGPT's note on its data).
BYTES_A_TOKEN = 4.4
UNKNOWN_BYTES = 10_000_000  # of text, where a corpus does not say
JUDGE_WEIGHTS, JUDGE_LENGTH = 774_000_000, 1024  # GPT-2 large
LOGIT_BYTES = 32  # of one in float64 while it is asked: itself, softmax, sum, copy


@dataclass(frozen=True, slots=True)
class CorpusTraining(Aligning):
    """The trainings of one run on texts, one for each seed; processes = GPUs. average: whether it is kept."""

    average: bool = False

    def memory(self, gpus: int) -> Memory:
        """Return the peak of one process."""
        found = Aligning.memory(self, gpus)
        part = self.alignment.arch.parameters * FP32 / gpus
        return found.with_part("average (fp32)", part) if self.average else found


@dataclass(frozen=True, slots=True)
class Asking:
    """Forwards of `rows` sentences at a time, `times` of them, with logits in float64 at every place."""

    name: str
    detail: str
    arch: ModelSizes
    rows: int
    places: int
    times: float
    ways: int = 1
    programs: int = 0
    settings: tuple[str, ...] = ("text.corpus.batch_size",)

    @property
    def forwards(self) -> float:
        """Return the sentences that are read."""
        return self.times * self.rows

    def works(self, gpus: int) -> list[Work]:
        """Return the work of the GPU that has most to do: a job of its own for each run and seed."""
        one = Forward(self.rows, self.places, self.places, self.places, FP32)
        return [one.work(self.arch, self.times / min(gpus, self.ways))]

    def memory(self, gpus: int) -> Memory:
        """Return the peak of one GPU."""
        tokens = self.rows * self.places
        return Memory(
            {
                "weights (fp32)": float(FP32 * self.arch.parameters),
                "logits (float64)": float(LOGIT_BYTES * tokens * self.arch.vocab),
                "activations": tokens * layer_bytes(self.arch, FP32, training=False),
            }
        )


@dataclass(frozen=True, slots=True)
class Judging:
    """GPT-2 large on samples: two operations for each weight and token."""

    name: str
    detail: str
    texts: int
    ways: int = 1
    programs: int = 0
    settings: tuple[str, ...] = ()

    @property
    def forwards(self) -> float:
        """Return the texts."""
        return float(self.texts)

    def works(self, gpus: int) -> list[Work]:
        """Return an even share of the texts, each of the judge's full length."""
        flop = 2.0 * JUDGE_WEIGHTS * JUDGE_LENGTH
        return [Work(self.texts / min(gpus, self.ways), flop, float(FP32 * JUDGE_WEIGHTS))]

    def memory(self, gpus: int) -> Memory:
        """Return weights and the logits of eight texts."""
        logits = 8.0 * JUDGE_LENGTH * 50_257 * 3 * FP32
        return Memory({"weights (fp32)": float(FP32 * JUDGE_WEIGHTS), "logits": logits})


def sizes_on(text: CorpusText) -> ModelSizes:
    """Return the sizes of the models of texts; the words are those of the published tokenizer."""
    chosen = TOKENIZERS[text.tokenizer]
    words = chosen.words + ("mask" not in chosen.special)
    return sizes_in({**text.sizes, "vocab_size": words, "model_type": text.architecture})


def corpus_stages(config: StudyConfig) -> Iterator[CorpusTraining | Asking | Judging]:
    """Yield all stages that need the device: trainings, bounds, samples, judgements, couplings."""
    jobs, seeds = corpus_jobs(config), len(config.study.seeds)
    reported, sampled = set(reported_jobs(config)), set(sampled_jobs(config))
    for job in (job for job in jobs if job.seed == config.study.seeds[0]):
        yield _training(config, job, seeds)
        text, arch = corpus_text(config, job.world), sizes_on(corpus_text(config, job.world))
        if job in reported:
            yield _measuring(config, job, text, arch, seeds)
        if job in sampled:
            yield from _sampling(config, job, text, arch, seeds)
    yield from _couplings(config, seeds)


def _couplings(config: StudyConfig, seeds: int) -> Iterator[Asking]:
    rows = config.text.corpus.batch_size
    for one in corpus_couplings(config):
        if one.seed == config.study.seeds[0]:
            text = corpus_text(config, one.world)
            times = one.pairs * min(one.steps, text.length) * seeds / rows
            name, detail = f"couple {one.world} {one.run}", f"{one.pairs:,} in {one.steps} steps"
            yield Asking(name, detail, sizes_on(text), rows, text.length, times, seeds)


def corpus_bytes(config: StudyConfig) -> Iterator[tuple[str, float, bool]]:
    """Yield (what, bytes, whether it is fetched) of everything that the block puts on a disk."""
    jobs = corpus_jobs(config)
    if not jobs:
        return
    parts = [(corpus_text(config, job.world), job.rows) for job in rows_jobs(config)]
    fetched = {}
    for text, rows in parts:
        part = text.part(rows)
        corpus, _ = source_of(part, rows)
        if part.file is None and corpus.download:
            fetched[corpus.name] = float(corpus.download)
    yield from ((f"{name}, data", size, True) for name, size in fetched.items())
    if sampled_jobs(config) and not config.text.corpus.judge_directory:
        yield "GPT-2 large, the judge", float(FP32 * JUDGE_WEIGHTS), True
    packed = sum(_rows_of(text, rows) * text.length * _id_bytes(text) for text, rows in parts)
    yield "packed rows", packed, False
    each = [sizes_on(corpus_text(config, job.world)).parameters for job in jobs]
    yield f"{len(jobs)} checkpoints of runs on corpora", float(FP32 * sum(each)), False
    states = 3 + (config.text.average > 0)
    yield "state of one such run, twice while it is saved", 2.0 * states * FP32 * max(each), False


def _training(config: StudyConfig, job: TextJob, seeds: int) -> CorpusTraining:
    text, recipe = corpus_text(config, job.world), corpus_recipe(config, job)
    entry = OBJECTIVES[recipe["objective"]]
    given = {"coupling": "FILE"} if text_run(config, job.run).couplings else {}
    cost = entry.cost(entry.checked({**recipe["settings"], **given}, recipe["objective"]))
    alignment = Alignment(
        arch=sizes_on(text),
        settings=FullSettings(updates=recipe["updates"], batch_size=recipe["batch_size"]),
        cost=cost,
        runtime=config.runtime,
        length=text.length,
        prompt=0,
        longest=0,
        watched=0,
        log_every=recipe["log_every"],
    )
    return CorpusTraining(f"train {job.world} {job.run}", alignment, seeds, average=config.text.average > 0)


def _measuring(config: StudyConfig, job: TextJob, text: CorpusText, arch: ModelSizes, seeds: int) -> Asking:
    learned = config.text.of(text_run(config, job.run), job.world).get("schedule") == LEARNED
    rows = sum(_rows_of(text, part.name) for part in text.measured)
    # A learned order reads a row whole, twice masked, and once more without its order.
    each = 4 if learned else 1
    count, size = rows * config.text.corpus.draws * each * seeds, config.text.corpus.batch_size
    kinds = ", ".join(part.name for part in text.measured)
    detail = f"about {rows:,.0f} rows ({kinds}; {BYTES_A_TOKEN} bytes a token), {each} x"
    return Asking(f"measure {job.world} {job.run}", detail, arch, size, text.length, count / size, seeds)


def _sampling(
    config: StudyConfig, job: TextJob, text: CorpusText, arch: ModelSizes, seeds: int
) -> Iterator[Asking | Judging]:
    files, size = sample_files(config, job), config.text.corpus.batch_size
    steps = [int(name.removesuffix(".jsonl").partition("-")[2]) for name in files]
    learned = any(name.startswith("off") for name in files)
    asked = sum(one if learned else min(one, text.length) for one in steps)
    detail = f"{len(files)} x {text.samples:,} texts of {text.length} tokens"
    times = text.samples * asked * seeds / size
    yield Asking(f"sample {job.world} {job.run}", detail, arch, size, text.length, times, seeds)
    yield Judging(f"judge {job.world} {job.run}", detail, len(files) * text.samples * seeds, seeds)


def _rows_of(text: CorpusText, rows: str) -> float:
    """Return about how many rows a part of texts has."""
    part = text.part(rows)
    corpus, split = source_of(part, rows)
    size = corpus.sizes.get(split, UNKNOWN_BYTES)
    if part.file and Path(part.file).is_file():
        size = Path(part.file).stat().st_size
    found = size / BYTES_A_TOKEN / (text.length - 2)
    limit = part.limit if isinstance(part, MeasuredPart) else None
    return min(found, limit or found)


def _id_bytes(text: CorpusText) -> int:
    return 2 if sizes_on(text).vocab < 2**16 else FP32
