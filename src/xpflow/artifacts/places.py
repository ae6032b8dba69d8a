"""Where a study lies: the folder that its commands ran in; paths in its manifests are relative to it.

Files of the installed package and files of any other place are named there below two folders that are none.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from xpflow.errors import ArtifactError

RESULTS, FIGURES = "results", "paper_figures"
LOGS, TIMES = "logs", "benchmarks"  # folders of a study that hold no artifacts
PARTS, SELFDATA = "parts", "selfdata"  # folders of a model: shards, and its own answers
INSTALLED, OUTSIDE = "package", "outside"
NOT_HERE = (INSTALLED, OUTSIDE)


def is_plain(path: str) -> bool:
    """Return whether a path is relative, leads nowhere above, and has no shorter form."""
    parts = PurePosixPath(path).parts
    plain = bool(parts) and ".." not in parts and not path.startswith("/") and "\0" not in path
    return plain and str(PurePosixPath(path)) == path


def root_of(path: Path) -> Path:
    """Return the folder that the study of a path ran in: what the nearest folder `results`, at or above the
    path, lies in; the working directory where there is none.

    Names decide, made absolute and without `..`; links are not followed, and nothing need be there.
    """
    full = absolute(path)
    for folder in (full, *full.parents):
        if folder.name == RESULTS:
            return folder.parent
    return Path.cwd()


def absolute(path: Path) -> Path:
    """Return a path from the root of the file system, without `..`; no link is followed, not even one on the
    way to the working directory."""
    here = os.environ.get("PWD", "")  # as the user came here; the system tells where links lead
    if not os.path.isabs(here) or not os.path.isdir(here) or not os.path.samefile(here, "."):
        here = os.getcwd()
    return Path(os.path.normpath(os.path.join(here, path)))


def relative(path: Path, root: Path) -> str:
    """Return a path relative to the root, with forward slashes; links are not followed."""
    return os.path.relpath(path, root).replace(os.sep, "/")


def at_home(text: str) -> Path:
    """Return a path as a user writes it in a variable or a setting, `~` being a home folder.

    Raises:
        ArtifactError: nobody knows that home folder.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ArtifactError(
            f"{text!r}: it is not known where that home folder is", hint="write the path in full, or set HOME"
        ) from error
