"""The figure of samples of models of corpora: generative perplexity, always against entropy."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D

from xpflow.reporting.corpus import CorpusResult
from xpflow.reporting.plots.style import figure, log_axis, note, save
from xpflow.reporting.plots.text import LINE_INCH, NAMES, PANEL_INCH, looks_of
from xpflow.study.config import StudyConfig
from xpflow.study.corpus import sample_files

LINES = {"own": "-", "off": ":"}


def figure_corpus(
    config: StudyConfig, results: Sequence[CorpusResult], folder: Path, formats: Sequence[str]
) -> list[Path]:
    """Draw perplexity and entropy of samples, a panel for each texts, a line along the steps of each run."""
    looks = looks_of(config.text)
    worlds = list(dict.fromkeys(one.job.world for one in results if one.judged))
    height = 0.6 + LINE_INCH * ceil(len(looks) / NAMES) + PANEL_INCH
    with figure(height=height, ncols=len(worlds)) as (drawing, axes):
        for panel, world in zip(axes.flat, worlds, strict=True):
            for one in (one for one in results if one.judged and one.job.world == world):
                look, files = looks[one.run.name], sample_files(config, one.job)
                for kind, line in LINES.items():
                    names = [file.removesuffix(".jsonl") for file in files if file.startswith(kind)]
                    x_K = [one.of(one.judged, name, "entropy").mean() for name in names]
                    y_K = [np.exp(one.of(one.judged, name, "nll").mean()) for name in names]
                    panel.plot(x_K, y_K, **{**look, "linestyle": line})
            log_axis(panel, "y")
            panel.set_title(world)
            panel.set_xlabel("entropy of a sample's tokens, nats")
        axes.flat[0].set_ylabel("generative perplexity, GPT-2")
        marks = [Line2D([], [], **look) for look in looks.values()]
        drawing.legend(handles=marks, loc="outside upper left", ncols=NAMES, fontsize=6.5, frameon=False)
        note(drawing, "Means over seeds; a mark for each number of steps. Dotted: without the learned order.")
        return save(drawing, folder, "corpus_samples", formats)
