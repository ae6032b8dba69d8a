"""Dream: the published layout, numbers of a plain transcription and of Qwen2, and the shift by one place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoModel, Qwen2Config, Qwen2ForCausalLM

from fakes.decoding import OwnModules
from fakes.published_dream import sample
from fakes.reference_models import dream_logits
from xpflow.decoding import decode, settings_from
from xpflow.decoding.decoders import DECODERS
from xpflow.errors import DecodingError, ModelLoadError
from xpflow.models.checkpoint import load_checkpoint, read_config, save_checkpoint
from xpflow.models.dream import DreamConfig, DreamModel
from xpflow.models.registry import MODELS
from xpflow.models.untrained import new_model
from xpflow.runtime.machine import Machine
from xpflow.training.examples import Batch, Example
from xpflow.training.objective import make_loss
from xpflow.training.trainer import prepared

VOCAB, MASK, N = 53, 52, 8
# What the two published config.json say of sizes, shrunk: they differ in how far a place may be.
VARIANTS: dict[str, dict[str, Any]] = {
    "dream": {"hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2},
    "dream-coder": {
        "hidden_size": 56,
        "num_attention_heads": 7,
        "num_key_value_heads": 1,
        "num_hidden_layers": 3,
        "max_position_embeddings": 32768,
        "bos_token_id": 3,
    },
}
PUBLISHED: dict[str, Any] = {
    "architectures": ["DreamModel"],
    "attention_dropout": 0.0,
    "auto_map": {"AutoConfig": "configuration_dream.DreamConfig", "AutoModel": "modeling_dream.DreamModel"},
    "bos_token_id": 151643,
    "eos_token_id": 151643,
    "hidden_act": "silu",
    "hidden_size": 3584,
    "initializer_range": 0.02,
    "intermediate_size": 18944,
    "mask_token_id": 151666,
    "max_position_embeddings": 131072,
    "max_window_layers": 28,
    "model_type": "Dream",
    "num_attention_heads": 28,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "pad_token_id": 151643,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 1000000.0,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.46.2",
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": 152064,
}


def made(variant: str = "dream", seed: int = 0, sharp: float = 1.0) -> DreamModel:
    """Return a model of which no weight has its initial value."""
    ids = {"mask_token_id": MASK, "eos_token_id": 1, "pad_token_id": 1, "bos_token_id": 1, "eot_token_id": 2}
    fields = {**ids, "vocab_size": VOCAB, "intermediate_size": 40, "rope_theta": 100.0, **VARIANTS[variant]}
    model = new_model(DreamConfig(**fields, initializer_range=0.2), seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            scale = 0.3 if weight.ndim == 1 else 0.1
            weight += scale * torch.randn(weight.shape, generator=generator)
            weight *= sharp if name == "lm_head.weight" else 1.0
    return model.eval()  # type: ignore[return-value]


def some_ids(rows: int, length: int, seed: int = 0) -> Tensor:
    return torch.randint(3, MASK, (rows, length), generator=torch.Generator().manual_seed(seed))


def embedded(model: DreamModel, ids: Tensor) -> Tensor:
    found: Tensor = model.get_input_embeddings()(ids).detach()
    return found


def relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected).abs().max() / expected.abs().max())


def qwen2_logits(model: DreamModel, ids_BS: Tensor, visible_BS: Tensor | None = None) -> Tensor:
    """Return what transformers' Qwen2 computes with a model's weights when every place sees every other.

    It is not moved: what stands at place i predicts token i + 1.
    """
    kept = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    kept += ("num_key_value_heads", "max_position_embeddings", "rms_norm_eps")
    rope = {"rope_type": "default", "rope_theta": model.config.rope_theta}
    config = Qwen2Config(**{name: getattr(model.config, name) for name in kept}, rope_parameters=rope)
    other = Qwen2ForCausalLM(config).eval()
    frequencies = other.model.rotary_emb.inv_freq.clone()
    other.to(model.dtype).model.rotary_emb.inv_freq = frequencies  # they stay fp32 when weights are loaded
    other.load_state_dict(model.state_dict())
    mask = hiding_nothing(ids_BS.shape[1], model.dtype)
    if visible_BS is not None:
        mask = mask.masked_fill(~visible_BS[:, None, None].bool(), -torch.inf)
    with torch.no_grad():
        found: Tensor = other(ids_BS, attention_mask=mask).logits
    return found


def hiding_nothing(length: int, dtype: torch.dtype) -> Tensor:
    return torch.zeros(1, 1, length, length, dtype=dtype)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-5), (torch.bfloat16, 4e-2)])
def test_a_checkpoint_in_the_published_layout_matches_a_plain_float64_reference(
    variant: str, dtype: torch.dtype, most: float, tmp_path: Path
) -> None:
    save_checkpoint(made(variant, 7).to(dtype), None, tmp_path / "m", max_shard_bytes=20_000)
    assert len(list((tmp_path / "m").glob("model-*.safetensors"))) > 1
    model, lengths = load_checkpoint(tmp_path / "m", dtype=None), (21, 14)
    assert isinstance(model, type(AutoModel.from_pretrained(tmp_path / "m")))
    mixed_BSD = 0.6 * embedded(model, some_ids(2, 21, 1)) + 0.4 * embedded(model, some_ids(2, 21, 2))
    visible_BS = torch.arange(21) < torch.tensor(lengths)[:, None]
    with torch.no_grad():
        found = model(inputs_embeds=mixed_BSD, attention_mask=visible_BS).logits
    training = model(inputs_embeds=mixed_BSD, attention_mask=visible_BS).logits.detach()
    assert found.dtype == dtype
    for row, length in enumerate(lengths):
        expected = dream_logits(
            model.state_dict(), model.config, mixed_BSD[row], visible_BS[row].expand(21, 21)
        )
        for logits in (found, training):
            assert relative_error(logits[row, :length], expected[:length]) < most


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-6)])
def test_it_is_qwen2_without_its_causal_mask_moved_by_one_place(
    variant: str, dtype: torch.dtype, most: float
) -> None:
    model, ids_BS = made(variant, 3).to(dtype), some_ids(2, 19, 3)
    published = qwen2_logits(model, ids_BS)
    published = torch.cat([published[:, :1], published[:, :-1]], dim=1)  # as the published sampler moves them
    with torch.no_grad():
        found = model(input_ids=ids_BS, attention_mask=hiding_nothing(19, dtype)).logits
        assert relative_error(model(input_ids=ids_BS).logits, found.double()) < 3e-2  # another kernel
        some = model(input_ids=ids_BS, logits_positions_BN=torch.tensor([[0, 1, 18], [5, 0, 2]])).logits
    assert relative_error(found, published.double()) < most
    expected = torch.stack([found[0, [0, 1, 18]], found[1, [5, 0, 2]]])
    assert relative_error(some, expected.double()) < (1e-5 if dtype == torch.float32 else 3e-2)


def test_names_shapes_and_shards_are_the_published_ones_to_the_byte() -> None:
    with torch.device("meta"):
        state = DreamModel(DreamConfig()).state_dict()
    assert len(state) == 339
    assert {name.partition(".1.")[2] for name in state if ".1." in name} == {
        *(f"self_attn.{one}_proj.{part}" for one in "qkv" for part in ("weight", "bias")),
        *("self_attn.o_proj.weight", "input_layernorm.weight", "post_attention_layernorm.weight"),
        *(f"mlp.{one}_proj.weight" for one in ("gate", "up", "down")),
    }
    shards: list[dict[str, Tensor]] = [{}]
    for name, tensor in state.items():  # cut as upstream did, at 5 GB
        if 2 * (sum(one.numel() for one in shards[-1].values()) + tensor.numel()) > 5e9:
            shards.append({})
        shards[-1][name] = tensor
    sizes = [file_bytes(shard) for shard in shards]
    assert sizes == [4_877_660_776, 4_932_751_008, 4_330_865_200, 1_089_994_880]


def file_bytes(shard: dict[str, Tensor]) -> int:
    """Return the size of a bf16 safetensors file."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in sorted(shard):
        start, end = end, end + 2 * shard[name].numel()
        header[name] = {"dtype": "BF16", "shape": list(shard[name].shape), "data_offsets": [start, end]}
    return 8 + -(-len(json.dumps(header, separators=(",", ":"))) // 8) * 8 + end


def test_the_published_configuration_is_read_field_by_field(tmp_path: Path) -> None:
    coder = {"bos_token_id": 151665, "max_position_embeddings": 32768, "sliding_window": 131072}
    for more in ({}, coder):
        (tmp_path / "config.json").write_text(json.dumps({**PUBLISHED, **more}))
        config = read_config(tmp_path)
        for key in ("rope_theta", "max_position_embeddings", "mask_token_id", "bos_token_id", "eos_token_id"):
            assert getattr(config, key) == {**PUBLISHED, **more}[key]
    names = [name for name, entry in MODELS.items() if entry.architecture == "Dream"]
    assert names == ["dream-7b-instruct", "dream-7b-base", "dream-coder-7b-instruct"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("use_sliding_window", True),
        ("rope_scaling", {"rope_type": "yarn", "factor": 4.0}),
        ("attention_bias", True),
        ("tie_word_embeddings", True),
        ("num_key_value_heads", 3),
        ("hidden_size", 3585),
        ("hidden_act", "gelu"),
        ("full_attn_mask", False),
        ("block_length", 32),
        ("architectures", ["Qwen2ForCausalLM"]),
    ],
)
def test_what_would_change_numbers_is_refused(key: str, value: Any, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**PUBLISHED, key: value}))
    with pytest.raises(ModelLoadError, match=key):
        read_config(tmp_path)


@pytest.mark.parametrize(
    ("published", "steps", "decoder", "values"),
    [
        ("maskgit_plus", N, "mask_prediction", {"budget": "1/1"}),
        ("maskgit_plus", 2, "mask_prediction", {"budget": "1/4"}),
        ("entropy", N, "entropy_bound", {"gamma": -1.0}),
        ("origin", 1, "mask_prediction", {"budget": "1/8"}),
    ],
)
def test_decoding_gives_the_tokens_of_the_published_loop_on_unmoved_logits(
    published: str, steps: int, decoder: str, values: dict[str, Any]
) -> None:
    model, prompts = made(seed=4, sharp=3.0).double(), some_ids(3, 6, 5).tolist()
    chosen = settings_from(decoder, {"gen_length": N, "suppress": "special", **values})
    ours = decode(model, prompts, chosen)
    for prompt, tokens in zip(prompts, ours.tokens.tolist(), strict=True):
        assert tokens == sample(lambda ids: qwen2_logits(model, ids), prompt, N, steps, published, MASK)
    assert set(ours.nfe.tolist()) == {steps}


@pytest.mark.parametrize("name", [name for name in DECODERS if name != "wino"])
def test_every_decoder_works_and_padding_changes_no_token(name: str) -> None:
    model = made(seed=2, sharp=3.0).double()
    model.newline_token_ids, model.objective_file = (5,), OwnModules(model)  # type: ignore[assignment]
    prompts = [some_ids(1, length, length)[0].tolist() for length in (3, 7)]
    chosen = settings_from(
        name, {"gen_length": N, "budget": "1/2", "suppress": "special", **DECODERS[name].examples[0]}
    )
    together = decode(model, prompts, chosen, seeds=[0, 1])
    assert not (together.tokens == MASK).any()
    for row, prompt in enumerate(prompts):
        alone = decode(model, [prompt], chosen, seeds=[row])
        assert alone.tokens[0].tolist() == together.tokens[row].tolist()


@pytest.mark.parametrize("chunk", [0, 3])
def test_every_objective_learns_at_the_place_before(chunk: int) -> None:
    model = made(seed=5)
    examples = [Example(tuple(row[:5]), tuple(row[5:])) for row in some_ids(4, 11, 8).tolist()]
    clean = Batch.of(examples, model.config.pad_token_id)
    for name in ("masked", "x_prediction"):
        loss = make_loss(name, {})
        student, _ = prepared(model, loss, Machine(vocab_chunk=chunk), 0)
        batch = loss.corrupt(clean, model, torch.Generator().manual_seed(1))
        term = loss.terms(loss.forward(student, batch), batch)["ce" if name == "masked" else "error"]
        logits_BSV = qwen2_logits(model, batch.inputs["input_ids"], batch.inputs["attention_mask"])
        before_BK = batch.inputs["logits_positions_BN"] - 1
        logits_BKV = logits_BSV.gather(1, before_BK[..., None].expand(-1, -1, VOCAB))
        if name == "masked":
            expected = cross_entropy(logits_BKV.mT, batch.target_BK, reduction="none")
        else:
            table_VD = model.get_input_embeddings().weight
            error_BKD = logits_BKV.softmax(-1) @ table_VD - table_VD[batch.target_BK]
            expected = error_BKD.square().sum(-1)
        assert term.over_BK is not None
        torch.testing.assert_close(term.values[term.over_BK], expected[term.over_BK])


def test_a_shadow_of_the_block_is_refused() -> None:
    with pytest.raises(DecodingError, match="takes no position_ids"):
        decode(made(), [[5, 6]], settings_from("wino", {"gen_length": N}))
