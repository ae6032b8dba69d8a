"""Made-up scores of block `text` on disk, with means and spreads that a test can reckon."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from math import lgamma, log
from pathlib import Path
from typing import Any

from xpflow.artifacts.io import atomic_write_text, json_line
from xpflow.study.config import StudyConfig, study_from_mapping
from xpflow.study.layout import Layout

NO_MODELS = {"models": [], "problems": {"benchmarks": []}, "evaluation": {"arms": []}}
LENGTH = {"english": 16, "orders": 16, "agreement-8-3": 3}
WORDS = {"english": 67, "orders": 20, "agreement-8-3": 8}
SENTENCE = "today , the old farmers gladly carry this heavy basket near the barn . <end> <end>"
DOMAINS = {
    "english": ("english-emissions", "english-transitions"),
    "orders": ("orders-transitions",),
    "agreement-8-3": (),
}
LOMDM = [
    {"name": "mdm", "label": "masked"},
    {"name": "mdm-128", "label": "masked, twice the batch", "batch_size": 128},
    {
        "name": "mdm-2",
        "label": "masked, two states",
        "objective": "order_expressive",
        "settings": {"states": 2},
    },
    {"name": "mdm-3", "label": "masked, three times the updates", "updates": 3600},
    {
        "name": "lomdm",
        "label": "LoMDM (0.7, 0.65)",
        "objective": "order_expressive",
        "settings": {"schedule": "learned"},
    },
    {
        "name": "wide",
        "label": "LoMDM, wide",
        "objective": "order_expressive",
        "settings": {"schedule": "learned", "form": "wide"},
    },
]
IMDM = [
    {"name": "base", "label": "masked"},
    {"name": "noisy", "label": "noisy masks, bound", "objective": "infinite_mask"},
    {
        "name": "redi",
        "label": "ReDi, noisy masks",
        "objective": "infinite_mask",
        "from": "noisy",
        "couplings": {"count": 512, "steps": 16},
        "updates": 800,
    },
    {
        "name": "redi-plain",
        "label": "ReDi, plain masks",
        "objective": "infinite_mask",
        "settings": {"noise": "table", "masks": 1},
        "from": "noisy",
        "couplings": {"count": 512, "steps": 16},
        "updates": 800,
    },
]


def study(runs: list[dict[str, Any]], worlds: list[str], seeds: int = 3, **block: Any) -> StudyConfig:
    """Return a study that trains these runs on these worlds, and decodes nothing."""
    return study_from_mapping(
        {
            "study": {"name": "small", "title": "made-up scores", "seeds": list(range(seeds))},
            **NO_MODELS,
            "reporting": {"figure_formats": ["png"]},
            "text": {"worlds": worlds, "runs": runs, "steps": [1, 4, 16], **block},
        }
    )


def estimate(value: float) -> dict[str, float]:
    """Return an estimate as a score file has it."""
    return {"value": value, "standard_error": 0.01}


def bound(length: int, main: float, velocity: float = 0.0) -> dict[str, Any]:
    """Return a bound by its parts in nats a token."""
    parts = {"excess": main + velocity, "main": main, "velocity": velocity}
    return {"floor": 14.0, **{name: estimate(value * length) for name, value in parts.items()}}


def samples(length: int, excess: float | None, invalid: float) -> dict[str, Any]:
    """Return the samples of all steps: the more, the better; without an excess none is valid."""
    return {
        str(steps): {
            "sentences": 256,
            "invalid": invalid / steps,
            "distinct": 0.9,
            "unigram_entropy": 2.5 + 0.1 * steps**0.5,
            "nfe": float(min(steps, length)),
            **(
                {} if excess is None else {"excess": estimate(excess * length / steps), "nll": estimate(20.0)}
            ),
        }
        for steps in (1, 4, 16)
    }


def score(
    world: str, excess: float, *, updates: int = 1200, forwards: int = 1, **more: Any
) -> dict[str, Any]:
    """Return the scores of one seed; `more` are further keys, or other values of these."""
    length = LENGTH[world]
    return {
        "world": world,
        "length": length,
        "words": WORDS[world],
        "parameters": 123456,
        "forwards": {"update": forwards, "run": forwards * updates},
        "language": {"entropy": estimate(14.0), "unigram_entropy": 3.0},
        "bound": bound(length, excess),
        "domains": {name: bound(length, 2 * excess) for name in DOMAINS[world]},
        "curve": [
            {
                "update": updates * part // 4,
                "forwards": forwards * updates * part // 4,
                "excess": estimate(length * excess * 4 / part),
            }
            for part in (1, 2, 3, 4)
        ],
        "samples": samples(length, excess, 0.4),
        **more,
    }


def learned(world: str, excess: float, seed: int, top: float) -> dict[str, Any]:
    """Return the scores of a run with a learned order, whose first place has the power `top`."""
    length = LENGTH[world]
    powers = [top] + [(0.7 * length - top) / (length - 1)] * (length - 1)
    powers = [power * (1 + 0.05 * ((place * 7 + seed) % 5 - 2)) for place, power in enumerate(powers)]
    words = {
        "orders": ["step-4", *(f"v{place % 16}" for place in range(1, 16))],
        "english": SENTENCE.split(" "),
    }[world]
    return score(
        world,
        excess,
        forwards=3,
        bound=bound(length, 0.9 * excess, 0.1 * excess),
        order_off={"bound": bound(length, 1.5 * excess), "samples": samples(length, 1.5 * excess, 0.5)},
        oracle=bound(length, 0.0, 0.02),
        orders={
            "entropy": 0.94 * lgamma(length + 1),
            "entropy_of": 32,
            "most": lgamma(length + 1),
            "spread": 2.0,
            "first": estimate(0.1 + 0.02 * seed),
            "powers": powers,
            "correlation": 0.3,
            "within": 0.1,
            "examples": [{"words": words, "powers": powers[k:] + powers[:k]} for k in (0, 3, 7, 11)],
        },
    )


def stepped(world: str, excess: float, agreement: float, ceiling: float, **more: Any) -> dict[str, Any]:
    """Return the scores of a run on a world of one repeated word."""
    length = LENGTH[world]
    found = score(world, excess, **more)
    found["samples"] = {
        steps: {**one, "invalid": (1 - agreement) / int(steps) ** 0.5, "excess": estimate(0.0)}
        for steps, one in samples(length, 0.0, 0.0).items()
    }
    found["one_step"] = {
        "agreement": agreement,
        "standard_error": 0.0,
        "ceiling": ceiling,
        "entropy": 0.99,
        "agreed_entropy": 0.98,
        "information": max(0.0, log(agreement / ceiling)),
    }
    return found


def write(config: StudyConfig, results: Path, found: Mapping[tuple[str, str], list[dict[str, Any]]]) -> None:
    """Write the scores of (world, run), one of each seed."""
    layout = Layout.of_results(results)
    for (world, run), by_seed in found.items():
        for seed, one in zip(config.study.seeds, by_seed, strict=False):
            path = layout.text_scores(world, run, seed)
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write_text(path, json_line(deepcopy(one)).decode())


def of_orders(seeds: int = 3) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return scores of LOMDM's runs, in the size of those that prototypes had."""
    excess = {
        "mdm": (0.618, 0.793, 0.651, 0.66, 0.7),
        "mdm-2": (0.487, 0.630, 0.489, 0.5, 0.55),
        "mdm-128": (0.49, 0.64, 0.50, 0.51, 0.56),
        "mdm-3": (0.412, 0.399, 0.409, 0.41, 0.4),
        "lomdm": (0.394, 0.672, 0.403, 0.42, 0.5),
        "wide": (0.216, 0.509, 0.259, 0.3, 0.35),
    }
    found = {}
    for world in ("orders", "english"):
        for run, values in excess.items():
            if run in ("lomdm", "wide"):
                top = 1.3 if run == "lomdm" else 6.0
                rows = [learned(world, value, seed, top) for seed, value in enumerate(values[:seeds])]
            else:
                updates = 3600 if run == "mdm-3" else 1200
                forwards = 2 if run == "mdm-2" else 1
                rows = [score(world, value, updates=updates, forwards=forwards) for value in values[:seeds]]
            found[world, run] = rows
    return found


def of_masks(seeds: int = 3) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return scores of IMDM's runs: with ReDi noisy masks agree, plain ones do not."""
    world, least = "agreement-8-3", 8.0**-2
    agreement = {"base": least, "noisy": least * 1.01, "redi": 0.4, "redi-plain": 0.03}
    ceiling = {"base": least, "noisy": least * 1.01, "redi": 0.02, "redi-plain": 0.03}
    return {
        (world, run): [
            stepped(
                world,
                0.05,
                value * (1 + 0.1 * seed),
                ceiling[run] * (1.0 if run == "redi" else 1 + 0.1 * seed),
                updates=800 if run.startswith("redi") else 1200,
            )
            for seed in range(seeds)
        ]
        for run, value in agreement.items()
    }
