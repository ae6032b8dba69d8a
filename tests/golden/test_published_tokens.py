"""On the shipped models our decoders give the tokens and the passes of the published ones' descriptions.

In float64, so that neither rounding nor a batch decides. What ours does otherwise on purpose, the
transcription is asked for (`restart`, `block_only`, `ever`); where ours can repeat a defect of public code,
both ways are compared. Each case is run at one of the places
(a model, and the length of its blocks), in turn.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import pytest
import torch

from fakes import published_decoders as published
from fakes.published_decoders import Task
from xpflow.bench.decoding import micropy_prompts
from xpflow.decoding import decode, settings_from
from xpflow.models.load import load_model
from xpflow.models.registry import SHIPPED

N, ROWS = 16, 3
OPEN = {"at_cap": "continue"}


class Case(NamedTuple):
    """A decoder's settings, its transcription, and the budget at which both fill a block (none: never)."""

    name: str
    ours: dict[str, Any]
    theirs: Callable[..., Any]
    budget: str | None = None


def case(name: str, ours: dict[str, Any], *args: Any, budget: str | None = None, **values: Any) -> Case:
    function = getattr(published, name)
    return Case(name, ours, lambda task, *drawn: function(task, *drawn, *args, **values), budget)


CEILINGS = {"ceiling_low": 2, "ceiling_high": 5}  # tokens; our settings are shares of a block
COMMITS = [
    case("factor", {"factor": 1.0}, 1.0),
    case("factor", {"factor": 0.4, "last": "exempt"}, 0.4, exempt_last=True),
    case("factor", {"factor": 0.2, "last": "exempt"}, 0.2, exempt_last=True),
    case("factor", {"factor": 0.7}, 0.7, budget="1/8"),
    case("entropy_bound", {"gamma": 0.1}, 0.1),
    case("entropy_bound", {"gamma": 0.5, "order": "confidence"}, 0.5, "confidence"),
    case("entropy_bound", {"gamma": 1e-3}, 1e-3, budget="1/4"),
    case("klass", {"threshold": 0.6, "kappa": 0.05}, 0.6, 0.05, restart=True),
    case("klass", {"threshold": 0.9, "kappa": 0.01}, 0.9, 0.01, restart=True, budget="1/4"),
    case("klass", {"threshold": 0.3, "kappa": 0.3, "history": 1}, 0.3, 0.3, 1, restart=True),
    case("credit", {"threshold": 0.9}, 0.9, 0.7, 0.8, 0.2),
    case("credit", {"threshold": 0.97, "alpha": 2.0, "beta": 0.5, "exponent": 1.0}, 0.97, 2.0, 0.5, 1.0),
    case("credit", {"threshold": 0.99}, 0.99, 0.7, 0.8, 0.2, budget="1/8"),
    case("dilated", {}),
    case("dilated", {"base": 4}, 4),
]
SOFT = [
    case("soft_tokens", {}, 0.3, 3),
    case(
        "soft_tokens",
        {"rule": "quota", "weight": 0.5, "top": 2, "budget": "1/4"},
        0.5,
        2,
        rule=("quota", 0),
        budget="1/4",
    ),
    case("soft_tokens", {"geometry": "linear", "threshold": 0.7}, 0.3, 3, "linear", ("threshold", 0.7)),
    case("soft_tokens", {"geometry": "at_norm", "rule": "entropy"}, 0.3, 3, "at_norm", ("entropy", 0.1)),
    case(
        "soft_tokens",
        {"geometry": "linear", "weight": 0.9, "weighting": "entropy"},
        0.9,
        3,
        "linear",
        sigmoid=(6.67, -0.75),
    ),
    case("remix", {"threshold": 0.8, **CEILINGS}, 0.8, 0.5, 0.3, (2, 5), restart=True),
    case(
        "remix",
        {"threshold": 0.6, "reject": 0.1, "beta": 0.9, **CEILINGS},
        0.6,
        0.9,
        0.1,
        (2, 5),
        restart=True,
    ),
    case("remix", {"threshold": 0.9, "reject": 0.36, **CEILINGS}, 0.9, 0.5, 0.36, (2, 5), restart=True),
]
REVISE = [
    case("token_editing", {"threshold": 0.7, "edit_threshold": 0.5}, 0.7, 0.5),
    case("token_editing", {"threshold": 0.5, "edit_threshold": 0.0}, 0.5, 0.0),
    case("token_editing", {"threshold": 0.95, "edit_threshold": 0.3}, 0.95, 0.3, budget="1/8"),
    case("token_to_mask", {"threshold": 0.5, "bound": 0.5}, 0.5, "low_prob", 0.5),
    case("token_to_mask", {"threshold": 0.3, "trigger": "t2t", "bound": 0.4}, 0.3, "t2t", 0.4),
    case("token_to_mask", {"threshold": 0.3, "trigger": "drop", "bound": 0.1}, 0.3, "drop", 0.1),
    case("token_to_mask", {"threshold": 0.6, "bound": 0.6}, 0.6, "low_prob", 0.6, budget="1/8"),
    case("dmax", {"threshold": 0.65}, 0.65),
    case("dmax", {"threshold": 0.0, "decided": "hard", "stop": None}, 0.0, None, soft=False),
    case("dmax", {"threshold": 0.9}, 0.9, budget="1/4"),
    case("path_planning", {"eta": 1.0}, 1.0, budget="1/4"),
    case("path_planning", {"eta": 1.0, "signal": "top1"}, 1.0, "top1", budget="1/4"),
    case("path_planning", {"eta": 4.0}, 4.0, budget="1/2"),
    case("saber", {}, 2, ever=False, block_only=True),
    case("saber", {"mean": "ever"}, 2, block_only=True),
    case("saber", {"least": 4, "mean": "ever"}, 4, block_only=True, budget="1/8"),
    case("saber", {"least": 1, "backtrack": False}, 1, backtrack=False, block_only=True),
]
LOOP = {"loop_on": 0.5, "loop_off": 0.125, "remask": "loop", "eta": 0.3}
DRAW = [
    case("ancestral", {}, budget="1/4"),
    case("ancestral", {"remask": "cap", "eta": 0.2}, "cap", 0.2, budget="1/2"),
    case("ancestral", {"remask": "rescale", "eta": 0.5}, "rescale", 0.5, budget="1/2"),
    case("ancestral", {"remask": "conf"}, "conf", budget="1/2"),
]
LOOPS = [case("ancestral", LOOP, "loop", 0.3, (0.5, 0.125, 0.9), budget="1/2")]
PLAIN = [("llada-micro", 16), ("llada-micro", 8), ("llada2-micro", 16)]
ALIGNED = [("llada-micro-aligned", 16), ("llada2-micro-aligned", 16), ("llada-micro", 8)]


def in_turn(cases: list[Case], places: list[tuple[str, int]]) -> list[Any]:
    """Return parameters: every case at one of the places."""
    return [
        pytest.param(one, *places[number % len(places)], id=f"{one.name}-{number}")
        for number, one in enumerate(cases)
    ]


@cache
def loaded(name: str) -> tuple[Any, list[list[int]]]:
    if not (SHIPPED / name).is_dir():
        pytest.skip(f"{name} is not shipped yet")
    model, tokenizer = load_model(name)
    return model.double(), micropy_prompts(tokenizer, ROWS)


def coins(seed: int) -> Callable[[int], torch.Tensor]:
    """Return what draws a row's coins: its own stream, as ours."""
    generator = torch.Generator().manual_seed(seed)
    return lambda count: torch.rand(count, generator=generator, dtype=torch.float64)


@torch.no_grad()
@pytest.mark.parametrize(
    ("one", "name", "block"),
    [
        *in_turn(COMMITS + SOFT, PLAIN),
        *in_turn(REVISE, ALIGNED),
        *in_turn(DRAW, PLAIN),
        *in_turn(LOOPS, PLAIN[:2]),
    ],
)
def test_tokens_and_passes_are_the_published_ones(one: Case, name: str, block: int) -> None:
    model, prompts = loaded(name)
    values = {"gen_length": N, **one.ours} | ({"budget": one.budget} if one.budget else OPEN)
    if not getattr(model.config, "block_length", None):
        values["block_length"] = block
    for setting in CEILINGS.keys() & values.keys():
        values[setting] /= block
    drawing = {"temperature": 0.0} if one.name == "ancestral" else {}
    chosen = settings_from(one.name, values | drawing)
    found = decode(model, prompts, chosen, seeds=range(len(prompts)))
    expected = []
    for row, prompt in enumerate(prompts):
        drawn = [coins(row)] if drawing else []
        expected.append(one.theirs(Task(model, prompt, N, block, one.budget), *drawn))
    assert found.tokens.tolist() == [tokens for tokens, _ in expected]
    assert found.nfe.tolist() == [passes for _, passes in expected]


SWITCHES = [
    ("klass", (0.9, 0.01), {"restart": True}, {"exact_steps": True}, 32, "1/4"),
    ("klass", (0.6, 0.05), {"restart": True}, {"restart": False}, 8, None),
    ("credit", (0.9, 0.7, 0.8, 0.2), {}, {"close": 0.1}, 32, None),
    ("remix", (0.8, 0.5, 0.3, (2, 5)), {"restart": True}, {"restart": False}, 32, None),
    ("saber", (4,), {}, {"overwrite": True}, 8, None),
    ("saber", (2,), {"block_only": True}, {"block_only": False}, 8, None),
    ("ancestral", ("never",), {}, {"noise_removal": True}, 32, "1/4"),
]


@torch.no_grad()
@pytest.mark.parametrize(("name", "args", "ours", "public", "block", "budget"), SWITCHES)
def test_what_is_not_repeated_makes_a_difference(name, args, ours, public, block, budget) -> None:
    """Were it not so, a listed deviation would be none."""
    model, prompts = loaded("llada-micro")
    found = []
    for switches in (ours, ours | public):
        tasks = [Task(model, prompt, 2 * N, block, budget) for prompt in prompts[:2]]
        drawn = [(coins(row),) if name == "ancestral" else () for row in range(len(tasks))]
        function = getattr(published, name)
        found.append([function(t, *d, *args, **switches) for t, d in zip(tasks, drawn, strict=True)])
    assert found[0] != found[1]
    left = any(model.config.mask_token_id in tokens for tokens, _ in found[1])
    assert left == ("exact_steps" in public)
