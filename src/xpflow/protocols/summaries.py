"""How DSL-LLaDA asks for summaries: the document, and how long the summary is to be, in LLaDA's chat.

The paper says what is asked for (one sentence of XSum, two or three of CNN/DailyMail, a concise abstract of
PubMed's and arXiv's papers) and not in which words: the wording is ours. Answers end at EOS or the end of the
turn. No decoding is fixed.
"""

from __future__ import annotations

from xpflow.problems.problem import Problem
from xpflow.protocols.llada import TEMPLATE
from xpflow.protocols.protocol import Protocol, Recipe, Turn

LENGTHS = {
    "xsum": ("article", "in one sentence"),
    "cnn-dailymail": ("article", "in two or three sentences"),
    "pubmed-abstracts": ("paper", "in a concise abstract"),
    "arxiv-abstracts": ("paper", "in a concise abstract"),
}


def ask(problem: Problem) -> tuple[Turn, ...]:
    """Return the one turn that asks for a summary."""
    kind, length = LENGTHS.get(problem.source, ("text", "in one or two sentences"))
    return (Turn("user", f"Summarize the following {kind} {length}.\n\n{problem.prompt}"),)


SUMMARIES = Protocol(
    name="llada-summaries",
    version=1,
    about="LLaDA-8B-Instruct is asked for summaries as long as DSL-LLaDA's; they end at EOS or end of turn",
    source="DSL-LLaDA, arXiv 2606.01024; the wording is ours",
    template=TEMPLATE,
    cut_at_end=True,
    recipes={"summary": Recipe(ask, "whole")},
    zero_shot=True,
)
