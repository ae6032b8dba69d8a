"""What a protocol is: everything between a problem and a score that is neither model nor decoder.

A benchmark's name does not say what a model was asked. The same weights and decoder solve 14.8 or 37.6 % of
MBPP, depending on the prompt and on how code is taken out of the answer alone (docs/protocols.md). So these
choices are one named, versioned object: a version never changes its meaning, and results carry
`name@version`. Pure text, no torch: a configuration can name a protocol before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from xpflow.problems.problem import Problem
from xpflow.problems.shapes import SHAPES

Setting = bool | int | float | str | None


class Turn(NamedTuple):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """The chat template of a published model, byte for byte, as a function of the turns.

    A protocol that names one renders the same text with any tokenizer. `render` ends with the assistant's
    open turn, `trims` says whether a turn loses the white space at its ends, `ends` are the tokens that end
    an answer.
    """

    name: str
    render: Callable[[Sequence[Turn]], str]
    trims: bool
    ends: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a protocol asks the problems of one shape and reads their answers.

    Args:
        turns: problem -> the chat, which ends with the user's turn.
        extraction: the rule that reads the answer (`xpflow.grading.extraction`).
        settings: decoder settings, gen_length among them where the protocol fixes it.
        prefix: what the assistant's turn already says when the model starts.
        keep_prefix_end: keep its end, where the chat template trims every turn.
        stops: an answer ends before the first of them.
    """

    turns: Callable[[Problem], tuple[Turn, ...]]
    extraction: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    prefix: Callable[[Problem], str] | None = None
    keep_prefix_end: bool = False
    stops: tuple[str, ...] = ()


def asked(text: Callable[[Problem], str]) -> Callable[[Problem], tuple[Turn, ...]]:
    """Return the chat whose one turn is the user's, with a text of the problem."""
    return lambda problem: (Turn("user", text(problem)),)


def bare_prompt(problem: Problem) -> str:
    """Return the text of a problem that is a prompt and nothing else."""
    return problem.prompt


@dataclass(frozen=True, slots=True)
class Protocol:
    """A named way to ask, to decode and to read.

    Args:
        recipes: shape -> recipe. A shape that is not among them is asked and read as it says itself.
        template: None is the model's own chat template.
        cut_at_end: what follows the first end-of-text or end-of-turn token is no part of the answer; special
            tokens never are.
        bare: the user's turn for a prompt without tests (self-alignment data).
        zero_shot: no worked examples are shown (a plan reckons with shorter prompts).
    """

    name: str
    version: int
    about: str
    source: str
    recipes: Mapping[str, Recipe]
    template: ChatTemplate | None = None
    cut_at_end: bool = False
    bare: Callable[[Problem], str] = bare_prompt
    zero_shot: bool = False

    @property
    def label(self) -> str:
        """The name that results carry: name@version."""
        return f"{self.name}@{self.version}"

    def recipe(self, shape: str) -> Recipe:
        """Return how problems of a shape are asked and read: the protocol's own way, else the shape's.

        Raises:
            DataError: there is no such shape.
        """
        if shape in self.recipes:
            return self.recipes[shape]
        kind = SHAPES[shape]
        return Recipe(asked(kind.instruction), kind.extraction)

    def turns(self, problem: Problem) -> tuple[Turn, ...]:
        """Return the chat that asks a problem, without the assistant's open turn."""
        if not problem.tests:
            return (Turn("user", self.bare(problem)),)
        return self.recipe(problem.shape).turns(problem)

    def extraction(self, shape: str) -> str:
        """Return the name of the rule that reads an answer."""
        return self.recipe(shape).extraction

    def gen_length(self, shape: str) -> int | None:
        """Return N as the protocol fixes it; None leaves it to the study."""
        length = self.recipe(shape).settings.get("gen_length")
        return length if isinstance(length, int) else None

    def settings(self, shape: str, known: Collection[str]) -> dict[str, Setting]:
        """Return the decoder settings for a shape that a decoder knows (`known`: its settings' names).

        The others are left out: `confidence_eos_eot_inf` says nothing to the flow decoder, which commits by
        rules of its own. The paper does not say what its flow does with end-of-text tokens.
        """
        return {key: value for key, value in self.recipe(shape).settings.items() if key in known}
