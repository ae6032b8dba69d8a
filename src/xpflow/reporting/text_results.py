"""The scores of models of small languages, as numbers over seeds; docs/masking.md says what each key holds.

Likelihoods are in nats a token: the file has nats a sentence, and the length. What a score file lacks is
NaN here and a dash in a table: not everything applies to every run. Legend: S seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xpflow.artifacts.io import json_once, read_text
from xpflow.errors import ArtifactError
from xpflow.stats.seeds import Floats
from xpflow.study.config import StudyConfig
from xpflow.study.config.text import TextBlock, TextRun
from xpflow.study.layout import Layout
from xpflow.study.text import text_jobs

Scores = Mapping[str, Any]
ONE_STEP = {"agreement": "agreement", "marginal_entropy": "entropy"}


@dataclass(frozen=True)
class Trained:
    """A run on a world: the scores of each seed, in the order of `seeds`.

    batch: sentences of an update. before: forwards times sentences of the runs that it starts from.
    """

    world: str
    run: TextRun
    seeds: tuple[int, ...]
    scores: tuple[Scores, ...]
    batch: int
    before: float = 0.0

    @property
    def spent(self) -> float:
        """Forwards times sentences, of this run and of those before it."""
        return float(self.values("forwards", "run")[0]) * self.batch + self.before

    @property
    def label(self) -> str:
        """The run as tables and figures print it."""
        return self.run.label or self.run.name

    @property
    def domains(self) -> tuple[str, ...]:
        """Other domains of the world that the scores have, in order."""
        return tuple(dict.fromkeys(name for one in self.scores for name in one.get("domains", {})))

    @property
    def has_agreement(self) -> bool:
        """Say whether one step was measured."""
        return any("one_step" in one for one in self.scores)

    def values(self, *keys: str) -> Floats:
        """Return a number of every seed, [S], by the keys that lead to it; an estimate's is its value."""
        return np.array([_number(one, keys) for one in self.scores])

    def nats(self, *keys: str) -> Floats:
        """Return the same in nats a token."""
        return self.values(*keys) / self.values("length")

    def bound(self, part: str, domain: str | None = None, *, off: bool = False) -> Floats:
        """Return a part of the bound above the floor, in nats a token; off: under the schedule `constant`."""
        front = ("order_off", "bound") if off else ("bound",) if domain is None else ("domains", domain)
        return self.nats(*front, part)

    def sample(self, steps: int, what: str) -> Floats:
        """Return a number of the samples in some steps; likelihoods and entropies as the file has them."""
        return self.values("samples", str(steps), what)

    def measured(self, measure: str, domain: str | None = None, steps: int | None = None) -> Floats:
        """Return what a claim is about (`study.config.text.Measure`), [S]."""
        if measure in ("excess", "main", "velocity"):
            return self.bound(measure, domain)
        if measure == "sample_excess":
            return self.nats("samples", str(steps), "excess")
        if measure == "invalid":
            return self.sample(steps or 0, "invalid")
        if measure == "over_factorised":
            return self.values("one_step", "agreement") - self.values("one_step", "ceiling")
        if measure == "first_is_first":
            return self.values("orders", "first")
        if measure == "order_entropy":
            return self.values("orders", "entropy") / self.values("orders", "most")
        return self.values("one_step", ONE_STEP[measure])

    def curve(self) -> tuple[Floats, Floats]:
        """Return where the bound was measured: forwards times sentences [K], excess in nats a token [K, S].

        What came before the run counts. The last point is of the whole test, the others of fewer sentences.
        """
        points: dict[int, list[tuple[float, float]]] = {}
        for one in self.scores:
            end, length = one["forwards"], one["length"]
            updates = round(end["run"] / end["update"])
            for point in one.get("curve", ()):
                if point["update"] < updates:
                    value = (point["forwards"], point["excess"]["value"] / length)
                    points.setdefault(point["update"], []).append(value)
            points.setdefault(updates, []).append((end["run"], one["bound"]["excess"]["value"] / length))
        whole = [values for _, values in sorted(points.items()) if len(values) == len(self.scores)]
        x_K = np.array([np.mean([forwards for forwards, _ in values]) for values in whole])
        return self.before + self.batch * x_K, np.array([[value for _, value in values] for values in whole])


def load_trained(config: StudyConfig, results: Path) -> list[Trained]:
    """Read the scores of all runs that a report shows or a claim names, from results/<study>.

    Raises:
        ArtifactError: a file is missing, or holds no scores.
    """
    layout, jobs, block = Layout.of_results(results), text_jobs(config), config.text
    found: list[Trained] = []
    for world, run in block.pairs:
        seeds = tuple(job.seed for job in jobs if (job.world, job.run) == (world, run.name))
        scores = tuple(_read(layout.text(world, run.name, seed) / "scores.json") for seed in seeds)
        before = 0.0 if run.start is None else found_at(found, world, run.start).spent
        found.append(Trained(world, run, seeds, scores, run.batch_size or block.batch_size, before))
    return found


def reported(trained: Sequence[Trained]) -> dict[str, list[Trained]]:
    """Return the runs that have a row in the tables, by world; the first of a world is its reference."""
    found: dict[str, list[Trained]] = {}
    for one in trained:
        if one.run.report:
            found.setdefault(one.world, []).append(one)
    return found


def found_at(trained: Sequence[Trained], world: str, run: str) -> Trained:
    """Return a run on a world by both names."""
    return next(one for one in trained if (one.world, one.run.name) == (world, run))


def updates_of(block: TextBlock, run: TextRun) -> int:
    """Return the updates of a run."""
    return run.updates or block.updates


def _number(scores: Any, keys: Sequence[str]) -> float:
    value = scores
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(value, Mapping):
        value = value.get("value")
    return float(value) if isinstance(value, int | float) else float("nan")


def _read(path: Path) -> Scores:
    try:
        found: Scores = json_once(read_text(path))
        if isinstance(found, Mapping) and {"world", "length", "bound", "forwards"} <= set(found):
            return found
    except ValueError:
        pass
    raise ArtifactError(f"{path} holds no scores", hint="`xpflow text train` writes it: run its stage again")
