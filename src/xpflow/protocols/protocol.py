"""What a protocol is: everything between a problem and a score that is neither model nor decoder.

A benchmark's name does not say what a model was asked. The same weights and decoder solve 14.8 or 37.6 % of
MBPP, depending on the prompt and on how code is taken out of the answer alone (docs/protocols.md). So these
choices are one named, versioned object: a version never changes its meaning, and results carry
`name@version`. Pure text, no torch: a configuration can name a protocol before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from xpflow.problems.problem import Problem, Shape

TemplateName = Literal["llada", "llada2"]
Setting = bool | int | float | str | None


class Turn(NamedTuple):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


def bare_prompt(problem: Problem) -> str:
    """Return the text of a problem that is a prompt and nothing else."""
    return problem.prompt


@dataclass(frozen=True, slots=True)
class Way:
    """How a protocol asks the problems of one shape and reads their answers.

    `turns` ends with the user's; `prefix` is what the assistant's turn already says when the model starts
    (with its end kept, or trimmed as the chat template trims every turn). `extraction` is a rule of
    `xpflow.grading`. `settings` are decoder settings, gen_length among them where the protocol fixes it.
    Answers end before the first of `stops`.
    """

    turns: Callable[[Problem], tuple[Turn, ...]]
    extraction: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    prefix: Callable[[Problem], str] | None = None
    keep_prefix_end: bool = False
    stops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Protocol:
    """A named way to ask, to decode and to read.

    `template` None is the model's own chat template. `cut_at_end`: what follows the first end-of-text or
    end-of-turn token is no part of the answer; special tokens never are. `bare` is the user's turn for a
    prompt without tests (self-alignment data).
    """

    name: str
    version: int
    about: str
    source: str
    humaneval: Way
    mbpp: Way
    template: TemplateName | None = None
    cut_at_end: bool = False
    bare: Callable[[Problem], str] = bare_prompt

    @property
    def label(self) -> str:
        """The name that results carry: name@version."""
        return f"{self.name}@{self.version}"

    def way(self, shape: Shape) -> Way:
        """Return how problems of a shape are asked and read."""
        return self.humaneval if shape == "humaneval" else self.mbpp

    def turns(self, problem: Problem) -> tuple[Turn, ...]:
        """Return the chat that asks a problem, without the assistant's open turn."""
        if not problem.tests:
            return (Turn("user", self.bare(problem)),)
        return self.way(problem.shape).turns(problem)

    def extraction(self, shape: Shape) -> str:
        """Return the name of the rule that takes the program out of an answer."""
        return self.way(shape).extraction

    def gen_length(self, shape: Shape) -> int | None:
        """Return N as the protocol fixes it; None leaves it to the study."""
        length = self.way(shape).settings.get("gen_length")
        return length if isinstance(length, int) else None

    def settings(self, shape: Shape, known: Collection[str]) -> dict[str, Setting]:
        """Return the decoder settings for a shape that a decoder knows (`known`: its settings' names).

        The others are left out: `confidence_eos_eot_inf` says nothing to the flow decoder, which commits by
        rules of its own. The paper does not say what its flow does with end-of-text tokens.
        """
        return {key: value for key, value in self.way(shape).settings.items() if key in known}
