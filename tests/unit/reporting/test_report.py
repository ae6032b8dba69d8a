"""The report as one page: what it holds, what it says of what it lacks, and that nothing in it is markup."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from xpflow.artifacts.audit import Finding
from xpflow.artifacts.io import read_jsonl, write_jsonl
from xpflow.cli import main
from xpflow.errors import ArtifactError
from xpflow.reporting.page.build import LIMIT, Report, produce_report
from xpflow.reporting.page.colors import for_dark, luminance
from xpflow.reporting.page.packed import json_text, packed, script_text
from xpflow.study.config import StudyConfig, study_from_mapping
from xpflow.study.layout import SAMPLES, VERDICTS, Layout
from xpflow.study.rows import expand

HOSTILE = "</script><img src=x onerror=\"document.title='taken'\">\u2028<!-- &amp; {{ 7 * 7 }}"


class Page(HTMLParser):
    """A page's elements with their attributes, and the text of each script by its id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.words = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif self._inside != "style":
            self.words += data

    def unpacked(self, name: str) -> Any:
        """Return packed JSON of the page."""
        [text] = [text for attributes, text in self.scripts if attributes.get("id") == name]
        return json.loads(gzip.decompress(base64.b64decode(text)))


def study(
    synthetic: Any, folder: Path, *, problems: int = 12, seeds: tuple[int, ...] = (0, 1)
) -> StudyConfig:
    """Write a made-up study and return its configuration."""
    config: StudyConfig = synthetic.config(seeds=seeds)
    synthetic.write_results(folder, tuple(expand(config)), problems)
    synthetic.write_alignment(folder, config)
    return config


@pytest.fixture(autouse=True, scope="module")
def short_plotly() -> Iterator[None]:
    """The plotting library is large, and these tests run none of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("plotly.offline.get_plotlyjs", lambda: "window.Plotly = null;")
        yield


def edit(path: Path, number: int, **fields: Any) -> None:
    rows = list(read_jsonl(path))
    rows[number].update(fields)
    write_jsonl(path, rows)


@pytest.fixture(scope="module")
def made(synthetic: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Page]:
    """The report of a made-up study with a hostile title, program and reason."""
    folder = tmp_path_factory.mktemp("report")
    config = study(synthetic, folder / "results" / "synthetic")
    named = config.study.model_copy(update={"title": HOSTILE})
    config = config.model_copy(update={"study": named})
    place = Layout.of_results(folder / "results" / "synthetic").row(sorted(expand(config))[0])
    edit(place / SAMPLES, 0, completion=HOSTILE)
    edit(place / VERDICTS, 0, verdict="error", reason=HOSTILE)
    findings = [Finding("results/a", "good"), Finding(HOSTILE, "altered", HOSTILE)]
    report = produce_report(
        config, folder / "results" / "synthetic", folder / "out" / "report.html", findings
    )
    return report, Page(report.path.read_text(encoding="utf-8"))


def test_the_page_asks_for_nothing_and_runs_only_its_own_scripts(made: tuple[Report, Page]) -> None:
    _, page = made
    assert not [
        attributes for _, attributes in page.tags if {"src", "srcset", "data", "action"} & set(attributes)
    ]
    links = [str(attributes["href"]) for _, attributes in page.tags if "href" in attributes]
    assert links
    assert all(link.startswith("#") for link in links)
    [policy] = [one["content"] for _, one in page.tags if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy.replace("style-src 'unsafe-inline'", "")
    run = [text for attributes, text in page.scripts if "type" not in attributes]
    hashes = {f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}" for text in run}
    assert run
    assert all(f"'{one}'" in policy for one in hashes)


def test_what_others_wrote_stays_text(made: tuple[Report, Page]) -> None:
    report, page = made
    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert not [
        attributes for _, attributes in page.tags if any(name.startswith("on") for name in attributes)
    ]
    assert "onerror=\"document.title='taken'\"" in page.words
    assert "{{ 7 * 7 }}" in page.words
    text = report.path.read_text(encoding="utf-8")
    assert "<img" not in text
    assert "\u2028" not in text
    kept = [page.unpacked(f"data-answers-{number}") for number in range(4)]
    assert any(HOSTILE in one["programs"] and HOSTILE in one["reasons"] for one in kept)


def test_tables_have_counts_beside_numbers_and_lead_to_their_cell(made: tuple[Report, Page]) -> None:
    _, page = made
    index = json.loads(next(text for attributes, text in page.scripts if attributes.get("id") == "index"))
    cells = [one for tag, one in page.tags if tag == "a" and one.get("class") == "cell"]
    assert {one["data-arm"] for one in cells} <= set(index["arms"])
    assert {(one["data-model"], one["data-benchmark"]) for one in cells} == {
        tuple(one) for one in index["places"]
    }
    assert len([one for tag, one in page.tags if tag == "th" and one.get("aria-sort") == "none"]) > 20
    assert {"table1", "table2", "contrasts", "claims", "alignment"} <= {one.get("id") for _, one in page.tags}


def test_answers_are_those_of_the_files(made: tuple[Report, Page], synthetic: Any) -> None:
    report, page = made
    layout = Layout.of_results(report.path.parent.parent / "results" / "synthetic")
    letters = {"passed": "p", "wrong": "w", "error": "e"}
    index = json.loads(next(text for attributes, text in page.scripts if attributes.get("id") == "index"))
    for number, place in enumerate(index["places"]):
        data = page.unpacked(f"data-answers-{number}")
        rows = [row for row in expand(synthetic.config(seeds=(0, 1))) if [row.model, row.benchmark] == place]
        assert len(data["runs"]) == len(rows)
        for row in rows:
            verdicts = {one["task_id"]: one["verdict"] for one in read_jsonl(layout.row(row) / VERDICTS)}
            [run] = [
                one
                for one in data["runs"]
                if (one["arm"], one["seed"]) == (row.arm, row.seed)
                and one["budget"] == f"{row.budget.numerator}/{row.budget.denominator}"
            ]
            assert run["verdicts"] == "".join(letters[verdicts[task]] for task in data["tasks"])


def test_the_page_says_what_the_audit_found(made: tuple[Report, Page]) -> None:
    _, page = made
    assert "altered" in page.words
    assert "No manifest says in which environment" in page.words


def test_figures_have_a_sentence_and_a_table_behind_them(made: tuple[Report, Page]) -> None:
    _, page = made
    names = [str(one["data-chart"]) for _, one in page.tags if one.get("data-chart")]
    assert names == ["sweep", "figure_2a", "figure_2b"]
    drawn = page.unpacked("data-charts")
    assert list(drawn) == names
    sweep = drawn["sweep"]
    assert len(sweep["panels"]) == 4
    first = sweep["panels"][0]["curves"][0]
    assert first["low"][0] <= first["y"][0] <= first["high"][0]
    assert re.search(r"\d+/\d+ solved, 1 seed", first["hover"][0])
    assert "Problems solved by mean executed forward passes" in page.words


def test_the_same_study_gives_the_same_bytes(synthetic: Any, tmp_path: Path) -> None:
    config = synthetic.small(tmp_path / "results")
    pages = [produce_report(config, tmp_path / "results", tmp_path / name / "report.html") for name in "ab"]
    assert pages[0].path.read_bytes() == pages[1].path.read_bytes()
    assert pages[0].size == pages[0].path.stat().st_size < LIMIT


def test_a_study_that_does_not_fit_keeps_fewer_programs_and_says_so(synthetic: Any, tmp_path: Path) -> None:
    config = synthetic.small(tmp_path / "results", problems=20, seeds=(0, 1))
    layout = Layout.of_results(tmp_path / "results")
    for row in expand(config):
        rows = [
            {
                **one,
                "completion": hashlib.sha512(f"{row}{one['task_id']}".encode()).hexdigest() * (1 + row.seed),
            }
            for one in read_jsonl(layout.row(row) / SAMPLES)
        ]
        write_jsonl(layout.row(row) / SAMPLES, rows)
    out = tmp_path / "out" / "report.html"
    whole = produce_report(config, tmp_path / "results", out)
    assert whole.programs == "every seed"
    less = produce_report(config, tmp_path / "results", out, limit=whole.size - 1)
    assert (less.programs, less.size < whole.size) == ("the first seed", True)
    page = Page(out.read_text())
    assert "it holds the programs of the first seed" in " ".join(page.words.split())
    runs = page.unpacked("data-answers-0")["runs"]
    assert {run["seed"] for run in runs if run["programs"] is not None} == {0}
    assert all(run["verdicts"] for run in runs)
    none = produce_report(config, tmp_path / "results", out, limit=less.size - 1)
    assert none.programs == "no seed"
    with pytest.raises(ArtifactError, match="may have 1000"):
        produce_report(config, tmp_path / "results", out, limit=1000)


def test_files_without_programs_and_reasons_have_a_report(synthetic: Any, tmp_path: Path) -> None:
    config = synthetic.small(tmp_path / "results")
    layout = Layout.of_results(tmp_path / "results")
    for row in expand(config):
        for name, field in ((SAMPLES, "completion"), (VERDICTS, "reason")):
            rows = [
                {key: value for key, value in one.items() if key != field}
                for one in read_jsonl(layout.row(row) / name)
            ]
            write_jsonl(layout.row(row) / name, rows)
    report = produce_report(config, tmp_path / "results", tmp_path / "out" / "report.html")
    data = Page(report.path.read_text()).unpacked("data-answers-0")
    assert data["programs"] == data["reasons"] == [""]
    assert data["prompts"] == [None] * 3


def test_a_study_of_one_arm_and_one_problem_has_a_report(
    synthetic: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setitem(synthetic.RATES, "only", {"1/4": (0.5, 8)})
    config = study_from_mapping(
        {
            "study": {"name": "small", "seeds": [0], "preregistration": []},
            "evaluation": {"arms": [{"name": "only", "decoder": "mask_prediction", "budgets": ["1/4"]}]},
            "reporting": {"bootstrap_samples": 300},
        }
    )
    synthetic.write_results(tmp_path / "results", tuple(expand(config)), 1)
    report = produce_report(config, tmp_path / "results", tmp_path / "out" / "report.html")
    words = Page(report.path.read_text()).words
    assert "none of the paper's claims" in words


def test_the_command_writes_the_page_with_its_manifest(
    synthetic: Any, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    config = synthetic.small(tmp_path / "results" / "synthetic")
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
    out = tmp_path / "paper_figures" / "synthetic" / "report.html"
    arguments = [
        "--config",
        str(tmp_path / "study.yaml"),
        "--results",
        str(tmp_path / "results" / "synthetic"),
    ]
    assert main(["report", *arguments, "--out", str(out)]) == 0
    assert "with the programs of every seed" in capsys.readouterr().out
    manifest = json.loads(out.with_name("report.html.manifest.json").read_text())
    assert [one["path"] for one in manifest["files"]] == ["report.html"]
    assert len(manifest["inputs"]) == 2 * len(expand(config))
    first = out.read_bytes()
    assert "foreign" in first.decode()  # no manifest lists the files of a made-up study
    assert main(["report", *arguments, "--out", str(out)]) == 0
    assert out.read_bytes() == first  # the page and its manifest are no part of what it tells


def test_packed_text_is_ascii_and_comes_back() -> None:
    text = json_text({"a": HOSTILE})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"a": HOSTILE}
    assert gzip.decompress(base64.b64decode(packed(text))).decode() == text
    with pytest.raises(ArtifactError, match="would end"):
        script_text("a.js", "x = '</SCRIPT>'")


@pytest.mark.parametrize("color", ["#333333", "#0072B2", "#D55E00", "#9CCBEB", "#003F6B"])
def test_colours_of_dark_pages_stand_out_from_them(color: str) -> None:
    mixed = [int(for_dark(color)[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    dark_page = luminance([0x15 / 255, 0x17 / 255, 0x1A / 255])
    assert (luminance(mixed) + 0.05) / (dark_page + 0.05) >= 4.5
