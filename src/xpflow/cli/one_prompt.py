"""One prompt in the terminal: shown as it resolves, or answered by several decoders side by side."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xpflow.cli.live import Screen
    from xpflow.decoding import DecodeResult, DecodeSettings, Trace
    from xpflow.decoding.stepper import Observer
    from xpflow.protocols.prompter import Prompter

NARROW = 44  # columns that a decoder's answer needs beside another


@dataclass(frozen=True)
class Asked:
    """A prompt to a loaded model; name: what --model said. candidates: how many of them a trace keeps."""

    model: Any
    name: str
    prompter: Prompter
    prompt: str
    seed: int = 0
    candidates: int = 0
    ids: list[int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", self.prompter.encode_text(self.prompt))

    def decode(
        self,
        settings: DecodeSettings,
        policy: str | None = None,
        observer: Observer | None = None,
        trace: bool = False,
    ) -> DecodeResult:
        """Decode it; a trace carries the texts of its tokens."""
        from xpflow.decoding import decode

        result = decode(
            self.model,
            [self.ids],
            settings,
            policy,
            seeds=[self.seed],
            observer=observer,
            trace=trace,
            candidates=self.candidates,
        )
        for one in result.trace or ():
            _add_texts(one, self.prompter.tokenizer)
            one.head |= {"model": self.name, "prompt_text": self.prompt, "answer": self.answer(result)}
        return result

    def answer(self, result: DecodeResult) -> str:
        """Return the answer without special tokens."""
        from xpflow.models.tokenizer import decode_response

        return decode_response(self.prompter.tokenizer, result.tokens[0].tolist())

    def screen(self, settings: DecodeSettings) -> Screen:
        """Return what turns steps into text."""
        from xpflow.cli.live import Screen
        from xpflow.decoding import decoder_entry
        from xpflow.noise import NO_TOKEN, noise_of

        noise = {NO_TOKEN, *noise_of(self.model.config).ids}
        text, special = token_text(self.prompter.tokenizer), set(self.prompter.tokenizer.all_special_ids)
        shown = lambda token: "·" if token in special else text(token)  # noqa: E731
        return Screen(shown, noise.__contains__, decoder_entry(settings.decoder).events)


def token_text(tokenizer: Any) -> Callable[[int], str]:
    """Return what gives the text of one token id."""
    return lambda token: str(tokenizer.decode([token]))


def _add_texts(trace: Trace, tokenizer: Any) -> None:
    """Write the texts of a trace's tokens into its head, so that it can be shown without the model."""
    from xpflow.traces.viewer.data import ids_of

    text, special, ids = token_text(tokenizer), set(tokenizer.all_special_ids), ids_of(trace)
    trace.head["texts"] = {str(token): text(token) for token in ids}
    trace.head["special_ids"] = [token for token in ids if token in special]


def show(asked: Asked, settings: DecodeSettings, policy: str | None, trace: Path | None) -> None:
    """Print one prompt as it resolves, then the answer, set apart, and what it cost."""
    from xpflow.cli.live import harmless, live_view
    from xpflow.decoding import save_traces

    with live_view(settings.gen_length, asked.screen(settings)) as watcher:
        result = asked.decode(settings, policy, watcher, trace is not None)
    if trace is not None and result.trace is not None:
        save_traces(trace, result.trace)
    if sys.stdout.isatty():
        _rule("answer")
    answer = harmless(asked.answer(result), "\n\t").strip("\n")
    print(f"\n{answer}\n\n{int(result.nfe[0])} forwards (budget: {settings.steps} steps)")


def compare(asked: Asked, choices: Sequence[tuple[DecodeSettings, str | None]], trace: Path | None) -> None:
    """Print the answers of several decoders to one prompt, with what each cost."""
    from time import perf_counter

    from xpflow.cli.live import harmless
    from xpflow.decoding import save_traces, settings_from

    first, titles = choices[0][0], _titles(choices)
    asked.decode(settings_from(first.decoder, {**first.model_dump(), "budget": f"1/{first.gen_length}"}))
    found: list[tuple[str, str, int, float]] = []
    traces: list[Trace] = []  # the decode above warmed the model up
    for title, (settings, policy) in zip(titles, choices, strict=True):
        start = perf_counter()
        result = asked.decode(settings, policy, trace=trace is not None)
        taken = perf_counter() - start
        answer = harmless(asked.answer(result), "\n\t").strip("\n")
        found.append((title, answer, int(result.nfe[0]), taken))
        traces += result.trace or []
    if trace is not None:
        save_traces(trace, traces)
    (_panels if sys.stdout.isatty() else _sections)(found)


def _titles(choices: Sequence[tuple[DecodeSettings, str | None]]) -> list[str]:
    """Return what each decode is called: its decoder, or all that tells it from another of that decoder."""
    from xpflow.budget import budget_text
    from xpflow.decoding import decoder_entry

    short = [decoder_entry(settings.decoder).title for settings, _ in choices]
    whole = [
        decoder_entry(one.decoder).label([one.model_dump()], policy or "none") for one, policy in choices
    ]
    budgets = [budget_text(one.budget) for one, _ in choices]
    return [
        a if short.count(a) == 1 else f"{b}, budget {c}"
        for a, b, c in zip(short, whole, budgets, strict=True)
    ]


def _sections(found: Sequence[tuple[str, str, int, float]]) -> None:
    for title, answer, _, _ in found:
        print(f"--- {title}\n\n{answer}\n")
    width = max(len(title) for title, *_ in found)
    print("\n".join(f"{title:<{width}}  {_cost(nfe, taken)}" for title, _, nfe, taken in found))


def _panels(found: Sequence[tuple[str, str, int, float]]) -> None:
    """Print the answers in boxes: side by side where the terminal is wide enough, else one below another."""
    from rich.console import Console
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    console = Console()
    boxes = [
        Panel(Text(answer), title=Text(title), subtitle=_cost(nfe, taken))
        for title, answer, nfe, taken in found
    ]
    if console.width < NARROW * len(boxes):
        for box in boxes:
            console.print(box)
        return
    grid = Table.grid(expand=True, padding=(0, 1))
    for _ in boxes:
        grid.add_column(ratio=1)
    grid.add_row(*boxes)
    console.print(grid)


def _cost(nfe: int, taken: float) -> str:
    return f"{nfe} forwards, {taken:.2f} s"


def _rule(title: str) -> None:
    from rich.console import Console

    Console().rule(title, style="dim")
