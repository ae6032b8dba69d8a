"""What must hold between block `text` and the worlds, and within it: runs, what they start from, claims."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from xpflow.microtext.worlds import WORLDS
from xpflow.plugins import is_file
from xpflow.study.config.corpus_references import bad_corpus
from xpflow.study.config.references import Place, Problem, unknown, unlisted
from xpflow.study.config.text import TextBlock, TextRun

if TYPE_CHECKING:
    from xpflow.study.config.root import StudyConfig

AGREEMENT = "agreement-"  # how the names of worlds begin whose sentences repeat one word
OF_ORDERS = ("first_is_first", "order_entropy")  # measures of a learned schedule
OF_ONE_STEP = ("agreement", "over_factorised", "marginal_entropy")  # measures of worlds that repeat a word
Names = dict[Place, tuple[object, ...]]


def text_names(config: StudyConfig) -> Names:
    """Return what must not occur twice, by its place."""
    block = config.text
    return {
        ("text", "worlds"): block.worlds,
        ("text", "runs"): tuple(run.name for run in block.runs),
        ("text", "steps"): block.steps,
        ("text", "corpus", "texts"): block.corpus.names,
        **{("text", "corpus", "texts", i, "steps"): text.steps for i, text in enumerate(block.corpus.texts)},
        ("text", "preregistration"): tuple(claim.id for claim in block.preregistration),
        **{("text", "runs", index, "worlds"): run.worlds for index, run in enumerate(block.runs)},
    }


def bad_text(config: StudyConfig) -> Iterator[Problem]:
    """Yield what is wrong with block `text`: worlds, runs and claims."""
    block = config.text
    for index, world in enumerate(block.worlds):
        yield from _bad_world(("text", "worlds", index), world)
    if block.runs and not (block.worlds or block.corpus.texts):
        yield ("text", "worlds"), "runs need worlds or corpora"
    if block.width % block.heads:
        yield ("text", "heads"), f"{block.heads} heads cannot share {block.width} numbers evenly"
    above: dict[str, TextRun] = {}
    for index, run in enumerate(block.runs):
        yield from _bad_run(block, ("text", "runs", index), run, above)
        above[run.name] = run
    yield from bad_corpus(block)
    yield from _bad_claims(block)


def _bad_world(loc: Place, world: str) -> Iterator[Problem]:
    """A world's name is a folder's, so it has to be one of the table or of an installed package."""
    if is_file(world):
        yield loc, f"{world!r} is a file: a study takes worlds by the name of a package's entry point"
    else:
        yield from unknown(loc, [world], WORLDS)


def _bad_run(block: TextBlock, loc: Place, run: TextRun, above: dict[str, TextRun]) -> Iterator[Problem]:
    """A run starts from nothing or from a run above it, which is trained on all of its worlds."""
    yield from unknown((*loc, "worlds"), run.worlds, (*block.worlds, *block.corpus.names))
    yield from unknown((*loc, "world_settings"), run.world_settings, block.on(run))
    yield from unlisted((*loc, "objective"), run.objective, None)
    every = (run.settings, *run.world_settings.values())
    for key, made in (("coupling", run.couplings is not None), ("noise_from", run.continue_noise)):
        if made and any(key in settings for settings in every):
            yield (*loc, "settings"), f"{key!r} is set by the run that it starts from"
    for settings in every:
        yield from unlisted((*loc, "settings"), str(settings.get("schedule", "")), None)
    if run.start is None:
        return
    yield from unknown((*loc, "from"), [run.start], above)
    if run.start in above:
        lacks = [world for world in block.on(run) if world not in block.on(above[run.start])]
        if lacks:
            yield (*loc, "from"), f"{run.start!r} is not trained on {lacks[0]!r}"


def _bad_claims(block: TextBlock) -> Iterator[Problem]:
    """What is claimed must be measured: on a world, of runs that are trained on it."""
    runs = {run.name: run for run in block.runs}
    for index, claim in enumerate(block.preregistration):
        loc = ("text", "preregistration", index)
        yield from unknown((*loc, "world"), [claim.world], block.worlds)
        if claim.domain is not None:
            yield from _bad_world((*loc, "domain"), claim.domain)
        if claim.steps is not None and claim.steps not in block.steps:
            yield (*loc, "steps"), f"{claim.steps} is none of text.steps"
        if claim.measure in OF_ONE_STEP and not claim.world.startswith(AGREEMENT):
            yield (*loc, "measure"), f"{claim.measure} is measured on worlds that repeat a word"
        if claim.run_b == claim.run_a:
            yield (*loc, "run_b"), "a run differs from itself by nothing"
        for side, name in (("run_a", claim.run_a), ("run_b", claim.run_b)):
            if name is None:
                continue
            yield from unknown((*loc, side), [name], runs)
            if name in runs and claim.world in block.worlds:
                yield from _bad_side((*loc, side), block, runs[name], claim.world, claim.measure)


def _bad_side(loc: Place, block: TextBlock, run: TextRun, world: str, measure: str) -> Iterator[Problem]:
    if world not in block.on(run):
        yield loc, f"{run.name!r} is not trained on {world!r}"
    elif measure in OF_ORDERS and block.of(run, world).get("schedule") != "learned":
        yield loc, f"{measure} is a measure of a learned schedule, and {run.name!r} has none"


def needs_models(config: StudyConfig) -> Iterator[Problem]:
    """A study decodes with models, benchmarks and arms, or has none of them and trains text runs."""
    sides: dict[Place, Iterable[object]] = {
        ("models",): config.models,
        ("problems", "benchmarks"): config.problems.benchmarks,
        ("evaluation", "arms"): config.evaluation.arms,
    }
    there = [loc for loc, entries in sides.items() if entries]
    for loc, entries in sides.items():
        if there and not entries:
            yield loc, f"{'.'.join(map(str, there[0]))} are given, so these are needed too"
    if there:
        return
    if not (config.text.pairs or config.text.corpus_pairs):
        yield ("models",), "there is nothing to do: no models, and block `text` trains none"
    asking: dict[Place, Iterable[object]] = {
        ("study", "preregistration"): config.study.preregistration,
        ("frontier", "curves"): config.frontier.curves,
        ("factorial", "factors"): config.factorial.factors,
        ("multiverse", "readings"): config.multiverse.readings,
        ("probes", "places"): config.probes.places,
    }
    for loc, entries in asking.items():
        if entries:
            yield loc, "these need models"
