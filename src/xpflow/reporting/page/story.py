"""What a study asked and what it found, in sentences made from its claims: each verdict as it fell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from xpflow.reporting.claims import CURVES, NOISY, PARTS, PROBES, TEXT, Claim
from xpflow.reporting.claims_told import families, measured, of_the_paper, rules, tally
from xpflow.reporting.readings import ClaimHeld
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.results import Outcomes
from xpflow.study.config.base import budget_text

NAMED = 4  # places that a sentence names one by one
CURVES_ASKED = (
    "It also draws decoders as curves: each is swept over its own setting, settings are chosen on validation "
    "problems, and two curves are compared where they take equally many forward passes on average."
)
PROBES_ASKED = (
    "It also probes the mixed states of flow: how they are read, whether decodes that are stopped can be "
    "finished by mask prediction, and where the states of a policy's decodes lie."
)
NOISY_ASKED = (
    "It also has answers read in which tokens are wrong, in one forward pass: how many are mended, how many "
    "right ones are broken, and what masks among them are worth."
)
PARTS_ASKED = (
    "It also takes decoders apart: what masks show, what becomes a token, what is taken back and the weights "
    "are combined in every way and compared where they take equally many forward passes on average."
)
TEXT_ASKED = (
    "It trains models from nothing on small languages whose likelihood is known exactly: how far each stays "
    "above the language itself, what its samples are worth by the language's own likelihood, and what orders "
    "that are learned, or masks that carry noise, do at equal cost."
)
CORPORA_ASKED = (
    "It trains models from nothing on published texts: what perplexity each has on texts that it has not "
    "seen, and what a large model makes of its samples, where any are drawn."
)
CORPORA_FOUND = "No claim is registered about models of published texts: the tables have what was measured."
READINGS_ASKED = (
    "It also decodes under many readings of what the paper leaves open, and says under how many of them each "
    "of the paper's claims holds as it stands."
)
APART = {
    CURVES: ("curves", CURVES_ASKED),
    PARTS: ("parts", PARTS_ASKED),
    PROBES: ("probes", PROBES_ASKED),
    NOISY: ("readings of noisy text", NOISY_ASKED),
    TEXT: ("models of small languages", TEXT_ASKED),
}
MARKS = {"confirmed": "good", "ahead": "good", "contradicted": "bad", "behind": "bad"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One claim on one model and benchmark: its verdict in a word, its look, and its number."""

    place: str
    word: str
    look: str
    number: str


@dataclass(frozen=True, slots=True)
class ClaimTold:
    """A claim in words, with what became of it wherever it was asked."""

    text: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """Claims of one kind: title, counts of verdicts, and the claims."""

    title: str
    tally: str
    findings: tuple[ClaimTold, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """Paragraphs on the question, paragraphs on the answer, families of claims, how they were judged."""

    asked: tuple[str, ...]
    found: tuple[str, ...]
    families: tuple[Family, ...]
    judged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trains:
    """What a study trains from nothing: models of small languages, of published texts."""

    worlds: bool = False
    corpora: bool = False


def story(
    plan: ReportPlan,
    outcomes: Outcomes,
    claims: list[Claim],
    held: Sequence[ClaimHeld] = (),
    trains: Trains = Trains(),
) -> Story:
    """Return the page of prose of a study; `held` are the claims over the readings of its multiverse."""
    kinds = families(plan)
    apart = {kind: [claim for claim in claims if claim.family == kind] for kind in APART}
    apart = {kind: members for kind, members in apart.items() if members}
    if trains.worlds:
        apart.setdefault(TEXT, [])  # whether it claims something or not
    asked = [
        *(_asked(plan, outcomes) if plan.arms else ()),
        *(APART[kind][1] for kind in apart),
        *([CORPORA_ASKED] if trains.corpora else []),
        *([READINGS_ASKED] if held else []),
    ]
    return Story(
        asked=tuple(
            re.sub("^It( also)?", "This study", text) if not at else text for at, text in enumerate(asked)
        ),
        found=(
            *(_found(plan, claims) if plan.arms else ()),
            *(_of_others(APART[kind][0], members) for kind, members in apart.items()),
            *([CORPORA_FOUND] if trains.corpora else []),
            *([_of_readings(held)] if held else []),
        ),
        families=tuple(
            _family(title, members)
            for kind, title in kinds.items()
            if (members := [claim for claim in claims if claim.family == kind])
        ),
        judged=tuple(rules(plan, claims)),
    )


def look_of(word: str) -> str:
    """Return how a verdict is coloured: good, bad or open."""
    return MARKS.get(word, "open")


def _asked(plan: ReportPlan, outcomes: Outcomes) -> tuple[str, ...]:
    flow, baseline = plan.arm(plan.flow).title, plan.arm(plan.baseline).title
    budget = budget_text(plan.headline_budget)
    sizes = [f"{name} ({outcomes.shared(name)[1]} problems)" for name in plan.benchmarks]
    budgets = [budget_text(one) for one in plan.budgets]
    answers = sum(outcomes.passed(*cell).size for cell in plan.planned)
    seeds = f"{len(plan.seeds)} seeds" if len(plan.seeds) > 1 else "one seed"
    return (
        "A masked diffusion language model writes an answer in forward passes, each of which decides some of "
        "its tokens: fewer passes are faster, and worse. This study asks whether "
        f"{flow} solves more problems than {baseline} when both may take {budget} forward pass per token "
        f"({budget} of the budget), what each of its parts adds, and how it stands against what a sceptic "
        "would try instead.",
        f"{_listed([model.name for model in plan.models])} answered {_listed(sizes)} in {len(plan.arms)} "
        f"way{'s' * (len(plan.arms) != 1)}, at budgets {_listed(budgets)}, with {seeds}: {answers:,} "
        "answers. Each was run against the tests of its problem.",
    )


def _found(plan: ReportPlan, claims: list[Claim]) -> list[str]:
    if not claims:
        return ["The study evaluated none of the paper's claims, and compares nothing."]
    own, checks = of_the_paper(claims), [claim for claim in claims if claim.family == "check"]
    found = [
        f"Of {len(own)} comparisons with a claim of the paper: {tally(own)}"
        if own
        else "The study evaluated none of the paper's claims."
    ]
    found += [_told(plan, kind, members) for kind, members in _by_family(own)]
    if checks:
        against = [claim for claim in checks if claim.word in ("contradicted", "behind")]
        worst = min(against, key=lambda claim: -abs(claim.ours), default=None)
        text = f"Beyond the paper's claims, {len(checks)} further comparisons: {tally(checks)}"
        if worst is not None:
            text += f" The widest that went the other way is on {_place(worst)}: {measured(worst)} for "
            text += f"“{_stop(worst.text).replace('. (', ' (')}”."
        found.append(text)
    return found


def _of_others(what: str, claims: list[Claim]) -> str:
    """Return a sentence on curves or probes: what was confirmed and what contradicted, with the places."""
    if not claims:
        return f"It registers no claim about {what}."
    text = f"Of {len(claims)} comparisons of {what}, registered before the run: {tally(claims)}"
    for word in ("confirmed", "contradicted"):
        same = _grouped([claim for claim in claims if claim.word == word])
        told = [f"“{them[0].text}” ({_listed([_place(one) for one in them])})" for them in same]
        text += f" {word.capitalize()}: {'; '.join(told)}." if told else ""
    return text


def _of_readings(held: Sequence[ClaimHeld]) -> str:
    """Return a sentence on claims over readings: the share in which each holds, and how surely."""
    told = [
        f"“{_stop(one.claim.text)}” holds under {100 * one.held.share:.0f} % of {one.held.universes} "
        f"({one.place.where}; confirmed under {one.held.decided}, contradicted under {one.held.against})"
        for one in held
    ]
    return f"Over the readings of what the paper leaves open: {'; '.join(told)}."


def _told(plan: ReportPlan, kind: str, members: list[Claim]) -> str:
    """Return a sentence on a family of claims: each verdict with the places where it fell."""
    parts = []
    for word in dict.fromkeys(claim.word for claim in members):
        same = [claim for claim in members if claim.word == word]
        if len(same) > NAMED:
            parts.append(f"{word} in {len(same)} of {len(members)} comparisons")
            continue
        texts = {claim.text for claim in members}
        named = [
            f"{_place(claim)}{'' if len(texts) == 1 else ', ' + _stop(claim.text)} ({measured(claim)})"
            for claim in same
        ]
        parts.append(f"{word} for {'; '.join(named)}")
    return f"{families(plan)[kind]}: {', and '.join(parts)}."


def _family(title: str, members: list[Claim]) -> Family:
    findings = [
        ClaimTold(
            same[0].text,
            tuple(Answer(_place(one), one.word, look_of(one.word), measured(one)) for one in same),
        )
        for same in _grouped(members)
    ]
    return Family(title, tally(members), tuple(findings))


def _grouped(claims: Sequence[Claim]) -> list[list[Claim]]:
    """Return claims by what each asks, over the places where it does."""
    groups: dict[tuple[str, str], list[Claim]] = {}
    for claim in claims:
        groups.setdefault((claim.id, claim.text), []).append(claim)
    return list(groups.values())


def _by_family(claims: Sequence[Claim]) -> list[tuple[str, list[Claim]]]:
    return [(kind, list(members)) for kind, members in groupby(claims, key=lambda claim: claim.family)]


def _place(claim: Claim) -> str:
    return f"{claim.model}, {claim.benchmark}"


def _stop(text: str) -> str:
    """Return a text without the full stop that it may end with."""
    return text.rstrip(".")


def _listed(words: Sequence[str]) -> str:
    """Return words as a sentence lists them: a, b and c."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
