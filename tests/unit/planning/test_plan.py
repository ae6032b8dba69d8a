"""A plan covers the whole study, refuses what cannot fit, and what it suggests instead does fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xpflow.errors import ConfigError
from xpflow.planning import make_plan
from xpflow.planning.assumptions import GPUS, Assumptions, find_gpu, parse_prompt_tokens
from xpflow.planning.clock import times_of
from xpflow.planning.remedies import apply_changes, misfits, policy_costs, remedies
from xpflow.planning.stages import Aligning
from xpflow.study.config import StudyConfig, study_from_mapping
from xpflow.study.config.machine import RuntimeBlock
from xpflow.study.rows import expand

Make = Callable[..., StudyConfig]
GIVEN = Assumptions()
MODEL = "llada-8b-instruct"
TIGHT: dict[str, Any] = {"micro_batch": None, "vocab_chunk": 0, "activation_checkpointing": False}


def machine(config: StudyConfig, name: str) -> Any:
    return GIVEN.machine(GPUS[name], config.runtime.dtype)


def test_every_stage_and_every_decoding_is_planned(paper_like: Make) -> None:
    config = paper_like()
    plan = make_plan(config, [GPUS["h200"]], [1, 8])
    names = [stage.name for stage in plan.stages]
    assert names == [
        "selfdata llada-8b-instruct",
        "selfdata llada2.0-mini",
        "align llada-8b-instruct paper",
        "align llada-8b-instruct preserving",
        "align llada2.0-mini paper",
        "align llada2.0-mini preserving",
        "solvable llada-8b-instruct",
        "policy llada-8b-instruct",
        "evaluate llada-8b-instruct humaneval",
        "evaluate llada-8b-instruct mbpp",
        "evaluate llada2.0-mini humaneval",
        "evaluate llada2.0-mini mbpp",
    ]
    assert len(plan.study.workloads()) == len(expand(config))
    assert len(plan.entries) == 2 * len(plan.stages)
    plan.check()


def test_reference_answers_are_not_decoded(paper_like: Make) -> None:
    plan = make_plan(paper_like(selfdata={"answers": "reference"}), [GPUS["h200"]], [1])
    assert [stage.name.partition(" ")[0] for stage in plan.stages[:4]] == ["align"] * 4


def test_programs_of_graded_answers_are_counted_once_for_each_model_and_seed(paper_like: Make) -> None:
    """However many runs learn only from those that pass, and none where no run does."""
    runs = [{"name": "paper", "answers": "passed"}, {"name": "preserving", "answers": "passed"}]
    for graded in (2, 0):
        config = paper_like(training={"runs": runs} if graded else {})
        found = {one.name: one.programs for one in make_plan(config, [GPUS["h200"]], [1]).stages}
        seeds, prompts = len(config.study.seeds), config.selfdata.prompts
        assert found["selfdata llada-8b-instruct"] == seeds * prompts * (graded > 0)
        jobs = times_of(config.model_copy(update={"runtime": RuntimeBlock()}), Path("nowhere")).jobs
        assert jobs.get("grade_answers", 0) == seeds * graded


def test_what_an_update_takes_is_what_its_objective_says(paper_like: Make) -> None:
    outside = "./tests/fakes/objectives.py:SOFT_MASKS"
    runs = [
        {"name": "paper"},
        {"name": "kl", "settings": {"kl_weight": 0.1}},
        {"name": "clean", "settings": {"clean_weight": 0.1}},
        {"name": "outside", "objective": outside},
        {"name": "states", "objective": "forced"},
    ]
    arms = [
        {"name": run["name"], "decoder": "mask_prediction", "weights": run["name"], "models": [MODEL]}
        for run in runs
    ]
    config = paper_like(
        training={"runs": runs},
        evaluation={"arms": arms},
        grpo={"weights": "base"},
        reporting={"baseline_arm": "paper", "flow_arm": "kl", "trace_arm": None},
    )
    plan = make_plan(config, [GPUS["h200"]], [8])
    found = {one.name.split()[-1]: one.alignment for one in plan.stages if isinstance(one, Aligning)}
    assert set(found) == {"paper", "kl", "clean", "outside", "states"}
    passes = {name: one.works()[0].times for name, one in found.items()}
    logits = {name: one.memory().parts["logits"] for name, one in found.items()}
    # forward, backward, and the forward of activation checkpointing; then the reference's or the first one
    assert {name: times / passes["paper"] for name, times in passes.items()} == pytest.approx(
        {"paper": 1.0, "kl": 5 / 4, "clean": 1.0, "outside": 5 / 4, "states": 3.0}
    )
    assert {name: size / logits["paper"] for name, size in logits.items()} == pytest.approx(
        {"paper": 1.0, "kl": 36 / 20, "clean": 28 / 20, "outside": 24 / 20, "states": 44 / 20}
    )
    kept = {name: one.memory().parts["activations"] for name, one in found.items()}
    layers = found["paper"].arch.layers  # one of them is computed again at a time, and holds far more
    assert 1.5 < kept["states"] / kept["paper"] < 3, f"inputs of {layers} layers wait three times"
    assert kept["kl"] == kept["outside"] == kept["paper"]
    assert ["base model" in one.memory().parts for one in found.values()] == [
        False,
        True,
        False,
        False,
        False,
    ]


def test_blocks_are_the_protocols_unless_the_study_says_otherwise(paper_like: Make) -> None:
    rest = paper_like().model_dump(mode="json")
    benchmarks = {"benchmarks": [{"name": "humaneval", "gen_length": 512, "limit": None}]}
    for protocol, own, block in (
        ("llada-v1", None, 32),
        ("llada-v1", 64, 64),
        ("llada-opencompass", None, 0),
    ):
        model = {"name": "llada-8b-instruct", "training": "full", "protocol": protocol, "block_length": own}
        config = study_from_mapping({**rest, "problems": benchmarks, "models": [model]})
        cells = make_plan(config, [GPUS["h200"]], [1]).study.workloads().values()
        assert {cell.decode.block for cell in cells} == {block}, protocol


def test_lengths_are_those_that_an_arm_decodes(paper_like: Make) -> None:
    config = paper_like(evaluation={"settings": {"gen_length": 32}})
    works = make_plan(config, [GPUS["h200"]], [1]).study.workloads()
    assert {work.decode.length for work in works.values()} == {32}


def test_the_policy_training_of_the_paper_is_98_million_forwards(paper_like: Make) -> None:
    config = paper_like(grpo={"warm_start": None})
    plan = make_plan(config, [GPUS["h200"]], [1])
    [policy] = [stage for stage in plan.stages if stage.name.startswith("policy")]
    assert policy.forwards == 6000 * 64 * 256 == 98_304_000
    found = policy_costs(plan.study, machine(config, "h200"))
    assert [cost.changes for cost in found] == [
        {},
        {"grpo.train_budget": "1/4"},
        {"grpo.updates": 400},
        {"grpo.updates": 400, "grpo.train_budget": "1/4"},
    ]
    full, quarter, fewer, both = (cost.seconds for cost in found)
    assert (full / quarter, full / fewer, full / both) == pytest.approx((4, 15, 60), rel=1e-6)
    assert 90 < full / 3600 < 100  # hours on eight H200


def test_rollout_shards_bound_how_many_gpus_share_an_update(paper_like: Make) -> None:
    plan = make_plan(paper_like(grpo={"rollout_shards": 4}), [GPUS["h200"]], [1, 2, 4, 8])
    seconds = [
        entry.seconds
        for count in plan.counts
        for entry in plan.find("h200", count)
        if entry.stage.name.startswith("policy")
    ]
    assert seconds[0] == pytest.approx(4 * seconds[2])
    assert seconds[2] == seconds[3]


def test_memory_falls_with_processes_and_time_with_gpus(paper_like: Make) -> None:
    plan = make_plan(paper_like(), [GPUS["h200"]], [1, 2, 4, 8])
    for stage in plan.stages:
        entries = [entry for entry in plan.entries if entry.stage is stage]
        assert [e.memory.total for e in entries] == sorted((e.memory.total for e in entries), reverse=True)
        assert [e.seconds for e in entries] == sorted((e.seconds for e in entries), reverse=True)
    one = next(e for e in plan.entries if e.stage.name == "align llada-8b-instruct paper")
    assert not one.fits  # 16 bytes for each of 8.02 G parameters, and 2 for the working copy
    assert one.memory.total > 18 * 8_015_581_184


@pytest.mark.parametrize("gpu", ["h200", "h100", "a100-80"])
@pytest.mark.parametrize("processes", [1, 2, 8])
def test_what_is_suggested_fits_when_applied_and_nothing_of_it_is_idle(
    paper_like: Make, gpu: str, processes: int
) -> None:
    config = paper_like(
        runtime={**TIGHT, "processes": processes}, evaluation={"batch_size": 128}, grpo={"rollout_shards": 1}
    )
    assert misfits(config, GIVEN, machine(config, gpu))
    with pytest.raises(ConfigError, match=f"runtime.processes {processes} fits on no GPU") as caught:
        make_plan(config, [GPUS[gpu]], [1]).check()
    found = remedies(config, GIVEN, machine(config, gpu))
    assert found
    for remedy in found:
        assert remedy.text in caught.value.hint
        assert not misfits(apply_changes(config, remedy.changes), GIVEN, machine(config, gpu))
        for key in remedy.changes:
            rest = {name: value for name, value in remedy.changes.items() if name != key}
            assert misfits(apply_changes(config, rest), GIVEN, machine(config, gpu))


def test_the_smallest_number_of_processes_is_suggested(paper_like: Make) -> None:
    config = paper_like(runtime={"processes": 1})
    first = remedies(config, GIVEN, machine(config, "h200"))[0]
    assert first.changes == {"runtime.processes": 2}
    assert misfits(config, GIVEN, machine(config, "h200"))


def test_a_study_that_fits_on_one_of_the_gpus_is_not_refused(paper_like: Make) -> None:
    config = paper_like(runtime={"processes": 2})
    make_plan(config, [GPUS["a100-80"], GPUS["h200"]], [1]).check()
    with pytest.raises(ConfigError, match="a100-80: align llada-8b-instruct paper needs"):
        make_plan(config, [GPUS["a100-80"]], [1]).check()


def test_nothing_is_suggested_for_a_model_that_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llada2_moe", "num_hidden_layers": 60}')
    config = study_from_mapping(
        {
            "models": [{"name": "large", "directory": str(tmp_path), "training": "lora"}],
            "grpo": {"model": "large"},
            "runtime": {"device": "cuda", "dtype": "bfloat16"},
        }
    )
    with pytest.raises(ConfigError, match="fits on no GPU") as caught:
        make_plan(config, [GPUS["h100"]], [1]).check()
    assert caught.value.hint == "what would fit\n    h100: no setting makes it fit"


def test_a_cpu_study_has_sizes_and_no_hours_and_is_never_refused() -> None:
    plan = make_plan(StudyConfig(), [GPUS["h200"]], [1])
    assert plan.cpu
    assert not plan.entries
    plan.check()
    assert {space.fetched for space in plan.disk} == {False}


def test_disk_counts_downloads_and_every_checkpoint(paper_like: Make) -> None:
    plan = make_plan(paper_like(study={"seeds": [0, 1]}), [GPUS["h200"]], [1])
    sizes = {space.what: space.size for space in plan.disk}
    assert sizes["llada-8b-instruct, bf16 weights, fetched"] == 16_031_162_368
    assert sizes["llada2.0-mini, bf16 weights, fetched"] == 32_511_286_784
    assert sizes["llada2.0-mini, 4 aligned checkpoints"] == 4 * 32_511_286_784


def test_prompt_lengths_can_be_given_and_bad_ones_are_named() -> None:
    assert parse_prompt_tokens(["mbpp=180"]) == {"mbpp": 180}
    assert Assumptions(prompt_tokens={"mbpp": 150}).prompt("mbpp", "lm-eval-instruct").mean == 150
    assert (GIVEN.prompt("mbpp", "llada-opencompass").mean, GIVEN.prompt("mbpp", "llada2-chat").mean) == (
        700,
        180,
    )
    for text, message in (("mbpp", "not a prompt length"), ("mbp=3", "no such benchmark")):
        with pytest.raises(ConfigError, match=message):
            parse_prompt_tokens([text])


def test_gpus_and_fractions_are_checked() -> None:
    assert find_gpu("A100").name == "a100-80"
    with pytest.raises(ConfigError, match="no such GPU") as caught:
        find_gpu("h20")
    assert "h200" in caught.value.hint
    with pytest.raises(ConfigError, match="mfu is a fraction"):
        Assumptions(mfu=1.5)
    with pytest.raises(ConfigError, match="GPU counts start at 1"):
        make_plan(StudyConfig(), [], [0])
