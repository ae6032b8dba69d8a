"""A protocol with a model's tokenizer: problems to token ids, token ids to answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from xpflow.artifacts.io import whole_text
from xpflow.errors import ConfigError, ModelLoadError
from xpflow.problems.problem import Problem
from xpflow.problems.shapes import SHAPES
from xpflow.protocols.protocol import Protocol, Turn


class Prompter:
    """Renders and encodes prompts, and reads responses, by the rules of one protocol.

    `tokenizer` may be None to render text under a protocol that names its chat template.
    """

    def __init__(self, protocol: Protocol, tokenizer: Any = None) -> None:
        self.protocol, self.tokenizer = protocol, tokenizer
        if tokenizer is None and protocol.template is None:
            raise ConfigError(
                f"protocol {protocol.name!r} renders with the model's own chat template",
                hint="name the model whose tokenizer is to be used",
            )

    def text(self, problem: Problem) -> str:
        """Return the prompt of a problem as the model sees it."""
        rendered = self._render(self.protocol.turns(problem))
        if not problem.tests:
            return rendered
        recipe = self.protocol.recipe(problem.shape)
        prefix = recipe.prefix(problem) if recipe.prefix else ""
        return rendered + (prefix.strip() if self._trims and not recipe.keep_prefix_end else prefix)

    def encode(self, problem: Problem) -> list[int]:
        """Return the token ids of a problem's prompt, the assistant's open turn at its end."""
        return self._ids(self.text(problem))

    def encode_text(self, text: str) -> list[int]:
        """Return the token ids of a chat whose one turn is a text of the user's."""
        return self._ids(self._render((Turn("user", text),)))

    def template_hash(self) -> str:
        """Return the SHA-256 of what the protocol makes of a few fixed problems.

        They are the example of each shape that it has a recipe for, and a prompt without tests. The hash
        changes with the wording, the worked examples, the chat template or the prefix.
        """
        probes = [SHAPES[shape].example for shape in self.protocol.recipes]
        return text_hash("\0".join(self.text(problem) for problem in [*probes, _request(probes[-1])]))

    def answer(self, problem: Problem, tokens: Sequence[int]) -> str:
        """Return the text of a response: without special tokens, cut where the protocol says that it ends."""
        ids = list(tokens)
        if self.protocol.cut_at_end:
            ids = ids[: next((i for i, token in enumerate(ids) if token in self._ends), len(ids))]
        text = str(self.tokenizer.decode(ids, skip_special_tokens=True))
        for stop in self.protocol.recipe(problem.shape).stops:
            text = text.partition(stop)[0]
        return text

    def _render(self, turns: Sequence[Turn]) -> str:
        if self.protocol.template is not None:
            return self.protocol.template.render(turns)
        messages = [{"role": turn.role, "content": turn.content} for turn in turns]
        try:
            rendered = str(
                self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            )
        except Exception as error:  # Jinja's own, or whatever a template's code raises
            raise ModelLoadError(
                f"the tokenizer's chat template cannot be used: {type(error).__name__}: {error}",
                hint="mend chat_template.jinja in the model's folder, or name a protocol with a template",
            ) from error
        if not all(turn.content.strip() in rendered for turn in turns):
            raise ModelLoadError(
                "the tokenizer's chat template does not print the text of a turn as it is: "
                "answers would be to another prompt",
                hint="mend chat_template.jinja in the model's folder, or name a protocol with a template",
            )
        return rendered

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(whole_text(text), add_special_tokens=False)["input_ids"])

    @cached_property
    def _trims(self) -> bool:
        """Whether the chat template takes the white space off the ends of a turn."""
        if self.protocol.template is not None:
            return self.protocol.template.trims
        return "end \n" not in self._render((Turn("user", "end \n"),))

    @cached_property
    def _ends(self) -> frozenset[int]:
        """Ids of the tokens that end an answer: end of text, and the end of turn of the chat template.

        A template of the model's own shows its end of turn: the special token behind an assistant's turn.
        """
        if self.protocol.template is not None:
            vocabulary = self.tokenizer.get_vocab()
            ends = {vocabulary[name] for name in self.protocol.template.ends if name in vocabulary}
        else:
            chat = self._render((Turn("user", "q"), Turn("assistant", _ANSWER)))
            behind = self._ids(chat.rpartition(_ANSWER)[2])[:1]
            ends = set(behind) & set(self.tokenizer.get_added_vocab().values())
        return frozenset(ends | {self.tokenizer.eos_token_id})


_ANSWER = "the-answer"


def _request(problem: Problem) -> Problem:
    """Return a problem as a prompt without tests."""
    return replace(problem, tests=())


def text_hash(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def ids_hash(ids: Sequence[int]) -> str:
    """Return the SHA-256 of token ids, written with a space between them."""
    return text_hash(" ".join(map(str, ids)))
