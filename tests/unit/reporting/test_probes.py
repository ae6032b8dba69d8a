"""Tables, claims, figures and page of block `probes`, on made-up rows that can be reckoned by hand."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from xpflow.artifacts.io import write_jsonl
from xpflow.errors import ArtifactError, DataError
from xpflow.reporting.from_config import plan_from_config
from xpflow.reporting.page.build import produce_report
from xpflow.reporting.probe_claims import judged_claims
from xpflow.reporting.probe_results import load_probes
from xpflow.reporting.probes import failing
from xpflow.reporting.produce import produce_figures, produce_tables
from xpflow.stats.calibration import sparse, tally
from xpflow.study.config import StudyConfig, study_from_mapping
from xpflow.study.fingerprints import report
from xpflow.study.layout import PROBE_FILES, Layout
from xpflow.study.probes import probe_jobs
from xpflow.study.rows import expand
from xpflow.study.stages import figure_names, table_names

PROBLEMS = 12
PLACES = [{"name": "base", "model": "llada-micro"}, {"name": "other", "model": "llada2-micro"}]
POLICIES = [{"name": "one", "policy": "shipped"}, {"name": "two", "policy": "constant:0.5"}]
CLAIMS: list[dict[str, Any]] = [
    {"id": "read", "text": "Reads more.", "measure": "read_oracle", "place_a": "other", "place_b": "base"},
    {
        "id": "rescue",
        "text": "Is rescued more.",
        "measure": "recovered",
        "place_a": "base",
        "place_b": "base",
        "policy_a": "one",
        "policy_b": "two",
    },
    {
        "id": "inside",
        "text": "Stays inside more.",
        "measure": "readable",
        "direction": "less",
        "place_a": "base",
        "place_b": "base",
        "policy_a": "one",
        "policy_b": "two",
    },
]


def study(**probes: Any) -> StudyConfig:
    block = {
        "places": PLACES,
        "t": [0.0, 0.5, 1.0],
        "geometries": ["linear"],
        "snaps": 2,
        "snap_at": [0.5, 0.9],
        "policies": POLICIES,
        "preregistration": CLAIMS,
        **probes,
    }
    return study_from_mapping(
        {
            "study": {"name": "probed"},
            "problems": {"benchmarks": [{"name": "micropy-he"}]},
            "evaluation": {
                "arms": [{"name": "mask", "decoder": "mask_prediction", "budgets": ["1/1"], "seeds": "first"}]
            },
            "reporting": {"bootstrap_samples": 300, "figure_formats": ["png"]},
            "probes": block,
        }
    )


def state(task: int, token: str, t: float, right: int) -> dict[str, Any]:
    """Return a row of four mixed places, read at the confidence 0.85, and four masks beside them."""
    hits = [1] * right + [0] * (4 - right)
    return {
        "task_id": f"micropy-he/{task}",
        "token": token,
        "geometry": "linear",
        "t": t,
        "places": 4,
        "right": right,
        "kept": right if token == "oracle" else 0,
        "nats": 0.5,
        "rank": 1.0,
        "nearest": 0.0,
        "nearest_first": 2,
        "norm": 1.0,
        "angle_mask": 90 * t,
        "angle_token": 90 * (1 - t),
        "tally": sparse(tally([0.85] * 4, hits)),
        "beside": 4,
        "beside_right": 1,
        "beside_nats": 0.7,
    }


def write(results: Path, config: StudyConfig) -> None:
    """Write the probes: place `other` reads all true tokens at t = 1/2, `base` one in four; and so on."""
    for job in probe_jobs(config):
        at_half = 4 if job.place == "other" else 1
        validity = [
            state(
                task,
                token,
                t,
                {0.0: 2, 0.5: at_half if token == "oracle" else 0, 1.0: 4 * (token == "oracle")}[t],
            )
            for task in range(PROBLEMS)
            for token in ("oracle", "wrong")
            for t in (0.0, 0.5, 1.0)
        ]
        recovery: list[dict[str, Any]] = [
            {
                "task_id": f"micropy-he/{task}",
                "policy": None,
                "at": 0.0,
                "snap_at": None,
                "passed": task < 9,
                "masks": 32,
            }
            for task in range(PROBLEMS)
        ]
        for name, solved in (("one", 12), ("two", 0)):
            for at, bound in product((0.5, 1.0), (0.5, 0.9)):
                recovery += [
                    {
                        "task_id": f"micropy-he/{task}",
                        "policy": name,
                        "at": at,
                        "snap_at": bound,
                        "masks": 6 if bound == 0.5 else 20,
                        "passed": task < (6 if at == 1.0 else solved if bound == 0.5 else 9),
                    }
                    for task in range(PROBLEMS)
                ]
        trajectory = [
            {
                "task_id": f"micropy-he/{task}",
                "policy": name,
                "passed": task < 6,
                "nfe": 8,
                "steps": 8,
                "off": 0.01 if task < 6 else 0.2,
                "off_at": [0.0, 0.1, 0.05],
                "t_at": [0.0, 0.5, 1.0],
                "final_t": 0.9,
                "reedits": 0,
                # at t = 0 and 0.85 half of the readings are right, at 1/2 a quarter; at 0.15 there is none
                "visited": [[0, 8, 2], [1, 8, 1], [1, 1, 1]] if name == "one" else [[0, 8, 4]],
            }
            for name in ("one", "two")
            for task in range(PROBLEMS)
        ]
        folder = Layout.of_results(results).probe(job.model, job.benchmark, job.place, job.seed)
        for name, rows in zip(PROBE_FILES, (validity, recovery, trajectory), strict=True):
            write_jsonl(folder / name, rows)


@pytest.fixture
def made(synthetic, tmp_path: Path, monkeypatch) -> tuple[StudyConfig, Path]:
    config = study()
    monkeypatch.setitem(synthetic.RATES, "mask", {"1/1": (0.75, 32)})
    synthetic.write_results(tmp_path / "probed", tuple(expand(config)), PROBLEMS)
    write(tmp_path / "probed", config)
    return config, tmp_path / "probed"


def test_a_study_without_places_is_as_before() -> None:
    plain = study(places=[], preregistration=[])
    assert not {"probes", "probes_validity"} & {*table_names(plain), *figure_names(plain)}
    assert report(plain) == report(study(places=[], preregistration=[], snaps=5))
    assert report(study()) != report(study(region=0.4))


def test_measures_are_what_the_rows_say(made) -> None:
    config, results = made
    base, other = load_probes(config, results)
    assert base.share("read", "oracle", "linear", 0.5).mean == 0.25
    assert other.share("read", "oracle", "linear", 0.5).mean == 1.0
    assert base.share("elsewhere", "wrong", "linear", 0.5).mean == 0.25
    assert base.mean("angle_mask", "oracle", "linear", 0.5) == 45.0
    assert base.ece("oracle", "linear", 0.0) == pytest.approx(0.35)  # half right at 0.85
    assert base.ece("oracle", "linear", 0.5) == pytest.approx(0.6)
    assert base.recovered("one", 0, 0.5).mean == 0.75
    assert base.recovered("one", 0.5, 0.5).mean == 1.0
    # a region of 1/2 holds the cell at t = 0; that at t = 1/2 only for `other`; t = 1/2 at 0.15 is unseen
    assert base.inside("readable", "one").mean == 0.5
    assert other.inside("readable", "one").mean == 0.75
    assert base.inside("unseen", "one").mean == other.inside("unseen", "one").mean == 0.25
    assert base.inside("correctable", "one").mean == other.inside("correctable", "one").mean == 0.5
    told = failing(base, "one", 0.95)
    assert told is not None
    assert (told.value, told.positives, told.negatives) == (1.0, 6, 6)


def test_claims_are_paired_judged_and_corrected_together(made) -> None:
    config, results = made
    read, rescue, inside = judged_claims(config, plan_from_config(config), load_probes(config, results))
    assert (read.a, read.b, read.judgement) == (1.0, 0.25, "confirmed")
    assert read.difference.value == 0.75
    assert (rescue.a, rescue.b, rescue.judgement) == (1.0, 0.0, "confirmed")
    assert (inside.a, inside.b, inside.judgement) == (0.5, 1.0, "confirmed")
    assert all(one.holm_p >= one.difference.p_value for one in (read, rescue, inside))


def test_tables_figures_and_page_show_them(made) -> None:
    config, results = made
    out = results.parent / "out"
    produce_tables(config, results, out)
    assert {path.name for path in out.iterdir()} >= {f"{name}.md" for name in table_names(config)}
    readings = pd.read_csv(out / "probes.csv", comment="#").set_index(["place", "t"])
    assert readings.loc[("base", 0.5), "oracle_read"] == 25.0
    assert readings.loc[("other", 0.5), "wrong_read"] == 0.0
    policies = pd.read_csv(out / "probes_policies.csv", comment="#").set_index(["place", "policy"])
    row = policies.loc[("base", "one")]
    assert (row["flow"], row["masks_alone"], row["snapped at 0.5, t 0.5"]) == (50.0, 75.0, 100.0)
    assert (row["masks at 0.5, t 0.5"], row["masks at 0.5, t 0.9"]) == (6, 20)
    assert row["snapped at 0.5, t 0.9"] == 75.0
    assert (row["off_pass"], row["off_fail"], row["auc"]) == (0.01, 0.2, 1.0)
    assert (out / "probes_claims.md").read_text().count("confirmed") == 3
    claims = json.loads((out / "claims.json").read_text())
    found = [(one["text"], one["model"], one["judgement"]) for one in claims if one["family"] == "probes"]
    assert found[:2] == [
        ("Reads more.", "other against base", "confirmed"),
        ("Is rescued more.", "base", "confirmed"),
    ]
    paths = produce_figures(config, results, out, only=["probes"])
    assert [path.stem for path in paths] == ["probes_validity", "probes_recovery"]
    assert {path.stem for path in paths} <= set(figure_names(config))
    page = produce_report(config, results, out / "report.html").path.read_text()
    assert "How mixed states are read" in page
    assert "Of 3 comparisons of probes, registered before the run" in page
    assert "Decodes that are stopped and finished by mask prediction" in page
    assert "Is rescued more." in page


def test_likelihoods_have_a_table_and_claims_in_nats(made) -> None:
    _, results = made
    claim = {"id": "fewer", "text": "Other nats.", "measure": "nats", "place_a": "other"}
    claim["direction"] = "different"  # less of them is neither ahead nor behind
    claim |= {"place_b": "base", "passes_a": 2, "passes_b": 1}
    places = [PLACES[0], {**PLACES[1], "soft": {"weight": 0.5}}]
    config = study(places=places, policies=[], passes=2, preregistration=[claim])
    for job in probe_jobs(config):
        folder = Layout.of_results(results).probe(job.model, job.benchmark, job.place, job.seed)
        write_jsonl(folder / "trajectory.jsonl", [])  # of no policy
        rows = [
            {"task_id": f"micropy-he/{task}", "passes": passes, "nats": 40.0 + task - 2 * passes}
            for task in range(PROBLEMS)
            for passes in ((1, 2) if job.place == "other" else (1,))
        ]
        write_jsonl(folder / "likelihood.jsonl", rows)
    [judged] = judged_claims(config, plan_from_config(config), load_probes(config, results))
    assert (judged.a, judged.b, judged.judgement) == (41.5, 43.5, "confirmed")
    out = results.parent / "out"
    produce_tables(config, results, out)
    assert {path.name for path in out.iterdir()} >= {f"{name}.md" for name in table_names(config)}
    found = pd.read_csv(out / "probes_likelihood.csv", comment="#").set_index(["place", "passes"])["nats"]
    assert found.to_dict() == {("base", 1): 43.5, ("other", 1): 43.5, ("other", 2): 41.5}
    [told] = [one for one in json.loads((out / "claims.json").read_text()) if one["family"] == "probes"]
    assert (told["ours"], told["unit"]) == (-2.0, "nats a response")
    assert "**confirmed**, −2.000 nats a response" in (out / "claims.md").read_text()


def test_a_missing_or_partial_file_is_told(made) -> None:
    config, results = made
    job = probe_jobs(config)[0]
    folder = Layout.of_results(results).probe(job.model, job.benchmark, job.place, job.seed)
    write_jsonl(folder / "trajectory.jsonl", [])
    with pytest.raises(ArtifactError, match="holds no probes"):
        load_probes(config, results)
    (folder / "trajectory.jsonl").unlink()
    with pytest.raises(ArtifactError, match=r"trajectory\.jsonl"):
        load_probes(config, results)


def test_seeds_of_other_problems_are_refused(made) -> None:
    config, results = made
    [base, _] = load_probes(config, results)
    less = [row for row in base.trajectory[0] if row["task_id"] != "micropy-he/3"]
    from dataclasses import replace

    both = replace(base, trajectory=(base.trajectory[0], less))
    with pytest.raises(DataError, match="not of the same problems"):
        both.solved("one")
    same = replace(base, trajectory=(base.trajectory[0], base.trajectory[0][::-1]))
    assert np.array_equal(same.solved("one").values_SP[0], same.solved("one").values_SP[1])
