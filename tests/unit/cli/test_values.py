"""Values that a command cannot mean are errors before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpflow.cli import main


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--decoder", ""], "--decoder is empty"),
        (["--protocol", ""], "--protocol is empty"),
        (["--benchmark", ""], "--benchmark is empty"),
        (["--split", ""], "--split is empty"),
        (["--threads", "1000000"], "--threads: 1000000 at once"),
        (["--set", "gen_length=16", "--set", "gen_length=32"], "--set gen_length is given twice"),
        (
            ["--decoder", "soft_tokens", "--set", "gamma=1"],
            "setting 'gamma' does nothing here: it needs rule",
        ),
    ],
)
def test_decode_refuses(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "samples.jsonl"
    known = [] if arguments[0] == "--benchmark" else ["--benchmark", "micropy-he"]
    assert main(["decode", *known, *arguments, "--limit", "1", "--out", str(out)]) == 2
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_more_workers_or_draws_than_memory_holds_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "f"
    file.write_text('{"task_id": "a", "verdict": "passed"}\n')
    assert main(["score", str(file), str(file), "--resamples", "99999999999"]) == 2
    many = ["--benchmark", "micropy-he", "--samples", str(file), "--out", str(tmp_path / "v")]
    assert main(["grade", *many, "--workers", "999999999"]) == 2
    assert "--workers: 999999999 at once" in capsys.readouterr().err
