"""Where the time of a policy update goes: forwards, decoding around them, grading, learning.

Rollouts run through the engine and trainer that a study runs, with prompts of random tokens; answers of
random weights are not programs, so grading costs what a program that fails at once costs. The published
tokenizers are not needed: answers are spelt with the shipped one.
"""

from __future__ import annotations

import argparse
import time
from fractions import Fraction
from typing import Any

from common import DTYPES, TimedForward, floor, now, parser, random_model, random_prompts, rates
from report import Report
from xpflow.grading.grade import Grader
from xpflow.models.load import load_tokenizer
from xpflow.models.registry import SHIPPED
from xpflow.problems.benchmark import load_benchmark
from xpflow.study.config.training import GrpoBlock
from xpflow.training.policy.grpo import PolicyTrainer
from xpflow.training.policy.rollout import RolloutEngine


class TimedGrader:
    """A grader that adds up the seconds of its work."""

    def __init__(self, grader: Grader) -> None:
        self.grader, self.spent, self.programs = grader, 0.0, 0

    def grade(self, items: Any) -> Any:
        """Grade programs and note how long it took."""
        started = time.perf_counter()
        verdicts = self.grader.grade(items)
        self.spent += time.perf_counter() - started
        self.programs += len(items)
        return verdicts


class TimedEngine(RolloutEngine):
    """An engine with prompts of random tokens that adds up the seconds of its rollouts."""

    prompts: list[list[int]]
    device: str
    spent = 0.0
    asked = 0

    def encode(self, problem: Any) -> list[int]:
        """Return the next random prompt."""
        self.asked += 1
        return self.prompts[self.asked % len(self.prompts)]

    def roll(self, *args: Any, **more: Any) -> Any:
        """Roll out, and note how long it took."""
        started = now(self.device)
        rolled = super().roll(*args, **more)
        self.spent += now(self.device) - started
        return rolled


def options() -> argparse.Namespace:
    """Return the command line's options."""
    found = parser(__doc__.splitlines()[0])
    found.add_argument("--prompt-tokens", type=int, default=700)
    found.add_argument("--gen-length", type=int, default=256, help="N, response tokens")
    found.add_argument("--budget", type=Fraction, default=Fraction(1, 8), help="steps / N of a rollout")
    found.add_argument("--prompts", type=int, default=8, help="prompts of an update")
    found.add_argument("--group-size", type=int, default=8, help="rollouts of a prompt")
    found.add_argument("--jail", help="jail of the grader; none: as in a study")
    found.add_argument("--workers", type=int, default=2, help="programs that run at a time")
    return found.parse_args()


def main() -> None:
    """Measure and write the result."""
    opts = options()
    model = random_model(opts)
    report = Report("grpo_update", opts, model)
    report.rates = rates(opts.device, DTYPES[opts.dtype])
    timed = TimedForward(model, opts.device)
    with Grader(opts.jail, workers=opts.workers) as grader:
        report.values = measure(opts, timed, TimedGrader(grader), report.rates)
    report.values["jail"] = grader.jail.name
    report.write()


def measure(
    opts: argparse.Namespace, timed: TimedForward, grader: TimedGrader, measured: dict[str, float]
) -> dict[str, Any]:
    """Return the split of the fastest of `repeats` updates, after one that warms up."""
    tokenizer, decoder = load_tokenizer(SHIPPED / "llada-micro"), GrpoBlock().decoder
    engine: Any = TimedEngine(timed, tokenizer, grader, opts.gen_length, decoder)  # type: ignore[arg-type]
    engine.device = opts.device
    engine.prompts = random_prompts(timed.model, 64, opts.prompt_tokens, opts.seed)
    problems = load_benchmark("micropy-mbpp", "train", opts.prompts)
    block = GrpoBlock(
        updates=opts.repeats + 1,
        prompts_per_update=opts.prompts,
        group_size=opts.group_size,
        train_budget=opts.budget,
        warm_start=None,
    )
    trainer = PolicyTrainer(engine, problems, block, opts.seed)
    updates: list[dict[str, Any]] = []
    before = {"at": now(opts.device), "rolled": 0.0, "graded": 0.0}

    def report(row: dict[str, Any]) -> None:
        forwards = list(timed.forwards)
        at, rolled, graded = now(opts.device), engine.spent, grader.spent
        inside, total = timed.seconds(), at - before["at"]
        rolling, grading = rolled - before["rolled"], graded - before["graded"]
        parts = {
            "forwards": inside,
            "decoding_around_them": rolling - grading - inside,
            "grading": grading,
            "learning": total - rolling,
        }
        lowest = floor(timed.model, forwards, measured)
        updates.append(
            {
                "update_seconds": total,
                "seconds": parts,
                "shares": {name: part / total for name, part in parts.items()},
                "forwards": len(forwards),
                "rows": opts.prompts * opts.group_size,
                "nfe_per_rollout": row["nfe"],
                "floor_seconds": lowest["seconds"],
                "flop": lowest["flop"],
            }
        )
        before.update(at=now(opts.device), rolled=rolled, graded=graded)

    trainer.run(report)
    return min(updates[1:], key=lambda update: update["update_seconds"])


if __name__ == "__main__":
    main()
