"""The container of the rules: which image, whether it fits the checkout, and what its jobs are told.

Without --use-singularity the image is only named. With it, the file must be there, and its sources must be
those of the checkout: the plan is made by the checkout, the work is done in the image. Apptainer takes its
options from variables too; ours are defaults, so that the flag alone gives a container without network and
without a home folder.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path

from xpflow.artifacts.environment import CONTAINER, SHARED_CACHE
from xpflow.artifacts.io import remembered_sha256
from xpflow.artifacts.places import at_home
from xpflow.errors import ArtifactError, ConfigError
from xpflow.images.lock import LOCK, STORED, LocalImage, read_local, read_lock, source_digest

SOURCE_VARIABLE = "XPFLOW_IMAGE_SOURCE"
BUILD_HINT = (
    "build it with `make image` (that is `xpflow image build`; docs/containers.md), or run without"
    " --use-singularity"
)
# A contained /dev lacks `full`, without which bubblewrap makes no /dev of its own inside.
DEVICES = ("/dev/full",)
ISOLATED = {"CONTAINALL": "true", "NET": "true", "NETWORK": "none"}


def choose_container(
    root: str | Path,
    *,
    used: bool,
    binds: Iterable[str] = (),
    hub: bool = False,
    environment: MutableMapping[str, str] = os.environ,
) -> str:
    """Return the image of all rules, as Snakemake's `container:` takes it.

    Args:
        root: the repository.
        used: whether the rules run in it; then it is checked, and `environment` is prepared for its jobs.
        binds: paths that the jobs read, wherever they are.
        hub: whether the jobs read the model hub's local cache, which the rule `fetch` fills outside.

    Raises:
        ConfigError: it is used, and is not there or has other sources than the checkout.
    """
    root = Path(root)
    lock, local = read_lock(root).image, read_local(root)
    reference = local.reference if local else lock.reference
    digest = local.digest if local else lock.digest
    remote = "://" in reference
    if used and reference.startswith(STORED):
        raise ConfigError(
            f"the image {reference} has no file that Apptainer could run",
            hint="install Apptainer, and `make image` again: it converts what is built already",
        )
    if used:
        if digest is None and remote:
            raise ConfigError(
                f"the image {reference} has no digest in {LOCK}: what it names may change",
                hint="pin it with the digest of its manifest, or build one with `make image`",
            )
        if not remote:
            _check_file(root / reference, local)
        sources = _check_source(root, local, environment) if local else ""
        caches = [*(_hub_cache(environment) if hub else []), *_shared_cache(environment)]
        places = [_bindable(os.path.abspath(path)) for path in (*binds, *caches)]
        _prepare(environment, f"{digest}{sources}", root, [*DEVICES, *places])
    if remote:
        return f"{reference}@{digest}" if digest else reference
    path = os.path.relpath(root / reference)
    if used and shlex.quote(path) != path:
        raise ConfigError(
            f"the image's path {path!r} means something to a shell, and Snakemake does not quote it",
            hint="start from the repository, and let its image be containers/xpflow.sif",
        )
    return path


def digest_inside(*, used: bool, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the digest that jobs will find as their container's (`environment_facts`); None outside of any.

    used: whether Snakemake runs them in the image that `choose_container` chose; else they run where we do.
    """
    return environment.get(f"{_prefix()}ENV_{CONTAINER}" if used else CONTAINER) or None


def _check_file(path: Path, local: LocalImage | None) -> None:
    if local is None:
        raise ConfigError(f"there is no container image {path}", hint=BUILD_HINT)
    if not path.exists():
        raise ConfigError(
            f"there is no container image {path}; containers/images.local.yaml says {local.engine} built it",
            hint=BUILD_HINT,
        )
    if not path.is_file():
        return  # an unpacked image: a folder has no digest that could be compared
    same_size = local.size == path.stat().st_size
    if not same_size or f"sha256:{remembered_sha256(path)}" != local.digest:
        raise ConfigError(
            f"{path} is not the image that containers/images.local.yaml describes: its "
            f"{'content' if same_size else 'size'} differs",
            hint="copy both files together, or build the image again with `make image`",
        )


def _check_source(root: Path, local: LocalImage, environment: MutableMapping[str, str]) -> str:
    """Return what to add to the digest: nothing when the image has the sources of the checkout."""
    if environment.get(SOURCE_VARIABLE) == "checkout":
        return " with the sources of the checkout in place of its own"
    if local.source != source_digest(root):
        raise ConfigError(
            "the container image was built from another src/xpflow, other locks or another install.sh",
            hint=f"build it again with `make image`; while developing, {SOURCE_VARIABLE}=checkout runs the"
            " sources of the checkout in it, and the tables say so",
        )
    return ""


def _hub_cache(environment: MutableMapping[str, str]) -> list[str]:
    """Return the folder that huggingface_hub uses, made if need be, and tell the jobs of it."""
    generic = environment.get("XDG_CACHE_HOME", "~/.cache")
    home = environment.get("HF_HOME", f"{generic}/huggingface")
    folder = at_home(environment.get("HF_HUB_CACHE", f"{home}/hub")).absolute()
    _make(folder, "the model hub's cache", "HF_HOME")  # else there is nothing to bind until `fetch` has run
    environment[f"{_prefix()}ENV_HF_HUB_CACHE"] = str(folder)
    return [str(folder)]


def _shared_cache(environment: MutableMapping[str, str]) -> list[str]:
    """Return the folder of the shared cache of checkpoints, made if need be, and tell the jobs of it."""
    if not (named := environment.get(SHARED_CACHE)):
        return []
    folder = at_home(named).absolute()
    _make(folder, "the shared cache", SHARED_CACHE)
    environment[f"{_prefix()}ENV_{SHARED_CACHE}"] = str(folder)
    return [str(folder)]


def _make(folder: Path, what: str, variable: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArtifactError(
            f"{what} cannot be made: {folder}: {error.strerror}",
            hint=f"put it elsewhere with {variable}: a folder that you may write to",
        ) from error


def _bindable(place: str) -> str:
    """Return a path that can stand in Apptainer's list of them; raises ConfigError for another."""
    if "," in place or ":" in place:
        raise ConfigError(
            f"{place!r} cannot be shown to the image: Apptainer parts its lists at commas and colons",
            hint="give the folder another name, or name a link to it that has neither",
        )
    return place


def _prefix() -> str:
    """Return what the names of the variables begin with: SingularityCE reads others than Apptainer."""
    return "SINGULARITY" if not shutil.which("apptainer") and shutil.which("singularity") else "APPTAINER"


def _prepare(environment: MutableMapping[str, str], digest: str, root: Path, binds: list[str]) -> None:
    """Set what Apptainer reads; what is set already stays."""
    prefix = _prefix()
    environment[f"{prefix}ENV_{CONTAINER}"] = digest
    if environment.get(SOURCE_VARIABLE) == "checkout":
        source = _bindable(str((root / "src").resolve()))
        environment[f"{prefix}ENV_PYTHONPATH"] = source
        binds = [*binds, f"{source}:{source}:ro"]
    for name, value in ISOLATED.items():
        environment.setdefault(f"{prefix}_{name}", value)
    if shutil.which("nvidia-smi"):
        environment.setdefault(f"{prefix}_NV", "true")
    wanted = [*filter(None, environment.get(f"{prefix}_BIND", "").split(",")), *binds]
    environment[f"{prefix}_BIND"] = ",".join(dict.fromkeys(wanted))
