import os
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from xpflow.artifacts.io import read_jsonl, write_jsonl
from xpflow.decoding.entry import Event
from xpflow.decoding.trace import Trace
from xpflow.errors import ConfigError, DataError
from xpflow.reporting.alignment_table import read_alignment
from xpflow.reporting.page.curves import policy_chart
from xpflow.reporting.plots.alignment import figure_2a, figure_2b
from xpflow.reporting.plots.grpo import figure_grpo, read_grpo
from xpflow.reporting.plots.labels import spread
from xpflow.reporting.plots.style import figure, over_seeds, save
from xpflow.reporting.plots.sweep import (
    REST,
    arm_looks,
    figure_sweep,
    places_of,
    sweep_figures,
    sweep_points,
)
from xpflow.reporting.plots.trace_picture import figure_trace, legend_handles, picture, visible
from xpflow.reporting.report_spec import ArmSpec
from xpflow.reporting.results import Outcomes, load_results
from xpflow.study.stages import MOST_SERIES

EVENTS = (
    Event("drift", "write"),
    Event("fix", "write", "fixed", "s"),
    Event("drop", "open", "dropped", "x", revises=True),
    Event("doubt", "note", "doubted", "+"),
)


def _trace(events: tuple[Event, ...] = EVENTS) -> Trace:
    marks = np.zeros((2, 6), dtype=bool)
    marks[1, 2] = True
    arrays = {"t": np.linspace(0.1, 1, 12).reshape(2, 6), "tokens": np.zeros((2, 6), int)}
    arrays |= {"c": arrays["t"], "prediction": arrays["tokens"], "open": ~np.zeros((2, 6), bool)}
    head = {"tokens": [5, 6, 7, 2, 2, 2], "nfe": 2, "events": [asdict(event) for event in events]}
    return Trace(head, np.zeros(2), np.arange(2), {**arrays, **{event.name: marks for event in events}})


def _grpo_log(path: Path, seed: int) -> None:
    fields = ("reward", "pass_rate", "completion", "groups_with_variance", "nfe", "seconds")
    rows = [{"update": update, **dict.fromkeys(fields, 0.5 + 0.01 * seed)} for update in range(6)]
    rows[0]["val_pass"] = 0.4
    write_jsonl(path, rows)


def _draw_alignment(synthetic, tmp_path: Path, out: Path) -> list[Path]:
    config = synthetic.config(seeds=(0, 1))
    synthetic.write_alignment(tmp_path, config)
    log = read_alignment(config, tmp_path).assign(pass_full=0.5)
    log = log[log["model"] == "llada-micro"]
    return [*figure_2a(log, out, ("pdf",)), *figure_2b(log, out, ("pdf",))]


def _draw_grpo(_, tmp_path: Path, out: Path) -> list[Path]:
    logs = {seed: tmp_path / f"grpo{seed}.jsonl" for seed in (0, 1)}
    for seed, path in logs.items():
        _grpo_log(path, seed)
    return figure_grpo(read_grpo(logs), out, ("png",))


def _draw_trace(_, __: Path, out: Path) -> list[Path]:
    return figure_trace(picture(_trace(), lambda token: f"${token}", "title", end_ids=[2]), out)


@pytest.mark.parametrize("draw", [_draw_alignment, _draw_grpo, _draw_trace])
def test_a_figure_drawn_twice_is_the_same_bytes(draw, synthetic, tmp_path: Path) -> None:
    first, again = draw(synthetic, tmp_path, tmp_path / "a"), draw(synthetic, tmp_path, tmp_path / "b")
    assert first
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


def test_svg_has_no_date_and_stable_ids(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with figure(height=1.0) as (drawing, axes):
            axes[0, 0].plot([0, 1], [0, 1])
            save(drawing, tmp_path, name, ("svg",))
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert b"dc:date" not in (tmp_path / "a.svg").read_bytes()


def test_an_unknown_format_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with figure(height=1.0) as (drawing, _), pytest.raises(ConfigError, match="pdf"):
        save(drawing, tmp_path, "a", ("gif",))


def test_the_sweep_has_every_point_and_draws_both_axes(study: tuple, tmp_path: Path) -> None:
    plan, folder = study
    points = sweep_points(plan, Outcomes(load_results(folder, plan.rows)))
    assert len(points) == 4 * (4 + 4 + 2 + 1)  # four panels; ablations are left out
    for axis in ("budget", "nfe"):
        paths = figure_sweep(plan, points, axis, tmp_path, ("png",))
        assert paths == [tmp_path / f"sweep_{axis}.png"]
        assert paths[0].read_bytes().startswith(b"\x89PNG")


def test_a_model_that_decodes_nothing_has_no_panel(study: tuple) -> None:
    plan, folder = study
    points = sweep_points(plan, Outcomes(load_results(folder, plan.rows)))
    assert len(places_of(plan, points)) == 4
    silent = plan.models[0].name
    left = places_of(plan, points[points["model"] != silent])
    assert {model for model, _ in left} == {model.name for model in plan.models} - {silent}


def test_a_study_of_many_arms_has_seven_in_the_first_figure_and_the_others_in_a_second(
    synthetic, tmp_path
) -> None:
    plan = synthetic.plan(seeds=(0,))
    more = [replace(plan.arm("mask-base"), name=f"mask-{n}", label=f"mask {n}") for n in range(6)]
    rows = [
        replace(row, arm=arm.name)
        for row in plan.rows
        if row.arm == "mask-base" and row.budget == 1
        for arm in more
    ]
    synthetic.RATES.update({arm.name: {"1/1": (0.5, 32)} for arm in more})
    many = replace(plan, arms=(*plan.arms, *more), rows=(*plan.rows, *rows))
    synthetic.write_results(tmp_path, many.rows, problems=10)
    found = sweep_figures(many, Outcomes(load_results(tmp_path, many.rows)))
    main, rest = set(found[""]["arm"]), set(found[REST]["arm"])
    assert len(main) == MOST_SERIES
    assert {plan.flow, plan.baseline, "mask-paper"} <= main
    assert rest == {arm.name for arm in many.arms} - main
    assert set(plan.ablation_arms.values()) <= rest
    few = replace(plan, rows=tuple(row for row in plan.rows if row.arm not in plan.ablation_arms.values()))
    assert set(sweep_figures(few, Outcomes(load_results(tmp_path, few.rows)))) == {""}


def test_names_beside_curves_keep_their_order_and_their_distance() -> None:
    places = spread([0.5, 0.5, 0.9, 0.51], 0.1)
    assert sorted(places) == sorted(places[i] for i in (0, 1, 3, 2))
    ordered = sorted(places)
    assert all(b - a >= 0.1 - 1e-9 for a, b in pairwise(ordered))
    assert places[2] == 0.9
    assert spread([], 0.1) == []


def test_a_decoder_has_the_same_hue_in_every_study(synthetic) -> None:
    plan = synthetic.plan(seeds=(0,))
    turned = replace(plan, arms=tuple(reversed(plan.arms)))
    for name in (plan.flow, plan.baseline, "threshold-matched-base"):
        assert arm_looks(plan, plan.arms)[name]["color"] == arm_looks(turned, turned.arms)[name]["color"]
        assert arm_looks(plan, plan.arms)[name]["marker"] == arm_looks(turned, turned.arms)[name]["marker"]


def test_bands_are_the_extremes_over_seeds_and_rows_without_a_value_are_left_out() -> None:
    log = pd.DataFrame({"update": [0, 0, 5, 5], "y": [1.0, 3.0, None, None], "seed": [0, 1, 0, 1]})
    assert over_seeds(log, "update", "y").to_dict("records") == [
        {"update": 0, "mean": 2.0, "low": 1.0, "high": 3.0}
    ]
    assert over_seeds(log, "update", "absent").empty


def test_a_log_without_a_field_is_refused_by_name(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "log.jsonl", [{"update": 0}])
    with pytest.raises(DataError, match="no field 'reward'"):
        read_grpo({0: tmp_path / "log.jsonl"})


NOTHING = (None, float("nan"), float("inf"), "x")


@pytest.mark.parametrize("value", NOTHING, ids=str)
def test_what_a_policy_s_log_has_no_finite_number_of_is_left_out(tmp_path: Path, value: Any) -> None:
    _grpo_log(tmp_path / "log.jsonl", 0)
    rows = read_jsonl(tmp_path / "log.jsonl")
    write_jsonl(tmp_path / "one.jsonl", [{**rows[0], "reward": value}, *rows[1:]])
    log = read_grpo({0: tmp_path / "one.jsonl"})
    assert list(over_seeds(log, "update", "reward")["update"]) == [row["update"] for row in rows[1:]]
    write_jsonl(tmp_path / "all.jsonl", [{**row, "reward": value} for row in rows])
    curves = policy_chart(read_grpo({0: tmp_path / "all.jsonl"})).drawn["panels"][0]["curves"]
    assert [one["series"] for one in curves] == [1, 2]  # the reward would be 0


def test_a_policy_s_log_without_any_finite_number_is_drawn_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _grpo_log(tmp_path / "log.jsonl", 0)
    rows = read_jsonl(tmp_path / "log.jsonl")
    empty = [{name: value if name == "update" else None for name, value in row.items()} for row in rows]
    write_jsonl(tmp_path / "log.jsonl", empty)
    log = read_grpo({0: tmp_path / "log.jsonl"})
    assert policy_chart(log).text.endswith("No finite number was logged.")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "no date")
    [path] = figure_grpo(log, tmp_path, ("pdf",))
    assert path.stat().st_size > 1000
    assert os.environ["SOURCE_DATE_EPOCH"] == "no date"


@pytest.mark.parametrize("update", [None, "1", 0.5])
def test_an_update_of_a_policy_s_log_without_its_number_is_named(tmp_path: Path, update: Any) -> None:
    _grpo_log(tmp_path / "log.jsonl", 0)
    rows = read_jsonl(tmp_path / "log.jsonl")
    write_jsonl(tmp_path / "log.jsonl", [*rows[:-1], {**rows[-1], "update": update}])
    with pytest.raises(DataError, match="an update is no whole number"):
        read_grpo({0: tmp_path / "log.jsonl"})


def test_a_trace_ends_with_its_first_end_token() -> None:
    shown = picture(_trace(), str, "title", end_ids=[2])
    assert shown.tokens == ("5", "6", "7", "2")
    assert shown.t_LN.shape == (2, 4)


def test_a_trace_shows_the_marks_of_its_decoder_s_events_and_no_others() -> None:
    shown = picture(_trace(), str, "title")
    assert [event.label for event, _ in shown.events] == ["fixed", "dropped", "doubted"]
    assert [int(where.sum()) for _, where in shown.events] == [1, 1, 1]


def test_every_mark_of_alegend_handles_looks_different() -> None:
    looks = [str(_looks_of(handle)) for handle in legend_handles(picture(_trace(), str, "title"))]
    assert len(set(looks)) == 3


def _looks_of(handle: Any) -> tuple[Any, ...]:
    return handle.get_marker(), handle.get_color(), handle.get_markerfacecolor(), handle.get_label()


def test_every_decoder_of_a_study_has_a_marker_and_hues_of_its_own(synthetic) -> None:
    plan = synthetic.plan()
    arms = tuple(ArmSpec(f"arm-{i}", f"decoder {i}", f"./decoder_{i}.py:MINE") for i in range(20))
    looks = arm_looks(replace(plan, arms=(*plan.arms, *arms)), arms)
    pairs = [(look["marker"], look["color"]) for look in looks.values()]
    assert len(set(pairs)) == len(arms)


@pytest.mark.parametrize(
    ("text", "shown"), [("\n", "\\n"), (" x", "·x"), ("    return", "·×4return"), ("a b", "a·b"), ("", "")]
)
def test_white_space_in_tokens_is_visible(text: str, shown: str) -> None:
    assert visible(text) == shown
