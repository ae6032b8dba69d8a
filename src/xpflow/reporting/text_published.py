"""Published numbers of the papers behind block `text`, beside the micro quantity that asks the same.

Sources: LoMDM, arXiv 2602.02112, and Infinite Mask Diffusion, arXiv 2605.10518, as far as their tables could
be read. They are of another scale, in texts as in models, and of another kind: a perplexity by another model
says less than an exact likelihood. So a row has its own baseline, and what the two sides share is only the
change: ln(method / baseline) is in nats a token, as ours is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from xpflow.reporting.markup import EMPTY, Column, Lines, Table, number
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.text_cells import difference_cell
from xpflow.reporting.text_kinds import learned_order, noisy_masks, taught_alike
from xpflow.reporting.text_results import Trained
from xpflow.stats.seeds import Floats
from xpflow.study.config import StudyConfig
from xpflow.study.config.text import TextBlock
from xpflow.study.text_tables import agreement_worlds

LOMDM, IMDM = "2602.02112", "2605.10518"
TITLES = {LOMDM: "LoMDM", IMDM: "Infinite Mask Diffusion"}
ZERO_SHOT = "zero-shot"
NOTHING = "no world"  # the head of ours where no run corresponds
Sides = tuple[Floats, Floats]  # ours with the method, and without


@dataclass(frozen=True, slots=True)
class Published:
    """A published comparison of perplexities; lower is better.

    paper: its arXiv id. asks: which of our quantities corresponds: "bound", "zero-shot", "samples", "order
    off", or nothing. steps: of the sampler, 0: ours take the most of the study. taught: what taught both
    models, for Infinite Mask Diffusion.
    """

    paper: str
    what: str
    data: str
    baseline: str
    method: str
    values: tuple[float, float]  # baseline, method
    asks: str = ""
    steps: int = 0
    taught: str = ""

    @property
    def nats(self) -> float:
        """Return ln(method / baseline): nats a token."""
        return log(self.values[1] / self.values[0])


def _bound(data: str, other: str, values: tuple[float, float], what: str = "test") -> Published:
    """Return a row of LoMDM's perplexities; what is asked of us has masked diffusion as its baseline."""
    asked = {"test": "bound"}.get(what, what) if other == "MDLM" else ""
    return Published(LOMDM, f"{what} perplexity (bound)", data, other, "LoMDM", values, asked)


def _samples(taught: str, steps: int, values: tuple[float, float]) -> Published:
    name = taught.replace(", ", "+")
    what = f"generative perplexity, {steps} steps"
    sides = (f"{name} MDLM", f"{name} IMDM")
    return Published(IMDM, what, "LM1B", *sides, values, "samples", steps, taught)


PUBLISHED = (
    _bound("LM1B", "MDLM", (27.0, 25.4)),
    _bound("LM1B", "GenMD4", (26.9, 25.4)),
    _bound("LM1B, packed", "MDLM", (31.8, 27.2)),
    _bound("LM1B, packed", "BD3-LM, blocks of 4", (28.2, 27.2)),
    _bound("LM1B, packed", "GenMD4", (30.0, 27.2)),
    _bound("OWT", "MDLM", (23.2, 20.4)),
    _bound("OWT", "BD3-LM", (20.7, 20.4)),
    _bound("OWT", "GenMD4", (21.8, 20.4)),
    _bound("PTB", "MDLM", (95.26, 80.40), ZERO_SHOT),
    _bound("PTB", "BD3-LM", (96.81, 80.40), ZERO_SHOT),
    _bound("WikiText", "MDLM", (32.83, 27.82), ZERO_SHOT),
    _bound("WikiText", "BD3-LM", (31.31, 27.82), ZERO_SHOT),
    _bound("Lambada", "MDLM", (47.52, 36.32), ZERO_SHOT),
    _bound("Lambada", "BD3-LM", (50.03, 36.32), ZERO_SHOT),
    Published(LOMDM, "generative perplexity, NFE 256", "–", "MDLM", "LoMDM", (79.43, 73.98), "samples"),
    Published(
        LOMDM,
        "generative perplexity, order off at sampling only",
        "–",
        "LoMDM",
        "the same, order off",
        (48.29, 59.34),
        "order off",
    ),
    *(
        _samples(taught, steps, values)
        for taught, by_steps in {
            "SDTT": {2: (584.22, 524.31), 4: (227.08, 210.05), 8: (126.07, 122.52), 16: (93.29, 90.16)},
            "ReDi": {2: (530.36, 284.62), 4: (195.39, 151.89), 8: (113.14, 104.93), 16: (85.27, 81.57)},
            "SDTT, ReDi": {2: (353.90, 165.85), 4: (122.56, 93.44), 8: (72.04, 65.55), 16: (55.36, 52.51)},
        }.items()
        for steps, values in by_steps.items()
    ),
)
MISSING = {
    LOMDM: "Of LoMDM (arXiv 2602.02112) could not be read: zero-shot rows beside PTB, WikiText and Lambada, "
    "the entropies beside its generative perplexities, and whether GenMD4's number on OWT is printed "
    "as a bound.",
    IMDM: "Of Infinite Mask Diffusion (arXiv 2605.10518) could not be read: the entropies beside its LM1B "
    "perplexities, without which they do not say which samples are better, and all tables of OWT and of the "
    "860M models.",
}


def published_table(
    config: StudyConfig,
    plan: ReportPlan,
    worlds: Mapping[str, Sequence[Trained]],
    about: tuple[tuple[str, str], ...],
) -> Table:
    """Return the papers' numbers with our change in every world beside, a dash where none corresponds.

    Of the papers only those whose method the block trains; of all where it trains none.
    """
    block = config.text
    papers = papers_of(block, worlds) or (LOMDM, IMDM)
    rows = [one for one in PUBLISHED if one.paper in papers]
    ours: dict[str, list[Sides | None]] = {
        world: [sides_of(block, one, runs) for one in rows]
        for world, runs in worlds.items()
        if world not in agreement_worlds(block)  # all that they can say is equally likely
    }
    ours = {world: sides for world, sides in ours.items() if any(one is not None for one in sides)} or {
        NOTHING: [None for _ in rows]
    }
    told = (
        "published: perplexities of the paper's models, and ln(method / baseline), nats a token. Ours, at "
        "another scale and never a reproduction: the same difference between our runs, of the bound, of the "
        f"mean over domains, or of samples' exact likelihood, seeds as pairs [{100 * plan.confidence:g} % t "
        "interval]"
    )
    shown = [
        (
            (one.what, f"arXiv {one.paper}"),
            (one.data,),
            (one.baseline,),
            (f"{one.values[0]:g}",),
            (f"{one.method}: {one.values[1]:g}",),
            (number(one.nats, "+", 3),),
            *(_cell(plan, sides[place]) for sides in ours.values()),
        )
        for place, one in enumerate(rows)
    ]
    sections = tuple(
        tuple(row for row, one in zip(shown, rows, strict=True) if one.paper == paper) for paper in papers
    )
    heads = (Column("quantity"), Column("data"), Column("baseline", "published"))
    numbers = (Column(name, "published", "r") for name in ("perplexity", "method", "change"))
    return Table(
        label="text_published",
        title=f"Published numbers, and ours of another scale ({plan.study})",
        facts=(*about, ("Cells", told)),
        columns=(*heads, *numbers, *(Column(world, "ours, another scale", "r") for world in ours)),
        sections=sections,
        notes=tuple(MISSING[paper] for paper in papers),
        records=tuple(
            {
                "paper": f"arXiv:{one.paper}",
                "what": one.what,
                "data": one.data,
                "baseline": one.baseline,
                "method": one.method,
                "baseline_perplexity": one.values[0],
                "method_perplexity": one.values[1],
                "published_nats": one.nats,
                **{f"ours {world}": _mean(sides[place]) for world, sides in ours.items()},
            }
            for place, one in enumerate(rows)
        ),
    )


def papers_of(block: TextBlock, worlds: Mapping[str, Sequence[Trained]]) -> tuple[str, ...]:
    """Return the papers whose method some run has."""
    runs = [one for found in worlds.values() for one in found]
    orders = any(learned_order(block, one) for one in runs)
    masks = any(noisy_masks(block, one.run, one.world) for one in runs)
    return tuple(paper for paper, has in ((LOMDM, orders), (IMDM, masks)) if has)


def sides_of(block: TextBlock, published: Published, runs: Sequence[Trained]) -> Sides | None:
    """Return our numbers over seeds, in nats a token, with the method and without; None without such runs.

    Of several runs with a learned order it is the first in the paper's form; without the method stands the
    first run of the world. Of distillations it is the first that has both sides, with its last round.
    """
    if published.paper == LOMDM:
        learned = [one for one in runs if learned_order(block, one) and _of_paper(block, one)]
        return None if not learned else _of_orders(published, max(block.steps), learned[0], runs[0])
    for alike in taught_alike(block, runs):
        teacher = ", ".join(name.split(" ")[0] for name in alike.teacher.split(", "))
        if teacher == published.taught and alike.noisy is not None and alike.plain is not None:
            return _sampled(alike.noisy, published.steps), _sampled(alike.plain, published.steps)
    return None


def _of_orders(published: Published, steps: int, learned: Trained, first: Trained) -> Sides | None:
    if published.asks == "bound":
        return learned.bound("excess"), first.bound("excess")
    if published.asks == ZERO_SHOT and learned.domains:
        return _over_domains(learned, learned.domains), _over_domains(first, learned.domains)
    if published.asks == "samples":
        return _sampled(learned, steps), _sampled(first, steps)
    if published.asks == "order off":
        return learned.nats("order_off", "samples", str(steps), "excess"), _sampled(learned, steps)
    return None


def _sampled(one: Trained, steps: int) -> Floats:
    return one.measured("sample_excess", steps=steps)


def _over_domains(one: Trained, domains: Sequence[str]) -> Floats:
    by_domain_DS: Floats = np.stack([one.bound("excess", name) for name in domains])
    mean_S: Floats = by_domain_DS.mean(axis=0)
    return mean_S


def _of_paper(block: TextBlock, one: Trained) -> bool:
    return str(block.of(one.run, one.world).get("form", "paper")) == "paper"


def _cell(plan: ReportPlan, sides: Sides | None) -> Lines:
    return EMPTY if sides is None else difference_cell(plan, *sides)


def _mean(sides: Sides | None) -> float | None:
    if sides is None:
        return None
    value = float((sides[0] - sides[1]).mean())
    return value if value == value else None
