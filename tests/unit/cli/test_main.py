"""The table of sub-commands: fast help, errors as message and hint, exit codes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from xpflow import __version__
from xpflow.cli import COMMANDS, EXIT_ERROR, main
from xpflow.errors import ConfigError

LIGHT = "import sys; from xpflow.cli import main; main(['--help']); print(sorted(sys.modules))"


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    out = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True).stdout
    assert all(name in out for name in COMMANDS)
    modules = out.splitlines()[-1]
    assert not any(
        f"'{heavy}'" in modules for heavy in ("torch", "transformers", "typer", "pydantic", "pandas")
    )


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Usage: xpflow {name}")
    if "Commands:" not in out:  # else its sub-commands have them
        assert f"xpflow {name}" in out.partition("Examples:")[2]


TEXT = "\u2212 \u00e9 \U0001f600 \ud83d \udcff"
PRINTS = (
    "import sys; from xpflow.cli import main; main(['--version']);"
    f"print({TEXT!a}); print({TEXT!a}, file=sys.stderr)"
)
CODES = r"\u2212 \xe9 \U0001f600 \ud83d \udcff"


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, CODES),
        ({"PYTHONIOENCODING": "ascii:strict"}, CODES),
        ({"PYTHONIOENCODING": "latin-1"}, CODES.replace(r"\xe9", "\u00e9")),
        ({"PYTHONIOENCODING": "utf-8"}, "\u2212 \u00e9 \U0001f600 " + r"\ud83d \udcff"),
        ({"LC_ALL": "C"}, "\u2212 \u00e9 \U0001f600 " + r"\ud83d \udcff"),
    ],
)
def test_whatever_the_locale_everything_is_printed_and_nothing_lost(
    settings: dict[str, str], shown: str
) -> None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHON"))}
    kept["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", PRINTS]
    done = subprocess.run(command, env=kept | settings, capture_output=True, check=False)
    encoding = settings.get("PYTHONIOENCODING", "utf-8").partition(":")[0]
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode(encoding).splitlines() == [f"xpflow {__version__}", shown]
    assert done.stderr.decode(encoding).splitlines() == [shown]


@pytest.mark.parametrize(
    "command", [("decoders",), ("objectives",), ("config", "show"), ("plan", "config/smoke.yaml")]
)
def test_commands_print_in_a_locale_without_utf_8(command: tuple[str, ...]) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "xpflow", *command],
        env={**os.environ, **plain, **paths},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode("ascii")


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"xpflow {__version__}\n"


def test_no_arguments_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "Usage: xpflow COMMAND" in capsys.readouterr().out


def test_a_misspelt_command_gives_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decod"]) == EXIT_ERROR
    assert capsys.readouterr().err == "error: no such command: 'decod'\n  hint: did you mean 'decode'?\n"


def test_an_unknown_option_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "--nope"]) == 2
    assert "No such option" in capsys.readouterr().err


def test_an_xpflow_error_is_message_and_hint_without_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XPFLOW_DEBUG", raising=False)
    assert main(["config", "show", str(tmp_path / "none.yaml")]) == EXIT_ERROR
    err = capsys.readouterr().err
    assert err.startswith("error: cannot read")
    assert "\n  hint: " in err
    assert "Traceback" not in err


def test_debug_raises_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPFLOW_DEBUG", "1")
    with pytest.raises(ConfigError):
        main(["config", "show", str(tmp_path / "none.yaml")])


@pytest.mark.parametrize("line", [["--version"], ["--help"]])
def test_an_output_that_is_full_is_an_error_and_no_traceback(
    line: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(line) == EXIT_ERROR
        monkeypatch.undo()
    assert capsys.readouterr().err == (
        "error: No space left on device\n  hint: free some disk space and start again\n"
    )


def test_an_output_that_is_closed_is_nobody_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["--version"]) == 0


def fail(error: OSError) -> Callable[[str, list[str]], int]:
    def run(name: str, arguments: list[str]) -> int:
        raise error

    return run


def test_what_the_system_says_of_this_machine_is_an_error_with_a_cure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")
    for error, cure in (
        (nowhere, "TMPDIR=FOLDER"),
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
        (OSError(errno.EFBIG, "File too large"), "ulimit -f"),
    ):
        monkeypatch.setattr("xpflow.cli._run", fail(error))
        assert main(["decoders"]) == EXIT_ERROR
        assert cure in capsys.readouterr().err
    monkeypatch.setattr("xpflow.cli._run", fail(OSError(errno.EINVAL, "Invalid argument")))
    with pytest.raises(OSError, match="Invalid"):  # a bug of ours
        main(["decoders"])


def test_a_home_folder_that_nobody_knows_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XPFLOW_CACHE", "~nobody-here/cache")
    assert main(["cache", "list"]) == EXIT_ERROR
    assert "'~nobody-here/cache': it is not known where that home folder is" in capsys.readouterr().err


def test_a_working_folder_that_is_gone_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.jsonl").write_text('{"task_id": "a"}\n')
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    try:
        assert main(["merge", "rows", f"{tmp_path}/rows.jsonl", "--out", f"{tmp_path}/out"]) == EXIT_ERROR
    finally:
        monkeypatch.chdir(tmp_path)
    assert "error: the working folder is not there any more" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
