"""Disk that a study takes: what it fetches, what it keeps, and what it needs while it trains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xpflow.planning.assumptions import DOWNLOADS
from xpflow.planning.lookup import PUBLISHED
from xpflow.planning.study import StudyPlan
from xpflow.study.rows import trained_runs

SAMPLE_BYTES = 4_000  # one answer in samples.jsonl with its verdict: text and columns
ROW_BYTES = 12  # of one token id in the self-alignment data


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes on disk; `fetched` ones come over the network."""

    what: str
    size: float
    fetched: bool = False


def disk_space(study: StudyPlan) -> list[Space]:
    """Return every entry: downloads, checkpoints kept, training state, answers."""
    return [*_downloads(study), *_kept(study)]


def _downloads(study: StudyPlan) -> Iterator[Space]:
    for choice in study.config.models:
        if choice.name.rpartition("/")[2].lower() in PUBLISHED:
            size = 2.0 * study.models[choice.name].parameters
            local = choice.directory is not None
            what = "in its directory" if local else "fetched"
            yield Space(f"{choice.name}, bf16 weights, {what}", size, not local)
    for name in study.benchmarks:
        if name in DOWNLOADS:
            yield Space(f"{name}, data", DOWNLOADS[name], True)


def _kept(study: StudyPlan) -> Iterator[Space]:
    config = study.config
    runs = trained_runs(config)
    how = {choice.name: choice.training for choice in config.models}
    for model in dict.fromkeys(model for model, _, _ in runs):
        count = sum(run[0] == model for run in runs)
        size = float(study.weight_bytes * study.models[model].parameters * count)
        yield Space(f"{model}, {count} aligned checkpoints", size)
    states = [12.0 * study.models[model].parameters for model, _, _ in runs if how[model] == "full"]
    if states:
        yield Space("state of one alignment, while it runs (fp32 weights, Adam)", max(states))
    tokens = len({(model, seed) for model, _, seed in runs}) * config.selfdata.prompts
    yield Space("self-alignment data", float(tokens * ROW_BYTES * (config.selfdata.gen_length + 200)))
    answers = sum(cell.problems for cell in study.cells())
    yield Space(f"{answers:,} answers and verdicts", float(answers * SAMPLE_BYTES))
