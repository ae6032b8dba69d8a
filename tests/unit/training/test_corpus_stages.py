"""The stages of a study on corpora with tiny random weights: from documents to tables, all by commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file
from tests.fakes.tiny_corpus import write_corpus, write_study

from xpflow.artifacts.manifest import manifest_of
from xpflow.auditing.study_audit import audit_study
from xpflow.cli import main
from xpflow.corpora.store import read_rows
from xpflow.masking.couplings import load_couplings
from xpflow.models.load import load_model
from xpflow.study.config import load_study
from xpflow.study.layout import Layout
from xpflow.study.stages import expected_files

LAYOUT = Layout.of("tiny-corpus")
RUNS = ("masked", "lomdm", "redi")


def stage(*arguments: object) -> None:
    assert main(["corpus", *map(str, arguments), "--config", "study.yaml"]) == 0


def train(texts: str, run: str, *more: object) -> None:
    rows, out = LAYOUT.corpus_rows(texts, "train"), LAYOUT.text(texts, run, 0)
    stage("train", texts, "--run", run, "--rows", rows, "--out", out, *more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the whole study was run, stage after stage, in this process."""
    folder = tmp_path_factory.mktemp("corpora")
    write_corpus(folder / "tiny")
    write_study(folder / "study.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for texts, parts in (("lm1b", ("train", "test", "ptb")), ("owt", ("train", "validation"))):
            for part in parts:
                stage("pack", texts, part, "--out", LAYOUT.corpus_rows(texts, part))
            train(texts, "masked")
        start, sdtt = LAYOUT.text("lm1b", "masked", 0), LAYOUT.text("lm1b", "sdtt", 0)
        pairs = LAYOUT.couplings("lm1b", "sdtt", 0, 8, 8)
        train("lm1b", "lomdm")
        train("lm1b", "sdtt", "--from", start)
        stage("couple", "lm1b", sdtt, "--run", "sdtt", "--count", 8, "--steps", 8, "--out", pairs)
        train("lm1b", "redi", "--from", sdtt, "--couplings", pairs)
        for texts, run in (*(("lm1b", run) for run in RUNS), ("owt", "masked")):
            place = (texts, run, 0)
            rows, out = LAYOUT.results / "corpora" / texts, LAYOUT.corpus_bounds(*place)
            stage("measure", texts, LAYOUT.text(*place), "--run", run, "--rows", rows, "--out", out)
        for run in RUNS:
            place = ("lm1b", run, 0)
            samples, out = LAYOUT.corpus_samples(*place), LAYOUT.corpus_judged(*place)
            stage("sample", "lm1b", LAYOUT.text(*place), "--run", run, "--out", samples)
            stage("judge", "lm1b", samples, "--run", run, "--out", out)
        about = ["--config", "study.yaml", "--results", str(LAYOUT.results), "--out", str(LAYOUT.figures)]
        for command in ("tables", "figures"):
            assert main([command, *about]) == 0
    return folder


def test_every_file_that_the_study_expects_is_there_and_good(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    study = load_study(Path("study.yaml"))
    lacking = [path for path in expected_files(study, LAYOUT) if not path.is_file()]
    assert [path.name for path in lacking] == ["report.html"]
    findings = audit_study(LAYOUT.results.absolute(), folder).findings
    fine = ("good", "unpinned")
    bad = [one for one in findings if one.status not in fine and "report.html" not in one.path]
    assert not bad, bad
    assert not list(LAYOUT.results.rglob("*.state"))


def test_rows_are_of_the_tokenizer_and_a_mask_is_put_behind_words_that_have_none(folder: Path) -> None:
    results = folder / LAYOUT.results
    for texts, words, mask in (("lm1b", 15, 4), ("owt", 11, 11)):
        rows = read_rows(results / "corpora" / texts / "train")
        assert (rows.length, rows.about["vocabulary"]) == (8, words)
        network, _ = load_model(results / "text" / texts / "masked/seed0/checkpoint")
        assert network.config.mask_token_id == mask
        assert network.config.vocab_size == max(words, mask + 1)


def test_runs_read_what_they_start_from_and_couplings_are_whole_rows(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    listed = manifest_of(LAYOUT.text_checkpoint("lm1b", "redi", 0) / "model.safetensors")
    assert listed is not None
    read = {Path(one.path).name for one in listed[2].inputs}
    assert {"couplings-8-8.safetensors", "objective.safetensors", "tokens.bin"} <= read
    pairs = load_couplings(LAYOUT.couplings("lm1b", "sdtt", 0, 8, 8))
    assert pairs.ids_ML.shape == (8, 8)
    assert not bool((pairs.ids_ML == 4).any()), "no mask is left"
    noise = [load_file(LAYOUT.text_extra("lm1b", run, 0)) for run in ("sdtt", "redi")]
    assert noise[0].keys() == noise[1].keys()


def test_bounds_and_samples_of_a_learned_order_come_with_and_without_it(folder: Path) -> None:
    place = folder / LAYOUT.text("lm1b", "lomdm", 0)
    found = json.loads((place / "bounds.json").read_text())
    assert found["bounds"].keys() == {"test", "ptb"}
    assert found["bounds"]["ptb"]["own"]["rows"] == 4, "as many as the study asks for"
    assert found["bounds"]["test"].keys() == {"own", "off"}
    assert found["forwards"] == {"update": 3, "run": 12}
    assert found["orders"]["most"] >= found["orders"]["entropy"] > 0
    judged = json.loads((place / "judged.json").read_text())
    assert judged.keys() == {"own-2", "own-8", "off-2", "off-8"}
    assert all(one["samples"] == 4 and one["entropy"] > 0 for one in judged.values())
    assert judged["own-2"]["nfe"] <= 2


def test_tables_have_the_paper_s_number_in_a_column_of_its_own(folder: Path) -> None:
    bounds = (folder / LAYOUT.figures / "corpus_bounds.md").read_text()
    [row] = [line for line in bounds.splitlines() if line.startswith("| lm1b | masked | test |")]
    assert row.endswith("| 31.8 |")
    assert "sdtt" not in bounds, "a run that others only start from"
    samples = (folder / LAYOUT.figures / "corpus_samples.md").read_text()
    assert "| lm1b | lomdm | 8, order off |" in samples
    assert "owt" not in samples, "nothing is sampled of it"
