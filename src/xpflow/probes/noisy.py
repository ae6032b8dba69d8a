"""How the weights of a place read answers with wrong tokens in them: one job, all readers of the place.

A reader of codes or with evidence has a setting that says how far it trusts what stands there. It is chosen
on validation problems: the candidate with the largest net gain, the mean over kinds and shares of wrong
tokens. Test problems are read with that one alone. Rows of two files:

- noisy.jsonl, for each task and reader: {task_id, reader, asked: "tokens", kind, share, corrupted, fixed,
  clean, kept} and {..., asked: "context", share, places, right}; for each task alone {task_id, reader: null,
  asked: "snr", ratio, places, right}, all tokens seen in noise by codes;
- noisy_choice.jsonl, for each reader and candidate: {reader, candidate, net, chosen}, of validation problems;
  candidate is null for a reader of ids.

Answers are the benchmark's own, and those that are too long are left out. Near tokens are near in the base
weights' embeddings, so that all places read the same texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from xpflow.continuous.converter import Converter
from xpflow.decoding.canvas import model_facts
from xpflow.decoding.decoders.dsl import converter_of
from xpflow.errors import DataError
from xpflow.probes.robustness import (
    Read,
    Robustness,
    Texts,
    Wrong,
    accuracy_each,
    code_reader,
    context_each,
    evidence_reader,
    plain_reader,
    robustness,
    robustness_each,
)
from xpflow.problems.problem import Problem
from xpflow.protocols.find import find_protocol
from xpflow.protocols.prompter import Prompter
from xpflow.runtime.models import model_settings, model_source, open_model
from xpflow.study.config.noisy import NoisyReader
from xpflow.study.config.root import StudyConfig
from xpflow.study.layout import NOISY_FILES
from xpflow.study.probes import ProbeJob, readers_at
from xpflow.training.examples import Example, response_ids

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """Answers that are read, and the tasks that they answer."""

    tasks: Sequence[str]
    texts: Texts

    def of(self, kind: Wrong) -> Texts:
        """Return the answers with one kind of wrong tokens."""
        return replace(self.texts, kind=kind)


class NoisyProber:
    """A loaded model that is asked as block `probes.noisy` says; `checkpoint` as `Prober` has it."""

    def __init__(self, config: StudyConfig, job: ProbeJob, checkpoint: Path | None = None) -> None:
        self.config, self.job, self.block = config, job, config.probes.noisy
        base = model_source(config, job.model)
        self.model, tokenizer = open_model(config, checkpoint or base)
        self.prompter = Prompter(find_protocol(model_settings(config, job.model).protocol), tokenizer)
        same = self.model if checkpoint is None else open_model(config, base)[0]
        table: Any = same.get_input_embeddings()
        self.table_VE: Tensor = table.weight.detach()
        found = converter_of(self.model, model_facts(self.model), "auto", self.block.width)
        self.converter: Converter = found.to(self.table_VE.device)

    def run(self, problems: Sequence[Problem], validation: Sequence[Problem]) -> dict[str, list[Row]]:
        """Choose on validation problems and read the others; returns the rows of each file by its name."""
        asked, known = self._asked(problems), self._asked(validation)
        rows, choices = [], []
        for reader in readers_at(self.config, self.job.place):
            tried = [(one, self._net(known, self.read(reader, one))) for one in reader.candidates or (None,)]
            best = max(tried, key=lambda one: one[1])[0]  # the first of equal ones
            choices += [
                {"reader": reader.name, "candidate": one, "net": net, "chosen": one == best}
                for one, net in tried
            ]
            rows += list(self._rows(reader.name, asked, self.read(reader, best)))
        rows += list(self._in_noise(asked))
        return dict(zip(NOISY_FILES, (rows, choices), strict=True))

    def read(self, reader: NoisyReader, setting: float | None) -> Read:
        """Return a reader at work; setting: one of its candidates."""
        if setting is None:
            return plain_reader(self.model)
        if reader.way == "codes":
            return code_reader(self.model, self.converter, setting * float(self.converter.snr_max))
        return evidence_reader(self.model, setting, reader.uniform)

    def _asked(self, problems: Sequence[Problem]) -> Asked:
        length = self.config.benchmark(self.job.benchmark).gen_length
        tasks, examples = [], []
        for problem in problems[: self.config.probes.limit]:
            text = problem.canonical_solution.rstrip("\n")
            response = response_ids(self.prompter.tokenizer, text, length)
            if response is not None:  # else the benchmark's own answer is too long
                tasks.append(problem.task_id)
                examples.append(Example(tuple(self.prompter.encode(problem)), tuple(response)))
        if not examples:
            raise DataError(
                f"no answer of {self.job.benchmark} has {length} tokens or fewer", hint="probe another"
            )
        size = self.config.evaluation.batch_size
        return Asked(tasks, Texts(examples, seed=self.job.seed, size=size, table_VE=self.table_VE))

    def _net(self, asked: Asked, read: Read) -> float:
        """Return the mean net gain over kinds and shares, per 100 tokens, to six digits."""
        found = [
            robustness(self.model, asked.of(kind), share, read).net
            for kind in self.block.kinds
            for share in self.block.shares
        ]
        return float(f"{sum(found) / len(found):.6g}")

    def _rows(self, reader: str, asked: Asked, read: Read) -> Iterator[Row]:
        for kind in self.block.kinds:
            for share in self.block.shares:
                each = robustness_each(self.model, asked.of(kind), share, read)
                head = {"reader": reader, "asked": "tokens", "kind": kind, "share": share}
                for task, one in zip(asked.tasks, each, strict=True):
                    yield {"task_id": task, **head, **_counts(one)}
        for share in self.block.context:
            hits = context_each(self.model, asked.texts, self.block.masks, share, read)
            head = {"reader": reader, "asked": "context", "share": share}
            for task, hit in zip(asked.tasks, hits, strict=True):
                yield {"task_id": task, **head, "places": hit.asked, "right": hit.right}

    def _in_noise(self, asked: Asked) -> Iterator[Row]:
        for ratio in self.block.ratios:
            snr = ratio * float(self.converter.snr_max)
            hits = accuracy_each(self.model, asked.texts, self.converter, snr)
            head = {"reader": None, "asked": "snr", "ratio": ratio}
            for task, hit in zip(asked.tasks, hits, strict=True):
                yield {"task_id": task, **head, "places": hit.asked, "right": hit.right}


def _counts(one: Robustness) -> Row:
    return {name: getattr(one, name) for name in ("corrupted", "fixed", "clean", "kept")}
