"""Fingerprints of the stages of block `text.corpus`; see `study.fingerprints`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xpflow.hub.repo import HubRepo
from xpflow.study.config.root import StudyConfig
from xpflow.study.corpus import (
    RowsJob,
    corpus_recipe,
    corpus_text,
    repo_of_judge,
    repo_of_part,
    repo_of_tokenizer,
    sample_files,
    source_of,
)
from xpflow.study.fingerprints import content_of, fingerprint
from xpflow.study.text import CouplingJob, TextJob, text_run


def rows(config: StudyConfig, job: RowsJob) -> str:
    """Return the fingerprint of packed rows; a local file is an input."""
    text = corpus_text(config, job.world)
    part = text.part(job.rows)
    source = (source_of(part, job.rows)[1], part.corpus, _label(repo_of_part(part)))
    return fingerprint(source, _tokenizer(config, job.world), text.length)


def train(config: StudyConfig, job: TextJob) -> str:
    """Return the fingerprint of a training on packed rows, which are an input."""
    text, run = corpus_text(config, job.world), text_run(config, job.run)
    recipe = {key: value for key, value in corpus_recipe(config, job).items() if key != "save_every"}
    begins = run.model_dump(mode="json", include={"start", "couplings", "continue_noise"})
    network = (text.architecture, text.sizes, _tokenizer(config, job.world))
    return fingerprint(recipe, begins, network, config.runtime.dtype)


def couple(config: StudyConfig, job: CouplingJob) -> str:
    """Return the fingerprint of couplings; the model that makes them is an input."""
    return fingerprint(job.pairs, job.steps, config.text.corpus.batch_size, config.runtime.dtype)


def measure(config: StudyConfig, job: TextJob) -> str:
    """Return the fingerprint of a model's perplexities; model and rows are inputs."""
    limits = [(part.name, part.limit) for part in corpus_text(config, job.world).measured]
    block = config.text.corpus
    return fingerprint(limits, block.draws, block.batch_size, config.runtime.dtype)


def sample(config: StudyConfig, job: TextJob) -> str:
    """Return the fingerprint of a model's texts; the model is an input."""
    count, block = corpus_text(config, job.world).samples, config.text.corpus
    return fingerprint(sample_files(config, job), count, block.batch_size, config.runtime.dtype)


def judge(config: StudyConfig, job: TextJob) -> str:
    """Return the fingerprint of what is said of texts, which are an input; the judge counts by content."""
    files = sample_files(config, job)
    return fingerprint(files, _label(repo_of_judge(config)), _folder(config.text.corpus.judge_directory))


def _tokenizer(config: StudyConfig, world: str) -> Any:
    text = corpus_text(config, world)
    return (text.tokenizer, _label(repo_of_tokenizer(text)), _folder(text.tokenizer_directory))


def _label(repo: HubRepo | None) -> str | None:
    return f"{repo.hub_id}@{repo.revision}" if repo else None


def _folder(place: str | None) -> Any:
    """Return the content of the files of a local folder; None without one."""
    files = sorted(path for path in Path(place).glob("*") if path.is_file()) if place else []
    return [(path.name, content_of(path)) for path in files] if place else None
