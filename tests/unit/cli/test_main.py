"""The table of sub-commands: fast help, errors as message and hint, exit codes."""

from __future__ import annotations

import subprocess
import sys
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
