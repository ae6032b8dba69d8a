"""Kinds 2, 8 and 18: weights that are not finite, loaded almost right, or not aligned."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from cases.conftest import rewrite

YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096}
LLADA, LLADA2 = "llada-micro", "llada2-micro"
NORM = "model.transformer.ln_f.weight"


def poison(folder: Path, tensor: str, value: float) -> None:
    """Write one value into a tensor of float32."""
    with (folder / "model.safetensors").open("r+b") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        start, end = json.loads(file.read(length))[tensor]["data_offsets"]
        file.seek(8 + length + (start + end) // 8 * 4)
        file.write(struct.pack("<f", value))


def rename(folder: Path, old: str, new: str) -> None:
    """Give a token another text in every file of the tokenizer."""
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        text = (folder / name).read_text(encoding="utf-8")
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("tensor", [NORM, "model.transformer.blocks.1.q_proj.weight"])
def test_weights_that_are_not_finite_decode_nothing(
    place: Any, decode: tuple[str, ...], tensor: str, value: float
) -> None:
    folder = place.model()
    poison(folder, tensor, value)
    done = place.run(*decode, "--model", folder, "--out", "s.jsonl")
    done.refused(tensor, "model.safetensors", "not finite")
    assert not (place / "s.jsonl").exists()


@pytest.mark.parametrize(
    "setting",
    [("mask_prediction", "temperature=inf"), ("flow", "reedit_margin=inf")],
    ids=lambda pair: pair[1],
)
def test_a_setting_that_is_not_finite_is_refused(place: Any, setting: tuple[str, str]) -> None:
    decoder, value = setting
    policy = ("--policy", "constant:0.5") if decoder == "flow" else ()
    words = ("decode", "--prompt", "x", "--decoder", decoder, "--set", "gen_length=4", *policy)
    place.run(*words, "--set", value).refused(value.split("=")[0])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rope_scaling", YARN),
        ("rope_parameters", {**YARN, "rope_theta": 500000.0}),
        ("clip_qkv", 8.0),
        ("multi_query_attention", True),
        ("quantization_config", {"quant_method": "gptq", "bits": 4}),
    ],
)
def test_a_key_that_changes_numbers_is_not_ignored(
    place: Any, decode: tuple[str, ...], key: str, value: Any
) -> None:
    folder = place.model(LLADA, **{key: value})
    place.run(*decode, "--model", folder, "--out", "s.jsonl").refused(key, "config.json")


@pytest.mark.parametrize("key", ["rope_scaling", "rope_parameters"])
def test_a_key_that_is_neutral_passes(place: Any, decode: tuple[str, ...], key: str) -> None:
    folder = place.model(LLADA2, **{key: {"rope_type": "default"}})
    place.run(*decode, "--model", folder, "--out", "s.jsonl", "--budget", "1/4").passed()


def completions(place: Any, folder: Path, decode: tuple[str, ...]) -> list[str]:
    place.run(*decode, "--model", folder, "--out", "s.jsonl").passed()
    return [row["completion"] for row in place.read("s.jsonl")]


def test_a_mask_of_another_name_is_found_and_no_id_is_guessed(place: Any, decode: tuple[str, ...]) -> None:
    folder = place.model()
    expected = completions(place, folder, decode)
    rename(folder, "<|mdm_mask|>", "<mask>")
    rewrite(folder / "config.json", mask_token_id=None)
    assert completions(place, folder, decode) == expected
    rewrite(folder / "tokenizer_config.json", mask_token=None)
    place.run(*decode, "--model", folder, "--out", "s.jsonl").refused("mask_token_id", "<mask>")


def test_without_tokenizer_config_a_prompt_still_begins_with_bos(place: Any, decode: tuple[str, ...]) -> None:
    folder = place.model()
    words = ("prompts", "micropy", "--benchmark", "humaneval", "--model", folder, "--show")
    expected = place.run(*words).passed()
    (folder / "tokenizer_config.json").unlink()
    found = place.run(*words).passed()
    assert (found.out, found.said) == (expected.out, expected.said)  # the text, and the hash of its ids


def own_answers(place: Any) -> str:
    """Write what `xpflow selfdata` writes, for a micro model."""
    rows = [
        {
            "task_id": f"p/{number}",
            "prompt_ids": [0, 10 + number, 11, 12],
            "response": [20 + number, 21, 22, 23],
            "kind": kind,
        }
        for number, kind in enumerate(["train"] * 4 + ["heldout"] * 2)
    ]
    return str(place.rows("own.jsonl", *rows))


def test_adapters_fit_a_dense_model_too(place: Any) -> None:
    own_answers(place)
    training = {"lora": {"updates": 1, "batch_size": 2}, "warmup_updates": 0, "log_every": 1}
    study = place.study(models=[{"name": LLADA, "training": "lora"}], training=training)
    place.run(
        place.trains, "--model", LLADA, "--data", "own.jsonl", "--config", study, "--out", "run"
    ).passed()
    before = tensors(place.model() / "model.safetensors")
    after = tensors(place / "run" / "model.safetensors")
    same = [key for key in before if "_proj" in key and before[key] == after[key]]
    assert not same


def tensors(file: Path) -> dict[str, bytes]:
    """Return the bytes of each tensor in a file of safetensors."""
    data = file.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    places = json.loads(data[8 : 8 + length])
    places.pop("__metadata__", None)
    start = 8 + length
    spans = {key: place["data_offsets"] for key, place in places.items()}
    return {key: data[start + first : start + last] for key, (first, last) in spans.items()}


def test_flow_on_weights_that_were_not_aligned_says_so(place: Any) -> None:
    words = ("decode", "--prompt", "Add.", "--set", "gen_length=4", "--decoder")
    assert "aligned" in place.run(*words, "flow", "--policy", "constant:0.5").passed().said
    assert "aligned" not in place.run(*words, "threshold").passed().said
