"""What a command notes while it runs, and the manifests that it leaves beside what it wrote."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from xpflow.artifacts.code import PACKAGE, code_fingerprint, plugin_fingerprints
from xpflow.artifacts.environment import check_environment, environment_facts, package_facts
from xpflow.artifacts.manifest import (
    ENDING,
    FileRecord,
    InputRecord,
    Manifest,
    checked,
    files_below,
    write_manifest,
)
from xpflow.artifacts.places import INSTALLED, NOT_HERE, OUTSIDE
from xpflow.errors import ArtifactError


class Record:
    """One run of a command: made at its start, told what is read, asked for manifests at the end.

    `stage` is {"command": ..., further names}; `config` {"study": ..., "fingerprint": ...} or empty;
    `plugins` are those that it uses, as "decoder:flow": their code counts as the command's own.
    """

    def __init__(
        self,
        command: str,
        stage: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
        plugins: Sequence[str] = (),
    ) -> None:
        check_environment()
        self.command, self.stage = command, {"command": command, **(stage or {})}
        self.config, self.started = dict(config or {}), now()
        self.code, self.package = code_fingerprint(command, plugins), package_facts()  # as at the start
        self.line = ("xpflow", *map(portable_word, sys.argv[1:]))
        self.inputs: dict[str, InputRecord] = {}
        self.facts: dict[str, Any] = {"plugins": plugin_fingerprints(plugins)} if plugins else {}

    def read(self, *paths: Path, temporary: bool = False) -> None:
        """Note inputs: files, or folders with the files in them.

        With `temporary` their own manifests are kept as part of ours, for files that will not stay.

        Raises:
            ArtifactError: one is absent, or not what its manifest lists.
        """
        for path in files_below(paths) if all(path.exists() for path in paths) else paths:
            found, manifest = checked(path)
            name = portable(path)
            other = self.inputs.get(name)
            if other is not None and other.sha256 != found.sha256:  # two of one name, outside
                name = f"{OUTSIDE}/{found.sha256[:8]}/{path.name}"
            self.inputs[name] = InputRecord(
                name,
                found.sha256,
                found.size,
                manifest.digest if manifest else None,
                asdict(manifest) if manifest and temporary else None,
            )

    def write(self, files: Sequence[Path], name: str | None = None, **facts: Any) -> Path:
        """Write the manifest of files of one folder; `name` is the first file's by default. Returns its path.

        Raises:
            ArtifactError: there are no files, and so nothing that a manifest could vouch for.
        """
        if not files:
            raise ArtifactError(f"`xpflow {self.command}` made no file, so no manifest was written")
        path = files[0].with_name(f"{name or files[0].name}{ENDING}")
        write_manifest(
            path, self.manifest([FileRecord.of(file, file.name) for file in sorted(files)], **facts)
        )
        return path

    def manifest(self, files: Sequence[FileRecord], **facts: Any) -> Manifest:
        """Return the manifest of files as it is now, unsealed."""
        return Manifest(
            files=tuple(files),
            stage=self.stage,
            command=self.line,
            config=self.config,
            code=self.code,
            inputs=tuple(self.inputs[path] for path in sorted(self.inputs)),
            facts={**self.facts, **facts},
            package=self.package,
            environment=environment_facts(),
            started=self.started,
            ended=now(),
        )


def portable(path: Path) -> str:
    """Return a path relative to the working directory, or to the package; of any other only the name.

    Files of the installed package start with `package/`, files elsewhere with `outside/`. A link inside the
    working directory counts by its own place, wherever it leads: results/ may lie on another disk.

    Raises:
        ArtifactError: a folder of the working directory has one of these two names.
    """
    if path.resolve().is_relative_to(PACKAGE):
        return f"{INSTALLED}/{path.resolve().relative_to(PACKAGE).as_posix()}"
    found = _below_here(path)
    if found is None:
        return f"{OUTSIDE}/{path.resolve().name}"
    if found.parts and found.parts[0] in NOT_HERE:
        raise ArtifactError(
            f"{found}: in manifests {found.parts[0]}/ stands for another place",
            hint="give that folder another name",
        )
    return found.as_posix()


def _below_here(path: Path) -> Path | None:
    """Return a path relative to the working directory, by its own place or else by where it leads to."""
    for full in (Path(os.path.abspath(path)), path.resolve()):
        if full.is_relative_to(Path.cwd()):
            return full.relative_to(Path.cwd())
        for parent in full.parents:  # the way to the working directory may go through a link
            if parent.is_dir() and parent.samefile("."):
                return full.relative_to(parent)
    return None


def portable_word(word: str) -> str:
    """Return a word of a command line without the absolute part of a path."""
    key, equals, value = word.partition("=")
    if Path(word).is_absolute():
        return portable(Path(word))
    if equals and Path(value).is_absolute():
        return f"{key}={portable(Path(value))}"
    return re.sub(r"[^=,;:\s\[\](){}'\"]+", lambda found: _without_place(found[0]), word)


def _without_place(part: str) -> str:
    """Return a part of a word; one that is a path to another place becomes its name."""
    path = Path(part)
    reserved = part.partition("/")[0] in NOT_HERE
    elsewhere = path.is_absolute() or ".." in path.parts or reserved
    return portable(path) if elsewhere and "/" in part else part


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
