"""Every answer of a study, small enough to travel in its page: who solved what, how, and why not.

Problems, programs and reasons are kept once and named by their place in a list. Verdicts are one letter for
each problem. A study whose programs do not fit keeps those of its first seed, or none; verdicts are all
there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from xpflow.errors import XpflowError
from xpflow.problems.problem import Problem
from xpflow.protocols.find import find_protocol
from xpflow.protocols.prompter import Prompter
from xpflow.reporting.prompts_page import tokenizer_of
from xpflow.reporting.results import ByAnswer
from xpflow.study.config import StudyConfig
from xpflow.study.config.base import budget_text
from xpflow.study.result_files import Answer, Fields
from xpflow.study.rows import Row

Kept = Literal["every seed", "the first seed", "no seed"]  # whose programs the page holds
KEEPING: tuple[Kept, ...] = ("every seed", "the first seed", "no seed")
LETTERS = {"passed": "p", "wrong": "w", "error": "e", "timeout": "t", "memory": "m"}
Place = tuple[str, str]  # model, benchmark


@dataclass(slots=True)
class Names:
    """Texts in the order in which they came, each once."""

    places: dict[str, int] = field(default_factory=dict)

    def place(self, text: str) -> int:
        """Return the place of a text, a new one at the end."""
        return self.places.setdefault(text, len(self.places))


@dataclass(slots=True)
class Answers:
    """The answers of all runs on one benchmark by one model; `note` takes one run after the other."""

    tasks: tuple[str, ...] = ()
    programs: Names = field(default_factory=Names)
    reasons: Names = field(default_factory=Names)
    runs: list[dict[str, Any]] = field(default_factory=list)

    def note(self, row: Row, samples: ByAnswer, verdicts: ByAnswer) -> None:
        """Keep what one run answered, each of several samples by itself; all are on the same problems."""
        self.tasks = self.tasks or tuple(sorted({answer.task for answer in verdicts}))
        for sample in sorted({answer.sample for answer in verdicts}):
            keys = [key for task in self.tasks if (key := Answer(task, sample)) in verdicts]
            self._keep(row, sample, [(samples[key], verdicts[key]) for key in keys])

    def _keep(self, row: Row, sample: int, found: Sequence[tuple[Fields, Fields]]) -> None:
        self.runs.append(
            {
                "arm": row.arm,
                "budget": budget_text(row.budget),
                "seed": row.seed,
                **({"sample": sample} if row.samples > 1 else {}),
                "verdicts": "".join(LETTERS[str(verdict["verdict"])] for _, verdict in found),
                "nfe": [_short(answer["nfe"]) for answer, _ in found],
                "programs": [self.programs.place(_text(answer.get("completion"))) for answer, _ in found],
                "reasons": [self.reasons.place(_text(verdict.get("reason"))) for _, verdict in found],
            }
        )

    def record(self, kept: Kept) -> dict[str, Any]:
        """Return what the page is given; `programs` names texts that lie side by side when they are alike."""
        first = min((run["seed"] for run in self.runs), default=0)
        holds = [
            kept == "every seed" or (kept == "the first seed" and run["seed"] == first) for run in self.runs
        ]
        used = {
            place for run, held in zip(self.runs, holds, strict=True) if held for place in run["programs"]
        }
        texts = [text for text, place in self.programs.places.items() if place in used]
        order = {self.programs.places[text]: number for number, text in enumerate(sorted(texts))}
        return {
            "tasks": self.tasks,
            "programs": sorted(texts),
            "reasons": list(self.reasons.places),
            "runs": [
                {**run, "programs": [order[place] for place in run["programs"]] if held else None}
                for run, held in zip(self.runs, holds, strict=True)
            ],
        }


class AnswerBook:
    """The answers of a whole study by model and benchmark, filled while its files are read."""

    def __init__(self) -> None:
        self.places: dict[Place, Answers] = defaultdict(Answers)

    def __call__(self, row: Row, samples: ByAnswer, verdicts: ByAnswer) -> None:
        self.places[row.model, row.benchmark].note(row, samples, verdicts)


def asked(
    config: StudyConfig, problems: Mapping[str, Sequence[Problem]], place: Place, tasks: Sequence[str]
) -> dict[str, Any]:
    """Return what a model was asked: for each task the prompt as it saw it, and the tests of the answer.

    A prompt whose template is not on this machine is the benchmark's own text (`rendered` is false then); of
    a study without its problem files there is none.
    """
    model, benchmark = place
    known = {problem.task_id: problem for problem in problems.get(benchmark, ())}
    prompter = _prompter(config, model)
    found = [known.get(task) for task in tasks]
    return {
        "rendered": prompter is not None,
        "prompts": [_prompt(prompter, one) if one else None for one in found],
        "tests": ["\n".join(one.tests) if one else None for one in found],
        "continues": [bool(one and one.kind.continues) for one in found],
    }


def _prompter(config: StudyConfig, model: str) -> Prompter | None:
    choice = config.model(model)
    protocol = find_protocol(choice.protocol)
    try:
        return Prompter(protocol, tokenizer_of(choice) if protocol.template is None else None)
    except XpflowError:  # no template on this machine
        return None


def _prompt(prompter: Prompter | None, problem: Problem) -> str:
    try:
        return prompter.text(problem) if prompter else problem.prompt
    except XpflowError:  # the protocol has no recipe for it any more
        return problem.prompt


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _short(nfe: Any) -> float | int:
    """Return a number of forward passes, without a fraction of nothing."""
    return int(nfe) if float(nfe).is_integer() else round(float(nfe), 3)
