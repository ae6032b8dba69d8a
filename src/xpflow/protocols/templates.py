"""The chat templates of the published models, byte for byte, as functions of the turns.

A protocol that names one renders the same text with any tokenizer. Sources: the chat templates of
GSAI-ML/LLaDA-8B-Instruct (348 bytes) and of inclusionAI/LLaDA2.0-mini.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xpflow.protocols.protocol import TemplateName, Turn


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """A chat template: `render` ends with the assistant's open turn, `trims` says whether a turn loses the
    white space at its ends, `ends` are the tokens that end an answer."""

    render: Callable[[Sequence[Turn]], str]
    trims: bool
    ends: tuple[str, ...]


def render_llada(turns: Sequence[Turn]) -> str:
    """Return LLaDA's chat: every turn trimmed, and an assistant's turn opened whatever comes last."""
    parts = [f"{_llada_header(turn.role)}{turn.content.strip()}<|eot_id|>" for turn in turns]
    return "".join(["<|startoftext|>", *parts, _llada_header("assistant")])


def render_llada2(turns: Sequence[Turn]) -> str:
    """Return LLaDA2.0's chat: nothing trimmed, no start token, and a system turn even where none is given."""
    system = "".join(f"{turn.content}\n" for turn in turns if turn.role == "system")
    parts = [f"<role>SYSTEM</role>{system}detailed thinking off<|role_end|>"]
    names = {"user": "HUMAN", "assistant": "ASSISTANT"}
    parts += [
        f"<role>{names[turn.role]}</role>{turn.content}<|role_end|>"
        for turn in turns
        if turn.role != "system"
    ]
    return "".join([*parts, "<role>ASSISTANT</role>"])


def _llada_header(role: str) -> str:
    return f"<|start_header_id|>{role}<|end_header_id|>\n\n"


TEMPLATES: dict[TemplateName, ChatTemplate] = {
    "llada": ChatTemplate(render_llada, trims=True, ends=("<|endoftext|>", "<|eot_id|>")),
    "llada2": ChatTemplate(render_llada2, trims=False, ends=("<|endoftext|>", "<|role_end|>")),
}
# Tokens that end an answer under a model's own template: those of them that its tokenizer has.
ALL_ENDS = tuple(dict.fromkeys(end for template in TEMPLATES.values() for end in template.ends))
