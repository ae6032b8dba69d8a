"""Finding what was fetched: the local hub cache, never the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xpflow.errors import HubError
from xpflow.hub.catalogue import HubRepo


def local_snapshot(repo: HubRepo) -> Path:
    """Return the folder of a fetched repository at its pinned revision.

    Raises HubError when it is not in the local hub cache, or lacks files.
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
        raise HubError(
            f"{repo.hub_id} at revision {repo.revision[:12]} is not in the local hub cache, or not all of it",
            hint="fetch it once with `xpflow fetch --config FILE`, where the network is, or with "
            f"`hf download {repo.hub_id}{kind} --revision {repo.revision}`; HF_HOME says where the cache is",
        ) from error


def read_parquet(folder: Path, pattern: str) -> list[dict[str, Any]]:
    """Return the rows of a fetched data set's files that match, in the order of their names."""
    from pyarrow import parquet

    files = sorted(folder.glob(pattern))
    if not files:
        raise HubError(f"{folder}: no file {pattern}", hint="is this the right revision of the data set?")
    return [row for file in files for row in parquet.read_table(file).to_pylist()]
