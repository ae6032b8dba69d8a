"""The native models give the numbers of a plain float64 transcription of their descriptions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from fakes.reference_models import llada2_logits, llada_logits

Make = Callable[..., PreTrainedModel]
Ids = Callable[..., Tensor]


def block_table(length: int, block: int | None) -> Tensor:
    """Who sees whom: everybody, or everybody up to the end of one's own block."""
    rows = torch.arange(length)
    return (
        torch.ones(length, length, dtype=torch.bool)
        if not block
        else rows[None] // block <= rows[:, None] // block
    )


def reference(model: PreTrainedModel, x_SD: Tensor, visible_S: Tensor | None = None) -> Tensor:
    sees = block_table(len(x_SD), model.config.block_length)
    if visible_S is not None:
        sees = sees & visible_S[None] | torch.eye(len(x_SD), dtype=torch.bool)
    run = llada_logits if model.config.model_type == "llada" else llada2_logits
    return run(model.state_dict(), model.config, x_SD, sees)


def embedded(model: PreTrainedModel, ids_S: Tensor) -> Tensor:
    return model.get_input_embeddings()(ids_S).detach()


def relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize(("seed", "length"), [(0, 1), (1, 7), (2, 16), (3, 37)])
def test_logits_match_a_plain_float64_reference(
    name: str, make_model: Make, ids: Ids, seed: int, length: int
) -> None:
    model, ids_BS = make_model(name, seed), ids(2, length, seed)
    expected = torch.stack([reference(model, embedded(model, row)) for row in ids_BS])
    with torch.no_grad():
        inference = model(input_ids=ids_BS).logits
    training = model(input_ids=ids_BS).logits
    assert relative_error(inference, expected) < 1e-5
    assert relative_error(training.detach(), expected) < 1e-5


def test_mixed_embeddings_and_padding_match_the_reference(name: str, make_model: Make, ids: Ids) -> None:
    model, lengths = make_model(name, 5), (29, 21)
    mixed_BSD = (0.6 * embedded(model, ids(2, 29, 1)) + 0.4 * embedded(model, ids(2, 29, 2))).contiguous()
    visible_BS = torch.arange(29)[None] < torch.tensor(lengths)[:, None]
    with torch.no_grad():
        found = model(inputs_embeds=mixed_BSD, attention_mask=visible_BS).logits
    for row, length in enumerate(lengths):
        expected = reference(model, mixed_BSD[row], visible_BS[row])
        assert relative_error(found[row, :length], expected[:length]) < 1e-5


def test_grouped_keys_of_the_dense_model_match_the_reference(make_model: Make, ids: Ids) -> None:
    model = make_model("llada-micro", 6, n_kv_heads=2)
    with torch.no_grad():
        found = model(input_ids=ids(1, 11)).logits[0]
    assert relative_error(found, reference(model, embedded(model, ids(1, 11)[0]))) < 1e-5


def test_gradients_match_finite_differences_of_the_reference(name: str, make_model: Make, ids: Ids) -> None:
    model = make_model(name, 7)
    x_SD = embedded(model, ids(1, 5)[0])
    direction = torch.randn(x_SD.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pull = torch.randn(5, 101, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    leaf = x_SD.clone().requires_grad_()
    (model(inputs_embeds=leaf[None]).logits[0] * pull.float()).sum().backward()
    assert leaf.grad is not None
    step = 1e-5
    ends = [(reference(model, x_SD.double() + s * step * direction) * pull).sum() for s in (1, -1)]
    expected = float((ends[0] - ends[1]) / (2 * step))
    assert float((leaf.grad.double() * direction).sum()) == pytest.approx(expected, rel=1e-3)


def test_bf16_stays_near_fp32(name: str, make_model: Make, ids: Ids) -> None:
    model = make_model(name, 8)
    with torch.no_grad():
        wide = model(input_ids=ids(2, 20)).logits
        narrow = model.to(torch.bfloat16)(input_ids=ids(2, 20)).logits
    assert narrow.dtype == (torch.bfloat16 if name == "llada-micro" else torch.float32)
    assert float((narrow.float() - wide).abs().mean() / wide.abs().mean()) < 0.05
