"""`xpflow decoders`: which decoders there are, and the settings of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xpflow.cli.base import examples, new_app

if TYPE_CHECKING:
    from xpflow.decoding import Decoder, DecodeSettings

app = new_app()
WIDTH = 96


@app.command(
    no_args_is_help=False,
    epilog=examples("xpflow decoders", "xpflow decoders flow", "xpflow decoders ./my_decoder.py:MINE"),
)
def decoders(
    name: Annotated[str | None, typer.Argument(help="A decoder; none: list all of them")] = None,
) -> None:
    """List the decoders, or the settings of one with meaning, default and source.

    A setting is changed by `xpflow decode --set KEY=VALUE`, or in a study by an arm's `settings`.
    """
    from xpflow.decoding.decoders import DECODERS
    from xpflow.decoding.registry import decoder_entry

    lines = _details(name, decoder_entry(name)) if name else _list({key: DECODERS[key] for key in DECODERS})
    print("\n".join(lines))


def _list(entries: dict[str, Decoder]) -> Iterator[str]:
    width = max(map(len, entries))
    for name, entry in entries.items():
        traits = ["takes a policy"] * entry.takes_policy
        traits += [f"`xpflow match` sets its {entry.knob.setting}"] if entry.knob else []
        yield f"{name:<{width}}  {'; '.join([entry.about, *traits])}"
    yield ""
    yield "`xpflow decoders NAME` lists the settings of one; a file works too: ./my_decoder.py:NAME"


def _details(name: str, entry: Decoder) -> Iterator[str]:
    """Yield what a decoder says about itself, then its settings, its own before those that all have."""
    nfe = {
        "fixed": "as many as the budget says; fewer only where no later one changes a token",
        "adaptive": "as many as a row needs; the budget is a cap",
        "own": "as many as budget and settings make; they may be more than the budget says",
    }
    yield f"{name}: {entry.about}"
    facts = {"In tables": entry.title, "Source": entry.source, "Forwards": nfe[entry.nfe]}
    if entry.knob:
        facts["Knob"] = f"{entry.knob.setting}, which `xpflow match` sets for a wanted mean NFE"
    if entry.switches:
        facts["Ablations"] = ", ".join(f"{switch.setting}=false" for switch in entry.switches)
    for title, text in facts.items():
        if text:
            yield f"  {title + ':':<11}{text}"
    for title, fields in _groups(entry.settings):
        yield ""
        yield title
        for key, value, meaning in fields:
            yield f"  {key} = {value}"
            yield from _wrapped(meaning)


Field = tuple[str, str, str]


def _groups(model: type[DecodeSettings]) -> Iterator[tuple[str, list[Field]]]:
    """Yield the settings by the class that names them last: the decoder's own, its family's, everybody's."""
    from xpflow.decoding import DecodeSettings

    titles = {model: "Its own settings:", DecodeSettings: "Settings of every decoder:"}
    for owner in (kind for kind in model.__mro__ if issubclass(kind, DecodeSettings)):
        found = [
            (key, _value(field.default), field.description or "")
            for key, field in model.model_fields.items()
            if key != "decoder" and _owner(model, key) is owner
        ]
        if found:
            yield titles.get(owner, f"Settings of its family ({owner.__name__}):"), found


def _owner(model: type[DecodeSettings], key: str) -> type:
    return next(kind for kind in model.__mro__ if key in vars(kind).get("__annotations__", {}))


def _value(value: Any) -> str:
    """Return a default as `--set` and YAML write it."""
    from fractions import Fraction

    from xpflow.budget import budget_text

    if isinstance(value, Fraction):
        return budget_text(value)
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _wrapped(text: str) -> Iterator[str]:
    import textwrap

    yield from textwrap.wrap(text, WIDTH, initial_indent="      ", subsequent_indent="      ")
