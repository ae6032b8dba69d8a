"""What the harness asks of a model: answers, and likelihoods of texts. Knows nothing of lm_eval."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from xpflow.artifacts.io import whole_text
from xpflow.decoding import DecodeSettings, decode, settings_from
from xpflow.decoding.canvas import model_facts
from xpflow.decoding.policies.load import load_policy
from xpflow.decoding.registry import decoder_entry, decoders_that, default_decoder
from xpflow.decoding.samples import decode_samples, row_seed
from xpflow.errors import DataError, DecodingError
from xpflow.harness.likelihood import MonteCarlo, log_likelihood
from xpflow.harness.options import Options
from xpflow.models.load import load_model
from xpflow.problems.problem import Problem
from xpflow.protocols.find import find_protocol
from xpflow.protocols.prompter import Prompter
from xpflow.runtime.decoding import warn_unaligned

LENGTH, BATCH = 256, 32  # where neither options, protocol nor task say anything
GREEDY = "mask_prediction"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
Report = Callable[[int], None]
# (ids, first token, longest) -> (context, target) pairs
Windows = Callable[[list[int], int, int], Sequence[tuple[list[int], list[int]]]]


@dataclass(frozen=True, slots=True)
class Ask:
    """One prompt: its text, where the answer stops, how long it may be; `row` is the task's own row.

    name: what its seed comes from; of a row that is a problem, that is the problem's id. repeat: which answer
    to the same row this is.
    """

    name: str
    text: str
    until: tuple[str, ...] = ()
    length: int | None = None
    row: Mapping[str, Any] | None = None
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as text, its tokens, the forwards that it took, and the settings it was decoded with."""

    text: str
    tokens: list[int]
    nfe: int
    settings: DecodeSettings
    asked: str


@dataclass(frozen=True, slots=True)
class Score:
    """A text's log-likelihood in nats, whether greedy decoding gives it, and the forwards that took."""

    log_likelihood: float
    greedy: bool
    nfe: int


class Work:
    """A loaded model with its options."""

    def __init__(self, options: Options) -> None:
        self.options = options
        device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
        dtype = DTYPES.get(options.dtype, torch.float32 if device == "cpu" else None)
        self.decoder = options.decoder or default_decoder()
        self.protocol = find_protocol(options.protocol) if options.protocol else None
        self._require_policy()
        self.model, self.tokenizer = load_model(options.pretrained, device, dtype)
        self.facts = model_facts(self.model)
        self.prompter = Prompter(self.protocol, self.tokenizer) if self.protocol else None
        self.settings(None, None)  # a setting that does not exist is said now
        warn_unaligned(self.decoder, options.pretrained)

    def _require_policy(self) -> None:
        if not self.options.policy:
            return
        if not decoder_entry(self.decoder).takes_policy:
            able = ", ".join(decoders_that("takes_policy"))
            raise DecodingError(f"decoder {self.decoder!r} takes no policy", hint=f"these do: {able}")
        load_policy(self.options.policy)

    def settings(self, length: int | None, problem: Problem | None) -> DecodeSettings:
        """Return decoder settings: the options' win over the protocol's, those over the task's length."""
        own: Mapping[str, Any] = {}
        if self.protocol is not None and problem is not None and problem.tests:
            own = self.protocol.settings(problem.shape, decoder_entry(self.decoder).settings.model_fields)
        values = {"gen_length": length or LENGTH, **own, "budget": self.options.budget}
        batch = {"batch_size": self.options.batch_size} if self.options.batch_size else {}
        settings = settings_from(self.decoder, {**values, **batch, **self.options.settings})
        decoder_entry(self.decoder).require_used(settings, self.options.settings)
        return settings

    def answers(self, asks: Sequence[Ask], report: Report | None = None) -> list[Answer]:
        """Decode the answer to every prompt, in their order; those with equal settings share batches."""
        groups: dict[DecodeSettings, list[int]] = defaultdict(list)
        problems = [self.problem_of(ask) for ask in asks]
        for number, (ask, problem) in enumerate(zip(asks, problems, strict=True)):
            groups[self.settings(ask.length, problem)].append(number)
        found: dict[int, Answer] = {}
        for settings, numbers in groups.items():
            items = [(self._name(asks[n], problems[n]), self._encode(asks[n], problems[n])) for n in numbers]
            done = len(found)
            rows, _ = decode_samples(
                self.model,
                lambda name, tokens: "",
                items,
                settings,
                self.options.policy or None,
                seed=self.options.seed,
                progress=None if report is None else _after(report, done),
            )
            for n, row in zip(numbers, rows, strict=True):
                text = self._read(asks[n], problems[n], row["tokens"])
                found[n] = Answer(text, row["tokens"], row["nfe"], settings, self._asked(problems[n]))
        return [found[number] for number in range(len(asks))]

    def problem_of(self, ask: Ask) -> Problem | None:
        """Return the problem that a row is, under a protocol; None: its text is asked."""
        if self.prompter is None or ask.row is None:
            return None
        try:
            return Problem.from_row(ask.row)
        except DataError:
            return None

    def scores(self, pairs: Sequence[tuple[str, str]], report: Report | None = None) -> list[Score]:
        """Estimate the log-likelihood of each second text after its first (empty: a token that begins)."""
        options, scores = self.options, []
        plan = MonteCarlo(options.mc_num, options.batch_size or BATCH)
        encoded = [self._encode_pair(*pair) for pair in pairs]
        greedy = self._greedy(encoded) if options.check_greedy else [(False, 0)] * len(pairs)
        for (context, target), (prompt, ids), (same, nfe) in zip(pairs, encoded, greedy, strict=True):
            seed = row_seed(options.seed, f"{context}\0{target}")
            found = log_likelihood(self.model, prompt, ids, plan, seed)
            scores.append(Score(found.log_likelihood, same, found.forwards + nfe))
            if report is not None:
                report(len(scores))
        return scores

    def rolling(self, text: str, windows: Windows) -> tuple[float, int]:
        """Return the log-likelihood of a whole text, and its forwards; `windows` cuts what is too long."""
        first, ids = self._encode_pair("", text)
        size = (self.facts.positions or len(ids) + 1) - 1
        plan, total, nfe = MonteCarlo(self.options.mc_num, self.options.batch_size or BATCH), 0.0, 0
        for number, (prompt, target) in enumerate(windows(ids, first[0], size)):
            seed = row_seed(self.options.seed, f"{number}\0{text}")
            found = log_likelihood(self.model, prompt, target, plan, seed)
            total, nfe = total + found.log_likelihood, nfe + found.forwards
        return total, nfe

    def _greedy(self, pairs: Sequence[tuple[list[int], list[int]]]) -> list[tuple[bool, int]]:
        """Return whether decoding one token a forward, the surest first, gives each target; and its NFE."""
        found = [(True, 0)] * len(pairs)
        for length in sorted({len(ids) for _, ids in pairs} - {0}):
            numbers = [n for n, (_, ids) in enumerate(pairs) if len(ids) == length]
            values = {"gen_length": length, "batch_size": self.options.batch_size or BATCH}
            result = decode(self.model, [pairs[n][0] for n in numbers], settings_from(GREEDY, values))
            for n, tokens, nfe in zip(numbers, result.tokens.tolist(), result.nfe.tolist(), strict=True):
                found[n] = (tokens == pairs[n][1], nfe)
        return found

    def _encode_pair(self, context: str, target: str) -> tuple[list[int], list[int]]:
        """Encode two texts as one, as lm_eval does: spaces at the first one's end belong to the second."""
        if not context:
            first = self.tokenizer.bos_token_id
            return [self.facts.eos_id if first is None else first], self.ids(target)
        bare = context.rstrip()
        start = self.ids(bare) if bare else []
        whole = self.ids(context + target)
        if not start:
            return self._encode_pair("", context + target)
        return start, whole[len(start) :]

    def ids(self, text: str) -> list[int]:
        """Return a text's token ids, without special tokens of the tokenizer's own."""
        return list(self.tokenizer(whole_text(text), add_special_tokens=False)["input_ids"])

    def _encode(self, ask: Ask, problem: Problem | None) -> list[int]:
        if self.prompter is None:
            return self.ids(ask.text)
        return self.prompter.encode_text(ask.text) if problem is None else self.prompter.encode(problem)

    def _asked(self, problem: Problem | None) -> str:
        if self.protocol is None:
            return "as lm_eval words it"
        return self.protocol.label if problem else f"a user's turn of {self.protocol.label}"

    @staticmethod
    def _name(ask: Ask, problem: Problem | None) -> str:
        name = problem.task_id if problem else ask.name
        return f"{name}/{ask.repeat}" if ask.repeat else name

    def _read(self, ask: Ask, problem: Problem | None, tokens: list[int]) -> str:
        if self.prompter is not None and problem is not None:
            text = self.prompter.answer(problem, tokens)
        else:
            ends = {self.facts.eos_id, self.facts.eot_id}
            cut = next((place for place, token in enumerate(tokens) if token in ends), len(tokens))
            text = str(self.tokenizer.decode(tokens[:cut], skip_special_tokens=True))
        for stop in ask.until:
            text = text.partition(stop)[0] if stop else text
        return text


def _after(report: Report, before: int) -> Report:
    return lambda done: report(before + done)
