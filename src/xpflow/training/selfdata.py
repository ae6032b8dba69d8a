"""Self-alignment data: a model's own full-budget answers to persona prompts, and real answers kept apart.

Row: {task_id, prompt_ids, response, kind}; kind is "train", "probe" (own answers that only the log looks at)
or "heldout" (real answers, no model involved).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from xpflow.decoding import decode
from xpflow.problems.benchmark import load_benchmark
from xpflow.problems.problem import Problem
from xpflow.protocols.find import find_protocol
from xpflow.protocols.prompter import Prompter
from xpflow.protocols.protocol import Protocol
from xpflow.runtime.decoding import of_total, stage_settings
from xpflow.runtime.models import open_model
from xpflow.study.config.root import StudyConfig
from xpflow.study.config.training import PROBES
from xpflow.training.examples import response_ids

Row = dict[str, Any]


def self_aligned_rows(
    study: StudyConfig,
    model_source: str | Path,
    seed: int,
    *,
    shard: tuple[int, int] = (1, 1),
    report: Callable[[int, int], None] | None = None,
    protocol: Protocol | None = None,
) -> list[Row]:
    """Answer the prompts of a seed with a model, as block `selfdata` says, and add the held-out real answers.

    Args:
        shard: (k, n): only every n-th row, from the k-th; the union over k is the whole set in any order.
        protocol: chat template and EOS handling (none: the default one); a prompt without tests is one user
            turn, and is decoded as the protocol decodes MBPP, at the block's own length.
    """
    settings = study.selfdata
    asked, held = prompts_of_seed(study, seed)
    model, tokenizer = open_model(study, model_source)
    kinds = ["train"] * (len(asked) - PROBES) + ["probe"] * PROBES
    k, n = shard
    asked, held, kinds = asked[k - 1 :: n], held[k - 1 :: n], kinds[k - 1 :: n]
    prompter = Prompter(protocol or find_protocol(), tokenizer)
    prompts = [prompter.encode(problem) for problem in asked]
    how = stage_settings(settings, prompter.protocol, "mbpp")
    result = decode(model, prompts, how, progress=of_total(report, len(prompts)))
    own = [
        {"task_id": problem.task_id, "prompt_ids": prompt, "response": tokens, "kind": kind}
        for problem, prompt, tokens, kind in zip(asked, prompts, result.tokens.tolist(), kinds, strict=True)
    ]
    return own + _real_rows(prompter, held, settings.gen_length)


def prompts_of_seed(study: StudyConfig, seed: int) -> tuple[list[Problem], list[Problem]]:
    """Return the prompts of a seed's data (no two seeds share one) and the held-out ones (all share)."""
    settings = study.selfdata
    sources = study.problems.sources.model_dump()
    everything = load_benchmark(study.benchmark_entry(settings.benchmark), sources=sources)
    asked = settings.asked(seed, len(everything))
    return everything[asked.start : asked.stop], everything[len(everything) - settings.heldout :]


def _real_rows(prompter: Prompter, held: list[Problem], length: int) -> list[Row]:
    rows = []
    for problem in held:
        response = response_ids(prompter.tokenizer, problem.canonical_solution.rstrip("\n"), length)
        if response is not None:
            prompt = prompter.encode(problem)
            rows.append(
                {
                    "task_id": problem.task_id,
                    "prompt_ids": prompt,
                    "response": list(response),
                    "kind": "heldout",
                }
            )
    return rows
