"""On the shipped models our decoders give the tokens and the passes of the published ones' descriptions.

In float64, so that neither rounding nor a batch decides. What ours does otherwise on purpose, the
transcription is asked for (`restart`, `block_only`, `ever`); where ours can repeat a defect of public code,
both ways are compared. Each case is run at one of the places (a model, and the length of its blocks), in
turn; those of decoders whose windows end somewhere, on small random models too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import pytest
import torch

from fakes import published_decoders as published
from fakes import published_spans_and_drafts as wider
from fakes.models import FakeModel
from fakes.published_decoders import Task
from fakes.published_dsl import dsl
from xpflow.bench.decoding import micropy_prompts
from xpflow.decoding import LearnedPolicy, decode, settings_from
from xpflow.decoding.canvas import model_facts
from xpflow.decoding.decoders.dsl import converter_of
from xpflow.decoding.policies.learned import PolicyShape
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
    function = getattr(published, name, None) or getattr(wider, name)
    return Case(name, ours, lambda task, *drawn: function(task, *drawn, *args, **values), budget)


CEILINGS = {"ceiling_low": 2, "ceiling_high": 5}
COUNTS = ("ceiling_low", "ceiling_high", "explore")  # counts here; our settings are shares of a block
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
REFINED = [
    case("latent_refinement", {"refine": 3 / N}, 0.15, 3),
    case("latent_refinement", {"weight": 0.5, "refine": 5 / N, "settled": 0.0}, 0.5, 5, 0.0),
    case("latent_refinement", {"refine": 0.0, "per_step": 3, "top_p": 0.5}, 0.15, 0, 0.1, 0.5, 3),
    case("latent_refinement", {"refine": 0.0, "weight": 0.4, "stop": 0.1}, 0.4, 0, stop=0.1),
    case(
        "latent_refinement",
        {"weight": 0.4, "refine": 0.0, "stop": 0.1, "over": "masks"},
        *(0.4, 0),
        stop=0.1,
        over="masks",
    ),
    case("latent_refinement", {"refine": 3 / N, "weight": 1.0}, 1.0, 3, budget="1/2"),
]
SHADOW = [
    case("wino", {"threshold": 0.6, **CEILINGS}, 0.6, 0.9, limits=(2, 5)),
    case("wino", {"threshold": 0.1, "verify": 1.0, **CEILINGS}, 0.1, 1.0, limits=(2, 5)),
    case("wino", {"threshold": 0.3, "verify": 0.6, "ceiling_high": 1.0 * 8}, 0.3, 0.6, limits=(1, 8)),
    case("wino", {"threshold": 0.0, "verify": 0.97, "ceiling": 1.0, **CEILINGS}, 0.0, 0.97, 1.0, (2, 5)),
    case("wino", {"threshold": 0.8, "verify": 0.99, **CEILINGS}, 0.8, 0.99, limits=(2, 5), budget="1/4"),
]
DRAFTS = [
    case("drafts", {"drafts": 1}, 1, budget="1/1"),
    case("drafts", {"drafts": 3}, 3, budget="1/1"),
    case("drafts", {"drafts": 8}, 8, budget="1/2"),
    case("drafts", {}, 4, budget="1/4"),
]
SPANS = [
    case("slow_fast", {"explore": 3}, 0.85, 0.1, 3),
    case("slow_fast", {"explore": 4, "threshold": 0.9, "reach": 0.3}, 0.9, 0.3, 4),
    case("slow_fast", {"explore": 2, "reach": 0.6, "spread": 0.0}, 0.85, 0.6, 2, spread=0.0),
    case("slow_fast", {"explore": 1, "reach": 1.0, "threshold": 1.0}, 1.0, 1.0, 1),
    case("slow_fast", {"explore": 4, "reach": 0.3, "spread": 0.0}, 0.85, 0.3, 4, spread=0.0),
    case(
        "slow_fast",
        {"explore": 4, "reach": 0.2, "window": 3, "explore_all": True},
        *(0.85, 0.2, 4, 3),
        all_slow=True,
    ),
    case("slow_fast", {"explore": 3, "reach": 0.5}, 0.85, 0.5, 3, budget="1/4"),
    case("adablock", {}, 0.9, 0.3),
    case("adablock", {"threshold": 1.0, "span": 3}, 1.0, 0.3, span=3),
    case("adablock", {"delimiters": [*range(30)], "look": 1.0}, 0.9, 0.3, range(30), ahead=1.0),
    case(
        "adablock",
        {"delimiters": [*range(3, 20)], "delimiter_threshold": 0.05, "span": 5, "threshold": 0.6},
        *(0.6, 0.05, range(3, 20), 5),
    ),
    case(
        "adablock",
        {"delimiters": [*range(30)], "delimiter_threshold": 0.0, "look": 0.05},
        *(0.9, 0.0, range(30)),
        ahead=0.05,
    ),
    case("adablock", {"delimiter_threshold": 2.0, "span": 6}, 0.9, 2.0, span=6, budget="1/4"),
]
WIDER = REFINED + SHADOW + DRAFTS + SPANS
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
MIXED = [*PLAIN, ("llada2-micro-aligned", 16), ("llada-micro-aligned", 8)]
RANDOM = [("1", 16), ("2", 8), ("3", 8)]  # seeds; the last one is block-causal


def in_turn(cases: list[Case], places: list[tuple[str, int]]) -> list[Any]:
    """Return parameters: every case at one of the places."""
    return [
        pytest.param(one, *places[number % len(places)], id=f"{one.name}-{number}")
        for number, one in enumerate(cases)
    ]


@cache
def loaded(name: str) -> tuple[Any, list[list[int]]]:
    """Return a model in float64 and prompts; a number is the seed of a random one."""
    if name.isdecimal():
        drawn, prompts = torch.Generator().manual_seed(int(name)), (11, 4, 8)
        model = FakeModel(seed=int(name), scale=2, block_length=8 if name == "3" else 0)
        return model.double().eval(), [torch.randint(3, 36, (n,), generator=drawn).tolist() for n in prompts]
    if not (SHIPPED / name).is_dir():
        pytest.skip(f"{name} is not shipped yet")
    model, tokenizer = load_model(name)
    return model.double(), micropy_prompts(tokenizer, ROWS)


def coins(seed: int, dtype: torch.dtype = torch.float64) -> Callable[[int], torch.Tensor]:
    """Return what draws a row's coins: its own stream, as ours."""
    generator = torch.Generator().manual_seed(seed)
    return lambda count: torch.rand(count, generator=generator, dtype=dtype)


@torch.no_grad()
@pytest.mark.parametrize(
    ("one", "name", "block"),
    [
        *in_turn(COMMITS + SOFT, PLAIN),
        *in_turn(REVISE, ALIGNED),
        *in_turn(DRAW, PLAIN),
        *in_turn(LOOPS, PLAIN[:2]),
        *in_turn(WIDER, MIXED),
        *(one for place in RANDOM for one in in_turn(WIDER, [place])),
    ],
)
def test_tokens_and_passes_are_the_published_ones(one: Case, name: str, block: int) -> None:
    model, prompts = loaded(name)
    values = {"gen_length": N, **one.ours} | ({"budget": one.budget} if one.budget else OPEN)
    if not getattr(model.config, "block_length", None):
        values["block_length"] = block
    for setting in {*COUNTS} & values.keys():
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


CHANCES = ("confidence:1", "confidence:6", "learned")


def chance_of(spec: str) -> tuple[LearnedPolicy | None, Callable[[list[list[float]]], list[float]]]:
    """Return a policy as ours takes it (none: by its spec) and as the transcription does."""
    if spec != "learned":
        power = float(spec.partition(":")[2])
        return None, lambda rows: [row[0] ** power for row in rows]
    policy = LearnedPolicy(PolicyShape(width=8, action="commit"), generator=torch.Generator().manual_seed(4))
    for parameter in policy.parameters():
        parameter.data *= 6.0  # chances spread over (0, 1)
    return policy, lambda rows: policy.chance(torch.tensor([rows]))[0].tolist()


@torch.no_grad()
@pytest.mark.parametrize(("name", "block"), [MIXED[1], MIXED[3], *RANDOM])
@pytest.mark.parametrize("spec", CHANCES)
def test_commits_of_a_policy_are_the_published_ones(spec: str, name: str, block: int) -> None:
    """By coins, as published, and without: where its chance is one half."""
    model, prompts = loaded(name)
    policy, theirs = chance_of(spec)
    for temperature, clock, budget in ((0.0, "block", None), (1.0, "global", None), (0.5, "block", "1/4")):
        values = {"gen_length": N, "policy_temperature": temperature, "rho": clock}
        values |= {"budget": budget} if budget else OPEN
        values |= {} if policy else {"policy": spec}
        values |= {} if getattr(model.config, "block_length", None) else {"block_length": block}
        found = decode(model, prompts, settings_from("unmasking", values), policy, seeds=range(len(prompts)))
        tasks = [Task(model, prompt, N, block, budget) for prompt in prompts]
        expected = [
            wider.unmasking(task, theirs, temperature, coins(row, torch.float32), clock)
            for row, task in enumerate(tasks)
        ]
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
    ("slow_fast", (0.97, 0.95, 4), {}, {"all_slow": True}, 16, None),
    ("slow_fast", (0.97, 0.95, 4), {"all_slow": True}, {"idle": True}, 16, None),
    ("slow_fast", (0.97, 0.95, 4), {}, {"cut": True}, 16, None),
    ("drafts", (3,), {}, {"one_first": True}, 8, None),
    ("latent_refinement", (0.15, 3), {}, {"at_once": True}, 8, None),
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
        function = getattr(published, name, None) or getattr(wider, name)
        found.append([function(t, *d, *args, **switches) for t, d in zip(tasks, drawn, strict=True)])
    assert found[0] != found[1]
    left = any(model.config.mask_token_id in tokens for tokens, _ in found[1])
    assert left == ("exact_steps" in public)


@torch.no_grad()
@pytest.mark.parametrize(("name", "block"), [*PLAIN, *RANDOM])
@pytest.mark.parametrize(("budget", "sampler"), [("1/1", "ode"), ("1/2", "sde"), ("1/8", "sde")])
def test_noisy_codes_walk_as_published(budget: str, sampler: str, name: str, block: int) -> None:
    model, prompts = loaded(name)
    if (getattr(model.config, "block_length", None) or block) < 16 and budget == "1/8":
        budget = "1/4"  # two forwards of a block at least
    values = {"gen_length": N, "budget": budget, "sampler": sampler, "width": 8, "converter": "fresh"}
    values |= {} if getattr(model.config, "block_length", None) else {"block_length": block}
    found = decode(model, prompts, settings_from("dsl", values), seeds=range(len(prompts)))
    converter, expected = converter_of(model, model_facts(model), "fresh", 8), []
    top = max(1, round(512 / 126_464 * len(converter.codes)))
    for row, prompt in enumerate(prompts):
        own = torch.Generator().manual_seed(row)
        expected.append(
            dsl(
                Task(model, prompt, N, block, budget),
                converter.codes.double(),
                float(converter.snr_max),
                lambda count, own=own: torch.randn(count, 8, generator=own).double(),
                top,
                sampler == "ode",
            )
        )
    assert found.tokens.tolist() == [tokens for tokens, _ in expected]
    assert found.nfe.tolist() == [passes for _, passes in expected]
