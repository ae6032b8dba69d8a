"""A protocol with a model's tokenizer: problems to token ids, token ids to answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from xpflow.errors import ConfigError
from xpflow.problems.problem import Problem, Shape
from xpflow.protocols.protocol import Protocol, Turn
from xpflow.protocols.templates import ALL_ENDS, TEMPLATES


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
        way = self.protocol.way(problem.shape)
        if way.prefix is None or not problem.tests:
            return rendered
        prefix = way.prefix(problem)
        return rendered + (prefix.strip() if self._trims() and not way.keep_prefix_end else prefix)

    def encode(self, problem: Problem) -> list[int]:
        """Return the token ids of a problem's prompt, the assistant's open turn at its end."""
        return self._ids(self.text(problem))

    def encode_text(self, text: str) -> list[int]:
        """Return the token ids of a chat whose one turn is a text of the user's."""
        return self._ids(self._render((Turn("user", text),)))

    def template_hash(self) -> str:
        """Return the SHA-256 of what the protocol makes of three fixed problems: one of each shape, and a
        prompt without tests. It changes with the wording, the examples, the chat template or the prefix."""
        return text_hash("\0".join(self.text(problem) for problem in _PROBES))

    def answer(self, problem: Problem, tokens: Sequence[int]) -> str:
        """Return the text of a response: without special tokens, cut where the protocol says that it ends."""
        ids = list(tokens)
        if self.protocol.cut_at_end:
            ends = self._end_ids()
            ids = ids[: next((place for place, token in enumerate(ids) if token in ends), len(ids))]
        text = str(self.tokenizer.decode(ids, skip_special_tokens=True))
        for stop in self.protocol.way(problem.shape).stops:
            text = text.partition(stop)[0]
        return text

    def _render(self, turns: Sequence[Turn]) -> str:
        if self.protocol.template is not None:
            return TEMPLATES[self.protocol.template].render(turns)
        messages = [{"role": turn.role, "content": turn.content} for turn in turns]
        return str(self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

    def _trims(self) -> bool:
        """Return whether the chat template takes the white space off the ends of a turn."""
        if self.protocol.template is not None:
            return TEMPLATES[self.protocol.template].trims
        return "end \n" not in self._render((Turn("user", "end \n"),))

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _end_ids(self) -> set[int]:
        names = TEMPLATES[self.protocol.template].ends if self.protocol.template else ALL_ENDS
        vocabulary = self.tokenizer.get_vocab()
        known = {vocabulary[name] for name in names if name in vocabulary}
        return known | {self.tokenizer.eos_token_id}


def _probe(shape: Shape, *tests: str) -> Problem:
    """Return a problem that is there to be rendered."""
    prompt = "def one():\n" if shape == "humaneval" else "Write one."
    return Problem("probe/0", prompt, "one", tests, "    return 1\n", "probe", "test", shape)


_PROBES = (
    _probe("humaneval", "def check(candidate):\n    assert candidate() == 1\n"),
    _probe("mbpp", "assert one() == 1"),
    _probe("mbpp"),
)


def text_hash(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def ids_hash(ids: Sequence[int]) -> str:
    """Return the SHA-256 of token ids, written with a space between them."""
    return text_hash(" ".join(map(str, ids)))
