"""What every sub-command file shares: how its typer app is made and run, and what holds for all options.

A sub-command file defines `app = new_app()` and decorates its function(s) with `@app.command(...)`: one
function is `xpflow NAME`, several are `xpflow NAME SUB`. Heavy imports (torch, matplotlib) go inside them.
An option that names an output says so, `Annotated[Path, OUT_FILE, typer.Option(...)]`: before the command
starts, every value is checked (`xpflow.cli.checks`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

import typer

from xpflow.cli.checks import MAY_BE_EMPTY, Output, check_values

F = TypeVar("F", bound=Callable[..., Any])


OUT_FILE, OUT_FOLDER = Output(), Output(folder=True)
OUT_TRACE = Output(endings=(".npz", ".jsonl"))


class App(typer.Typer):
    """A typer app whose commands check their values before they start."""

    def command(self, name: str | None = None, **options: Any) -> Callable[[F], F]:
        """Register a function as a command and return it as it is."""
        register = super().command(name, **options)

        def decorate(function: F) -> F:
            @wraps(function)
            def checked(**values: Any) -> Any:
                check_values(function, values)
                return function(**values)

            register(checked)
            return function

        return decorate


def new_app(text: str | None = None) -> App:
    """Return an empty typer app with our habits: plain help, no completion, no pretty tracebacks."""
    return App(
        help=text,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def examples(*lines: str) -> str:
    """Return the epilog of a command's help: its examples, kept line by line."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def unused(context: typer.Context, why: str, *names: str) -> None:
    """Raise ConfigError where one of some options (names of parameters) was given that does nothing."""
    from xpflow.errors import ConfigError

    for parameter in context.command.params:
        if parameter.name in names and given(context, parameter.name):
            raise ConfigError(f"{parameter.opts[0]} does nothing here: {why}", hint="leave it out")


def given(context: typer.Context, name: str) -> bool:
    """Return whether an option (name of its parameter) stands on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _require_values(arguments: Sequence[str]) -> None:
    """Raise ConfigError for an option with an empty value: as a path it would be the working folder."""
    from xpflow.errors import ConfigError

    for place, one in enumerate(arguments):
        name, equals, value = one.partition("=")
        empty = not value if equals else arguments[place + 1 : place + 2] == [""]
        if name.startswith("--") and empty and name[2:].replace("-", "_") not in (*MAY_BE_EMPTY, "set"):
            raise ConfigError(f"{name} is empty", hint="give a value, or leave it out")


def run_app(app: typer.Typer, program: str, arguments: Sequence[str]) -> int:
    """Run a typer app and return its exit code; exceptions other than typer's own pass through."""
    _require_values(arguments)
    try:
        app(args=list(arguments), prog_name=program)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0
