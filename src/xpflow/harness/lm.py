"""The model `xpflow` of lm-evaluation-harness. Importing this needs lm_eval, and registers the model."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from tqdm import tqdm

from xpflow import __version__
from xpflow.artifacts.io import write_jsonl
from xpflow.errors import ConfigError
from xpflow.harness.options import Options
from xpflow.harness.work import Ask, Work

LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
USED = {*LENGTHS, "until", "do_sample", "temperature"}


@register_model("xpflow")
class XpflowLM(LM):  # type: ignore[misc, unused-ignore]
    """One of our models with one of our decoders; keywords are those of `Options`."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        self.work = Work(Options.of(arguments))
        self.tokenizer = self.work.tokenizer
        self._device = self.work.facts.device
        self.rows: list[dict[str, Any]] = []  # what the result says of every request
        self._warned: set[str] = set()

    @classmethod
    def create_from_arg_string(cls, arg_string: str, additional_config: Any = None) -> XpflowLM:
        """Make a model of "key=value,..."; it wins over options of lm_eval's own (--batch_size, --device)."""
        from lm_eval.utils import simple_parse_args_string

        return cls.create_from_arg_obj(simple_parse_args_string(arg_string), additional_config)

    @classmethod
    def create_from_arg_obj(cls, arg_dict: Mapping[str, Any], additional_config: Any = None) -> XpflowLM:
        """Make a model of keywords; see `create_from_arg_string`."""
        outer = {key: value for key, value in (additional_config or {}).items() if value is not None}
        if not torch.cuda.is_available():
            outer.pop("device", None)  # lm_eval's default is cuda:0; --model_args device=... is meant
        return cls(**{**outer, **arg_dict})

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """Decode an answer to every request."""
        seen: Counter[int] = Counter()
        asks = []
        for one in requests:
            asks.append(self._ask(one, seen[id(one)]))
            seen[id(one)] += 1
        with tqdm(total=len(asks), desc="xpflow: decoding", disable=disable_tqdm) as bar:
            found = self.work.answers(asks, lambda done: bar.update(done - bar.n))
        for one, ask, answer in zip(requests, asks, found, strict=True):
            settings = answer.settings
            self._note(one, nfe=answer.nfe, gen_length=settings.gen_length, asked=answer.asked, name=ask.name)
            self.cache_hook.add_partial("generate_until", one.args, answer.text)
        self._save()
        return [answer.text for answer in found]

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Estimate the log-likelihood of every continuation, and say whether greedy decoding gives it."""
        with tqdm(total=len(requests), desc="xpflow: likelihoods", disable=disable_tqdm) as bar:
            found = self.work.scores([one.args for one in requests], lambda done: bar.update(done - bar.n))
        pairs = [(score.log_likelihood, score.greedy) for score in found]
        for one, score, pair in zip(requests, found, pairs, strict=True):
            self._note(one, nfe=score.nfe, choice=one.idx)
            self.cache_hook.add_partial("loglikelihood", one.args, pair)
        self._save()
        return pairs

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:
        """Estimate the log-likelihood of whole texts; long ones in windows as long as the model takes."""
        totals = []
        for one in tqdm(requests, desc="xpflow: rolling likelihoods", disable=disable_tqdm):
            total, nfe = self.work.rolling(one.args[0], _windows)
            self._note(one, nfe=nfe)
            self.cache_hook.add_partial("loglikelihood_rolling", one.args, total)
            totals.append(total)
        self._save()
        return totals

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Render a chat by the model's own template; under a protocol, which has its own way, an error."""
        if self.work.protocol is not None:
            raise ConfigError(
                f"protocol {self.work.protocol.name!r} renders prompts, and so does --apply_chat_template",
                hint="give one of them",
            )
        return str(
            self.tokenizer.apply_chat_template(
                chat_history,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=not add_generation_prompt,
            )
        )

    @property
    def tokenizer_name(self) -> str:
        """Return what lm_eval's cache of requests calls the tokenizer."""
        return self.work.options.pretrained.replace("/", "__")

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        """Return the template's text, for lm_eval's log."""
        return str(self.tokenizer.chat_template) if chat_template else None

    def get_model_info(self) -> dict[str, Any]:
        """Return what the result file says under `config`: options, and the NFE of every request."""
        tasks: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in self.rows:
            tasks[row["task"]].append(row)
        options = self.work.options
        return {
            "xpflow": {
                "version": __version__,
                "pretrained": options.pretrained,
                "decoder": self.work.decoder,
                "budget": options.budget,
                "policy": options.policy,
                "protocol": self.work.protocol.label if self.work.protocol else "",
                "settings": dict(options.settings),
                "seed": options.seed,
                "mc_num": options.mc_num,
                "dtype": str(self.work.model.dtype),
                "nfe": {task: _summary(rows) for task, rows in tasks.items()},
            }
        }

    def _ask(self, one: Any, repeat: int) -> Ask:
        text, asked = one.args
        if asked.get("do_sample") or (asked.get("temperature") and asked.get("do_sample") is None):
            raise ConfigError(
                f"task {one.task_name} asks for sampling ({asked}), which is a setting of the decoder here",
                hint="give --gen_kwargs do_sample=false, and temperature=T in --model_args if it is meant",
            )
        for name in sorted(set(asked) - USED - self._warned):
            self._warned.add(name)
            logging.getLogger(__name__).warning("generation setting %s=%r does nothing", name, asked[name])
        until = asked.get("until") or ()
        length = next((asked[name] for name in LENGTHS if asked.get(name) is not None), None)
        stops = (until,) if isinstance(until, str) else tuple(until)
        return Ask(f"{one.task_name}/{one.doc_id}", text, stops, length, one.doc, repeat)

    def _note(self, one: Any, **facts: Any) -> None:
        self.rows.append({"task": one.task_name, "doc_id": one.doc_id, **facts})

    def _save(self) -> None:
        if self.work.options.nfe_file:
            write_jsonl(Path(self.work.options.nfe_file), self.rows)


def _summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    nfe = [row["nfe"] for row in rows]
    samples = [{key: value for key, value in row.items() if key != "task"} for row in rows]
    return {"mean": sum(nfe) / len(nfe), "total": sum(nfe), "samples": samples}


def _windows(ids: list[int], first: int, size: int) -> list[tuple[list[int], list[int]]]:
    return [make_disjoint_window(pair) for pair in get_rolling_token_windows(ids, first, size, 1)]
