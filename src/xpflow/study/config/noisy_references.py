"""What must hold between block `probes.noisy` and the rest of a study."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from xpflow.study.config.references import Problem, unknown

if TYPE_CHECKING:
    from xpflow.study.config.root import StudyConfig

AT = ("probes", "noisy")


def bad_noisy(config: StudyConfig) -> Iterator[Problem]:
    """Yield what is wrong with readers, their validation problems and claims."""
    block, places = config.probes.noisy, [place.name for place in config.probes.places]
    if places and not (config.probes.mixed or block.readers):
        yield ("probes", "mixed"), "without mixed states and without readers nothing is probed"
    if not block.readers:
        if block.preregistration:
            yield (*AT, "preregistration"), "claims need readers"
        return
    for index, reader in enumerate(block.readers):
        yield from unknown((*AT, "readers", index, "place"), [reader.place], places)
    for index, place in enumerate(places):
        if place not in {reader.place for reader in block.readers}:
            yield ("probes", "places", index), f"{place!r} has no reader in probes.noisy.readers"
    for benchmark, other in block.validation.items():
        yield from unknown((*AT, "validation"), [benchmark, other], config.benchmark_names)
    probed = config.probes.benchmarks or config.benchmark_names[:1]
    for benchmark in probed:
        if benchmark not in block.validation:
            yield (*AT, "validation"), f"{benchmark!r} has no validation benchmark, and readers choose on it"
    yield from _bad_claims(config)


def _bad_claims(config: StudyConfig) -> Iterator[Problem]:
    block, names = config.probes.noisy, [reader.name for reader in config.probes.noisy.readers]
    for index, claim in enumerate(block.preregistration):
        loc = (*AT, "preregistration", index)
        yield from unknown((*loc, "reader_a"), [claim.reader_a], names)
        yield from unknown((*loc, "reader_b"), [claim.reader_b] if claim.reader_b else [], names)
        if claim.kind not in block.kinds:
            yield (*loc, "kind"), f"{claim.kind} is none of probes.noisy.kinds"
        grid, name = (block.context, "context") if claim.measure == "context" else (block.shares, "shares")
        if claim.share is not None and claim.share not in grid:
            yield (*loc, "share"), f"{claim.share} is none of probes.noisy.{name}"
