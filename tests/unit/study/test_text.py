"""Block `text`: its jobs and their places, what makes them stale, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

import pytest

from xpflow.artifacts.code import code_fingerprint
from xpflow.artifacts.left_out import may_be_left
from xpflow.errors import ConfigError
from xpflow.grading.jails import namespaces
from xpflow.planning.clock import times_of
from xpflow.planning.plan import disk_bytes, make_plan
from xpflow.planning.render import render_plan
from xpflow.runtime.check import machine_checks
from xpflow.study.check import check_plugins, check_study, notes_of
from xpflow.study.config import StudyConfig, load_study, study_from_mapping
from xpflow.study.layout import Layout
from xpflow.study.rows import expand, trace_row
from xpflow.study.stages import (
    GONE,
    expected_files,
    figure_names,
    report_inputs,
    stage_fingerprint,
    stage_plugins,
    table_names,
)
from xpflow.study.text import (
    CouplingJob,
    TextJob,
    coupling_jobs,
    couplings_of,
    find_text,
    measured_of,
    recipe_of,
    start_of,
    text_jobs,
)
from xpflow.training.text_check import check_texts

ROOT = Path(__file__).parents[3]
NOISE = {"name": "noise", "objective": "infinite_mask", "settings": {"width": 4}}
REDI = {
    **NOISE,
    "name": "redi",
    "from": "noise",
    "worlds": ["agreement-2-3"],
    "couplings": {"count": 8, "steps": 4},
    "continue_noise": True,
}
LEARNED = {"name": "lomdm", "objective": "order_expressive", "settings": {"schedule": "learned"}}
CLAIM = {"id": "one", "text": "It is.", "measure": "excess", "world": "agreement-2-3", "run_a": "noise"}
NOTHING = {"models": [], "problems": {"benchmarks": []}, "evaluation": {"arms": []}}
TRAIN = {"command": "text-train", "world": "agreement-2-3", "seed": 0}
COUPLE = {**TRAIN, "command": "text-couple", "run": "noise", "pairs": 8, "steps": 4}


def study(seeds: tuple[int, ...] = (0,), more: dict[str, Any] | None = None, **text: Any) -> StudyConfig:
    block = {"worlds": ["agreement-2-3", "orders"], "runs": [NOISE, REDI, LEARNED], **text}
    given = {"study": {"name": "small", "seeds": list(seeds)}, **NOTHING, **(more or {}), "text": block}
    return study_from_mapping(given, source="s.yaml")


def test_runs_have_a_job_for_each_of_their_worlds_and_seeds() -> None:
    names = [astuple(job) for job in text_jobs(study((0, 3)))]
    assert names == [
        *(("agreement-2-3", run, seed) for run in ("noise", "redi", "lomdm") for seed in (0, 3)),
        *(("orders", run, seed) for run in ("noise", "lomdm") for seed in (0, 3)),
    ]
    assert find_text(study(), "orders", "noise", 0) == TextJob("orders", "noise", 0)
    with pytest.raises(ConfigError, match="no run redi on orders"):
        find_text(study(), "orders", "redi", 0)
    with pytest.raises(ConfigError, match="did you mean 'noise'"):
        find_text(study(), "orders", "noisy", 0)


def test_couplings_are_made_once_for_all_that_are_trained_on_them() -> None:
    twin = {**REDI, "name": "twin", "updates": 7}
    other = {**REDI, "name": "other", "couplings": {"count": 16, "steps": 4}}
    config = study(runs=[NOISE, REDI, twin, other])
    assert [job.pairs for job in coupling_jobs(config)] == [8, 16]
    redi, noise = (TextJob("agreement-2-3", name, 0) for name in ("redi", "noise"))
    assert couplings_of(config, redi) == CouplingJob("agreement-2-3", "noise", 0, 8, 4)
    assert (couplings_of(config, noise), start_of(config, noise)) == (None, None)
    assert start_of(config, redi) == noise


def test_a_recipe_has_the_run_s_values_over_those_of_its_world_over_the_block_s() -> None:
    by_world = {"orders": {"width": 8, "masks": 3}}
    run = {**NOISE, "updates": 9, "world_settings": by_world}
    found = recipe_of(study(runs=[run], batch_size=5, width=32), TextJob("orders", "noise", 2))
    assert found["settings"] == {"width": 8, "masks": 3}
    assert (found["updates"], found["batch_size"], found["width"], found["seed"]) == (9, 5, 32, 2)
    assert measured_of(study(samples=7))["samples"] == 7


def test_places_and_names_agree_and_a_pack_leaves_out_what_is_large() -> None:
    config, layout = study(), Layout.of("small")
    [job] = coupling_jobs(config)
    file = layout.couplings(*astuple(job))
    assert layout.names_at(file.as_posix()) == {name: str(value) for name, value in asdict(job).items()}
    weights = layout.text_checkpoint("orders", "lomdm", 0) / "model.safetensors"
    scores = layout.text_scores("orders", "lomdm", 0)
    for path in (weights, scores):
        names = layout.names_at(path.as_posix())
        assert names == {"world": "orders", "run": "lomdm", "seed": "0", "file": path.name}
    expected = expected_files(config, layout)
    assert {file, weights, scores} <= set(expected)
    assert scores in report_inputs(config, layout)
    left = {path.name for path in (file, weights, scores) if may_be_left(path.as_posix(), "small")}
    assert left == {file.name, weights.name}


@pytest.mark.parametrize(
    ("changed", "stale"),
    [
        ({"updates": 5}, {"noise", "redi", "lomdm"}),
        ({"samples": 5}, {"noise", "redi", "lomdm"}),
        ({"draws": 2}, {"noise", "redi", "lomdm"}),
        ({"heads": 2}, {"noise", "redi", "lomdm"}),
        ({"runs": [{**NOISE, "learning_rate": 0.1}, REDI, LEARNED]}, {"noise"}),
        ({"runs": [{**NOISE, "label": "x", "report": False}, REDI, LEARNED]}, set()),
        ({"runs": [NOISE, {**REDI, "couplings": {"count": 8, "steps": 5}}, LEARNED]}, {"redi", "couplings"}),
        ({"runs": [NOISE, {**REDI, "continue_noise": False}, LEARNED]}, {"redi"}),
        ({"runs": [NOISE, {**REDI, "world_settings": {"agreement-2-3": {"masks": 3}}}, LEARNED]}, {"redi"}),
        ({"runs": [{**NOISE, "world_settings": {"orders": {"masks": 3}}}, REDI, LEARNED]}, set()),
        ({"worlds": ["agreement-2-3", "orders", "english"], "preregistration": [CLAIM]}, set()),
    ],
)
def test_only_what_a_run_reads_makes_it_stale(changed: dict[str, Any], stale: set[str]) -> None:
    stages = {name: {**TRAIN, "run": name} for name in ("noise", "redi", "lomdm")} | {"couplings": COUPLE}
    before, after = (
        {name: stage_fingerprint(one, names) for name, names in stages.items()}
        for one in (study(), study(**changed))
    )
    assert {name for name in stages if before[name] != after[name]} == stale
    assert GONE not in before.values()
    if "couplings" in stale:
        assert after["couplings"] == GONE


def test_a_run_s_code_is_that_of_its_objective_schedule_and_world() -> None:
    chosen = set(stage_plugins(study(), {**TRAIN, "run": "lomdm"}))
    assert chosen == {
        *("objective:order_expressive", "schedule:learned", "schedule:constant"),
        *("world:agreement-2-3", "architecture:llada"),
    }
    assert set(stage_plugins(study(), COUPLE)) == {
        *("objective:infinite_mask", "schedule:constant", "world:agreement-2-3", "architecture:llada")
    }
    codes = {code_fingerprint(command, chosen) for command in ("text-train", "text-couple")}
    assert len(codes) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ({"worlds": ["order"]}, "'order' is not known here; did you mean 'orders'"),
        ({"worlds": ["./mine.py:WORLD"]}, "is a file: a study takes worlds by the name"),
        ({"worlds": ["orders", "orders"]}, "'orders' occurs twice"),
        ({"worlds": []}, "runs need worlds"),
        ({"runs": [NOISE, NOISE]}, "'noise' occurs twice"),
        ({"runs": [{**NOISE, "worlds": ["english"]}]}, "'english' is not known here"),
        ({"runs": [{**NOISE, "world_settings": {"english": {}}}]}, "'english' is not known here"),
        ({"runs": [REDI, NOISE]}, "'noise' is not known here"),
        ({"runs": [{**NOISE, "worlds": ["orders"]}, REDI]}, "'noise' is not trained on 'agreement-2-3'"),
        ({"runs": [{**REDI, "from": None}]}, "couplings and continue_noise need `from`"),
        ({"runs": [NOISE, {**REDI, "settings": {"coupling": "sum"}}]}, "'coupling' is set by the run"),
        ({"runs": [NOISE, {**REDI, "settings": {"noise_from": "x"}}]}, "'noise_from' is set by the run"),
        ({"runs": [{**NOISE, "objective": "../mine.py"}]}, "does not lie below the folder"),
        ({"runs": [{**LEARNED, "settings": {"schedule": "/mine.py"}}]}, "does not lie below the folder"),
        ({"steps": [1, 1]}, "1 occurs twice"),
        ({"heads": 3}, "3 heads cannot share 64 numbers"),
        ({"preregistration": [CLAIM, CLAIM]}, "'one' occurs twice"),
        ({"preregistration": [{**CLAIM, "world": "english"}]}, "'english' is not known here"),
        ({"preregistration": [{**CLAIM, "run_a": "nois"}]}, "did you mean 'noise'"),
        ({"preregistration": [{**CLAIM, "run_b": "noise"}]}, "differs from itself by nothing"),
        ({"preregistration": [{**CLAIM, "world": "orders", "run_b": "redi"}]}, "'redi' is not trained on"),
        ({"preregistration": [{**CLAIM, "domain": "orders-transition"}]}, "did you mean 'orders-tr"),
        ({"preregistration": [{**CLAIM, "measure": "invalid"}]}, "`steps` belongs to"),
        ({"preregistration": [{**CLAIM, "measure": "invalid", "steps": 3}]}, "3 is none of text.steps"),
        ({"preregistration": [{**CLAIM, "measure": "order_entropy"}]}, "a measure of a learned schedule"),
        ({"preregistration": [{**CLAIM, "measure": "agreement", "world": "orders"}]}, "that repeat a word"),
    ],
)
def test_what_cannot_be_trained_or_claimed_is_named(text: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        study(**text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ({"runs": [{**NOISE, "settings": {"widht": 4}}]}, r"text.runs\[noise\], agreement-2-3: .*widht"),
        ({"runs": [NOISE, {**REDI, "objective": "masked", "settings": {}}]}, r"runs\[redi\].*coupling"),
        ({"runs": [{**LEARNED, "settings": {"schedule": "lerned"}}]}, "no such schedule: 'lerned'"),
        (
            {"runs": [{**LEARNED, "settings": {"schedule": "permutation", "order": "1 0 2"}}]},
            r"text.runs\[lomdm\], orders: the order has 3 places",
        ),
        (
            {
                "worlds": ["orders"],
                "runs": [LEARNED],
                "preregistration": [
                    {**CLAIM, "world": "orders", "run_a": "lomdm", "domain": "english-emissions"}
                ],
            },
            "is no domain of 'orders'",
        ),
    ],
)
def test_what_an_objective_refuses_is_refused_before_the_first_job(text: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        check_texts(study(**text), "s.yaml")
    assert check_texts(study(), "s.yaml") == 5


def test_a_study_of_text_alone_decodes_and_grades_nothing() -> None:
    config, layout = study(), Layout.of("small")
    check_study(config, "s.yaml")
    check_plugins(config, "s.yaml")
    assert (expand(config), trace_row(config), notes_of(config)) == ([], None, [])
    assert all(name.startswith("text_") for name in (*table_names(config), *figure_names(config)))
    assert "jail" not in dict(machine_checks(config, "s.yaml", lambda: 0.0))
    assert not [file for file in expected_files(config, layout) if file.name in ("prompts.md", "trace.npz")]
    assert stage_fingerprint(config, {"command": "trace"}) == GONE
    assert {"train_text", "couple_text"} <= times_of(config, layout.times).jobs.keys()
    assert "grade_shard" not in times_of(config, layout.times).jobs
    shown = render_plan(make_plan(config, [], []))
    assert "| text orders lomdm " in shown
    assert "3 forwards each" in shown
    assert disk_bytes(config) > 0


def test_a_study_may_have_both_and_has_models_benchmarks_and_arms_or_none_of_them() -> None:
    both = study_from_mapping({"text": {"worlds": ["orders"], "runs": [LEARNED]}}, source="s.yaml")
    assert {"table1", "text_orders"} <= set(table_names(both))
    assert {"sweep_budget", "text_curves"} <= set(figure_names(both))
    assert "jail" in dict(machine_checks(both, "s.yaml", lambda: 0.0))
    for lacking in ({"models": []}, {"evaluation": {"arms": []}}, {"problems": {"benchmarks": []}}):
        with pytest.raises(ConfigError, match="are given, so these are needed too"):
            study_from_mapping({**lacking, "text": both.text.model_dump()}, source="s.yaml")
    with pytest.raises(ConfigError, match="there is nothing to do"):
        study(runs=[])
    with pytest.raises(ConfigError, match="these need models"):
        study(more={"frontier": {"curves": [{"name": "x", "decoder": "flow", "knob": "t", "values": [1]}]}})


def test_what_a_study_without_the_block_says_of_its_report_is_what_it_was() -> None:
    plain, sized = (study_from_mapping(one, source="s.yaml") for one in ({}, {"text": {"updates": 7}}))
    assert stage_fingerprint(plain, {"command": "tables"}) == stage_fingerprint(sized, {"command": "tables"})
    small, labelled = study(), study(runs=[{**NOISE, "label": "x"}, REDI, LEARNED])
    assert stage_fingerprint(small, {"command": "tables"}) != stage_fingerprint(
        labelled, {"command": "tables"}
    )


def test_make_asks_for_no_jail_where_no_models_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "refused", lambda: "not permitted")
    monkeypatch.setattr(namespaces, "works", lambda bwrap: False)
    asked = [
        namespaces.verdict(text) is not None
        for text in ("models: []  # none\n", "models:\n  - {name: llada-micro}\n", "# models: []\n")
    ]
    assert asked == [False, True, True]


@pytest.mark.parametrize("name", ["lomdm", "imdm"])
def test_the_shipped_studies_can_be_trained_as_they_say(name: str) -> None:
    config = load_study(ROOT / "config" / f"{name}.yaml")
    check_texts(config, name)
    assert not config.models
    assert len(config.study.seeds) == 3


def test_reading_a_study_with_texts_imports_no_torch() -> None:
    code = "import sys\nfrom xpflow.study.config import load_study\nfrom xpflow.study.stages import *\n"
    code += "study = load_study('config/imdm.yaml')\nexpected_files(study, Layout.of('imdm'))\n"
    code += "[stage_code(study, {'command': 'text-train', 'world': 'english', 'run': 'noise', 'seed': 0})]\n"
    code += "sys.exit(sorted({'torch', 'transformers', 'pandas'} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
