"""FLOP and bytes agree with hand-computed anchors, and forwards with what the decoders really run."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from xpflow.decoding import decode, settings_from
from xpflow.models.untrained import SpecialIds, micro_config, new_model
from xpflow.planning.assumptions import Machine
from xpflow.planning.sizes import sizes_of
from xpflow.planning.work import Decode, Forward
from xpflow.study.config.inputs import ModelChoice

DENSE = sizes_of(ModelChoice(name="llada-8b-instruct", training="full"))
MIXTURE = sizes_of(ModelChoice(name="llada2.0-mini", training="full"))
H200 = Machine("h200", 500e12, 4.8e12, 141e9)


def test_a_forward_of_humaneval_is_10_7_tflop() -> None:
    assert Forward(1, 712, 712, 512).flop(DENSE) == pytest.approx(10.7e12, rel=0.005)
    assert Forward(1, 712, 712, 712).flop(DENSE) == pytest.approx(10.9e12, rel=0.005)
    assert Forward(1, 956, 956, 256).flop(DENSE) == pytest.approx(14.1e12, rel=0.02)
    assert Forward(1, 956, 956, 956).flop(DENSE) == pytest.approx(14.8e12, rel=0.005)


def test_humaneval_is_5_5_pflop_a_problem_and_half_an_hour_at_500_tflop_per_s() -> None:
    works = Decode(512, Fraction(1)).works(DENSE, 200, 1)
    assert sum(work.total_flop for work in works) == pytest.approx(5.5e15, rel=0.01)
    everything = [work.scaled(164) for work in works]
    assert sum(work.total_flop for work in everything) == pytest.approx(0.90e18, rel=0.01)
    assert sum(work.seconds(H200) for work in everything) / 3600 == pytest.approx(0.50, rel=0.01)


def test_mbpp_is_1_8_eflop() -> None:
    [work] = Decode(256, Fraction(1)).works(DENSE, 700, 1)
    assert 500 * work.total_flop == pytest.approx(1.80e18, rel=0.02)


@pytest.mark.parametrize(("tokens", "gigabytes"), [(32, 20.8), (64, 27.9)])
def test_a_step_of_the_mixture_reads_the_experts_that_it_touches(tokens: int, gigabytes: float) -> None:
    assert Forward(1, tokens, tokens, 32).read_bytes(MIXTURE) == pytest.approx(gigabytes * 1e9, rel=0.003)
    assert MIXTURE.experts_touched(32) == pytest.approx(163, abs=0.5)


def test_a_step_takes_what_limits_it() -> None:
    step = Decode(32, Fraction(1), kv_cache=True).works(MIXTURE, 0, 1)[0]
    assert step.seconds(H200) / step.times == pytest.approx(4.3e-3, rel=0.02)  # bytes
    dense = Forward(1, 712, 712, 512).work(DENSE)
    assert dense.seconds(H200) == pytest.approx(10.67e12 / 500e12, rel=0.005)  # arithmetic


def test_with_a_cache_a_block_first_runs_what_is_not_cached_and_then_itself() -> None:
    forwards = Decode(64, Fraction(1, 4), kv_cache=True)._forwards(MIXTURE, 40, 2)
    found = [(steps, forward.queries, forward.keys) for steps, forward in forwards]
    # Places 40 .. 127: a block of 24 open places, then two whole ones (the last runs past the answer's end).
    assert found == [(1, 64, 64), (5, 32, 64), (1, 64, 96), (7, 32, 96), (1, 64, 128), (7, 32, 128)]


def test_flop_are_those_of_the_matrix_products() -> None:
    config = micro_config("llada-micro", 1024, SpecialIds(mask_token_id=2, eos_token_id=1, pad_token_id=1))
    model, arch = new_model(config, 0), sizes_of(ModelChoice(name="llada-micro", training="full"))
    ids, places = torch.full((2, 24), 7), torch.arange(8, 24).expand(2, -1)
    with FlopCounterMode(display=False) as counter:  # with gradients: the fused kernel is not counted
        model(input_ids=ids, logits_positions_BN=places)
    assert Forward(2, 24, 24, 16).flop(arch) == counter.get_total_flops()


class Counting:
    """A model that never answers with EOS and notes the positions of every forward."""

    def __init__(self, name: str) -> None:
        ids = SpecialIds(mask_token_id=2, eos_token_id=1, pad_token_id=1)
        self.model = new_model(micro_config(name, 1024, ids), 0).eval()
        self.config, self.windows = self.model.config, []

    def __call__(self, **inputs: Any) -> Any:
        self.windows.append(inputs["input_ids"].shape[1])
        output = self.model(**inputs)
        output.logits[..., 1] = torch.finfo(output.logits.dtype).min
        return output

    def get_input_embeddings(self) -> Any:
        return self.model.get_input_embeddings()

    def parameters(self) -> Tensor:
        return self.model.parameters()


@pytest.mark.parametrize("name", ["llada-micro", "llada2-micro"])
@pytest.mark.parametrize("prompt", [5, 16, 23])
@pytest.mark.parametrize("budget", ["1/1", "1/2", "1/4"])
def test_steps_and_windows_are_those_of_the_decoder(name: str, prompt: int, budget: str) -> None:
    model, arch = Counting(name), sizes_of(ModelChoice(name=name, training="full"))
    settings = settings_from(
        "mask_prediction",
        {"gen_length": 32, "budget": budget, "block_steps": "proportional", "suppress": "mask"},
    )
    result = decode(model, [[7] * prompt], settings)
    planned = Decode(32, Fraction(budget))
    assert planned.steps(arch, prompt) >= int(result.nfe[0])
    windows = [
        int(forward.queries) for steps, forward in planned._forwards(arch, prompt, 1) for _ in range(steps)
    ]
    assert set(model.windows) == set(windows)
    # Mask prediction of a block with fewer open places commits its quota and may end earlier, never later.
    assert len(model.windows) <= len(windows)
    if arch.block_length == 0 or prompt % arch.block_length == 0:
        assert model.windows == windows
