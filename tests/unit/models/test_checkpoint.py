"""Model folders: the published layout, its faults by name, and saving whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM, PreTrainedModel

from xpflow.errors import ModelLoadError
from xpflow.models.checkpoint import load_checkpoint, save_checkpoint
from xpflow.models.llada import LLaDAConfig, LLaDAModelLM
from xpflow.models.llada2 import LLaDA2MoeConfig, LLaDA2MoeModelLM
from xpflow.models.stored import find_tensors
from xpflow.models.untrained import SpecialIds, micro_config, new_model

Make = Callable[..., PreTrainedModel]
Ids = Callable[..., Tensor]
NORM = {"llada-micro": "model.transformer.ln_f.weight", "llada2-micro": "model.norm.weight"}


@pytest.fixture
def saved(name: str, make_model: Make, tmp_path: Path) -> Path:
    """A folder with a small model."""
    save_checkpoint(make_model(name), None, tmp_path / "model")
    return tmp_path / "model"


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize("shard_bytes", [None, 200_000])
def test_saved_and_loaded_models_are_equal_bit_for_bit(
    name: str, make_model: Make, ids: Ids, tmp_path: Path, shard_bytes: int | None
) -> None:
    model = make_model(name, 3)
    save_checkpoint(model, None, tmp_path / "a", shard_bytes)
    again = load_checkpoint(tmp_path / "a")
    assert not again.training
    assert again.config.mask_token_id == 4
    assert again.config.bos_token_id is None
    assert again.config.block_length == model.config.block_length
    with torch.no_grad():
        assert torch.equal(again(input_ids=ids(1, 20)).logits, model(input_ids=ids(1, 20)).logits)
    assert len(list((tmp_path / "a").glob("*.safetensors"))) == (
        1 if shard_bytes is None else len_shards(tmp_path)
    )


def len_shards(folder: Path) -> int:
    index = json.loads((folder / "a" / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == sum(
        t.nbytes for t in load_checkpoint(folder / "a").state_dict().values()
    )
    files = set(index["weight_map"].values())
    assert len(files) > 2
    return len(files)


def test_equal_models_are_saved_as_equal_bytes(name: str, make_model: Make, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        save_checkpoint(make_model(name), None, tmp_path / folder)
    for file in ("config.json", "model.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_saving_over_a_folder_replaces_weights_and_keeps_other_files(
    saved: Path, name: str, make_model: Make
) -> None:
    (saved / "log.jsonl").write_text("{}\n")
    save_checkpoint(make_model(name, 1), None, saved, max_shard_bytes=200_000)
    assert not (saved / "model.safetensors").exists()
    save_checkpoint(make_model(name, 2), None, saved)
    assert sorted(p.name for p in saved.iterdir()) == ["config.json", "log.jsonl", "model.safetensors"]
    assert [p.name for p in saved.parent.iterdir()] == ["model"]
    expected = make_model(name, 2).state_dict()
    assert all(torch.equal(t, expected[n]) for n, t in load_checkpoint(saved).state_dict().items())


def test_a_failed_save_leaves_the_old_folder(saved: Path, name: str, make_model: Make) -> None:
    class Broken:
        def save_pretrained(self, folder: Path) -> None:
            raise OSError("disk full")

    before = (saved / "model.safetensors").read_bytes()
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(make_model(name, 1), Broken(), saved)  # type: ignore[arg-type]
    assert (saved / "model.safetensors").read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == ["model"]


def test_missing_tensor_is_named(saved: Path, name: str) -> None:
    rewrite(saved, lambda tensors: tensors.pop(NORM[name]))
    with pytest.raises(ModelLoadError, match=rf"missing tensor {NORM[name]}, expected shape \[128\]"):
        load_checkpoint(saved)


def test_extra_tensor_is_named(saved: Path) -> None:
    rewrite(saved, lambda tensors: tensors.update({"model.surplus": torch.zeros(2, 3)}))
    with pytest.raises(
        ModelLoadError, match=r"extra tensor model.surplus of shape \[2, 3\] in model.safetensors"
    ):
        load_checkpoint(saved)


def test_misshaped_tensor_is_named_with_both_shapes(saved: Path, name: str) -> None:
    rewrite(saved, lambda tensors: tensors.update({NORM[name]: torch.zeros(64)}))
    fault = rf"misshaped tensor {NORM[name]}: expected shape \[128\], found \[64\] in model.safetensors"
    with pytest.raises(ModelLoadError, match=fault):
        load_checkpoint(saved)


def test_missing_shard_and_wrong_index_are_named(name: str, make_model: Make, tmp_path: Path) -> None:
    save_checkpoint(make_model(name), None, tmp_path / "a", max_shard_bytes=200_000)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "a" / sorted(p.name for p in (tmp_path / "a").glob("*.safetensors"))[1]).unlink()
    with pytest.raises(ModelLoadError, match=r"model-00002-of-\d+\.safetensors"):
        load_checkpoint(tmp_path / "a")
    index = json.loads((tmp_path / "b" / "model.safetensors.index.json").read_text())
    index["weight_map"]["model.surplus"] = min(index["weight_map"].values())
    (tmp_path / "b" / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelLoadError, match=r"missing tensor model\.surplus"):
        load_checkpoint(tmp_path / "b")


def test_truncated_weights_are_an_error_that_names_the_file(saved: Path) -> None:
    data = (saved / "model.safetensors").read_bytes()
    (saved / "model.safetensors").write_bytes(data[:-10])
    with pytest.raises(ModelLoadError, match=r"model\.safetensors"):
        load_checkpoint(saved)


def test_pickled_weights_are_refused(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    torch.save({}, saved / "pytorch_model.bin")
    with pytest.raises(ModelLoadError, match="never from pickles"):
        load_checkpoint(saved)


def test_unsupported_configurations_are_named(saved: Path, name: str) -> None:
    field = {"llada-micro": "alibi", "llada2-micro": "use_qkv_bias"}[name]
    config = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps(config | {field: True}))
    with pytest.raises(ModelLoadError, match=f"{field}=True"):
        load_checkpoint(saved)
    (saved / "config.json").write_text(json.dumps(config | {"model_type": "llada2_mo"}))
    with pytest.raises(ModelLoadError, match="did you mean 'llada2_moe'"):
        load_checkpoint(saved)


def test_broken_config_files_are_named(saved: Path) -> None:
    (saved / "config.json").write_text("[1")
    with pytest.raises(ModelLoadError, match=r"config\.json: not a JSON object"):
        load_checkpoint(saved)
    (saved / "config.json").unlink()
    with pytest.raises(ModelLoadError, match="no such file"):
        load_checkpoint(saved)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("place", [0, 77, -1])
def test_a_weight_that_is_not_finite_is_named_with_its_file(
    saved: Path, name: str, value: float, dtype: torch.dtype, place: int
) -> None:
    def spoil(tensors: dict[str, Tensor]) -> None:
        for key in tensors:
            tensors[key] = tensors[key].to(dtype)
        tensors[NORM[name]][place] = value

    rewrite(saved, spoil)
    for wanted in (torch.float32, torch.bfloat16, None):
        with pytest.raises(ModelLoadError) as caught:
            load_checkpoint(saved, dtype=wanted)
        assert str(saved / "model.safetensors") in caught.value.message
        assert f"tensor {NORM[name]} has 1 values that are not finite, of 128" in caught.value.message


@pytest.mark.parametrize("part", ["embedding", "head", "norm"])
def test_a_part_without_which_a_model_is_mute_is_named_where_it_is_all_zeros(
    saved: Path, name: str, part: str
) -> None:
    model = load_checkpoint(saved)
    tables = {"embedding": model.get_input_embeddings(), "head": model.get_output_embeddings()}
    modules = {id(module): place for place, module in model.named_modules()}
    tensor = f"{modules[id(tables[part])]}.weight" if part in tables else NORM[name]
    rewrite(saved, lambda tensors: tensors[tensor].zero_())
    with pytest.raises(ModelLoadError, match=rf"model.safetensors: all \d+ values of tensor {tensor} are 0"):
        load_checkpoint(saved)


def test_a_weight_that_the_chosen_precision_cannot_hold_is_an_error(saved: Path, name: str) -> None:
    large = torch.full((128,), 1e300, dtype=torch.float64)
    rewrite(saved, lambda tensors: tensors.update({NORM[name]: large}))
    with pytest.raises(ModelLoadError, match=f"{NORM[name]} has 128 values that are not finite"):
        load_checkpoint(saved)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.float8_e4m3fn])
def test_quantised_weights_are_not_read_as_numbers(saved: Path, name: str, dtype: torch.dtype) -> None:
    rewrite(saved, lambda tensors: tensors.update({NORM[name]: torch.ones(128).to(dtype)}))
    with pytest.raises(ModelLoadError, match=f"{NORM[name]} is stored as .*: quantised weights"):
        load_checkpoint(saved)


def test_weights_that_are_there_twice_or_would_be_adapted_are_an_error(saved: Path) -> None:
    (saved / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {}}))
    with pytest.raises(ModelLoadError, match="weights twice"):
        load_checkpoint(saved)
    (saved / "model.safetensors.index.json").unlink()
    (saved / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelLoadError, match=r"adapter_config\.json: an adapter that would not be applied"):
        load_checkpoint(saved)


@pytest.mark.parametrize(("mask", "file", "folder"), [(0o022, 0o644, 0o755), (0o027, 0o640, 0o750)])
@pytest.mark.parametrize("shard_bytes", [None, 200_000])
def test_files_and_folder_have_the_mode_of_the_umask(
    name: str, make_model: Make, tmp_path: Path, mask: int, file: int, folder: int, shard_bytes: int | None
) -> None:
    before = os.umask(mask)
    try:
        for _ in range(2):  # new, and over what is there
            save_checkpoint(make_model(name), None, tmp_path / "m", shard_bytes)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "m").iterdir()} == {file}
    assert (tmp_path / "m").stat().st_mode & 0o777 == folder


@pytest.mark.parametrize("auto", [AutoModel, AutoModelForMaskedLM, AutoModelForCausalLM])
def test_transformers_auto_classes_load_a_saved_folder(saved: Path, name: str, ids: Ids, auto: type) -> None:
    assert AutoConfig.from_pretrained(saved).model_type == (
        "llada" if name == "llada-micro" else "llada2_moe"
    )
    loaded = auto.from_pretrained(saved).eval()
    with torch.no_grad():
        expected = load_checkpoint(saved)(input_ids=ids(1, 18)).logits
        assert torch.equal(loaded(input_ids=ids(1, 18)).logits, expected)


def test_precision_can_be_chosen_or_kept(saved: Path) -> None:
    assert load_checkpoint(saved, dtype=torch.bfloat16).dtype == torch.bfloat16
    rewrite(saved, lambda tensors: tensors.update({n: t.to(torch.bfloat16) for n, t in tensors.items()}))
    assert load_checkpoint(saved, dtype=None).dtype == torch.bfloat16
    assert load_checkpoint(saved).dtype == torch.float32


def test_stored_names_are_the_published_ones(saved: Path, name: str) -> None:
    inner = json.loads((saved / "config.json").read_text()).get("moe_intermediate_size")
    stored = {n: list(t.shape) for n, t in find_tensors(saved).items()}
    if name == "llada-micro":
        assert len(stored) == 3 + 4 * 9
        assert (
            stored["model.transformer.wte.weight"] == stored["model.transformer.ff_out.weight"] == [101, 128]
        )
        assert stored["model.transformer.blocks.3.ff_proj.weight"] == [384, 128]
        assert stored["model.transformer.blocks.0.ff_out.weight"] == [128, 384]
    else:
        assert stored["model.word_embeddings.weight"] == stored["lm_head.weight"] == [101, 128]
        assert stored["model.layers.0.attention.query_key_value.weight"] == [(4 + 2 * 2) * 32, 128]
        assert stored["model.layers.0.mlp.gate_proj.weight"] == [384, 128]
        assert stored["model.layers.1.mlp.gate.expert_bias"] == [8]
        assert stored["model.layers.3.mlp.experts.7.down_proj.weight"] == [128, inner]
        assert stored["model.layers.3.mlp.shared_experts.up_proj.weight"] == [inner, 128]


def test_full_size_models_have_the_published_parameter_counts() -> None:
    """LLaDA-8B: 291 tensors, 8.02 B. LLaDA2.0-mini: the sum that gives the published 32,511,286,784 bytes."""
    with torch.device("meta"):
        dense = LLaDAModelLM(LLaDAConfig()).state_dict()
        sparse = LLaDA2MoeModelLM(LLaDA2MoeConfig()).state_dict()
    assert len(dense) == 291
    assert sum(tensor.numel() for tensor in dense.values()) == 8_015_581_184
    assert sum(tensor.numel() for tensor in sparse.values()) == 16_255_643_392


def test_micro_checkpoints_stay_under_ten_megabytes(name: str) -> None:
    special = SpecialIds(mask_token_id=4, eos_token_id=1, pad_token_id=0)
    with torch.device("meta"):
        state = new_model(micro_config(name, 1024, special), seed=0).state_dict()
    assert sum(tensor.numel() for tensor in state.values()) * 4 < 10_000_000
