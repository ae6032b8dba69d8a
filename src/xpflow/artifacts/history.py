"""Code of an earlier commit, for manifests whose fingerprint was found by an earlier rule.

Such a fingerprint cannot be compared with one of today. Where the manifest names a commit without changes,
and the checkout that we run from has it, the source of that commit is fingerprinted by today's rule instead.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from xpflow.artifacts.code import PACKAGE, code_fingerprint, same_rule
from xpflow.artifacts.environment import git_output
from xpflow.artifacts.places import is_plain
from xpflow.errors import XpflowError

GIT_S = 60


def changed_code(
    command: str, fingerprint: str, package: Mapping[str, Any], plugins: Iterable[str] = ()
) -> str:
    """Return why what a command made is not of today's code, or nothing where it is.

    Args:
        command: of the manifest. fingerprint: its `code`. package: its `package`, with commit and changes.
        plugins: that its stage used, as "decoder:flow".
    """
    try:
        now = code_fingerprint(command, plugins)
    except XpflowError as error:
        return f"the code behind `xpflow {command}` is not all there: {error.message}"
    if fingerprint == now:
        return ""
    git = package.get("git") or {}
    commit, since = str(git.get("commit")), f" since commit {named(git)}" if git else ""
    if same_rule(fingerprint):
        return f"the code behind `xpflow {command}` changed{since}"
    older = f"the code behind `xpflow {command}` has an older fingerprint"
    if git.get("changed") or not git:
        return f"{older}, and no commit to compare{since}"
    then = fingerprint_at(commit, command)
    if then is None:
        return f"{older}; fetch commit {commit[:12]} to compare"
    return "" if then == now else f"the code behind `xpflow {command}` changed{since}"


@lru_cache(maxsize=1024)
def fingerprint_at(commit: str, command: str) -> str | None:
    """Return the fingerprint of a command at a commit of the checkout we run from; None where it has none."""
    return _fingerprints_at(commit).get(command)


@lru_cache(maxsize=64)
def _fingerprints_at(commit: str) -> dict[str, str]:
    with _source_of(commit) as package:
        if package is None:
            return {}
        commands = [path.stem for path in (package / "cli").glob("*.py") if path.stem != "__init__"]
        found = {}
        for command in commands:
            try:
                found[command] = code_fingerprint(command, package=package)
            except SyntaxError:  # of a later Python than ours
                continue
        return found


@contextmanager
def _source_of(commit: str) -> Iterator[Path | None]:
    """Yield a temporary folder with the package as a commit has it, or None where it cannot be had."""
    words = ["archive", "--format=tar", "--end-of-options", commit, "."]
    if not (len(commit) == 40 and all(letter in "0123456789abcdef" for letter in commit)):
        yield None
        return
    try:
        data = git_output(PACKAGE, *words, timeout_s=GIT_S)
    except (OSError, subprocess.SubprocessError):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="xpflow-source-") as folder:
        with tarfile.open(fileobj=io.BytesIO(data)) as packed:
            _unpack(packed, Path(folder))
        yield Path(folder)


def _unpack(packed: tarfile.TarFile, folder: Path) -> None:
    """Write the plain files of an archive that git made, and nothing else; 3.11.2 has no filter for that."""
    for member in packed:
        file = packed.extractfile(member) if member.isfile() else None
        if file is not None and is_plain(member.name.removeprefix("./")):
            path = folder / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.read())


def named(git: Mapping[str, Any]) -> str:
    """Return a manifest's `git` in words: the commit, and whether the source differed from it."""
    if git.get("commit") is None:
        return "unknown"
    return f"{str(git['commit'])[:12]}{' with changes' if git.get('changed') else ''}"
