"""On the device class that made a sample everything has to be equal; elsewhere what differs is counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xpflow.artifacts.manifest import Manifest
from xpflow.auditing.draw import DeviceClass
from xpflow.auditing.replay import TEXT, Replayed, report

CPU = DeviceClass("cpu", "float32", "CPU AVX512", "2.13.0")
GPU = DeviceClass("cuda", "bfloat16", "NVIDIA H100", "2.13.0")
NOT = ("tokens", "completion")


def row(*differs: str, made_on: DeviceClass | None = CPU, failed: str = "") -> Replayed:
    now, nfe = "wrong" if "verdict" in differs else "passed", 4.0 if "nfe" in differs else 8.0
    return Replayed("samples.jsonl", "task/0", differs, (8.0, nfe), ("passed", now), made_on, failed)


def test_equal_samples_and_verdicts_are_fine() -> None:
    fine, lines = report([row()] * 20, CPU)
    assert fine
    assert lines == ["replayed 20 samples: 20 the same in tokens, NFE, answer and verdict"]


@pytest.mark.parametrize("name", ["tokens", "nfe", "completion", "verdict", "mode", "protocol", TEXT])
def test_whatever_differs_on_the_same_class_is_not(name: str) -> None:
    fine, lines = report([row(), row(name)], CPU)
    assert not fine
    assert lines[0].startswith("differs ")
    assert lines[-1].startswith("replayed 2 samples: 1 the same")


def test_a_difference_is_told_in_words() -> None:
    _, lines = report([row("completion", "nfe", "tokens", "verdict")], CPU)
    assert lines[0].endswith("task/0: other answer, NFE 8 -> 4, other tokens, passed -> wrong")


def test_on_another_class_tokens_may_differ_and_flips_and_nfe_are_counted() -> None:
    rows = [row(made_on=GPU)] * 16 + [row("nfe", made_on=GPU), row(*NOT, "nfe", made_on=GPU)]
    rows += [row(*NOT, made_on=GPU), row(*NOT, "verdict", made_on=GPU)]
    fine, lines = report(rows, CPU)
    assert fine
    assert "made on cuda (NVIDIA H100), bfloat16" in lines[1]
    assert "the same tokens in 17 of 20; verdicts flipped in 1 of 20: 5.0 % [0.9, 23.6]" in lines[2]
    assert "another NFE in 2 of 20 (1 with the same tokens): mean 8 -> 7.6" in lines[3]
    assert len(lines) == 4


def test_a_verdict_that_flips_with_the_same_answer_is_told_apart() -> None:
    _, lines = report([row("verdict", made_on=GPU), row(*NOT, "verdict", made_on=GPU)], CPU)
    assert "1 of the flipped verdicts are of the same answer" in lines[-1]


@pytest.mark.parametrize("name", [TEXT, "protocol", "decoder"])
def test_what_no_rounding_explains_is_wrong_on_any_class(name: str) -> None:
    fine, lines = report([row(made_on=GPU), row(name, made_on=GPU)], CPU)
    assert not fine
    assert f"other {name}" in lines[0]


def test_a_sample_that_could_not_be_replayed_is_said_and_counts_as_no_sample() -> None:
    fine, lines = report([row(), row(failed="the policy is broken")], CPU)
    assert not fine
    assert lines[0] == "not replayed  samples.jsonl task/0: the policy is broken"
    assert lines[-1].startswith("replayed 1 samples: 1 the same")


def test_both_kinds_are_told_apart_and_unknown_is_held_to_be_the_same() -> None:
    fine, lines = report([row(), row(made_on=None), row("tokens", made_on=GPU)], CPU)
    assert fine
    assert lines[0].startswith("replayed 2 samples: 2 the same")
    assert "the same tokens in 0 of 1" in lines[-2]


def test_the_class_of_a_manifest_is_device_precision_processor_and_torch() -> None:
    facts = {"device": "cuda:1", "dtype": "bfloat16"}
    environment = {"processor": "NVIDIA H100", "libraries": {"torch": "2.13.0"}}
    manifest = Manifest((), {}, (), {}, "", facts=facts, environment=environment)
    assert DeviceClass.of_manifest(manifest) == GPU
    assert DeviceClass.of_manifest(replace(manifest, facts={**facts, "dtype": "float32"})) != GPU
