"""Kinds 6, 10 and 13: encodings, locales, modes, repositories around us."""

from __future__ import annotations

import bz2
import gzip
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from cases.conftest import SOURCE, UMASK

PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
SAVED: dict[str, Callable[[str], bytes]] = {
    "BOM": lambda text: text.encode("utf-8-sig"),
    "UTF-16": lambda text: text.encode("utf-16"),
    "gzip": lambda text: gzip.compress(text.encode()),
    "bzip2, BOM": lambda text: bz2.compress(text.encode("utf-8-sig")),
}


def verdicts(place: Any, name: str = "v.jsonl") -> str:
    rows = [{"task_id": f"t/{number}", "verdict": "passed", "mode": "strict"} for number in range(8)]
    return str(place.rows(name, *rows))


@pytest.mark.parametrize("name", SAVED)
def test_a_file_is_read_however_it_was_saved(place: Any, name: str) -> None:
    expected = place.run("score", verdicts(place)).passed().out
    text = (place / "v.jsonl").read_text(encoding="utf-8")
    (place / "v.jsonl").write_bytes(SAVED[name](text))
    assert place.run("score", "v.jsonl").passed().out == expected


def test_a_file_of_another_encoding_is_named_and_nobody_is_told_to_delete_it(place: Any) -> None:
    row = '{"task_id": "t/1", "verdict": "passed", "mode": "strict", "reason": "caf\u00e9"}\n'
    (place / "v.jsonl").write_bytes(row.encode("latin-1"))
    said = place.run("score", "v.jsonl").refused("v.jsonl", "UTF-8")
    assert "elete" not in said


def test_what_is_printed_survives_a_locale_without_utf_8(place: Any) -> None:
    """The difference of two files has a minus sign that ASCII lacks."""
    first = verdicts(place)
    rows = [{**row, "verdict": "wrong"} for row in place.read(first)]
    done = place.command.fresh("score", place.rows("w.jsonl", *rows), first, folder=place.folder, **PLAIN)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    assert b"\\u2212" in done.stdout or b"-" in done.stdout


def test_weights_have_the_mode_of_the_umask(place: Any) -> None:
    rows = [
        {"task_id": f"p/{n}", "prompt_ids": [0, 10, 11], "response": [30 + n, 21, 22, 23], "kind": "train"}
        for n in range(4)
    ]
    place.rows("own.jsonl", *rows)
    training = {"full": {"updates": 1, "batch_size": 2}, "warmup_updates": 0, "log_every": 1}
    study = place.study(models=[{"name": "llada-micro", "training": "full"}], training=training)
    words = ("--model", "llada-micro", "--data", "own.jsonl", "--config", study, "--out", "run")
    place.run(place.trains, *words).passed()
    modes = {path.name: path.stat().st_mode & 0o777 for path in (place / "run").iterdir()}
    assert modes == dict.fromkeys(modes, 0o666 & ~UMASK)
    assert (place / "run").stat().st_mode & 0o777 == 0o777 & ~UMASK


def git(folder: Any, *words: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "user.name=me", "-c", "user.email=me@example.org", "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=kept).stdout.strip()


def test_a_manifest_names_our_commit_whatever_git_is_told(place: Any) -> None:
    try:
        ours = git(SOURCE, "rev-parse", "HEAD")
    except subprocess.CalledProcessError:
        pytest.skip("no checkout")
    git(place.folder, "init", "--quiet")
    git(place.folder, "commit", "--quiet", "--allow-empty", "-m", "another")
    words = ("config", "show", place.study(study={"name": "s"}), "--out", "results/s/study.yaml")
    place.run(*words, GIT_DIR=str(place / ".git")).passed()
    text = (place / "results/s/study.yaml.manifest.json").read_text(encoding="utf-8")
    assert ours in text
    assert git(place.folder, "rev-parse", "HEAD") not in text
