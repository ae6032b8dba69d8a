"""What a study of models of published texts shows; one that samples nothing has no figure."""

from __future__ import annotations

import json
from math import log
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from xpflow.artifacts.io import atomic_write_text
from xpflow.artifacts.manifest import read_manifest
from xpflow.artifacts.record import Record
from xpflow.cli import main
from xpflow.errors import ArtifactError
from xpflow.study.config import load_study
from xpflow.study.layout import Layout
from xpflow.study.stages import figure_files, table_files

STUDY: dict[str, Any] = {
    "study": {"name": "texts", "title": "made-up perplexities", "seeds": [0, 1]},
    "models": [],
    "problems": {"benchmarks": []},
    "evaluation": {"arms": []},
    "text": {
        "corpus": {
            "texts": [
                {
                    "name": "lm1b",
                    "train": {"corpus": "lm1b"},
                    "tokenizer": "bert-base-uncased",
                    "length": 8,
                    "sizes": {
                        "model_length": 8,
                        "hidden_dim": 16,
                        "cond_dim": 4,
                        "n_blocks": 1,
                        "n_heads": 2,
                    },
                    "measured": [{"name": "test", "corpus": "lm1b"}],
                }
            ]
        },
        "runs": [{"name": "masked", "objective": "order_expressive", "settings": {"schedule": "constant"}}],
    },
}


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A finished study of two seeds, of which no text is sampled, in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDY))
    layout = Layout.of("texts")
    for seed, perplexity in enumerate((20.0, 30.0)):
        own = {"nats": log(perplexity), "standard_error": 0.01, "velocity": 0.0}
        found = {"bounds": {"test": {"own": own}}, "forwards": {"update": 1}}
        atomic_write_text(layout.corpus_bounds("lm1b", "masked", seed), json.dumps(found))
    return layout


def run(command: str, layout: Layout, out: Path) -> int:
    """Run one of the commands that show a study."""
    return main([command, "--config", "study.yaml", "--results", str(layout.results), "--out", str(out)])


def test_a_study_with_nothing_to_draw_is_told_so_and_no_file_is_written(texts: Layout, capsys: Any) -> None:
    assert figure_files(load_study(Path("study.yaml")), texts) == []
    assert run("figures", texts, texts.figures) == 0
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "study texts has nothing to draw: no figure was written\n")
    assert not texts.figures.exists()


def test_its_tables_are_there_and_their_manifest_names_what_they_were_made_from(texts: Layout) -> None:
    assert run("tables", texts, texts.figures) == 0
    assert all(file.is_file() for file in table_files(load_study(Path("study.yaml")), texts))
    table = pd.read_csv(texts.table("corpus_bounds")[-1], comment="#")
    assert table["perplexity"].tolist() == [pytest.approx((20 * 30) ** 0.5, rel=1e-5)]
    read = {one.path for one in read_manifest(texts.figures / "tables.manifest.json").inputs}
    bounds = {str(texts.corpus_bounds("lm1b", "masked", seed)) for seed in (0, 1)}
    assert bounds <= read


def test_its_report_has_no_empty_section(texts: Layout) -> None:
    page = texts.figure("report", "html")
    assert run("report", texts, page) == 0
    text = page.read_text()
    assert 'href="#tables"' in text
    assert not any(one in text for one in ('id="figures"', 'href="#figures"'))
    assert "This study trains models from nothing on published texts" in text
    assert "small languages" not in text.partition('id="tables"')[0]


def test_a_manifest_of_nothing_is_an_error_that_names_the_command() -> None:
    with pytest.raises(ArtifactError, match="`xpflow tables` made no file"):
        Record("tables").write([], "tables")
