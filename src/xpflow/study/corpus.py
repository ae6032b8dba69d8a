"""The trainings of block `text` on published texts, and the rows of tokens behind them; imports no torch.

A training is a `TextJob` whose world is the name of the texts: runs, what they start from and couplings are
those of worlds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpflow.corpora import CORPORA
from xpflow.corpora.corpus import Corpus
from xpflow.corpora.judge_repo import GPT2_LARGE
from xpflow.corpora.tokenizers import TOKENIZERS
from xpflow.errors import ConfigError, nearest
from xpflow.hub.repo import HubRepo
from xpflow.study.config.corpus import TRAIN, CorpusPart, CorpusText
from xpflow.study.config.root import StudyConfig
from xpflow.study.text import (
    CouplingJob,
    TextJob,
    couplings_for,
    recipe_of,
    require_couplings,
    require_text,
    text_run,
)

LEARNED = "learned"  # the schedule whose orders are
LOG_ROWS = 500  # of a run: how often its log has one
SIZES = ("width", "layers", "heads")  # of models of worlds


@dataclass(frozen=True, slots=True, order=True)
class RowsJob:
    """One process: the documents of a part of some texts, as rows of token ids."""

    world: str
    rows: str


def corpus_jobs(config: StudyConfig) -> list[TextJob]:
    """Return all trainings on texts, in the order texts, runs, seeds."""
    pairs = config.text.corpus_pairs
    return [TextJob(text, run.name, seed) for text, run in pairs for seed in config.study.seeds]


def corpus_couplings(config: StudyConfig) -> list[CouplingJob]:
    """Return all couplings of texts, each once."""
    return couplings_for(config, corpus_jobs(config))


def reported_jobs(config: StudyConfig) -> list[TextJob]:
    """Return the trainings whose models are measured and sampled from: of runs with a row in the tables."""
    shown = {run.name for run in config.text.runs if run.report}
    return [job for job in corpus_jobs(config) if job.run in shown]


def sampled_jobs(config: StudyConfig) -> list[TextJob]:
    """Return those of which texts are sampled."""
    return [job for job in reported_jobs(config) if corpus_text(config, job.world).steps]


def rows_jobs(config: StudyConfig) -> list[RowsJob]:
    """Return all rows that are packed: those of texts that a run is trained on."""
    used = dict.fromkeys(job.world for job in corpus_jobs(config))
    return [RowsJob(name, rows) for name in used for rows in rows_of(corpus_text(config, name))]


def rows_of(text: CorpusText) -> tuple[str, ...]:
    """Return the names of the rows of texts: those that are trained on, then those that are measured on."""
    return (TRAIN, *(part.name for part in text.measured))


def corpus_text(config: StudyConfig, name: str) -> CorpusText:
    """Return texts by name; ConfigError names the nearest ones."""
    texts = {text.name: text for text in config.text.corpus.texts}
    if name not in texts:
        raise ConfigError(f"study {config.study.name} has no texts {name!r}", hint=nearest(name, texts))
    return texts[name]


def find_rows(config: StudyConfig, text: str, rows: str) -> RowsJob:
    """Return one packing; raises ConfigError where the study has none."""
    known = rows_of(corpus_text(config, text))
    if rows not in known:
        raise ConfigError(f"{text} has no rows {rows!r}", hint=nearest(rows, known))
    return RowsJob(text, rows)


def find_corpus_run(config: StudyConfig, text: str, run: str, seed: int) -> TextJob:
    """Return one training; raises ConfigError where the study has none."""
    return require_text(config, TextJob(text, run, seed), corpus_jobs(config))


def find_corpus_couplings(config: StudyConfig, wanted: CouplingJob) -> CouplingJob:
    """Return some couplings; raises ConfigError where no run of the study is trained on them."""
    return require_couplings(config, wanted, corpus_couplings(config))


def source_of(part: CorpusPart, rows: str) -> tuple[Corpus, str]:
    """Return the corpus of a part and the split that it takes."""
    corpus = CORPORA[part.corpus]
    return corpus, part.split or (TRAIN if rows == TRAIN else corpus.measured)


def rows_facts(config: StudyConfig, job: RowsJob) -> dict[str, Any]:
    """Return what packed rows say of themselves: corpus, split and source, tokenizer, length, packed."""
    text = corpus_text(config, job.world)
    part = text.part(job.rows)
    (corpus, split), repo = source_of(part, job.rows), repo_of_part(part)
    return {
        "corpus": corpus.name,
        "split": split,
        "source": repo.label if repo else Path(part.file or "").name,
        "tokenizer": text.tokenizer,
        "length": text.length,
        "packed": True,
    }


def corpus_recipe(config: StudyConfig, job: TextJob) -> dict[str, Any]:
    """Return how a run is trained, as fields of `training.text_run.TextRecipe`; files give the rest."""
    fields = {name: value for name, value in recipe_of(config, job).items() if name not in SIZES}
    return {
        **fields,
        "log_every": max(1, fields["updates"] // LOG_ROWS),
        "save_every": config.runtime.checkpoint_every,
    }


def sample_files(config: StudyConfig, job: TextJob) -> tuple[str, ...]:
    """Return the names of the files of a model's texts, by steps; of a learned order also without it."""
    steps = corpus_text(config, job.world).steps
    learned = config.text.of(text_run(config, job.run), job.world).get("schedule") == LEARNED
    return tuple(
        f"{kind}-{count}.jsonl" for kind in (("own", "off") if learned else ("own",)) for count in steps
    )


def local_sources(config: StudyConfig) -> list[Path]:
    """Return the local files and folders that the texts of a study name."""
    texts = [corpus_text(config, name) for name in dict.fromkeys(job.world for job in rows_jobs(config))]
    parts = [part for text in texts for part in (text.train, *text.measured)]
    named = [*(part.file for part in parts), *(text.tokenizer_directory for text in texts)]
    named += [config.text.corpus.judge_directory if sampled_jobs(config) else None]
    return [Path(one) for one in named if one]


def repo_of_part(part: CorpusPart) -> HubRepo | None:
    """Return where documents come from; None for a local file."""
    return None if part.file else CORPORA[part.corpus].repo(part.revision or "")


def repo_of_tokenizer(text: CorpusText) -> HubRepo | None:
    """Return where the tokenizer of texts comes from; None for a local folder."""
    return None if text.tokenizer_directory else TOKENIZERS[text.tokenizer].repo


def repo_of_judge(config: StudyConfig) -> HubRepo | None:
    """Return where the judge of samples comes from; None for a local folder, or where nothing is sampled."""
    return GPT2_LARGE if sampled_jobs(config) and not config.text.corpus.judge_directory else None


def repos_of_corpora(config: StudyConfig) -> Iterator[HubRepo]:
    """Yield every repository behind the texts, tokenizers and the judge, in the order of their use."""
    for job in rows_jobs(config):
        text = corpus_text(config, job.world)
        found = (repo_of_part(text.part(job.rows)), repo_of_tokenizer(text))
        yield from (repo for repo in found if repo is not None)
    judge = repo_of_judge(config)
    if judge is not None:
        yield judge
