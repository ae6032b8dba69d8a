"""Block `text.corpus` by its plug-ins' own rules, before anything runs: sizes of models, settings of runs."""

from __future__ import annotations

import torch

from xpflow.corpora.tokenizers import TOKENIZERS
from xpflow.errors import ConfigError
from xpflow.models.architectures import ARCHITECTURES
from xpflow.study.check import told
from xpflow.study.config.corpus import CorpusText
from xpflow.study.config.root import StudyConfig
from xpflow.study.config.text import TextRun
from xpflow.training.objective import make_loss
from xpflow.training.objectives import OBJECTIVES


def check_corpora(config: StudyConfig, source: str) -> int:
    """Raise ConfigError that names texts or a run that could not be trained; returns how many runs there are.

    Models are built without weights. Settings that files give, couplings and noise, are of runs that are not
    there yet.
    """
    for text in config.text.corpus.texts:
        with told(f"{source}: text.corpus.texts[{text.name}].sizes"):
            _check_sizes(text)
    for name, run in config.text.corpus_pairs:
        with told(f"{source}: text.runs[{run.name}], {name}"):
            _check_run(config, name, run)
    return len(config.text.corpus_pairs)


def _check_sizes(text: CorpusText) -> None:
    entry, words = ARCHITECTURES[text.architecture], TOKENIZERS[text.tokenizer].words
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
