"""`xpflow objectives`: which objectives there are, and the settings of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from xpflow.cli.base import examples, new_app

if TYPE_CHECKING:
    from xpflow.training.objective import Objective

app = new_app()
WIDTH = 96


@app.command(
    no_args_is_help=False,
    epilog=examples(
        "xpflow objectives", "xpflow objectives x_prediction", "xpflow objectives ./mine.py:MINE"
    ),
)
def objectives(
    name: Annotated[str | None, typer.Argument(help="An objective; none: list all of them")] = None,
) -> None:
    """List the objectives that a model can be trained with, or the settings of one.

    A study's `training.runs` name an objective, with the settings that differ from its defaults.
    """
    from xpflow.training.objectives import OBJECTIVES

    if name is not None:
        print("\n".join(_details(name, OBJECTIVES[name])))
        return
    width = max(map(len, OBJECTIVES))
    for key in OBJECTIVES:
        print(f"{key:<{width}}  {OBJECTIVES[key].about}")


def _details(name: str, entry: Objective) -> Iterator[str]:
    """Yield what an objective says about itself, then its settings with meaning and default."""
    import textwrap

    yield f"{name}: {entry.about}"
    for key, field in entry.settings.model_fields.items():
        yield f"  {key} = {field.default}"
        yield from textwrap.wrap(
            field.description or "", 96, initial_indent=" " * 6, subsequent_indent=" " * 6
        )
