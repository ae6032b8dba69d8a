"""Block `text.corpus` by its plug-ins' own rules, before anything runs: sizes of models, settings of runs."""

from __future__ import annotations

from pathlib import Path

import torch

from xpflow.corpora.judge import require_judge
from xpflow.corpora.tokenizers import TOKENIZERS, text_tokenizer
from xpflow.errors import ConfigError, nearest
from xpflow.models.architectures import ARCHITECTURES
from xpflow.study.check import told
from xpflow.study.config.corpus import CorpusText
from xpflow.study.config.root import StudyConfig
from xpflow.study.config.text import TextRun
from xpflow.training.objective import make_loss
from xpflow.training.objectives import OBJECTIVES

RANDOM = "initializer_range"  # of new weights; no file's numbers depend on it


def check_corpora(config: StudyConfig, source: str, here: bool = True) -> int:
    """Raise ConfigError that names texts or a run that could not be trained; returns how many runs there are.

    Models are built without weights. Settings that files give, couplings and noise, are of runs that are not
    there yet. Files and folders that a study names must be here, unless it is checked for another machine.
    """
    for text in config.text.corpus.texts:
        if here:
            _check_files(text, f"{source}: text.corpus.texts[{text.name}]")
        with told(f"{source}: text.corpus.texts[{text.name}].sizes"):
            _check_sizes(text)
    judge = config.text.corpus.judge_directory
    if here and judge is not None:
        with told(f"{source}: text.corpus.judge_directory"):
            require_judge(Path(judge))
    for name, run in config.text.corpus_pairs:
        with told(f"{source}: text.runs[{run.name}], {name}"):
            _check_run(config, name, run)
    return len(config.text.corpus_pairs)


def _check_files(text: CorpusText, where: str) -> None:
    """Raise ConfigError for a local file that is not there, or a tokenizer's folder that cannot be read."""
    parts = {"train": text.train, **{f"measured[{part.name}]": part for part in text.measured}}
    for name, part in parts.items():
        if part.file is not None and not Path(part.file).exists():
            raise ConfigError(
                f"{where}.{name}.file: there is no {part.file!r}",
                hint="paths are relative to the folder that the study runs in",
            )
    if text.tokenizer_directory is not None:
        with told(f"{where}.tokenizer_directory"):
            text_tokenizer(text.tokenizer, Path(text.tokenizer_directory))


def _check_sizes(text: CorpusText) -> None:
    entry, words = ARCHITECTURES[text.architecture], TOKENIZERS[text.tokenizer].words
    if entry.keys is not None:  # else its configuration class refuses what it does not know
        known = ({*entry.keys.implemented} | {RANDOM}) - {"vocab_size"}
        for key in text.sizes:
            if key not in known:
                raise ConfigError(f"{key!r} is no size of a {text.architecture}", hint=nearest(key, known))
        entry.keys.checked(text.sizes, "sizes")
    try:
        with torch.device("meta"):
            model = entry.build(entry.config(**{**text.sizes, "vocab_size": words + 1}))
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise ConfigError(f"they make no {text.architecture}: {error}", hint="see its config.json") from error
    places = model.config.max_position_embeddings
    if places < text.length:
        raise ConfigError(f"a model has {places} places, and a row {text.length}", hint="make it as long")


def _check_run(config: StudyConfig, name: str, run: TextRun) -> None:
    given = {"coupling": "FILE"} if run.couplings else {}
    given |= {"noise_from": "FILE"} if run.continue_noise else {}
    settings = config.text.of(run, name)
    OBJECTIVES[run.objective].checked({**settings, **given}, run.objective)
    make_loss(run.objective, settings)
