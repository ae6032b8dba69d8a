"""Tables, claims, figure and page of block `probes.noisy`, on made-up rows that can be reckoned by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from xpflow.artifacts.io import write_jsonl
from xpflow.errors import ArtifactError
from xpflow.reporting.from_config import plan_from_config
from xpflow.reporting.noisy_results import judged_noisy, load_noisy
from xpflow.reporting.page.build import produce_report
from xpflow.reporting.produce import produce_figures, produce_tables
from xpflow.study.config import StudyConfig, study_from_mapping
from xpflow.study.layout import NOISY_FILES, Layout
from xpflow.study.probes import probe_jobs
from xpflow.study.rows import expand
from xpflow.study.stages import figure_names, table_names

PROBLEMS, SHARES = 40, (0.25, 0.5)
# of 8 tokens, 2 or 4 of them wrong: how many are fixed, and how many right ones are broken
READERS = {"weak": (0.25, 2), "strong": (1.0, 0)}
PLACES = [{"name": "base", "model": "llada-micro"}, {"name": "other", "model": "llada2-micro"}]
CLAIMS: list[dict[str, Any]] = [
    {"id": "twice", "text": "Twice.", "measure": "fixed", "share": 0.5, "reader_b": "weak", "times": 2},
    {"id": "five", "text": "Five times.", "measure": "fixed", "share": 0.5, "reader_b": "weak", "times": 5},
    {"id": "keeps", "text": "Keeps.", "measure": "kept", "least": 0.5},
    {"id": "net", "text": "Nets.", "measure": "net", "reader_b": "weak", "direction": "different"},
    {"id": "context", "text": "Reads masks.", "measure": "context", "share": 0.5, "reader_b": "weak"},
]


def study() -> StudyConfig:
    candidates = {"way": "codes", "candidates": [0.1, 0.5]}
    return study_from_mapping(
        {
            "study": {"name": "noised"},
            "problems": {
                "benchmarks": [
                    {"name": "micropy-he"},
                    {"name": "known", "source": "micropy-he", "split": "validation"},
                ]
            },
            "evaluation": {
                "arms": [{"name": "mask", "decoder": "mask_prediction", "budgets": ["1/1"], "seeds": "first"}]
            },
            "reporting": {"bootstrap_samples": 300, "figure_formats": ["png"]},
            "probes": {
                "mixed": False,
                "places": PLACES,
                "noisy": {
                    "validation": {"micropy-he": "known"},
                    "kinds": ["uniform"],
                    "shares": list(SHARES),
                    "context": [0.0, 0.5],
                    "ratios": [0.1, 1.0],
                    "readers": [
                        {"name": "weak", "place": "base"},
                        {"name": "strong", "place": "other", **candidates},
                    ],
                    "preregistration": [{"reader_a": "strong", **claim} for claim in CLAIMS],
                },
            },
        }
    )


def rows_of(reader: str) -> list[dict[str, Any]]:
    fixes, breaks = READERS[reader]
    found = []
    for number in range(PROBLEMS):
        task = {"task_id": f"micropy-he/{number}"}
        for share in SHARES:
            wrong = int(8 * share)
            counts = {"corrupted": wrong, "fixed": round(fixes * wrong), "clean": 8 - wrong}
            if reader == "weak" and wrong == 2:
                counts["fixed"] = number % 2  # a quarter of 2, on average
            head = {"reader": reader, "asked": "tokens", "kind": "uniform", "share": share}
            found.append({**task, **head, **counts, "kept": 8 - wrong - breaks})
        for share in (0.0, 0.5):
            right = 4 if reader == "strong" else int(4 * (1 - share))
            head = {"reader": reader, "asked": "context", "share": share}
            found.append({**task, **head, "places": 4, "right": right})
        for ratio in (0.1, 1.0):
            head = {"reader": None, "asked": "snr", "ratio": ratio}
            found.append({**task, **head, "places": 10, "right": int(10 * ratio)})
    return found


@pytest.fixture
def made(synthetic: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[StudyConfig, Path]:
    config, results = study(), tmp_path / "noised"
    monkeypatch.setitem(synthetic.RATES, "mask", {"1/1": (0.75, 32)})
    synthetic.write_results(results, tuple(expand(config)), PROBLEMS)
    choices = {
        "weak": [{"reader": "weak", "candidate": None, "net": 1.0, "chosen": True}],
        "strong": [
            {"reader": "strong", "candidate": one, "net": net, "chosen": net > 3}
            for one, net in ((0.1, 2.0), (0.5, 4.0))
        ],
    }
    for job, reader in zip(probe_jobs(config), READERS, strict=True):
        folder = Layout.of_results(results).probe(job.model, job.benchmark, job.place, job.seed)
        for name, rows in zip(NOISY_FILES, (rows_of(reader), choices[reader]), strict=True):
            write_jsonl(folder / name, rows)
    return config, results


def test_measures_are_shares_of_what_was_asked(made: tuple[StudyConfig, Path]) -> None:
    config, results = made
    weak, strong = load_noisy(config, results)
    assert (weak.settings, strong.settings) == ((None,), (0.5,))
    assert weak.measure("fixed", "uniform", 0.5).mean == weak.measure("fixed", "uniform", 0.25).mean == 0.25
    assert weak.measure("kept", "uniform", 0.5).mean == 0.5
    # of 8 tokens 1 is fixed and 2 are broken; between 0 and 1
    assert weak.measure("net", "uniform", 0.5).mean == (1 - 1 / 8) / 2
    assert strong.measure("net", "uniform", 0.5).mean == (1 + 4 / 8) / 2
    assert weak.measure("context", "uniform", 0.5).mean == 0.5


def test_claims_count_b_as_often_as_they_say_and_know_bounds(made: tuple[StudyConfig, Path]) -> None:
    config, results = made
    plan = plan_from_config(config)
    found = {one.claim.id: one for one in judged_noisy(config, plan, load_noisy(config, results))}
    assert (found["twice"].a, found["twice"].b, found["twice"].difference.value) == (1.0, 0.25, 0.5)
    assert found["five"].difference.value == pytest.approx(-0.25)
    assert (found["keeps"].b, found["keeps"].difference.value) == (0.5, 0.5)
    # the mean of 2/8 and 4/8 for strong, of -1.5/8 and -1/8 for weak
    assert found["net"].a == pytest.approx(3 / 8)
    assert found["net"].b == pytest.approx(-2.5 / 16)
    assert found["net"].difference.value == pytest.approx(3 / 8 + 2.5 / 16)
    judgements = {name: one.judgement for name, one in found.items()}
    assert judgements == {**dict.fromkeys(judgements, "confirmed"), "five": "contradicted"}
    assert all(one.holm_p >= one.difference.p_value for one in found.values())


def test_tables_figure_and_page_show_them(made: tuple[StudyConfig, Path]) -> None:
    config, results = made
    out = results.parent / "out"
    produce_tables(config, results, out)
    assert {path.name for path in out.iterdir()} >= {f"{name}.md" for name in table_names(config)}
    table = pd.read_csv(out / "noisy.csv", comment="#").set_index(["reader", "wrong_percent"])
    assert table.loc[("strong", 50.0), "uniform_net"] == pytest.approx(50.0)
    assert table.loc[("weak", 50.0), "context"] == 50.0
    assert table.loc[("strong", 50.0), "read_by"] == "codes, s / s_max = 0.5"
    assert pd.isna(table.loc[("weak", 25.0), "context"])  # contexts of 25 % were not asked for
    assert (out / "noisy.md").read_text().count("largest net gain") == 1  # only strong had a choice
    assert list(pd.read_csv(out / "noisy_snr.csv", comment="#")["read_percent"]) == [10.0, 100.0] * 2
    assert (out / "noisy_claims.md").read_text().count("confirmed") == 4
    claims = json.loads((out / "claims.json").read_text())
    found = [(one["text"], one["model"]) for one in claims if one["family"] == "noisy"]
    assert found[0] == ("Twice.", "strong against weak")
    assert found[2] == ("Keeps.", "strong against 0.5")
    paths = produce_figures(config, results, out, only=["noisy"])
    assert [path.name for path in paths] == ["noisy.png"]
    assert "noisy" in figure_names(config)
    page = produce_report(config, results, out / "report.html").path.read_text()
    assert "How text with wrong tokens is read" in page
    assert "Tokens in noise of every strength" in page
    assert "Of 5 comparisons of readings of noisy text, registered before the run" in page


def test_a_file_of_another_kind_is_told(made: tuple[StudyConfig, Path]) -> None:
    config, results = made
    job = probe_jobs(config)[0]
    folder = Layout.of_results(results).probe(job.model, job.benchmark, job.place, job.seed)
    write_jsonl(folder / NOISY_FILES[0], [])
    with pytest.raises(ArtifactError, match="holds no readings"):
        load_noisy(config, results)
