"""The viewer's page: one file that holds everything and asks nobody for anything."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

HERE = Path(__file__).parent
# Inside a script element only "</script" and "<!--" end or change anything; none of these five is ever
# needed in JSON, and with them escaped the text means the same.
ESCAPES: dict[str, str | int | None] = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\N{LINE SEPARATOR}": "\\u2028",
    "\N{PARAGRAPH SEPARATOR}": "\\u2029",
}


def embedded(data: Any) -> Markup:
    """Return data as JSON that may stand in a `<script type="application/json">` whatever texts it holds."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    text = text.translate(str.maketrans(ESCAPES))
    return Markup(_whole(text))


def viewer_page(datas: Sequence[Mapping[str, Any]], title: str) -> str:
    """Return the stand-alone page of one or more traces (`viewer_data`), kept in step."""
    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined)
    page = environment.get_template("page.html.j2")
    return page.render(
        title=_whole(title),
        data=embedded(list(datas)),
        style=Markup(viewer_style()),
        script=Markup(viewer_script()),
    )


def _whole(text: str) -> str:
    """Return a text that UTF-8 can hold: halves of characters become escapes, as \\udcff."""
    return text.encode("utf-8", "backslashreplace").decode()


@cache
def viewer_script() -> str:
    """Return the viewer's JavaScript, for a script element of any page."""
    return (HERE / "viewer.js").read_text(encoding="utf-8")


@cache
def viewer_style() -> str:
    """Return the viewer's CSS, for a style element of any page."""
    return (HERE / "viewer.css").read_text(encoding="utf-8")
