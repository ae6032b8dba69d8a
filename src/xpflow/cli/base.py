"""What every sub-command file shares: how its typer app is made and run.

A sub-command file defines `app = new_app()` and decorates its function(s) with `@app.command(...)`: one
function is `xpflow NAME`, several are `xpflow NAME SUB`. Heavy imports (torch, matplotlib) go inside them.
"""

from __future__ import annotations

from collections.abc import Sequence

import typer


def new_app(text: str | None = None) -> typer.Typer:
    """Return an empty typer app with our habits: plain help, no completion, no pretty tracebacks."""
    return typer.Typer(
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


def run_app(app: typer.Typer, program: str, arguments: Sequence[str]) -> int:
    """Run a typer app and return its exit code; exceptions other than typer's own pass through."""
    try:
        app(args=list(arguments), prog_name=program)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0
