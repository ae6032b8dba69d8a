"""What no claim can be about: a side against itself, one comparison twice, states that nobody reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from xpflow.study.config.base import budget_text
from xpflow.study.config.references import Problem

if TYPE_CHECKING:
    from xpflow.study.config.root import StudyConfig

ITSELF = "it is compared with itself, which decides nothing"
OF_STATES = ("read_oracle", "read_wrong", "elsewhere_oracle", "elsewhere_wrong")  # measures with a geometry


def bad_comparisons(config: StudyConfig) -> Iterator[Problem]:
    """Yield claims whose two sides are one, and places that are asked about twice."""
    for index, claim in enumerate(config.study.preregistration):
        if claim.arm_a == claim.arm_b and claim.budget_b in (None, claim.budget):
            yield ("study", "preregistration", index, "arm_b"), ITSELF
    for index, curves in enumerate(config.frontier.preregistration):
        places = [budget_text(at) for at, _ in curves.places]
        if len(set(places)) < len(places):
            yield ("frontier", "preregistration", index, "also_at"), "each place is asked about once"
        if curves.curve_a == curves.curve_b and any(at == other for at, other in curves.places):
            yield ("frontier", "preregistration", index, "curve_b"), ITSELF
    for index, readers in enumerate(config.probes.noisy.preregistration):
        if readers.reader_a == readers.reader_b:
            yield ("probes", "noisy", "preregistration", index, "reader_b"), ITSELF
    for index, parts in enumerate(config.factorial.preregistration):
        if parts.level is not None and parts.factor in config.factorial.names:
            against = parts.against or config.factorial.factor(parts.factor).levels[0].name
            if parts.level == against:
                yield ("factorial", "preregistration", index, "level"), ITSELF
        if parts.factor == parts.over:
            yield ("factorial", "preregistration", index, "over"), ITSELF
    for index, gain in enumerate(config.factorial.gains):
        start, goal = config.factorial.ends(gain)
        if start == goal:
            yield ("factorial", "gains", index, "goal"), "it is the start: there is no gain to be shared out"
    readings = config.multiverse.readings
    if config.multiverse.repeats > 1 and all(len(one.values) == 2 for one in readings):
        why = "no reading has more than two values: nothing is drawn, and all are combined anyway"
        yield ("multiverse", "repeats"), why
    for index, read in enumerate(config.multiverse.preregistration):
        if read.a == read.b and read.budget_b in (None, config.multiverse.budget):
            yield ("multiverse", "preregistration", index, "b"), ITSELF
        if read.budget_b is not None and read.b in config.multiverse.sides:
            yield ("multiverse", "preregistration", index, "budget_b"), f"{read.b!r} has the block's budget"
    at = tuple(map(budget_text, config.frontier.at))
    for index, place in enumerate(at):
        if place in at[:index]:
            yield ("frontier", "at", index), f"{place!r} occurs twice"
    yield from _bad_probe_claims(config)


def _bad_probe_claims(config: StudyConfig) -> Iterator[Problem]:
    block = config.probes
    for index, place in enumerate(block.places):
        if place.soft and block.passes < 2:
            why = "masks are mixed between passes, and `passes` asks for fewer than two"
            yield ("probes", "places", index, "soft"), why
    for index, claim in enumerate(block.preregistration):
        loc = ("probes", "preregistration", index)
        sides = [
            (claim.place_a, claim.policy_a, claim.passes_a, claim.geometry),
            (claim.place_b, claim.policy_b, claim.passes_b, claim.geometry_b or claim.geometry),
        ]
        if sides[0] == sides[1]:
            yield (*loc, "place_b"), ITSELF
        if claim.measure in OF_STATES:
            for key, geometry in (("geometry", sides[0][3]), ("geometry_b", sides[1][3])):
                if geometry not in block.geometries:
                    yield (*loc, key), f"{geometry} is none of probes.geometries"
        elif claim.geometry_b is not None:
            yield (*loc, "geometry_b"), f"{claim.measure} has no geometry"
        if claim.snap_at is not None and claim.measure != "recovered":
            yield (*loc, "snap_at"), f"{claim.measure} is asked without a snap"
