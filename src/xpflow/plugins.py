"""Tables of plug-ins: things of one kind by name, each imported when it is asked for and not before.

A name is one of three: a line of the table, an entry point of an installed package (`xpflow.decoders` and so
on), or a file and a name in it, `./my_decoder.py:MyDecoder`, relative to the working directory. A table says
where a plug-in lies and nothing else; what others must know of it, the plug-in says itself. So a new one
changes no code that runs without it: `xpflow.artifacts.code` leaves tables out of every fingerprint, and adds
to a row's the code of the plug-ins that the row chose.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

from xpflow.errors import ConfigError, XpflowError, nearest

T = TypeVar("T")
FILE = re.compile(r"(?P<path>.+\.py)(?::(?P<attribute>[A-Za-z_]\w*))?")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a plug-in lies: an attribute of a module, or of a file that is no module of a package."""

    module: str
    attribute: str
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Table(Generic[T]):
    """Plug-ins of one kind.

    kind: what messages call it. group: of the entry points that count. own: name -> "module:attribute".
    accepts: "module:Class" that every plug-in is an instance of. attribute: its name where none is given.
    error: what is raised for a name that is not known.
    """

    kind: str
    group: str
    own: Mapping[str, str]
    accepts: str
    attribute: str = "PLUGIN"
    error: type[XpflowError] = field(default=ConfigError)

    def __iter__(self) -> Iterator[str]:
        """Yield all names: our own, then those of installed packages."""
        yield from self.own
        yield from (name for name in sorted(_entry_points(self.group)) if name not in self.own)

    def __contains__(self, name: object) -> bool:
        """Say whether a name can be looked up: it is in the table, installed, or has the form of a file."""
        return isinstance(name, str) and (
            name in self.own or is_file(name) or name in _entry_points(self.group)
        )

    def __getitem__(self, name: str) -> T:
        """Return the plug-in of a name, imported now.

        Raises:
            XpflowError: (of the table's kind) there is none, it cannot be imported, or it is something else.
        """
        place = self.place(name)
        module = _file_module(place.file, self) if place.file else self._module(name, place.module)
        if not hasattr(module, place.attribute):
            where = place.file or place.module
            names = [key for key in vars(module) if not key.startswith("_")]
            raise self.error(f"{where} has no {place.attribute!r}", hint=nearest(place.attribute, names))
        found: T = getattr(module, place.attribute)
        accepted = _attribute(self.accepts)
        if not isinstance(found, accepted):
            raise self.error(
                f"{name!r} is no {self.kind}: it is a {type(found).__name__}",
                hint=f"a {self.kind} is a value of {self.accepts.replace(':', '.')} (docs/architecture.md)",
            )
        return found

    def place(self, name: str) -> Place:
        """Return where the plug-in of a name lies, without importing it; raises as `__getitem__` does."""
        own, installed = self.own.get(name), _entry_points(self.group).get(name)
        if own is not None and installed is not None:
            raise self.error(
                f"{self.kind} {name!r} is ours and that of an installed package too ({installed.value})",
                hint=f"remove that package, or let it give its {self.kind} another name",
            )
        value = own or (installed.value if installed else None)
        if value is not None:
            module, _, attribute = value.partition(":")
            return Place(module, attribute or self.attribute)
        if (found := FILE.fullmatch(name)) is not None:
            return Place("", found["attribute"] or self.attribute, Path(found["path"]))
        raise self.error(f"no such {self.kind}: {name!r}", hint=nearest(name, self))

    def _module(self, name: str, module: str) -> ModuleType:
        if module.partition(".")[0] == "xpflow":
            return import_module(module)  # a fault in our own code is a bug, and shows as one
        try:
            return import_module(module)
        except Exception as error:
            raise self.error(
                f"{self.kind} {name!r} cannot be imported from {module}: {type(error).__name__}: {error}",
                hint="XPFLOW_DEBUG=1 shows the traceback",
            ) from error


def is_file(name: str) -> bool:
    """Return whether a name has the form FILE.py or FILE.py:NAME."""
    return FILE.fullmatch(name) is not None


@lru_cache(maxsize=32)
def _entry_points(group: str) -> Mapping[str, metadata.EntryPoint]:
    return {point.name: point for point in metadata.entry_points(group=group)}


def _attribute(place: str) -> type:
    module, _, name = place.partition(":")
    found: type = getattr(import_module(module), name)
    return found


def _file_module(path: Path, table: Table[T]) -> ModuleType:
    """Import a file by its content: two contents of one path are two modules."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise table.error(
            f"{table.kind} in {path}: cannot be read ({error.strerror})",
            hint="a plug-in's path is relative to the working directory",
        ) from error
    name = f"xpflow_plugin_{path.stem}_{hashlib.sha256(data).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: dataclasses look their module up
    try:
        # What was read, and not `exec_module`: bytecode beside the file is known by size and second alone.
        exec(compile(data, str(path), "exec", dont_inherit=True), module.__dict__)
    except Exception as error:
        del sys.modules[name]
        raise table.error(
            f"{table.kind} in {path}: {type(error).__name__}: {error}",
            hint="XPFLOW_DEBUG=1 shows the traceback",
        ) from error
    return module
