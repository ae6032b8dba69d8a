"""What a command notes while it runs, and the manifests that it leaves beside what it wrote."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from xpflow.artifacts.code import PACKAGE, code_fingerprint
from xpflow.artifacts.environment import environment_facts, package_facts
from xpflow.artifacts.manifest import (
    ENDING,
    FileRecord,
    InputRecord,
    Manifest,
    checked,
    files_below,
    write_manifest,
)


class Record:
    """One run of a command: made at its start, told what is read, asked for manifests at the end.

    `stage` is {"command": ..., further names}; `config` {"study": ..., "fingerprint": ...} or empty.
    """

    def __init__(
        self, command: str, stage: Mapping[str, Any] | None = None, config: Mapping[str, Any] | None = None
    ) -> None:
        self.command, self.stage = command, {"command": command, **(stage or {})}
        self.config, self.started = dict(config or {}), now()
        self.code, self.package = code_fingerprint(command), package_facts()  # as they are at the start
        self.inputs: dict[str, InputRecord] = {}
        self.facts: dict[str, Any] = {}

    def read(self, *paths: Path, temporary: bool = False) -> None:
        """Note inputs: files, or folders with the files in them.

        With `temporary` their own manifests are kept as part of ours, for files that will not stay.

        Raises:
            ArtifactError: one is absent, or not what its manifest speaks of.
        """
        for path in files_below(paths) if all(path.exists() for path in paths) else paths:
            found, manifest = checked(path)
            self.inputs[portable(path)] = InputRecord(
                portable(path),
                found.sha256,
                found.size,
                manifest.digest if manifest else None,
                asdict(manifest) if manifest and temporary else None,
            )

    def write(self, files: Sequence[Path], name: str | None = None, **facts: Any) -> Path:
        """Write the manifest of files of one folder and return its path; `name` is the first file's by
        default."""
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
            command=("xpflow", *map(portable_word, sys.argv[1:])),
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

    Files of the installed package start with `package/`, files elsewhere with `outside/`.
    """
    full, here = path.resolve(), Path.cwd().resolve()
    if full.is_relative_to(PACKAGE):
        return f"package/{full.relative_to(PACKAGE).as_posix()}"
    return full.relative_to(here).as_posix() if full.is_relative_to(here) else f"outside/{full.name}"


def portable_word(word: str) -> str:
    """Return a word of a command line without the absolute part of a path."""
    key, equals, value = word.rpartition("=")
    return f"{key}{equals}{portable(Path(value))}" if Path(value).is_absolute() else word


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
