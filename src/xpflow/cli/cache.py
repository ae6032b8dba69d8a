"""`xpflow cache`: the folder in which checkouts share checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from xpflow.cli.base import examples, new_app

if TYPE_CHECKING:
    from xpflow.artifacts.shared_cache import Entry, SharedCache

app = new_app(
    "The shared cache of checkpoints: with XPFLOW_CACHE=FOLDER set, alignments and policies that another "
    "checkout made from the same inputs, by the same code, settings and software are copied, checked by "
    "hash, instead of trained again."
)


@app.command("list", epilog=examples("XPFLOW_CACHE=/shared/xpflow xpflow cache list"))
def list_() -> None:
    """List the entries, each compared with its manifest; the exit code is 1 if one is damaged."""
    entries = list(_cache().entries())
    for one in entries:
        print(_line(one))
    size = sum(one.size for one in entries)
    print(f"{len(entries)} entries, {size / (1 << 20):.1f} MiB")
    raise typer.Exit(any(one.flaw for one in entries))


@app.command(epilog=examples("XPFLOW_CACHE=/shared/xpflow xpflow cache clean"))
def clean() -> None:
    """Remove damaged entries, and what killed jobs left more than a day ago."""
    print(f"removed {len(_cache().clean())} damaged entries")


@app.command(epilog=examples("xpflow cache remove 3f2a"))
def remove(
    key: Annotated[list[str], typer.Argument(metavar="KEY...", help="Keys, or their beginnings")],
) -> None:
    """Remove entries."""
    from xpflow.errors import ArtifactError

    cache = _cache()
    known = cache.keys()
    for start in key:
        found = [one for one in known if one.startswith(start)]
        if len(found) != 1:
            raise ArtifactError(
                f"{len(found)} entries begin with {start!r}", hint="`xpflow cache list` shows their keys"
            )
        cache.remove(found[0])
        print(f"removed {found[0]}")


def _cache() -> SharedCache:
    from xpflow.artifacts.environment import SHARED_CACHE
    from xpflow.artifacts.shared_cache import SharedCache
    from xpflow.errors import ConfigError

    cache = SharedCache.of_environment()
    if cache is None:
        raise ConfigError(
            "no shared cache is in use", hint=f"set {SHARED_CACHE} to a folder that all checkouts can reach"
        )
    return cache


def _line(entry: Entry) -> str:
    if entry.manifest is None:
        return f"{entry.key[:12]}  damaged: {entry.flaw}"
    names = " ".join(f"{key}={value}" for key, value in entry.manifest.stage.items() if key != "command")
    what = f"{entry.manifest.stage['command']} {names}".strip()
    state = f"damaged: {entry.flaw}" if entry.flaw else f"made {entry.manifest.ended}"
    return f"{entry.key[:12]}  {entry.size / (1 << 20):8.1f} MiB  {what}  {state}"
