"""The claims about models of small languages as a study tells all of its claims."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, nan

from xpflow.reporting.claims import TEXT, Claim
from xpflow.reporting.text_claims import JudgedText, signed
from xpflow.reporting.text_units import SHARE, scaled, unit_of_measure
from xpflow.stats.intervals import Interval


def text_claims(judged: Iterable[JudgedText]) -> list[Claim]:
    """Return the claims about models of small languages; where the models stand is the runs compared."""
    return [_text_claim(one) for one in judged]


def _text_claim(one: JudgedText) -> Claim:
    unit, found = unit_of_measure(one.claim.measure), one.found
    interval = Interval(-inf, inf) if found is None or found.interval is None else found.interval
    return Claim(
        family=TEXT,
        text=one.claim.text,
        model=" against ".join(one.names),
        benchmark=one.place,
        paper=None,
        ours=nan if found is None else scaled(found.value, unit),
        low=scaled(interval.low, unit),
        high=scaled(interval.high, unit),
        n_seeds=0 if found is None else found.n_seeds,
        n_problems=0,
        direction=one.claim.direction,
        judgement=one.judgement,
        holm_p=one.holm_p,
        unit="%" if unit == SHARE and not signed(one.claim) else unit,
        id=one.claim.id,
    )
