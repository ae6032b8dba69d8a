"""The shape of documents that are to be summarised: facts where they are known, ROUGE in any case.

A row is {shape: "summary", task_id, document, summary, facts?}. A fact is a line of words: first those of
which one tells it, `most|highest`, then what follows in this order, as `Friday 47`. A summary is right if
each fact is said, no telling word is followed by something else, and it has no number that no fact has.
Without facts nothing can be right or wrong: an answer counts unless it is degenerate, and ROUGE says how near
it is. Texts are compared on the trusted side and never run.

Measures of every answer (`MEASURES`): shares of facts, F1 of ROUGE-1, 2 and L (the package rouge-score, with
stemming; none for a reference without Latin letters or digits), words, the share of its trigrams that stood
in it before, and whether it is degenerate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from xpflow.errors import DataError
from xpflow.problems.problem import Problem
from xpflow.problems.shape import Fields, Judgement, Shape

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer

MEASURES = ("facts", "rouge1", "rouge2", "rougeL", "words", "repeated", "degenerate")
ROUGE = ("rouge1", "rouge2", "rougeL")
LONGEST = 20_000  # characters of an answer that are read
FEWEST_WORDS, MOST_REPEATED, MOST_IN_A_ROW = 4, 0.3, 3  # what is not degenerate
_SENTENCE = re.compile(r"[.;!?]+(?:\s|$)")
_WORD = re.compile(r"\w+")
_ROUGE_WORD = re.compile("[a-z0-9]")  # rouge-score knows no other letters


def instruction(problem: Problem) -> str:
    """Return the document and what is asked of it."""
    return f"{problem.prompt}\n\nSummarise this in one or two sentences."


def judge(problem: Problem, answer: str) -> Judgement:
    """Say whether an answer is right, and measure it."""
    reference, *lines = problem.tests
    text = answer[:LONGEST]
    facts = [fact_of(line) for line in lines]
    said = facts_said(text, facts)
    dull = degenerate(text)
    measures = {
        **({"facts": sum(said) / len(said)} if said else {}),
        **_rouge(reference, text),
        "words": float(len(_words(text))),
        "repeated": repeated(text),
        "degenerate": float(dull),
    }
    passed = all(said) and not invented(text, facts) if facts else not dull
    missing = [line for line, there in zip(lines, said, strict=True) if not there]
    return Judgement(passed, answer, "; ".join(missing) or reference, measures)


Fact = tuple[frozenset[str], tuple[str, ...]]


def fact_of(line: str) -> Fact:
    """Return a fact: the words that tell it, and what follows."""
    head, *rest = line.casefold().split()
    return frozenset(head.split("|")), tuple(rest)


def facts_said(text: str, facts: Sequence[Fact]) -> list[bool]:
    """Return for each fact whether it is said, and everywhere where a word tells it."""
    telling = frozenset[str]().union(*(head for head, _ in facts))
    found: list[list[bool]] = [[] for _ in facts]
    for word, behind in _segments(text, telling):
        for which, (head, rest) in enumerate(facts):
            if word in head:
                found[which].append(_in_order(rest, behind))
    return [bool(one) and all(one) for one in found]


def invented(text: str, facts: Sequence[Fact]) -> list[str]:
    """Return the numbers of a text that no fact has."""
    known = {word for _, rest in facts for word in rest}
    return [word for word in _words(text) if word.isdigit() and word not in known]


def repeated(text: str) -> float:
    """Return the share of a text's trigrams that stood in it before; 0 where it has none."""
    words = _words(text)
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    return 1 - len(set(trigrams)) / len(trigrams) if trigrams else 0.0


def degenerate(text: str) -> bool:
    """Return whether a text is next to nothing, or says the same again and again.

    Deviation: the papers give shares of degenerate summaries, and no definition.
    """
    words = _words(text)
    if len(words) < FEWEST_WORDS or repeated(text) > MOST_REPEATED:
        return True
    return any(len(set(words[i : i + MOST_IN_A_ROW])) == 1 for i in range(len(words) - MOST_IN_A_ROW + 1))


def _segments(text: str, telling: frozenset[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield every telling word of a text with the words behind it, up to the next or the sentence's end."""
    for sentence in _SENTENCE.split(text):
        words = _words(sentence)
        places = [place for place, word in enumerate(words) if word in telling]
        for place, end in zip(places, [*places[1:], len(words)], strict=False):
            yield words[place], words[place + 1 : end]


def _in_order(wanted: Sequence[str], words: Sequence[str]) -> bool:
    """Return whether all wanted words are there in their order."""
    there = iter(words)
    return all(word in there for word in wanted)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _rouge(reference: str, text: str) -> dict[str, float]:
    """Return ROUGE's F1; nothing for a reference that it reads no word of, where all answers would have 0."""
    if not _ROUGE_WORD.search(reference.casefold()):
        return {}
    return {name: float(score.fmeasure) for name, score in _scorer().score(reference, text).items()}


@cache
def _scorer() -> RougeScorer:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(list(ROUGE), use_stemmer=True)


def from_row(row: Mapping[str, Any], where: str) -> Problem:
    """Read a row {task_id, document, summary, facts?}."""
    fields = Fields(row, where)
    summary = fields.text("summary")
    facts = fields.texts("facts") if "facts" in row else ()
    if any(not line.strip() for line in facts):
        raise fields.wrong("facts", "lines of words", facts)
    for line in facts:
        head, rest = fact_of(line)
        if never := [word for word in (*sorted(head), *rest) if not _WORD.fullmatch(word)]:
            raise DataError(
                f"{where}, field 'facts': no answer can say {never[0]!r} of the fact {line!r:.60}",
                hint="a fact is words of letters and digits: 47.5 is read as two words, `47 5`",
            )
    return Problem(
        task_id=fields.task_id(),
        prompt=fields.text("document"),
        entry_point="",
        tests=(summary, *facts),
        canonical_solution=summary,
        source=fields.text("source", "file"),
        split=fields.text("split", "test"),
        shape=SHAPE.name,
        shown_tests=0,
    )


def to_row(problem: Problem) -> dict[str, Any]:
    """Return a row {task_id, document, summary, facts?}."""
    facts = list(problem.tests[1:])
    return {
        "task_id": problem.task_id,
        "document": problem.prompt,
        "summary": problem.canonical_solution,
        **({"facts": facts} if facts else {}),
    }


_EXAMPLE = "The most were sold on Monday, 12, and the fewest on Sunday, 3."
SHAPE = Shape(
    name="summary",
    title="Summary",
    about="facts are looked for, and ROUGE is measured; nothing is run",
    instruction=instruction,
    extraction="whole",
    from_row=from_row,
    to_row=to_row,
    example=Problem(
        "probe/0",
        "Monday: 12 pears. Sunday: 3 pears. Friday: 7 pears.",
        "",
        (_EXAMPLE, "most Monday 12", "fewest Sunday 3"),
        _EXAMPLE,
        "probe",
        "test",
        "summary",
        shown_tests=0,
    ),
    judge=judge,
    measures=MEASURES,
)
