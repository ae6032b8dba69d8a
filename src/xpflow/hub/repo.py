"""A repository of the model hub at a pinned commit, and finding its files once they were fetched.

Everything here is local: the cache that the hub client keeps, never the network (`xpflow.hub.fetch` is the
one step that needs it). No torch: the workflow reads this file whenever it is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from xpflow.artifacts.io import sha256_file
from xpflow.errors import HubError

# Weights as safetensors only: never a pickle, never code.
MODEL_FILES = ("*.safetensors", "*.json", "tokenizer*", "*.jinja", "*.txt", "*.model")
DATA_FILES = ("*.parquet", "*.md")


@dataclass(frozen=True, slots=True)
class HubRepo:
    """A repository at a pinned commit.

    `name` is the short name that studies and files use. `sha256` holds the hashes that are known before
    anything is fetched; the first fetch records the others. An empty `revision` pins nothing: whoever asks
    for the repository has to name a commit. `files` are patterns of the files that are fetched, where they
    are not all of their kind.
    """

    name: str
    hub_id: str
    revision: str
    kind: Literal["model", "dataset"] = "model"
    about: str = ""
    sha256: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    @property
    def patterns(self) -> tuple[str, ...]:
        """Return the file patterns that are fetched."""
        if self.files:
            return self.files
        return MODEL_FILES if self.kind == "model" else DATA_FILES

    @property
    def lock(self) -> str:
        """Return the file name of its lock: another revision has another lock."""
        return f"{self.name}@{self.revision[:12]}.json"

    @property
    def label(self) -> str:
        """Return what messages call it: hub id and the first digits of the commit."""
        return f"{self.hub_id}@{self.revision[:12]}"

    def at(self, revision: str) -> HubRepo:
        """Return the repository at a revision; known hashes hold for the pinned one only."""
        return self if revision == self.revision else replace(self, revision=revision, sha256={})


def local_snapshot(repo: HubRepo) -> Path:
    """Return the folder of a fetched repository at its pinned revision.

    Raises:
        HubError: it is not in the local hub cache, or lacks files.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                repo.hub_id,
                repo_type=repo.kind,
                revision=repo.revision,
                allow_patterns=list(repo.patterns),
                local_files_only=True,
            )
        )
    except (OSError, ValueError) as error:  # LocalEntryNotFoundError is one of them
        kind = "" if repo.kind == "model" else " --type dataset"
        only = "".join(f" --include {pattern!r}" for pattern in repo.files)
        raise HubError(
            f"{repo.hub_id} at revision {repo.revision[:12]} is not in the local hub cache, or not all of it",
            hint="fetch it once with `xpflow fetch --config FILE`, where the network is, or with "
            f"`hf download {repo.hub_id}{kind} --revision {repo.revision}{only}`;"
            " HF_HOME says where the cache is",
        ) from error


def read_parquet(repo: HubRepo, pattern: str) -> list[dict[str, Any]]:
    """Return the rows of a fetched data set's files that match, in the order of their names.

    Every file is hashed before it is read.

    Raises:
        HubError: the data set was not fetched, has no such file, or a file changed since.
        DataError: a file is no Parquet.
    """
    from xpflow.hub.tables import parquet_rows

    return parquet_rows(data_files(repo, pattern))


def data_files(repo: HubRepo, pattern: str) -> list[Path]:
    """Return a fetched data set's files that match, in the order of their names; every file is hashed.

    Raises:
        HubError: the data set was not fetched, has no such file, or a file changed since.
    """
    folder = local_snapshot(repo)
    files = sorted(folder.glob(pattern))
    if not files:
        raise HubError(f"{folder}: no file {pattern}", hint="is this the right revision of the data set?")
    for file in files:
        _require_unchanged(repo, file, file.relative_to(folder).as_posix())
    return files


def _require_unchanged(repo: HubRepo, file: Path, name: str) -> None:
    """Compare a cached file with the package's own pin, and with the hash that the cache files it under.

    The hub client names the blobs of large files, data among them, by the SHA-256 that the hub promised.
    """
    blob = file.resolve().name
    expected = {repo.sha256.get(name), blob if re.fullmatch("[0-9a-f]{64}", blob) else None} - {None}
    if expected and {found := sha256_file(file)} != expected:
        known = " or ".join(map(str, expected))
        raise HubError(
            f"{repo.label}, {name}: the cached file has sha256 {found}, not {known}",
            hint=f"it changed after the download: remove {file.resolve()} and run `xpflow fetch` again",
        )
