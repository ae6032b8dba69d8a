"""The hub as the fetch sees it: what a repository holds, what is cached, and the download; typed errors."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Protocol

from xpflow.artifacts.places import at_home
from xpflow.errors import HubError
from xpflow.hub.repo import HubRepo


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a repository: size in bytes, and its SHA-256 where the hub keeps one (large files)."""

    name: str
    size: int
    sha256: str | None = None


class Hub(Protocol):
    """What a fetch needs of a hub."""

    def files(self, repo: HubRepo) -> list[RemoteFile]:
        """Return the files at the pinned revision that the repository's patterns choose."""

    def cached(self, repo: HubRepo, name: str) -> Path | None:
        """Return a file's place in the local cache, or None."""

    def free_bytes(self) -> int:
        """Return the free space where the cache lies."""

    def download(self, repo: HubRepo) -> Path:
        """Download what is not cached yet; return the folder."""


class HuggingFaceHub:
    """The Hugging Face hub, or the one that HF_ENDPOINT names; needs the network."""

    def files(self, repo: HubRepo) -> list[RemoteFile]:
        """Ask the hub; raises HubError for no access, a wrong revision or no network."""
        from huggingface_hub import HfApi

        with translated(repo):
            ask = HfApi().model_info if repo.kind == "model" else HfApi().dataset_info
            siblings = ask(repo.hub_id, revision=repo.revision, files_metadata=True).siblings or []
        chosen = [entry for entry in siblings if any(fnmatch(entry.rfilename, p) for p in repo.patterns)]
        return [
            RemoteFile(entry.rfilename, int(entry.size or 0), entry.lfs.sha256 if entry.lfs else None)
            for entry in chosen
        ]

    def cached(self, repo: HubRepo, name: str) -> Path | None:
        """Look into the cache of the pinned revision."""
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(repo.hub_id, name, revision=repo.revision, repo_type=repo.kind)
        return Path(found) if isinstance(found, str) else None

    def free_bytes(self) -> int:
        """Return the free space of the file system of HF_HUB_CACHE."""
        from huggingface_hub import constants

        folder = at_home(constants.HF_HUB_CACHE).absolute()
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free

    def download(self, repo: HubRepo) -> Path:
        """Download a snapshot; whole files that are cached already are not loaded again."""
        from huggingface_hub import snapshot_download

        with translated(repo):
            return Path(
                snapshot_download(
                    repo.hub_id,
                    repo_type=repo.kind,
                    revision=repo.revision,
                    allow_patterns=list(repo.patterns),
                )
            )


@contextmanager
def translated(repo: HubRepo) -> Iterator[None]:
    """Turn the hub client's errors into HubErrors that say what to do."""
    from huggingface_hub import errors

    try:
        yield
    except errors.RevisionNotFoundError as error:
        raise HubError(
            f"{repo.hub_id} has no revision {repo.revision}",
            hint="revisions are full commit hashes; the study or this package names one that does not exist",
        ) from error
    except errors.GatedRepoError as error:
        raise HubError(
            f"{repo.hub_id} is gated, and this account has no access to it",
            hint=f"accept its terms at https://huggingface.co/{repo.hub_id}, then log in:"
            " `hf auth login` (or set HF_TOKEN)",
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise HubError(
            f"{repo.hub_id} does not exist on the hub, or is private",
            hint="log in with an account that may read it: `hf auth login` (or set HF_TOKEN)",
        ) from error
    except errors.OfflineModeIsEnabled as error:
        raise HubError(
            f"{repo.hub_id} cannot be fetched: HF_HUB_OFFLINE is set",
            hint="fetching is the one step that needs the network: run it with HF_HUB_OFFLINE=0",
        ) from error
    except Exception as error:
        if not isinstance(error, OSError) and _library(error) not in _NETWORK:
            raise
        place = isinstance(error, OSError) and error.errno in _NO_PLACE
        raise HubError(
            f"{repo.hub_id} cannot be fetched: {type(error).__name__}: {error}",
            hint=_ELSEWHERE if place else _RETRY,
        ) from error


_NETWORK = ("httpx", "httpx2", "httpcore", "huggingface_hub")
_NO_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR)
_ELSEWHERE = "make room where the cache is, or put it elsewhere with HF_HOME: a folder that you may write to"
_RETRY = "is the hub reachable from here? start again: whole files that are cached are not loaded again"


def _library(error: Exception) -> str:
    return type(error).__module__.partition(".")[0]
