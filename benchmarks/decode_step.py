"""Seconds of a decode step at batch 1 and at the best batch, beside the floor and beside a plain loop.

The floor of a step is the greater of its FLOP at the measured rate of a large matrix product and its bytes of
weights at the measured bandwidth of a copy. The plain loop is what the official script does: logits of the
whole window, float64 softmax, one row. Both run on the same random weights; their tokens are compared.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from common import (
    DTYPES,
    TimedForward,
    floor,
    now,
    parser,
    random_model,
    random_prompts,
    rates,
    seconds,
)
from report import Report
from xpflow.bench.official import official_block_loop, official_loop
from xpflow.decoding import DecodeSettings, LearnedPolicy, decode, settings_from


def options() -> argparse.Namespace:
    """Return the command line's options."""
    found = parser(__doc__.splitlines()[0])
    found.add_argument("--prompt-tokens", type=int, default=200)
    found.add_argument("--gen-length", type=int, default=512, help="N, response tokens")
    found.add_argument("--budget", type=Fraction, default=Fraction(1, 32), help="steps / N that are measured")
    found.add_argument("--batches", default="1,2,4,8,16,32", help="batch sizes; the first is the single one")
    found.add_argument(
        "--kv-cache", action="store_true", help="floor of a decoder with cached finished blocks"
    )
    return found.parse_args()


def main() -> None:
    """Measure and write the result."""
    opts = options()
    model = random_model(opts)
    report = Report("decode_step", opts, model)
    report.rates = rates(opts.device, DTYPES[opts.dtype])
    batches = [int(size) for size in opts.batches.split(",")]
    decoders = {"mask_prediction": None, "flow": LearnedPolicy().to(opts.device)}
    for name, policy in decoders.items():
        rows = [row for size in batches if (row := measure(report, name, policy, size)) is not None]
        best = max(rows, key=lambda row: row["row_steps_per_s"])
        report.values[name] = {"batches": rows, "best_batch": best["batch"]}
        if rows[0]["batch"] == batches[0]:
            share = rows[0]["outside_forward_share"]
            report.target(f"{name}: share outside the forward, batch {batches[0]}", share, at_most=0.03)
    against_plain_loop(report)
    report.write()


def decode_settings(opts: argparse.Namespace, decoder: str, batch: int, **more: Any) -> DecodeSettings:
    """Return the settings of a measured decode: every step runs, no early stop."""
    values = {"gen_length": opts.gen_length, "budget": opts.budget, "batch_size": batch}
    if decoder == "flow":
        values["stop_at_fixed_point"] = False
    return settings_from(decoder, {**values, "stop_after_eos": False, "block_steps": "full", **more})


def measure(report: Report, decoder: str, policy: Any, batch: int) -> dict[str, Any] | None:
    """Return seconds of a step at a batch size, beside its floor; None where it does not fit in memory."""
    opts, settings = report.options, decode_settings(report.options, decoder, batch)
    prompts = random_prompts(report.model, batch, opts.prompt_tokens, opts.seed)
    timed = TimedForward(report.model, opts.device)
    try:
        decode(timed, prompts, settings, policy)
        runs = []
        for _ in range(opts.repeats):
            timed.seconds()
            started = now(opts.device)
            decode(timed, prompts, settings, policy)
            total, forwards = now(opts.device) - started, timed.forwards
            runs.append((total, timed.seconds()))
    except torch.cuda.OutOfMemoryError:
        torch.cuda.empty_cache()
        return None
    total, inside = min(runs)
    steps, lowest = len(forwards), floor(report.model, forwards, report.rates)
    return {
        "batch": batch,
        "steps": steps,
        "step_seconds": total / steps,
        "forward_seconds": inside / steps,
        "outside_forward_share": (total - inside) / total,
        "row_steps_per_s": batch * steps / total,
        "floor_step_seconds": lowest["seconds"] / steps,
        "times_floor": total / lowest["seconds"],
        "floor_flop": lowest["flop"],
    }


def against_plain_loop(report: Report) -> None:
    """Measure mask prediction at batch 1 and the plain loop, and compare their tokens."""
    opts, model = report.options, report.model
    [prompt] = random_prompts(model, 1, opts.prompt_tokens, opts.seed)
    like_it = {"confidence_dtype": "float64", "stop_after_eos": None}
    settings = decode_settings(opts, "mask_prediction", 1, **like_it)
    found: dict[str, Tensor] = {}

    def ours() -> None:
        found["ours"] = decode(model, [prompt], settings).tokens

    def plain() -> None:
        found["plain"] = plain_loop(model, prompt, opts)

    slow = seconds(plain, opts.device, opts.repeats)
    fast = seconds(ours, opts.device, opts.repeats)
    same = found["plain"].cpu() == found["ours"].cpu()
    report.values["plain_loop"] = {
        "plain_seconds": slow,
        "ours_seconds": fast,
        "times_faster": slow / fast,
        "identical": bool(same.all()),
        "identical_tokens_share": float(same.float().mean()),
    }
    report.target("times faster than the plain loop, batch 1", slow / fast, at_least=1.2)
    report.target("share of identical tokens", float(same.float().mean()), at_least=1.0)


def plain_loop(model: Any, prompt: list[int], opts: argparse.Namespace) -> Tensor:
    """Run the official algorithm of the model's architecture."""
    length, block = opts.gen_length, model.config.block_length
    if block:
        return official_block_loop(model, prompt, length, int(block * opts.budget), torch.float64)
    return official_loop(model, [prompt], length, int(length * opts.budget), length, torch.float64)


if __name__ == "__main__":
    main()
