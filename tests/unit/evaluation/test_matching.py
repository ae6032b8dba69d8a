"""Matching: the knob that is found takes the wanted NFE, on exactly what the arm decodes."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import pytest

from fakes.decoding import EVERY, REMASKING, SEVERAL, case_id
from fakes.models import FakeModel
from xpflow.cli import main
from xpflow.decoding import decode, settings_from
from xpflow.decoding.decoders import DECODERS
from xpflow.errors import ConfigError
from xpflow.evaluation.matching import Match, Part, arm_parts, knob_of, matched, mean_length
from xpflow.study.config import study_from_mapping
from xpflow.study.rows import expand
from xpflow.study.settings import arm_settings

PROMPTS = [[3 + row, 4, 5, 6 + row] for row in range(12)]
ADAPTIVE = [name for name in EVERY if DECODERS[name].knob]
QUARTER = Fraction(1, 4)


def fake() -> FakeModel:
    return FakeModel(seed=1, scale=2.0).double().eval()


def part(**settings: object) -> Part:
    return Part(PROMPTS, {"gen_length": 16, "budget": "1/1", **settings})


def study_of(**arm: object):
    """Return a study whose benchmarks have different N and whose model has blocks of its own."""
    return study_from_mapping(
        {
            "problems": {
                "benchmarks": [
                    {"name": "micropy-he", "gen_length": 32},
                    {"name": "micropy-mbpp", "gen_length": 64},
                ]
            },
            "models": [{"name": "llada-micro", "alignment": "full", "block_length": 16}],
            "evaluation": {
                "settings": {"suppress": "mask"},
                "arms": [
                    {"name": "mask", "decoder": "mask_prediction"},
                    {"name": "flow", "decoder": "flow", "weights": "paper", "policy": "confidence:8"},
                    {"name": "adaptive", "decoder": "threshold", "budgets": ["1/2"], **arm},
                ],
            },
        }
    )


@pytest.mark.parametrize("name", ADAPTIVE, ids=case_id)
@pytest.mark.parametrize("budget", ["1/4", "3/4", "5/4"])
def test_no_value_that_was_tried_comes_closer_to_the_wanted_nfe(name, budget):
    seen: list[Match] = []
    found = matched(fake(), name, [part()], Fraction(budget), report=seen.append)
    target = float(Fraction(budget) * 16)
    assert found in seen
    assert abs(found.mean_nfe - target) == min(abs(match.mean_nfe - target) for match in seen)
    settings = settings_from(name, {"gen_length": 16, knob_of(name).setting: found.value})
    assert float(decode(fake(), PROMPTS, settings).nfe.double().mean()) == found.mean_nfe


def test_a_threshold_is_found_to_the_width_of_the_last_interval():
    seen: list[Match] = []
    found = matched(fake(), "threshold", [part()], QUARTER, report=seen.append)
    assert len(seen) == 12
    assert seen[0].value == 0.5
    assert abs(seen[-1].value - seen[-2].value) == 2.0**-12
    assert found.mean_nfe == pytest.approx(4, abs=0.2)


def test_a_whole_knob_tries_whole_numbers_once_each():
    seen: list[Match] = []
    matched(fake(), REMASKING, [part()], Fraction(1), report=seen.append)
    values = [match.value for match in seen]
    assert all(value == int(value) for value in values)
    assert len(values) == len(set(values)) <= 5


def test_a_knob_that_lowers_the_nfe_is_turned_the_other_way():
    assert matched(fake(), SEVERAL, [part()], QUARTER).value == 4
    assert matched(fake(), SEVERAL, [part()], Fraction(1, 8)).value == 8


def test_benchmarks_count_by_their_prompts_and_their_own_length():
    parts = [Part(PROMPTS[:2], {"gen_length": 16}), Part(PROMPTS[:6], {"gen_length": 8})]
    assert mean_length(parts) == 10
    seen: list[Match] = []
    found = matched(fake(), "threshold", parts, QUARTER, report=seen.append)
    nfe = [
        decode(
            fake(), one.prompts, settings_from("threshold", {**one.settings, "threshold": found.value})
        ).nfe
        for one in parts
    ]
    assert found.mean_nfe == sum(int(values.sum()) for values in nfe) / 8


def test_an_arm_is_matched_with_the_settings_that_it_runs_with():
    """Its largest budget, the model's blocks, the study's settings, every benchmark's own N."""
    study = study_of(settings={"threshold": 0.7, "minimum": "quota"})
    arm = study.arm("adaptive")
    prompter = SimpleNamespace(encode=lambda problem: [len(problem.task_id)])
    parts = list(arm_parts(study, arm, "llada-micro", prompter, 3))
    rows = [row for row in expand(study) if row.arm == "adaptive"]
    assert [one.settings for one in parts] == [
        arm_settings(study, arm, row.model, row.benchmark, row.budget) for row in rows
    ]
    assert [one.settings["gen_length"] for one in parts] == [32, 64]
    assert {one.settings["block_length"] for one in parts} == {16}
    assert {one.settings["budget"] for one in parts} == {"1/2"}
    assert {len(one.prompts) for one in parts} == {3}


@pytest.mark.parametrize("name", [name for name in EVERY if name not in ADAPTIVE], ids=case_id)
def test_a_decoder_without_a_knob_says_which_have_one(name):
    with pytest.raises(ConfigError, match=name) as caught:
        knob_of(name)
    assert "threshold" in caught.value.hint


def test_the_command_matches_a_decoder_in_a_file(capsys):
    arguments = ["--model", "llada-micro", "--limit", "2", "--decoder", REMASKING, "--budget", "1/1"]
    assert main(["match", *arguments, "--config", "config/smoke.yaml"]) == 0
    line, setting = capsys.readouterr().out.splitlines()
    assert line.startswith("doubts ")
    assert line.endswith("of 32, 4 problems")
    assert setting == f"model_settings: {{llada-micro: {{doubts: {line.split()[1].rstrip(':')}}}}}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--decoder", "flow"), "decides its NFE"),
        (("--decoder", "flwo"), "did you mean 'flow'"),
        (("--arm", "threshold-base", "--decoder", "threshold"), "--arm or --decoder"),
        (("--arm", "flow-preserving"), "give their folder: --checkpoint"),
        (("--arm", "threshhold-base"), "did you mean 'threshold-base'"),
        (("--arm", "threshold-base", "--model", "llada2-micro"), "does not run"),
    ],
)
def test_mistakes_end_with_a_message_before_a_model_is_loaded(arguments, message, capsys):
    given = ("match", "--model", "llada-micro", *arguments, "--config", "config/smoke.yaml")
    assert main(given) == 2
    assert message in capsys.readouterr().err
