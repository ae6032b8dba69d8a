"""Building the project's image: one command line for each engine, then the record of what came out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpflow import __version__
from xpflow.artifacts.io import sha256_file
from xpflow.errors import ConfigError, XpflowError
from xpflow.images.lock import SIF, STORED, LocalImage, read_lock, source_digest, write_local

ENGINES = ("apptainer", "docker", "podman")
PROBE_S = 20.0
TAG = f"xpflow:{__version__}"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"


@dataclass(frozen=True, slots=True)
class Build:
    """What to build: the engine, the base (a name of the lock, or any reference or path), build arguments."""

    engine: str
    base: str
    arguments: dict[str, str]

    def command(self, extra: Sequence[str] = ()) -> list[str]:
        """Return the command line, to be run in the repository; `extra` goes before what is built."""
        pairs = [word for item in self.arguments.items() for word in ("--build-arg", "=".join(item))]
        if self.engine == "apptainer":
            return ["apptainer", "build", "--force", *pairs, *extra, str(SIF), "containers/xpflow.def"]
        return [self.engine, "build", "--file", "containers/Dockerfile", "--tag", TAG, *pairs, *extra, "."]


def find_engine() -> str:
    """Return the first engine that answers; an Apptainer image is what Snakemake takes, so it is first."""
    for name in ENGINES:
        probe = [name, "info"] if name != "apptainer" else [name, "--version"]
        if shutil.which(name) and _succeeds(probe):
            return name
    raise ConfigError(
        "no container engine answers here: looked for " + ", ".join(ENGINES),
        hint="install one of them, or copy an image built elsewhere (docs/containers.md)",
    )


def plan_build(root: Path, engine: str, base: str, torch_index: str | None = None) -> Build:
    """Return the build of a named base, or of any other: a reference, a .sif file or an unpacked folder.

    An unnamed base is taken to lack torch, like `cpu`.
    """
    bases = read_lock(root).bases
    path = Path(base)
    named = bases.get(base)
    torch_lock = named.torch_lock if named else bases["cpu"].torch_lock
    arguments = {"BASE": named.pinned if named else str(path.resolve()) if path.exists() else base}
    if engine == "apptainer":
        arguments = {"BOOTSTRAP": "localimage" if not named and path.exists() else "docker", **arguments}
    if torch_lock:
        index = TORCH_INDEX if torch_index is None else torch_index
        arguments |= {"TORCH_LOCK": torch_lock, "TORCH_INDEX": index}
    return Build(engine, base, arguments)


def run_build(root: Path, build: Build, extra: Sequence[str] = ()) -> LocalImage:
    """Build the image, turn it into a SIF file where Apptainer is there, and write its record."""
    source = source_digest(root)
    _run(build.command(extra), root)
    if build.engine != "apptainer" and shutil.which("apptainer"):
        _convert(root, build.engine)
    record = _file(root) if (root / SIF).exists() and shutil.which("apptainer") else _stored(build.engine)
    image = LocalImage(**record, source=source, base=build.base, engine=version_of(build.engine))
    write_local(root, image)
    return image


def _file(root: Path) -> dict[str, Any]:
    made = root / SIF
    return {"reference": str(SIF), "digest": f"sha256:{sha256_file(made)}", "size": made.stat().st_size}


def _stored(engine: str) -> dict[str, Any]:
    return {"reference": f"{STORED}{TAG}", "digest": image_id(engine)}


def _convert(root: Path, engine: str) -> None:
    archive = root / "containers" / "xpflow.tar"
    kind = ["--format", "docker-archive"] if engine == "podman" else []
    try:
        _run([engine, "save", *kind, "--output", str(archive), TAG], root)
        _run(["apptainer", "build", "--force", str(SIF), f"docker-archive:{archive}"], root)
    finally:
        archive.unlink(missing_ok=True)


def image_id(engine: str) -> str:
    """Return the id of the engine's image: the digest of its configuration."""
    done = _output([engine, "image", "inspect", TAG])
    found = str(json.loads(done)[0]["Id"])
    return found if found.startswith("sha256:") else f"sha256:{found}"


def version_of(engine: str) -> str:
    """Return the engine's own words for its version."""
    return _output([engine, "--version"]).strip()


def _output(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8", errors="replace").stdout


def _succeeds(command: list[str]) -> bool:
    try:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=PROBE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _run(command: list[str], root: Path) -> None:
    print("+", *command, flush=True)
    done = subprocess.run(command, cwd=root, env=os.environ, check=False)
    if done.returncode != 0:
        raise XpflowError(f"{command[0]} ended with status {done.returncode}", hint="its messages are above")
