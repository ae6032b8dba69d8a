"""The diffusion transformer: its layout is the published one, its numbers those of a plain transcription."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from fakes.reference_mdlm import autocast, exact
from xpflow.errors import ModelLoadError
from xpflow.models import load
from xpflow.models.architectures import ARCHITECTURES
from xpflow.models.checkpoint import load_checkpoint, read_config, save_checkpoint
from xpflow.models.load import load_model, named_tokenizer
from xpflow.models.mdlm import MDLM, MDLMConfig
from xpflow.models.registry import GPT2_TOKENIZER, MDLM_OWT
from xpflow.models.untrained import new_model
from xpflow.study.config.training import LoraSettings
from xpflow.training.weights import with_adapters

VOCAB = 101
SHAPES: list[dict[str, int]] = [
    {"hidden_dim": 32, "n_heads": 2, "n_blocks": 1, "cond_dim": 8},
    {"hidden_dim": 48, "n_heads": 6, "n_blocks": 3, "cond_dim": 20},
    {"hidden_dim": 128, "n_heads": 4, "n_blocks": 4, "cond_dim": 128},
]
PUBLISHED: dict[str, Any] = {
    "architectures": ["MDLM"],
    "auto_map": {
        "AutoConfig": "configuration_mdlm.MDLMConfig",
        "AutoModelForMaskedLM": "modeling_mdlm.MDLM",
    },
    "cond_dim": 128,
    "dropout": 0.1,
    "hidden_dim": 768,
    "model_length": 1024,
    "model_type": "mdlm",
    "n_blocks": 12,
    "n_heads": 12,
    "return_dict": False,
    "time_conditioning": False,
    "torch_dtype": "float32",
    "transformers_version": "4.38.2",
    "vocab_size": 50258,
}


def made(seed: int = 0, **changes: Any) -> MDLM:
    """Return a model of which no weight has its initial value."""
    fields = {"vocab_size": VOCAB, "model_length": 64, "mask_token_id": 100, "eos_token_id": 1, **SHAPES[1]}
    model = new_model(MDLMConfig(**{**fields, "pad_token_id": 0, "bos_token_id": None, **changes}), seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            scale = 0.5 * parameter.shape[1] ** -0.5 if parameter.ndim == 2 else 0.2
            parameter += scale * torch.randn(parameter.shape, generator=generator)
    return model.eval()  # type: ignore[return-value]


def some_ids(rows: int, length: int, seed: int = 0) -> Tensor:
    return torch.randint(0, VOCAB, (rows, length), generator=torch.Generator().manual_seed(seed))


def embedded(model: MDLM, ids: Tensor) -> Tensor:
    found: Tensor = model.get_input_embeddings()(ids).detach()
    return found


def relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected).abs().max() / expected.abs().max())


def everybody(length: int, visible: int | None = None) -> Tensor:
    return (torch.arange(length) < (length if visible is None else visible)).expand(length, length)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("seed", "length"), [(0, 1), (1, 9), (2, 38)])
def test_logits_match_a_plain_float64_reference(shape: dict[str, int], seed: int, length: int) -> None:
    model, ids_BS = made(seed, **shape), some_ids(2, length, seed)
    expected = torch.stack(
        [exact(model.state_dict(), model.config, embedded(model, row), everybody(length)) for row in ids_BS]
    )
    with torch.no_grad():
        inference = model(input_ids=ids_BS).logits
    training = model(input_ids=ids_BS).logits
    assert inference.dtype == torch.float32
    assert relative_error(inference, expected) < 1e-5
    assert relative_error(training.detach(), expected) < 1e-5


def test_mixed_embeddings_and_padding_match_the_reference() -> None:
    model, lengths = made(5), (29, 21)
    mixed_BSD = 0.6 * embedded(model, some_ids(2, 29, 1)) + 0.4 * embedded(model, some_ids(2, 29, 2))
    visible_BS = torch.arange(29)[None] < torch.tensor(lengths)[:, None]
    with torch.no_grad():
        found = model(inputs_embeds=mixed_BSD, attention_mask=visible_BS).logits
    for row, length in enumerate(lengths):
        expected = exact(model.state_dict(), model.config, mixed_BSD[row], everybody(29, length))
        assert relative_error(found[row, :length], expected[:length]) < 1e-5


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("train", [False, True])
def test_bf16_rounds_where_the_published_model_rounds(shape: dict[str, int], train: bool) -> None:
    model, ids_BS = made(3, **shape), some_ids(1, 24, 3)
    with torch.set_grad_enabled(train), torch.autocast("cpu", torch.bfloat16):
        output = model(input_ids=ids_BS, head=False)
        logits = model(input_ids=ids_BS).logits
    assert logits.dtype == torch.bfloat16
    assert output.hidden.dtype == torch.float32  # the residual stream, and norms
    x_SD = embedded(model, ids_BS[0])
    rounded, plain = (run(model.state_dict(), model.config, x_SD, everybody(24)) for run in (autocast, exact))
    mine = (logits[0].detach().double() - rounded).abs().mean()
    assert float(mine) < 0.75 * float((rounded - plain).abs().mean())
    assert relative_error(logits[0].detach(), rounded) < 1e-2


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_checkpoint_in_the_published_layout_comes_back_and_matches_the_reference(
    shape: dict[str, int], dtype: torch.dtype, most: float, tmp_path: Path
) -> None:
    save_checkpoint(made(7, **shape).to(dtype), None, tmp_path / "m")
    model, ids_S = load_checkpoint(tmp_path / "m", dtype=None), some_ids(1, 31, 4)[0]
    assert {tensor.dtype for tensor in model.state_dict().values()} == {dtype}
    with torch.no_grad():
        found = model(input_ids=ids_S[None]).logits[0]
    assert found.dtype == dtype
    expected = exact(model.state_dict(), model.config, embedded(model, ids_S), everybody(31))
    assert relative_error(found, expected) < most


def test_names_and_shapes_are_the_published_ones_to_the_byte() -> None:
    with torch.device("meta"):
        state = MDLM(MDLMConfig()).state_dict()
    assert len(state) == 131
    block = {re.sub(r"^backbone\.blocks\.\d+\.", "", name) for name in state if ".blocks." in name}
    assert block == {
        *("norm1.weight", "attn_qkv.weight", "attn_out.weight", "norm2.weight"),
        *("mlp.0.weight", "mlp.0.bias", "mlp.2.weight", "mlp.2.bias"),
        *("adaLN_modulation.weight", "adaLN_modulation.bias"),
    }
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in sorted(state):
        start, end = end, end + 4 * state[name].numel()
        header[name] = {"dtype": "F32", "shape": list(state[name].shape), "data_offsets": [start, end]}
    text = len(json.dumps(header, separators=(",", ":")))
    assert 8 + -(-text // 8) * 8 + end == 678_522_728  # bytes of the published model.safetensors


def test_the_published_configuration_is_read_field_by_field(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(PUBLISHED))
    config = read_config(tmp_path)
    kept = PUBLISHED.keys() - {"auto_map", "torch_dtype", "transformers_version", "return_dict"}
    assert {key: getattr(config, key) for key in kept} == {key: PUBLISHED[key] for key in kept}
    assert (config.hidden_size, config.num_hidden_layers, config.max_position_embeddings) == (768, 12, 1024)
    assert (config.mask_token_id, config.eos_token_id, config.block_length) == (50257, 50256, None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("time_conditioning", True),
        ("rope_theta", 500000.0),
        ("mlp_ratio", 3),
        ("causal", True),
        ("block_length", 4),
        ("adaln", True),
        ("n_kv_heads", 3),
        ("cond_dim", 0),
        ("n_heads", 5),
        ("tie_word_embeddings", True),
        ("architectures", ["BD3LM"]),
    ],
)
def test_what_would_change_numbers_is_refused(key: str, value: Any, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**PUBLISHED, key: value}))
    with pytest.raises(ModelLoadError, match=key):
        read_config(tmp_path)


def test_rotary_frequencies_of_another_base_are_refused(tmp_path: Path) -> None:
    save_checkpoint(made(), None, tmp_path / "m")
    state = load_file(tmp_path / "m" / "model.safetensors")
    state["backbone.rotary_emb.inv_freq"] *= 0.9
    save_file(state, tmp_path / "m" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelLoadError, match=r"rotary_emb\.inv_freq starts"):
        load_checkpoint(tmp_path / "m")


def test_a_table_of_zeros_is_refused(tmp_path: Path) -> None:
    model = made()
    with torch.no_grad():
        model.get_input_embeddings().weight.zero_()
    save_checkpoint(model, None, tmp_path / "m")
    with pytest.raises(ModelLoadError, match=r"vocab_embed\.embedding are 0"):
        load_checkpoint(tmp_path / "m")


def test_a_new_model_starts_as_upstream_s_does() -> None:
    model = new_model(MDLMConfig(vocab_size=VOCAB, mask_token_id=100, **SHAPES[1]), 0)
    state = model.state_dict()
    zeros = {name for name, tensor in state.items() if not tensor.any()}
    assert zeros == {name for name in state if "adaLN" in name or "output_layer.linear" in name}
    table = state["backbone.vocab_embed.embedding"]
    assert 0.9 < float(table.abs().max() * 48**0.5) <= 1
    assert not model(input_ids=some_ids(1, 5)).logits.any()


def test_places_rotate_by_their_position_ids() -> None:
    model, ids_1S = made(2), some_ids(1, 12)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        straight = model(input_ids=ids_1S).logits
        turned = model(input_ids=ids_1S[:, order], position_ids=order[None]).logits
    torch.testing.assert_close(turned, straight[:, order])


def test_adapters_on_bf16_weights_leave_the_model_as_it_is_at_first() -> None:
    model, ids_BS = made(1).to(torch.bfloat16), some_ids(2, 10)
    with torch.no_grad():
        before = model(input_ids=ids_BS).logits
        after = with_adapters(model, LoraSettings(rank=2), 0)(input_ids=ids_BS).logits
    assert torch.equal(before, after)


def plain_tokenizer(words: dict[str, int], **special: str) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="a")), **special
    )


def without_ids(folder: Path) -> None:
    """Take from config.json what published files do not say."""
    fields = json.loads((folder / "config.json").read_text())
    kept = {key: value for key, value in fields.items() if not key.endswith("token_id")}
    (folder / "config.json").write_text(json.dumps(kept))


def test_the_mask_is_the_row_behind_a_tokenizer_that_has_none(tmp_path: Path) -> None:
    gpt2 = plain_tokenizer({"a": 0, "<|endoftext|>": 1})
    save_checkpoint(made(vocab_size=3, mask_token_id=2), gpt2, tmp_path / "m")
    without_ids(tmp_path / "m")
    model, tokenizer = load_model(tmp_path / "m")
    assert (model.config.mask_token_id, model.config.eos_token_id) == (2, 1)
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.mask_token) == (
        "<|endoftext|>",
        "<|endoftext|>",
        None,
    )
    save_checkpoint(made(vocab_size=4, mask_token_id=2), gpt2, tmp_path / "wide")
    without_ids(tmp_path / "wide")
    with pytest.raises(ModelLoadError, match="names no mask tokens"):
        load_model(tmp_path / "wide")


def test_a_tokenizer_s_own_mask_is_the_mask(tmp_path: Path) -> None:
    words = {"a": 0, "[CLS]": 1, "[SEP]": 2, "[MASK]": 3, "b": 4}
    bert = plain_tokenizer(words, bos_token="[CLS]", eos_token="[SEP]", mask_token="[MASK]")
    save_checkpoint(made(vocab_size=5, mask_token_id=3), bert, tmp_path / "m")
    without_ids(tmp_path / "m")
    config = load_model(tmp_path / "m")[0].config
    assert (config.mask_token_id, config.eos_token_id, config.bos_token_id) == (3, 2, 1)


def test_the_published_model_takes_gpt2_s_tokenizer_from_its_own_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_tokenizer({"a": 0, "<|endoftext|>": 1}).save_pretrained(tmp_path / "gpt2")
    (tmp_path / "gpt2" / "tokenizer_config.json").write_text('{"model_max_length": 1024}')
    (tmp_path / "gpt2" / "config.json").write_text('{"model_type": "gpt2"}')
    save_checkpoint(made(vocab_size=3, mask_token_id=2), None, tmp_path / "mdlm")
    without_ids(tmp_path / "mdlm")
    places = {MDLM_OWT.name: tmp_path / "mdlm", GPT2_TOKENIZER.name: tmp_path / "gpt2"}
    monkeypatch.setattr("xpflow.models.registry.local_snapshot", lambda repo: places[repo.name])
    model, tokenizer = load_model("kuleshov-group/mdlm-owt")
    assert model.config.mask_token_id == 2
    assert tokenizer.eos_token_id == 1
    chat = [{"role": "user", "content": "a"}]
    assert named_tokenizer("mdlm-owt").apply_chat_template(chat, tokenize=False) == "<|endoftext|>a\n\n"


def test_its_architecture_says_a_block_of_its_own_kind() -> None:
    block = ARCHITECTURES["mdlm"].block
    assert block is not None
    model = made(4)
    more = block()(model.config)
    more.draw()
    features_BLD = torch.randn(2, 9, 48, generator=torch.Generator().manual_seed(0))
    assert more(features_BLD).shape == (2, 9, 48)
    assert {type(one).__name__ for one in more.modules()} >= {"MDLMBlock"}
    assert load.architecture_name("mdlm-owt") == "mdlm"
