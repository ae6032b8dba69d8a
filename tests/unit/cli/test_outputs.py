"""What is written is tried before the work, and is never an input; options that do nothing are errors."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import typer.main

from xpflow.artifacts.io import write_jsonl
from xpflow.artifacts.record import Record
from xpflow.cli import COMMANDS, main
from xpflow.cli.checks import Output
from xpflow.errors import ConfigError

WORDS = ("out", "into", "trace", "json_out")  # parameters that name what is written


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("{}\n")
    write_jsonl("samples.jsonl", [{"task_id": "HumanEval/0", "completion": "pass"}])
    write_jsonl("other.jsonl", [{"task_id": "HumanEval/1", "completion": "pass"}])
    return tmp_path


def refused(words: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command line that must be refused, and return what it says."""
    assert main(words.split(" ")) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


def functions() -> dict[str, Any]:
    from importlib import import_module

    found: dict[str, Any] = {}
    for name, (module, _) in COMMANDS.items():
        app = import_module(module).app
        for one in app.registered_commands:
            found[f"{name} {one.callback.__name__}"] = one.callback
    return found


@pytest.mark.parametrize("name", functions())
def test_every_option_that_names_an_output_says_so(name: str) -> None:
    """`figures --trace` is read; what any other command calls so is written."""
    for key, hint in get_type_hints(functions()[name], include_extras=True).items():
        if key in WORDS and (name, key) != ("figures figures", "trace"):
            metadata = getattr(hint, "__metadata__", ())
            assert any(isinstance(one, Output) for one in metadata), key


WRITES = {
    "decode": "decode --benchmark humaneval --limit 1 --out {}",
    "evaluate": "evaluate --model m --benchmark b --problems file --out {}",
    "grade": "grade --benchmark humaneval --samples samples.jsonl --out {}",
    "selfdata": "selfdata --model m --out {}",
    "grade-answers": "grade-answers --model m --data file --out {}",
    "solvable": "solvable --model m --problems file --out {}",
    "pack": "pack results/s --out {}",
    "rows": "merge rows samples.jsonl other.jsonl --out {}",
    "export": "problems export humaneval --out {}",
    "config": "config show file --out {}",
}


@pytest.mark.parametrize("words", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("folder", "it is a folder"),
        ("file/x", "is no folder"),
        ("/dev/null", "no plain file"),
        ("", "--out is empty"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused(
    words: str, place: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(words.format(place), capsys)
    assert Path("/dev/null").is_char_device()


def test_a_read_only_place_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(**options: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("tempfile.mkstemp", read_only)
    assert "Read-only file system" in refused(WRITES["decode"].format("new/s.jsonl"), capsys)


@pytest.mark.parametrize(
    "command", ["train --model m --data file", "grpo --model m --problems samples.jsonl"]
)
def test_a_folder_that_cannot_be_made_is_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is no folder" in refused(f"{command} --out file", capsys)
    assert "is no folder" in refused(f"{command} --out file/x", capsys)


def test_nothing_is_made_by_asking(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(here.rglob("*"))
    refused("decode --benchmark nosuch --out new/deep/s.jsonl --trace t.npz", capsys)
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize(
    "words",
    [
        "grade --benchmark humaneval --samples samples.jsonl --out samples.jsonl",
        "grade --benchmark humaneval --samples samples.jsonl --out ./folder/../samples.jsonl",
        "grade --benchmark humaneval --samples samples.jsonl --out link.jsonl",
        "grade --benchmark humaneval --samples samples.jsonl --out hard.jsonl",
        "merge rows other.jsonl samples.jsonl --out samples.jsonl",
        "decode --benchmark humaneval --out t.npz --trace t.npz",
        "decode --benchmark humaneval --model folder --out s.jsonl --trace t.npz --policy t.npz",
        "train --model m --data samples.jsonl --from folder --out folder",
        "grpo --model folder --problems samples.jsonl --out folder",
        "config show file --out file",
    ],
)
def test_an_output_is_neither_an_input_nor_another_output(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    os.symlink("samples.jsonl", "link.jsonl")
    os.link("samples.jsonl", "hard.jsonl")
    before = Path("samples.jsonl").read_bytes()
    assert "name the same place" in refused(words, capsys)
    assert Path("samples.jsonl").read_bytes() == before


def test_a_result_in_a_folder_that_is_read_is_not_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    write_jsonl("results/s/verdicts.jsonl", [{"task_id": "a"}])
    Record("grade").write([Path("results/s/verdicts.jsonl")])
    assert "is a result in" in refused("audit results/s --json results/s/verdicts.jsonl", capsys)


@pytest.mark.parametrize("name", ["t.txt", "t", "t.npz.gz"])
def test_a_trace_has_an_ending_that_says_its_format(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "ends in none of .npz, .jsonl" in refused(f"decode --prompt x --trace {name}", capsys)


CONFIG = f"--config {Path('config/micro.yaml').absolute()}"
ARM = f"decode --benchmark humaneval --out s {CONFIG} --arm"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            f"{ARM} mask-base --decoder flow",
            "--arm or --decoder",
        ),
        ("decode --prompt x --set decoder=flow", "--set decoder=... is an option of its own"),
        ("decode --prompt x --set budget=1/2", "--set budget=... is an option of its own"),
        ("decode --prompt x --decoder flow --policy ", "no such policy or file: ''"),
        ("decode --prompt x --decoder threshold --policy constant:1", "takes none"),
        ("decode --prompt x --model llada2-micro --set gen_length=10 --budget 1/4", "is 2.5 steps"),
        ("decode --prompt x --out s.jsonl", "--out does nothing here"),
        ("decode --prompt x --limit 1", "--limit does nothing here"),
        ("decode --prompt x --shard 1/2", "--shard does nothing here"),
        ("decode --prompt x --split test", "--split does nothing here"),
        ("decode --prompt x --study-model m", "--study-model does nothing here"),
        ("bench mutants --out b.json", "--out does nothing here"),
        ("bench grading --model m", "--model does nothing here"),
        ("bench decoding --jail bwrap", "--jail does nothing here"),
        ("audit results/s --device cpu", "--device does nothing here"),
        ("audit results/s --explain x --all", "--all does nothing here"),
        ("prompts --benchmark humaneval", "--benchmark does nothing here"),
        ("prompts llada-opencompass --problem 1", "--problem does nothing here"),
        ("prompts llada-opencompass --out p.md", "--out does nothing here"),
        ("config show file --default", "FILE or --default"),
        (f"problems export humaneval --file file {CONFIG} --out p", "--file or --config"),
        (f"figures {CONFIG} --results r --out f --only grpo --trace t.npz", "--trace does nothing here"),
        (f"match --model llada-micro {CONFIG} --budget abc", "not a budget: 'abc'"),
        (f"match --model nosuch {CONFIG} --arm threshold-base", "no model 'nosuch'"),
        (
            f"{ARM} mask-base --model nosuch",
            "no model 'nosuch'",
        ),
        ("score samples.jsonl --seed -1", "--seed"),
        ("score samples.jsonl --confidence nan", "--confidence"),
        ("plan file --mfu inf", "--mfu"),
        ("decode --prompt \udcff", "--prompt: '\\udcff' is not UTF-8 text"),
        ("decode --prompt a\0b", "NUL"),
    ],
)
def test_what_does_nothing_or_cannot_be_is_refused_before_the_work(
    words: str, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "xpflow.models.load.load_checkpoint", lambda *given: pytest.fail("a model was loaded")
    )
    assert message in refused(words, capsys)


@pytest.mark.parametrize(
    ("decoder", "aligned", "warned"),
    [
        ("flow", False, True),
        ("flow", True, False),
        ("threshold", False, False),
        ("mask_prediction", False, False),
    ],
)
def test_a_decoder_that_takes_a_policy_is_warned_of_on_weights_that_no_run_has_aligned(
    decoder: str, aligned: bool, warned: bool, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from xpflow.runtime.decoding import warn_unaligned

    if aligned:
        (here / "folder" / "log.jsonl").write_text("{}\n")
    warn_unaligned(decoder, "folder")
    assert ("no training run has aligned folder" in capsys.readouterr().err) == warned


def test_the_warning_names_what_to_use_instead(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from xpflow.models.keys import ALIGNMENT
    from xpflow.runtime.decoding import warn_unaligned

    monkeypatch.setattr("xpflow.runtime.decoding.aligned_models", lambda weights: ["llada-micro-aligned"])
    warn_unaligned("flow", "llada-micro")
    said = capsys.readouterr().err
    assert "--model llada-micro-aligned, or a decoder" in said
    assert "mask_prediction, for one" in said
    config = here / "folder" / "config.json"
    config.write_text(json.dumps({ALIGNMENT: {"objective": "x_prediction"}}))
    warn_unaligned("flow", "folder")
    assert capsys.readouterr().err == ""
    (here / "folder" / "log.jsonl").write_text("{}\n")
    config.write_text(json.dumps({ALIGNMENT: {"objective": "forced", "everywhere": False}}))
    warn_unaligned("flow", "folder")
    assert "weights that were trained at masks alone, by forced: folder" in capsys.readouterr().err


def test_a_budget_that_is_none_is_an_error_of_ours_everywhere() -> None:
    from xpflow.budget import parse_budget

    for value in ("abc", "", "1/0", "0", "2", "-1/4", None, True, [1], "9" * 5000, float("nan")):
        with pytest.raises(ConfigError):
            parse_budget(value)


def test_typer_s_apps_are_ours() -> None:
    """A command that is registered otherwise would not have its values checked."""
    for name in COMMANDS:
        from importlib import import_module

        app = import_module(COMMANDS[name][0]).app
        assert type(app).__name__ == "App", name
        assert typer.main.get_command(app) is not None
