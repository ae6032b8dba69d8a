"""Our architectures in the Auto classes of transformers, once somebody uses these.

`import xpflow.models` is enough for `AutoModelForMaskedLM.from_pretrained(folder)`, before or after
transformers is imported, and imports neither it nor torch: the command line starts without them. Where the
Auto classes are there already, the models are imported at once; else right after their module has run.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

import xpflow
from xpflow.models.architectures import ARCHITECTURES

# Whichever is imported first: the classes of models import that of configurations.
AUTO = ("transformers.models.auto.configuration_auto", "transformers.models.auto.modeling_auto")


def enter() -> None:
    """Import the models of our own architectures, which enter the Auto classes by themselves.

    One that is being imported at this moment does so at its end.
    """
    for name in ARCHITECTURES.own:
        with suppress(ImportError):
            ARCHITECTURES[name].classes()


def enter_when_used() -> None:
    """Enter them now, or as soon as the Auto classes are imported; not in a command of ours.

    A command imports the one architecture that it loads, and its manifest names the code of no other.
    """
    if not xpflow.AUTO_CLASSES:
        return
    if any(name in sys.modules for name in AUTO):
        enter()
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds a module of the Auto classes as it would be found without this, once."""

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return the ordinary spec of such a module, with a loader that enters our models afterwards."""
        if fullname not in AUTO:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    """Loads as another loader does, which takes its place again."""

    def __init__(self, inner: Loader) -> None:
        self.inner = inner

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to the other loader."""
        return self.inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then enter our models."""
        if module.__spec__ is not None:
            module.__spec__.loader = module.__loader__ = self.inner
        self.inner.exec_module(module)
        enter()
