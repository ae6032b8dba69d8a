"""The numbers of the paper, to be printed beside ours and never mixed with them.

Source: "Masked Diffusion Decoding as x-Prediction Flow" (arXiv 2606.29066v1), Tables 1 and 2. Counts are
recovered from the percentages (164 HumanEval and 500 MBPP problems).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from xpflow.models.registry import hub_model

DISCLAIMER = (
    "A micro model does not reproduce a full-scale number: the paper's column stands beside ours for "
    "orientation (LLaDA-8B-Instruct and LLaDA2.0-mini on HumanEval and MBPP); only signs and ratios can be "
    "compared."
)

PAPER_SCALE = (
    "The paper's column stands beside ours. The paper names neither its prompts nor how it takes code out of "
    "answers, on which these benchmarks depend as much as on the decoder (docs/protocols.md)."
)

FULL = Fraction(1)
QUARTER = Fraction(1, 4)
PROBLEMS = {"humaneval": 164, "mbpp": 500}
MODELS = {"llada": "LLaDA-8B-Instruct", "llada2": "LLaDA2.0-mini"}
BENCHMARKS = {"humaneval": "HumanEval", "mbpp": "MBPP"}

# the paper's two decoders, by the names that they have here
MASK_PREDICTION, FLOW = "mask_prediction", "flow"

# (model family, benchmark family, decoder, budget) -> problems solved
TABLE_1: dict[tuple[str, str, str, Fraction], int] = {
    ("llada", "humaneval", MASK_PREDICTION, QUARTER): 55,
    ("llada", "humaneval", FLOW, QUARTER): 74,
    ("llada", "humaneval", MASK_PREDICTION, FULL): 76,
    ("llada", "mbpp", MASK_PREDICTION, QUARTER): 106,
    ("llada", "mbpp", FLOW, QUARTER): 165,
    ("llada", "mbpp", MASK_PREDICTION, FULL): 198,
    ("llada2", "humaneval", MASK_PREDICTION, QUARTER): 53,
    ("llada2", "humaneval", FLOW, QUARTER): 98,
    ("llada2", "humaneval", MASK_PREDICTION, FULL): 131,
    ("llada2", "mbpp", MASK_PREDICTION, QUARTER): 157,
    ("llada2", "mbpp", FLOW, QUARTER): 219,
    ("llada2", "mbpp", MASK_PREDICTION, FULL): 316,
}

# what is taken away -> problems solved; LLaDA, HumanEval, a quarter of the budget
TABLE_2 = {"none": 74, "hard_commitment": 68, "re_editing": 44, "alignment": 28}
ALIGNMENT = "alignment"  # the part of TABLE_2 that is in the weights, and no switch of a decoder


def caution(models: Iterable[str]) -> str:
    """Return how the paper's numbers beside ours are to be read, for these models."""
    return PAPER_SCALE if all(hub_model(name) is not None for name in models) else DISCLAIMER


@dataclass(frozen=True, slots=True)
class PaperCount:
    """Problems solved of problems asked, in the paper."""

    passes: int
    problems: int

    @property
    def percent(self) -> float:
        return 100 * self.passes / self.problems


def model_family(name: str) -> str:
    """Return "llada2" or "llada" from a model's name or directory."""
    return "llada2" if "llada2" in name.lower() else "llada"


def benchmark_family(name: str) -> str:
    """Return "mbpp" or "humaneval": whose shape a benchmark has."""
    return "mbpp" if "mbpp" in name.lower() else "humaneval"


def table1_count(model: str, benchmark: str, decoder: str, budget: Fraction) -> PaperCount | None:
    """Return the paper's Table 1 entry that corresponds to one of our cells, if it has one.

    Its MBPP is the full test split (63.20 % is 316/500): the sanitized tasks are another benchmark.
    """
    if "sanitized" in benchmark:
        return None
    family = benchmark_family(benchmark)
    passes = TABLE_1.get((model_family(model), family, decoder, budget))
    return None if passes is None else PaperCount(passes, PROBLEMS[family])


def table2_count(model: str, benchmark: str, removed: str) -> PaperCount | None:
    """Return the paper's Table 2 entry; it has LLaDA on HumanEval only."""
    here = model_family(model) == "llada" and benchmark_family(benchmark) == "humaneval"
    return PaperCount(TABLE_2[removed], PROBLEMS["humaneval"]) if here and removed in TABLE_2 else None
