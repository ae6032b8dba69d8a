"""The container of the rules: which image, whether it fits the checkout, and what its jobs are told.

Without --use-singularity the image is only named. With it, the file must be there, and its sources must be
those of the checkout: the plan is made by the checkout, the work is done in the image. Apptainer takes its
options from variables too; ours are defaults, so that the flag alone gives a container without network or
home folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, MutableMapping
from pathlib import Path

from xpflow.errors import ConfigError
from xpflow.images.inside import DIGEST_VARIABLE
from xpflow.images.lock import DAEMON, SIF, LocalImage, read_local, read_lock
from xpflow.images.source import source_digest

SOURCE_VARIABLE = "XPFLOW_IMAGE_SOURCE"
BUILD_HINT = "build it with `make image` (docs/containers.md), or run without --use-singularity"
# A contained /dev lacks `full`, without which bubblewrap makes no /dev of its own inside.
DEVICES = ("/dev/full",)
ISOLATED = {"CONTAINALL": "true", "NET": "true", "NETWORK": "none"}


def choose_container(
    root: str | Path,
    *,
    used: bool,
    binds: Iterable[str] = (),
    environment: MutableMapping[str, str] = os.environ,
) -> str:
    """Return the image of all rules, as Snakemake's `container:` takes it.

    Args:
        root: the repository.
        used: whether the rules run in it; then it is checked, and `environment` is prepared for its jobs.
        binds: paths outside the working directory that the jobs read.

    Raises:
        ConfigError: it is used, and is not there or has other sources than the checkout.
    """
    root = Path(root)
    lock, local = read_lock(root).image, read_local(root)
    reference = local.reference if local else lock.reference
    digest = local.digest if local else lock.digest
    remote = "://" in reference
    if used and reference.startswith(DAEMON):
        raise ConfigError(
            f"the image is one of {local.engine if local else 'Docker'} only; the rules need a file",
            hint=f"where Apptainer is: apptainer build {SIF} {reference}, or `make image` there",
        )
    if used:
        if not remote:
            _check_file(root / reference, local)
        sources = _check_source(root, local, environment) if local else ""
        _prepare(environment, f"{digest}{sources}", root, [*DEVICES, *binds])
    if remote:
        return f"{reference}@{digest}" if digest else reference
    return os.path.relpath(root / reference)


def _check_file(path: Path, local: LocalImage | None) -> None:
    if local is None:
        raise ConfigError(f"there is no container image {path}", hint=BUILD_HINT)
    if not path.exists():
        raise ConfigError(
            f"there is no container image {path}; containers/images.local.yaml says {local.engine} built it",
            hint=BUILD_HINT,
        )
    if path.is_file() and local.size != path.stat().st_size:
        raise ConfigError(
            f"{path} is not the image that containers/images.local.yaml describes: its size differs",
            hint="copy both files together, or build the image again with `make image`",
        )


def _check_source(root: Path, local: LocalImage, environment: MutableMapping[str, str]) -> str:
    """Return what to add to the digest: nothing when the image has the sources of the checkout."""
    if environment.get(SOURCE_VARIABLE) == "checkout":
        return " with the sources of the checkout in place of its own"
    if local.source != source_digest(root / "src" / "xpflow"):
        raise ConfigError(
            "the container image was built from other sources than those in src/xpflow",
            hint=f"build it again with `make image`; while developing, {SOURCE_VARIABLE}=checkout runs the"
            " sources of the checkout in it, and the tables say so",
        )
    return ""


def _prepare(environment: MutableMapping[str, str], digest: str, root: Path, binds: list[str]) -> None:
    """Set what Apptainer (or Singularity, under its own prefix) reads; what is set already stays."""
    prefix = "SINGULARITY" if not shutil.which("apptainer") and shutil.which("singularity") else "APPTAINER"
    environment[f"{prefix}ENV_{DIGEST_VARIABLE}"] = digest
    if environment.get(SOURCE_VARIABLE) == "checkout":
        source = str((root / "src").resolve())
        environment[f"{prefix}ENV_PYTHONPATH"] = source
        binds = [*binds, f"{source}:{source}:ro"]
    for name, value in ISOLATED.items():
        environment.setdefault(f"{prefix}_{name}", value)
    if shutil.which("nvidia-smi"):
        environment.setdefault(f"{prefix}_NV", "true")
    wanted = [*filter(None, environment.get(f"{prefix}_BIND", "").split(",")), *binds]
    environment[f"{prefix}_BIND"] = ",".join(dict.fromkeys(wanted))
