"""`xpflow probe` where a study asks for readings of noisy text: its files, and how a setting is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from xpflow.artifacts.io import read_jsonl
from xpflow.cli import main

GIVEN = "probe --config study.yaml --place base --benchmark micropy-he --problems he.jsonl"
STUDY = {
    "study": {"name": "noised"},
    "problems": {
        "benchmarks": [
            {"name": "micropy-he", "limit": 3},
            {"name": "known", "source": "micropy-he", "split": "validation", "limit": 3},
        ]
    },
    "models": [{"name": "llada-micro", "training": "full"}],
    "evaluation": {"arms": [{"name": "mask", "decoder": "mask_prediction", "seeds": "first"}]},
    "grpo": {"weights": "base"},
    "probes": {
        "mixed": False,
        "places": [{"name": "base", "model": "llada-micro"}],
        "limit": 2,
        "noisy": {
            "validation": {"micropy-he": "known"},
            "kinds": ["uniform"],
            "shares": [0.5],
            "context": [0.0, 0.5],
            "ratios": [0.01, 1.0],
            "width": 8,
            "readers": [
                {"name": "ids", "place": "base"},
                {"name": "codes", "place": "base", "way": "codes", "candidates": [0.01, 1.0]},
                # alpha near 1 copies the text, and alpha near 0 does not
                {"name": "own", "place": "base", "way": "evidence", "candidates": [1e-9, 0.999999]},
            ],
        },
    },
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the study and its problems, and the readings in `out`."""
    folder = tmp_path_factory.mktemp("noised")
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for split, name in (("test", "he"), ("validation", "known")):
            export = f"problems export micropy-he --split {split} --limit 3 --config study.yaml"
            assert main([*export.split(), "--out", f"{name}.jsonl"]) == 0
        assert main([*GIVEN.split(), "--validation", "known.jsonl", "--out", "out"]) == 0
    return folder


def rows(place: Path, **wanted: Any) -> list[dict[str, Any]]:
    found = read_jsonl(place / "out" / "noisy.jsonl")
    return [row for row in found if all(row[key] == value for key, value in wanted.items())]


def test_every_question_has_a_row_for_each_task_and_no_other_file_is_made(place: Path) -> None:
    assert {row["task_id"] for row in rows(place)} == {f"MicroPy-HE/test/{number}" for number in range(2)}
    assert len(rows(place, asked="tokens")) == 3 * 1 * 1 * 2
    assert len(rows(place, asked="context")) == 3 * 2 * 2
    assert len(rows(place, asked="snr", reader=None)) == 2 * 2
    assert sorted(path.name for path in (place / "out").iterdir()) == [
        "noisy.jsonl",
        "noisy_choice.jsonl",
        "probe.manifest.json",
    ]


def test_all_readers_are_asked_about_the_same_places(place: Path) -> None:
    counts = [
        [(row["task_id"], row["corrupted"], row["clean"]) for row in rows(place, asked="tokens", reader=name)]
        for name in ("ids", "codes", "own")
    ]
    assert counts[0] == counts[1] == counts[2]
    assert all(corrupted > 0 and clean > 0 for _, corrupted, clean in counts[0])


def test_the_candidate_with_the_largest_net_gain_on_validation_problems_reads_the_others(
    place: Path,
) -> None:
    choices = read_jsonl(place / "out" / "noisy_choice.jsonl")
    for name, candidates in (("ids", [None]), ("codes", [0.01, 1.0]), ("own", [1e-9, 0.999999])):
        mine = [row for row in choices if row["reader"] == name]
        assert [row["candidate"] for row in mine] == candidates
        best = max(row["net"] for row in mine)
        assert [row["chosen"] for row in mine] == [row["net"] == best for row in mine]


def test_a_reader_that_copies_keeps_all_and_fixes_nothing(place: Path) -> None:
    """These weights leave much of what they read unread, so that copying has the larger net gain."""
    own = rows(place, asked="tokens", reader="own")
    [chosen] = [
        row["candidate"]
        for row in read_jsonl(place / "out" / "noisy_choice.jsonl")
        if row["reader"] == "own" and row["chosen"]
    ]
    assert chosen == 0.999999
    assert [(row["fixed"], row["kept"] - row["clean"]) for row in own] == [(0, 0)] * 2


def test_validation_problems_are_given_where_readers_choose_and_there_only(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    assert main([*GIVEN.split(), "--out", "other"]) == 2
    assert "give --validation FILE" in capsys.readouterr().err
    assert not (place / "other").exists()
