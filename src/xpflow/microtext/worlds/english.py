"""English: a hidden Markov world whose sentences read like plain English templates.

"today , the old farmers gladly carry this heavy basket near the barn ." A state is a slot of the template, a
topic of three, and a number. The topic drifts from word to word and is never said: nouns and verbs hint at
it, adjectives less. The number chosen at a determiner binds noun and verb, across adjectives and adverbs.
Slots may be left out, so sentences end early, and the end word fills the rest.

Domains: `english-emissions` likes the rarer words of each list and takes some words from other topics;
`english-transitions` drifts faster and leaves out other slots.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import product

import torch
from torch import Tensor

from xpflow.microtext.chains import Chains
from xpflow.microtext.world import World

LENGTH, TOPICS, END = 16, 3, "<|endoftext|>"
NUMBERS = (0, 1)  # singular, plural

DETERMINERS = (("the", "one", "this"), ("the", "some", "these"))
TIMES, ADVERBS = ("today", "yesterday", "sometimes"), ("gladly", "slowly", "often")
PREPOSITIONS = ("near", "behind", "in")
# By topic: kitchen, sea, farm. Some words belong to two of them.
ADJECTIVES = (("old", "clean", "young", "small"), ("old", "wet", "brave", "small"), ("old", "heavy", "young"))
PEOPLE = (("cook", "baker", "guest"), ("sailor", "pilot", "guest"), ("farmer", "shepherd", "baker"))
VERBS = (("wash", "carry", "taste"), ("pull", "carry", "paint"), ("feed", "carry", "wash"))
THINGS = (("plate", "spoon", "basket"), ("boat", "rope", "basket"), ("horse", "basket", "rope"))
PLACES = (("oven", "table"), ("harbour", "table"), ("barn", "river"))

# slot -> (the next one, probability); the second set is that of the other domain
GRAMMAR = {
    "time": {"comma": 1.0},
    "comma": {"subject-determiner": 1.0},
    "subject-determiner": {"subject-adjective": 0.4, "subject": 0.6},
    "subject-adjective": {"subject": 1.0},
    "subject": {"adverb": 0.25, "verb": 0.75},
    "adverb": {"verb": 1.0},
    "verb": {"object-determiner": 0.8, "preposition": 0.1, "stop": 0.1},
    "object-determiner": {"object-adjective": 0.35, "object": 0.65},
    "object-adjective": {"object": 1.0},
    "object": {"preposition": 0.5, "stop": 0.5},
    "preposition": {"place-determiner": 1.0},
    "place-determiner": {"place-adjective": 0.2, "place": 0.8},
    "place-adjective": {"place": 1.0},
    "place": {"stop": 1.0},
    "stop": {"end": 1.0},
    "end": {"end": 1.0},
}
OTHER = {
    "subject-determiner": {"subject-adjective": 0.75, "subject": 0.25},
    "subject": {"adverb": 0.6, "verb": 0.4},
    "verb": {"object-determiner": 0.5, "preposition": 0.4, "stop": 0.1},
    "object-determiner": {"object-adjective": 0.7, "object": 0.3},
    "object": {"preposition": 0.2, "stop": 0.8},
}
SLOTS = tuple(GRAMMAR)


@dataclass(frozen=True, slots=True)
class Domain:
    """What differs between domains.

    begin: probability of a time in front. drift: of another topic at a step. plural: of the plural at a
    determiner. rarest: the last word of a list is the likeliest. strange: share of the other topics' words.
    """

    begin: float = 0.25
    drift: float = 0.08
    plural: float = 0.4
    rarest: bool = False
    strange: float = 0.0
    other_grammar: bool = False


def words() -> tuple[str, ...]:
    """Return all words, each once, in the order of the lists; the end word is the last."""
    nouns = [noun for group in (*PEOPLE, *THINGS) for noun in group]
    found = [*TIMES, ",", *DETERMINERS[0], *DETERMINERS[1], *ADVERBS, *PREPOSITIONS]
    found += [adjective for group in ADJECTIVES for adjective in group]
    found += [form for noun in nouns for form in (noun, f"{noun}s")]
    found += [form for group in VERBS for verb in group for form in (_third_person(verb), verb)]
    found += [place for group in PLACES for place in group]
    return (*dict.fromkeys([*found, "."]), END)


def chains(domain: Domain) -> Chains:
    """Return the one chain of a domain: states are slot x topic x number."""
    number = {word: i for i, word in enumerate(WORDS)}
    states = list(product(SLOTS, range(TOPICS), NUMBERS))
    grammar = {**GRAMMAR, **(OTHER if domain.other_grammar else {})}
    emission_SV = torch.zeros(len(states), len(WORDS), dtype=torch.float64)
    transition_SS = torch.zeros(len(states), len(states), dtype=torch.float64)
    for row, (slot, topic, plural) in enumerate(states):
        for word, share in spoken(slot, topic, plural, domain).items():
            emission_SV[row, number[word]] += share
        for column, (after, new_topic, new_plural) in enumerate(states):
            kept = 1 - domain.drift if new_topic == topic else domain.drift / (TOPICS - 1)
            share = grammar[slot].get(after, 0.0) * kept
            transition_SS[row, column] = share * _number_share(after, plural, new_plural, domain)
    begin = {"time": domain.begin, "subject-determiner": 1 - domain.begin}
    initial_S = [
        begin.get(slot, 0.0) / TOPICS * _number_share(slot, 0, plural, domain) for slot, _, plural in states
    ]
    return Chains(
        weight_K=torch.ones(1, dtype=torch.float64),
        order_KL=torch.arange(LENGTH)[None],
        initial_KS=torch.tensor([initial_S], dtype=torch.float64),
        transition_KSS=_normalised(transition_SS)[None],
        emission_KSV=_normalised(emission_SV)[None],
    )


def spoken(slot: str, topic: int, plural: int, domain: Domain) -> dict[str, float]:
    """Return the words of a state with their probabilities."""
    fixed = {"comma": (",",), "stop": (".",), "end": (END,), "time": TIMES, "adverb": ADVERBS}
    fixed |= {"preposition": PREPOSITIONS}
    if slot in fixed:
        return _falling(fixed[slot], domain.rarest)
    kind = slot.split("-")[-1]
    if kind == "determiner":
        return _falling(DETERMINERS[plural], domain.rarest)
    lists = {"adjective": ADJECTIVES, "subject": PEOPLE, "verb": VERBS, "object": THINGS, "place": PLACES}[
        kind
    ]
    found: dict[str, float] = {}
    for other, group in enumerate(lists):
        share = 1 - domain.strange if other == topic else domain.strange / (TOPICS - 1)
        for word, p in _falling(group, domain.rarest).items():
            form = _form(kind, word, plural)
            found[form] = found.get(form, 0.0) + share * p
    return found


def _form(kind: str, word: str, plural: int) -> str:
    if kind == "verb":
        return word if plural else _third_person(word)
    return f"{word}s" if plural and kind in ("subject", "object") else word


def _third_person(verb: str) -> str:
    if verb.endswith("sh"):
        return f"{verb}es"
    return f"{verb[:-1]}ies" if verb.endswith("rry") else f"{verb}s"


def _falling(group: tuple[str, ...], rarest: bool) -> dict[str, float]:
    """Return probabilities that fall as 1/rank, from the last word where the rarest is liked."""
    ranked = group[::-1] if rarest else group
    total = sum(1 / rank for rank in range(1, len(group) + 1))
    return {word: 1 / rank / total for rank, word in enumerate(ranked, start=1)}


def _number_share(after: str, plural: int, new: int, domain: Domain) -> float:
    """Return p(number of the next state): drawn anew at a determiner, kept by the others; places are one."""
    if after == "place-determiner":
        return float(new == 0)
    if after in ("subject-determiner", "object-determiner"):
        return domain.plural if new else 1 - domain.plural
    return float(new == plural)


def _normalised(rows: Tensor) -> Tensor:
    """Return rows that sum to 1 to the last bit that they can."""
    return rows / rows.sum(-1, keepdim=True)


WORDS = words()


def _world(name: str, about: str, domain: Domain, domains: dict[str, str] | None = None) -> World:
    return World(name, about, WORDS, partial(chains, domain), domains or {}, END)


WORLD = _world(
    "english",
    "hidden Markov sentences that read like plain English",
    Domain(),
    {"emissions": "english-emissions", "transitions": "english-transitions"},
)
EMISSIONS = _world("english-emissions", "english with other word choices", Domain(rarest=True, strange=0.15))
TRANSITIONS = _world(
    "english-transitions",
    "english with another grammar and faster topics",
    Domain(begin=0.5, drift=0.3, plural=0.7, other_grammar=True),
)
