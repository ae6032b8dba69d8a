"""The first prompts of a study as its models see them, with their hashes: a page of the report.

A prompt is text; what a model sees are token ids. The page has both hashes where the model's tokenizer can be
read here, and only that of the text where it cannot (a checkpoint that lies on another machine).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xpflow.errors import ModelLoadError
from xpflow.problems.problem import Problem
from xpflow.protocols.find import find_protocol
from xpflow.protocols.prompter import Prompter, ids_hash, text_hash
from xpflow.protocols.protocol import Protocol
from xpflow.reporting.markup import markdown_text
from xpflow.study.config import StudyConfig
from xpflow.study.config.inputs import ModelChoice

SHOWN = 3
TICKS = "`"


def prompts_markdown(config: StudyConfig, problems: Mapping[str, Sequence[Problem]]) -> str:
    """Return the page: for each model and benchmark the first three prompts; `problems` by benchmark."""
    lines = [
        f"## What the models of {config.study.name} are asked",
        "",
        f"The first {SHOWN} prompts of each benchmark, rendered by the protocol of each model: all that the "
        "model is given. Hashes are SHA-256, of the text in UTF-8 and of the token ids with spaces between "
        "them. A dot · stands for a space at a line's end, ␍ for a carriage return. `xpflow prompts PROTOCOL "
        "--show` prints any prompt byte for byte.",
        "",
    ]
    for model in config.models:
        protocol = find_protocol(model.protocol)
        lines += [f"### {model.name}: protocol {protocol.label}", "", f"{protocol.about}.", ""]
        tokenizer = tokenizer_of(model)
        for benchmark, found in problems.items():
            lines += _benchmark_lines(protocol, tokenizer, benchmark, found[:SHOWN])
    return "\n".join(lines).rstrip("\n") + "\n"


def prompt_facts(prompter: Prompter, problem: Problem) -> list[tuple[str, str]]:
    """Return what can be said of a problem's prompt: length and hash of its text and, where the tokenizer is
    there, of its token ids."""
    text = prompter.text(problem)
    facts = [("text", f"{len(text)} characters, sha256 {text_hash(text)}")]
    if prompter.tokenizer is not None:
        ids = prompter.encode(problem)
        facts.append(("token ids", f"{len(ids)}, sha256 {ids_hash(ids)}"))
    return facts


def tokenizer_of(model: ModelChoice) -> Any:
    """Return the tokenizer of a model of a study; None where its folder is not on this machine."""
    from xpflow.models.load import named_tokenizer

    try:
        return named_tokenizer(model.directory or model.name)
    except ModelLoadError:
        return None


def _benchmark_lines(
    protocol: Protocol, tokenizer: Any, benchmark: str, problems: Sequence[Problem]
) -> list[str]:
    if tokenizer is None and protocol.template is None:
        return [f"{benchmark}: the model's tokenizer is not on this machine, and its template renders.", ""]
    prompter, lines = Prompter(protocol, tokenizer), []
    for problem in problems:
        text = prompter.text(problem)
        fence = TICKS * max(3, _longest_ticks(text) + 1)
        lines += [f"#### {markdown_text(f'{benchmark}, {problem.task_id}')}", ""]
        lines += [f"- {name}: {fact}" for name, fact in prompt_facts(prompter, problem)]
        lines += ["", f"{fence}text", visible(text), fence, ""]
    return lines


def visible(text: str) -> str:
    """Return a text with a mark for each carriage return and each space before a line's end."""
    lines = []
    for line in text.split("\n"):
        bare = line.removesuffix("\r")
        kept = bare.rstrip(" ")
        lines.append(kept + "·" * (len(bare) - len(kept)) + ("␍" if bare != line else ""))
    return "\n".join(lines)


def _longest_ticks(text: str) -> int:
    runs, run = 0, 0
    for character in text:
        run = run + 1 if character == TICKS else 0
        runs = max(runs, run)
    return runs
