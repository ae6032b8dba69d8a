"""The native models give the numbers of a plain float64 transcription of their descriptions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from fakes.reference_models import llada2_logits, llada_logits
from xpflow.models.checkpoint import load_checkpoint, save_checkpoint
from xpflow.models.stored import find_tensors

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


EVERY_EXPERT = {"topk_group": 4, "num_experts_per_tok": 8}


# The reference works in float64 on the very weights that the model holds. In bf16, with 8 bits of mantissa,
# the rounding of a few dozen operations in a row is left. It also sends some tokens to another expert, which
# no bound on the logits survives: so all experts are chosen there, and the choice is tested by itself.
@pytest.mark.parametrize(
    ("dtype", "changes", "most"), [(torch.float32, {}, 1e-5), (torch.bfloat16, EVERY_EXPERT, 3e-2)]
)
@pytest.mark.parametrize("seed", range(4))
def test_checkpoints_in_the_published_layout_match_the_reference_however_they_are_fed(
    name: str,
    make_model: Make,
    ids: Ids,
    tmp_path: Path,
    seed: int,
    dtype: torch.dtype,
    changes: dict[str, int],
    most: float,
) -> None:
    made = make_model(name, 20 + seed, **changes).to(dtype)
    save_checkpoint(made, None, tmp_path / "m", max_shard_bytes=400_000)
    stored = find_tensors(tmp_path / "m")
    model = load_checkpoint(tmp_path / "m", dtype=None)
    assert stored.keys() == model.state_dict().keys()
    assert {p.dtype for p in model.state_dict().values()} == {dtype}
    ids_BS, lengths = ids(2, 27 + 2 * seed, seed), (27 + 2 * seed, 9 + seed)
    visible_BS = torch.arange(ids_BS.shape[1])[None] < torch.tensor(lengths)[:, None]
    mixed_BSD = 0.7 * embedded(model, ids_BS) + 0.3 * embedded(model, ids(*ids_BS.shape, seed + 9))
    for feed, x_BSD in (
        ({"input_ids": ids_BS}, embedded(model, ids_BS)),
        ({"inputs_embeds": mixed_BSD}, mixed_BSD),
    ):
        with torch.no_grad():
            found = model(**feed, attention_mask=visible_BS).logits
        assert found.dtype == (torch.float32 if name == "llada2-micro" else dtype)
        for row, length in enumerate(lengths):
            expected = reference(model, x_BSD[row], visible_BS[row])
            assert relative_error(found[row, :length], expected[:length]) < most


def test_bf16_stays_near_fp32(name: str, make_model: Make, ids: Ids) -> None:
    model = make_model(name, 8)
    with torch.no_grad():
        wide = model(input_ids=ids(2, 20)).logits
        narrow = model.to(torch.bfloat16)(input_ids=ids(2, 20)).logits
    assert narrow.dtype == (torch.bfloat16 if name == "llada-micro" else torch.float32)
    assert float((narrow.float() - wide).abs().mean() / wide.abs().mean()) < 0.05
