"""On the device class that made a sample everything has to be equal; elsewhere flips are counted."""

from __future__ import annotations

from dataclasses import replace

from xpflow.artifacts.manifest import Manifest
from xpflow.evaluation.replay import DeviceClass, Replayed
from xpflow.evaluation.replay_report import report

CPU = DeviceClass("cpu", "float32", "CPU AVX512", "2.13.0")
GPU = DeviceClass("cuda", "bfloat16", "NVIDIA H100", "2.13.0")


def row(same: bool = True, now: str = "passed", made_on: DeviceClass | None = CPU) -> Replayed:
    return Replayed("samples.jsonl", "task/0", same, ("passed", now), made_on)


def test_equal_tokens_and_verdicts_are_fine() -> None:
    fine, lines = report([row()] * 20, CPU)
    assert fine
    assert lines == ["replayed 20 samples: 20 the same, token for token and in their verdicts"]


def test_another_token_or_verdict_on_the_same_class_is_not() -> None:
    for odd in (row(same=False), row(now="wrong")):
        fine, lines = report([row(), odd], CPU)
        assert not fine
        assert "differs" in lines[0]
        assert lines[-1].startswith("replayed 2 samples: 1 the same")


def test_on_another_class_tokens_may_differ_and_flips_are_counted() -> None:
    rows = [row(made_on=GPU)] * 17 + [row(same=False, made_on=GPU)] * 2 + [row(False, "wrong", GPU)]
    fine, lines = report(rows, CPU)
    assert fine
    assert "made on cuda (NVIDIA H100), bfloat16" in lines[1]
    assert "the same tokens in 17 of 20; verdicts flipped in 1 of 20: 5.0 % [0.9, 23.6]" in lines[2]


def test_both_kinds_are_told_apart_and_unknown_is_held_to_be_the_same() -> None:
    fine, lines = report([row(), row(made_on=None), row(same=False, made_on=GPU)], CPU)
    assert fine
    assert lines[0].startswith("replayed 2 samples: 2 the same")
    assert "the same tokens in 0 of 1" in lines[-1]


def test_the_class_of_a_manifest_is_device_precision_processor_and_torch() -> None:
    facts = {"device": "cuda:1", "dtype": "bfloat16"}
    environment = {"processor": "NVIDIA H100", "libraries": {"torch": "2.13.0"}}
    manifest = Manifest((), {}, (), {}, "", facts=facts, environment=environment)
    assert DeviceClass.of_manifest(manifest) == GPU
    assert DeviceClass.of_manifest(replace(manifest, facts={**facts, "dtype": "float32"})) != GPU
