"""What must hold between the blocks that make arms of their own and the rest of a study."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xpflow.errors import nearest
from xpflow.plugins import Table, is_file
from xpflow.study.config.base import budget_text
from xpflow.study.config.evaluation import Arm
from xpflow.study.config.factorial import FactorialBlock, factorial_cells, why_not
from xpflow.study.config.frontier import arms_of
from xpflow.study.config.multiverse import NOT_SETTINGS, WHOLE, multiverse
from xpflow.study.config.training import BASE

if TYPE_CHECKING:
    from xpflow.study.config.root import StudyConfig

Place = tuple[str | int, ...]
Problem = tuple[Place, str]


def bad_curves(config: StudyConfig) -> Iterator[Problem]:
    block, arms = config.frontier, [arm.name for arm in config.evaluation.arms]
    weights = (BASE, *(run.name for run in config.training.runs))
    for index, curve in enumerate(block.curves):
        loc = ("frontier", "curves", index)
        yield from unknown((*loc, "weights"), curve.weights, weights)
        yield from unknown((*loc, "models"), curve.models, config.model_names)
        yield from unlisted((*loc, "decoder"), curve.decoder, None)
        if curve.policy == "trained" and (curve.seeds == "first" or BASE in curve.weights):
            yield (*loc, "policy"), "a trained policy depends on the seed: name trained weights, `seeds: all`"
        if curve.knob in curve.settings:
            yield (*loc, "settings"), f"{curve.knob!r} is swept: its values stand in `values`"
        try:
            made = [arm.name for weight in curve.weights for arm in arms_of(curve, weight)]
        except (ValueError, ZeroDivisionError) as error:
            yield (*loc, "values"), f"no values of {curve.knob}: {str(error).splitlines()[0]}"
            continue
        for name in made:
            if name in arms:
                yield loc, f"its arm {name!r} occurs twice"
            arms.append(name)
    for key, names in (
        (("frontier", "reference"), [] if block.reference is None else [block.reference]),
        *(
            (("frontier", "preregistration", index, side), [getattr(claim, side)])
            for index, claim in enumerate(block.preregistration)
            for side in ("curve_a", "curve_b")
        ),
    ):
        yield from unknown(key, names, block.names)
    for index, claim in enumerate(block.preregistration):
        yield from unknown(("frontier", "preregistration", index, "models"), claim.models, config.model_names)
    for benchmark, other in block.validation.items():
        yield from unknown(("frontier", "validation"), [benchmark, other], config.benchmark_names)
    if config.reporting.training_cost and {w for curve in block.curves for w in curve.weights} <= {BASE}:
        yield ("reporting", "training_cost"), "no curve of `frontier` has trained weights"


def bad_cells(config: StudyConfig) -> Iterator[Problem]:
    """Yield what is wrong with block `factorial`: factors, cells, gains and claims."""
    block, loc = config.factorial, ("factorial",)
    for index, factor in enumerate(block.factors):
        yield from _twice((*loc, "factors", index, "levels"), [level.name for level in factor.levels])
        for number, level in enumerate(factor.levels):
            here = (*loc, "factors", index, "levels", number)
            yield from unknown((*here, "weights"), _maybe(level.weights), _weights(config))
            yield from unlisted((*here, "decoder"), level.decoder or block.decoder, None)
            if (level.knob is None) != (not level.values):
                yield here, "a knob needs values, and values a knob"
    yield from unknown((*loc, "models"), block.models, config.model_names)
    named: list[tuple[Place, Mapping[str, str]]] = []
    named += [((*loc, "impossible", index), one.where) for index, one in enumerate(block.impossible)]
    for index, gain in enumerate(block.gains):
        named += [((*loc, "gains", index, "start"), gain.start), ((*loc, "gains", index, "goal"), gain.goal)]
    named += [((*loc, "preregistration", k), one.given) for k, one in enumerate(block.preregistration)]
    wrong = [problem for where, levels in named for problem in _levels(block, where, levels)]
    yield from wrong
    if wrong:
        return
    for index, gain in enumerate(block.gains):
        for end in block.ends(gain):
            if why := why_not(block, end):
                yield (*loc, "gains", index), f"its cell {', '.join(end)} cannot exist: {why}"
    yield from _bad_factorial_claims(block)
    try:
        made = [arm for cell in factorial_cells(block) for arm in cell.arms]
    except (ValueError, ZeroDivisionError) as error:
        yield (*loc, "factors"), str(error).splitlines()[0]
        return
    yield from _repeated((*loc, "factors"), made, _before(config, "frontier.curves"))


def _bad_factorial_claims(block: FactorialBlock) -> Iterator[Problem]:
    """A claim is about an effect (`level`), or about two shares of a gain (`path` and `over`)."""
    gains = {gain.name: gain for gain in block.gains}
    for index, claim in enumerate(block.preregistration):
        loc: Place = ("factorial", "preregistration", index)
        asked = (claim.factor, *_maybe(claim.over))
        yield from unknown((*loc, "factor"), asked, block.names)
        if not {*asked} <= {*block.names}:
            continue
        levels = [level.name for level in block.factor(claim.factor).levels]
        yield from unknown((*loc, "level"), [*_maybe(claim.level), *_maybe(claim.against)], levels)
        yield from unknown((*loc, "path"), _maybe(claim.path), gains)
        if claim.factor in claim.given:
            yield (*loc, "given"), f"{claim.factor!r} is the factor that the claim is about"
        if (claim.level is None) == (claim.path is None) or (claim.path is None) != (claim.over is None):
            yield loc, "a claim has a `level`, or a `path` and `over`"
        elif claim.path in gains:
            start, goal = block.ends(gains[claim.path])
            moved = [name for name, a, b in zip(block.names, start, goal, strict=True) if a != b]
            yield from unknown((*loc, "over"), asked, moved)


def bad_readings(config: StudyConfig) -> Iterator[Problem]:
    """Yield what is wrong with block `multiverse`: readings, variants and claims."""
    block, loc = config.multiverse, ("multiverse",)
    if not block.readings:
        return
    weights, arms = _weights(config), {arm.name: arm for arm in config.evaluation.arms}
    for index, reading in enumerate(block.readings):
        here = (*loc, "readings", index)
        yield from _twice((*here, "values"), list(map(str, reading.values)))
        if reading.setting == "weights":
            yield from unknown((*here, "values"), map(str, reading.values), weights)
        if reading.setting in block.settings:
            yield here, f"{reading.setting!r} is read in several ways: it does not stand in `settings`"
    for index, variant in enumerate(block.variants):
        yield from unknown((*loc, "variants", index, "weights"), _maybe(variant.weights), weights)
        if variant.name == WHOLE:
            yield (*loc, "variants", index, "name"), f"{WHOLE!r} is the decoder with all its parts"
        if {*NOT_SETTINGS} & {*variant.settings}:
            yield (*loc, "variants", index, "settings"), "policy and weights are keys beside `settings`"
    yield from unknown((*loc, "weights"), [block.weights], weights)
    yield from unknown((*loc, "models"), block.models, config.model_names)
    yield from unlisted((*loc, "decoder"), block.decoder, None)
    for benchmark, other in block.validation.items():
        yield from unknown((*loc, "validation"), [benchmark, other], config.benchmark_names)
    alone = [name for name in config.benchmark_names if name not in {*block.validation, *config.chosen_on}]
    if block.validation and alone:
        yield (*loc, "validation"), f"{alone[0]!r} has no validation benchmark, and others have"
    for index, claim in enumerate(block.preregistration):
        here = (*loc, "preregistration", index)
        yield from unknown((*here, "a"), [claim.a], [*block.sides, *arms])
        yield from unknown((*here, "b"), [claim.b], [*block.sides, *arms])
        yield from unknown((*here, "benchmarks"), claim.benchmarks, config.benchmark_names)
        asked = {"a": (claim.a, block.budget), "b": (claim.b, claim.budget_b or block.budget)}
        for side, (name, budget) in asked.items():
            if name in arms and budget not in (arms[name].budgets or config.evaluation.budgets):
                yield (*here, side), f"arm {name!r} is not run at budget {budget_text(budget)}"
    before = _before(config, "frontier.curves", "factorial.factors")
    yield from _repeated((*loc, "readings"), multiverse(block)[1], before)


def _weights(config: StudyConfig) -> tuple[str, ...]:
    return (BASE, *(run.name for run in config.training.runs))


def _levels(block: FactorialBlock, loc: Place, levels: Mapping[str, str]) -> Iterator[Problem]:
    """Yield the factors and levels that there are not."""
    for name, level in levels.items():
        if name in block.names:
            yield from unknown((*loc, name), [level], [one.name for one in block.factor(name).levels])
        else:
            yield from unknown(loc, [name], block.names)


def _before(config: StudyConfig, *places: str) -> list[Arm]:
    """Return the arms of block `evaluation` and of some others; none of these where one cannot be made."""
    try:
        swept = [arm for place, arm in config.swept_arms if place in places]
    except (ValueError, ZeroDivisionError):
        swept = []  # told of by the block itself
    return [*config.evaluation.arms, *swept]


def _repeated(loc: Place, made: Iterable[Arm], before: Iterable[Arm]) -> Iterator[Problem]:
    names = {arm.name for arm in before}
    for arm in made:
        if arm.name in names:
            yield loc, f"its arm {arm.name!r} occurs twice"
        names.add(arm.name)


def _twice(loc: Place, names: list[str]) -> Iterator[Problem]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield (*loc, index), f"{name!r} occurs twice"


def _maybe(name: str | None) -> list[str]:
    return [] if name is None else [name]


def unlisted(loc: tuple[str | int, ...], name: str, table: Table[Any] | None) -> Iterator[Problem]:
    """Yield what is wrong with a plug-in's name; without a table, of those that need torch, only the path."""
    if is_file(name):
        if Path(name).is_absolute() or ".." in Path(name).parts:
            yield loc, f"{name!r} does not lie below the folder that the study runs in"
    elif table is not None:
        yield from unknown(loc, [name], table)


def unknown(loc: tuple[str | int, ...], names: Iterable[str], valid: Iterable[str]) -> Iterator[Problem]:
    """Yield each name that is not valid, with the nearest that is."""
    known = set(valid)
    for name in names:
        if name not in known:
            yield loc, f"{name!r} is not known here; {nearest(name, known)}"
