"""Dockerfile, xpflow.def, the locks and images.lock.yaml say the same."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from xpflow.images import read_lock

ROOT = Path(__file__).parents[3]
CONTAINERS = ROOT / "containers"
DOCKERFILE = (CONTAINERS / "Dockerfile").read_text(encoding="utf-8")
DEFINITION = (CONTAINERS / "xpflow.def").read_text(encoding="utf-8")
INSTALL = (CONTAINERS / "install.sh").read_text(encoding="utf-8")
PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)==([^\s\\]+)", re.MULTILINE)


def copied_by_docker() -> set[tuple[str, str]]:
    found = set()
    for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE):
        *sources, folder = line.split()
        found |= {(name, folder.rstrip("/")) for name in sources}
    return {
        (name, target if target.endswith(f"/{Path(name).name}") else f"{target}/{Path(name).name}")
        for name, target in found
    }


def section(name: str) -> str:
    return DEFINITION.split(f"%{name}\n", 1)[1].split("\n%", 1)[0]


def settings(text: str) -> dict[str, str]:
    return dict(re.findall(r"(?:^|\s)([A-Z_]+)=(\S*)", text))


def test_both_recipes_put_the_same_files_in_the_same_places() -> None:
    defined = {tuple(line.split()) for line in section("files").splitlines() if line.strip()}
    assert copied_by_docker() == defined
    assert all((ROOT / name).exists() for name, _ in defined)


def test_both_recipes_run_the_same_script_with_the_same_arguments_and_defaults() -> None:
    assert re.findall(r"^RUN (.+)$", DOCKERFILE, re.MULTILINE) == ["sh /opt/xpflow/build/install.sh"]
    [line] = section("post").strip().splitlines()
    assert line.endswith(" sh /opt/xpflow/build/install.sh")
    arguments = dict(re.findall(r"^ARG (\w+)=(.*)$", DOCKERFILE, re.MULTILINE))
    assert set(re.findall(r"(\w+)='\{\{ \w+ \}\}'", line)) == set(arguments)
    defined = dict(re.findall(r"^\s+(\w+)=(.*)$", section("arguments"), re.MULTILINE))
    assert defined == {"BOOTSTRAP": "docker", **arguments}


def test_both_recipes_set_the_same_environment() -> None:
    words = DOCKERFILE.split("\nENV ", 1)[1].split("\nWORKDIR", 1)[0]
    assert settings(words) == settings(section("environment"))
    assert settings(words)["HF_HUB_OFFLINE"] == "1"


def test_the_default_base_is_the_one_of_the_lock_by_digest() -> None:
    pinned = read_lock(ROOT).bases["cuda"].pinned
    assert f"ARG BASE={pinned}\n" in DOCKERFILE
    assert f"    BASE={pinned}\n" in DEFINITION
    assert re.fullmatch(r"[a-z./]+@sha256:[0-9a-f]{64}", pinned)


def test_torch_is_the_one_of_make_and_fits_the_base() -> None:
    lock = read_lock(ROOT)
    assert f"TORCH ?= torch=={lock.torch}\n" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert lock.bases["cuda"].tag.startswith(f"{lock.torch}-")
    assert dict(PIN.findall((CONTAINERS / "torch-cpu.lock").read_text()))["torch"] == f"{lock.torch}+cpu"


def test_the_interpreters_of_the_bases_are_those_that_the_package_takes() -> None:
    from packaging.specifiers import SpecifierSet

    [wanted] = re.findall(r'requires-python = "([^"]+)"', (ROOT / "pyproject.toml").read_text())
    assert all(SpecifierSet(wanted).contains(f"{base.python}.0") for base in read_lock(ROOT).bases.values())


@pytest.mark.parametrize("name", ["containers/torch-cpu.lock", "containers/build.lock", "requirements.lock"])
def test_every_python_package_is_installed_by_hash_and_no_lock_names_it_twice(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z0-9])", text[PIN.search(text).start() :])  # type: ignore[union-attr]
    assert all("--hash=sha256:" in entry for entry in entries)
    others = {"containers/torch-cpu.lock", "containers/build.lock", "requirements.lock"} - {name}
    twice = [set(dict(PIN.findall(text))) & set(dict(PIN.findall((ROOT / o).read_text()))) for o in others]
    assert not any(twice)
    installs = [line for line in INSTALL.splitlines() if line.strip().startswith("install ")]
    assert len(installs) == 4
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)


def test_install_is_a_plain_shell_script() -> None:
    assert subprocess.run(["sh", "-n", str(CONTAINERS / "install.sh")], check=False).returncode == 0
    assert INSTALL.startswith("#!/bin/sh\n")


def test_the_locks_together_have_all_that_torch_needs() -> None:
    from importlib.metadata import requires

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    names = [CONTAINERS / "torch-cpu.lock", CONTAINERS / "build.lock", ROOT / "requirements.lock"]
    locked = {name: pin for path in names for name, pin in PIN.findall(path.read_text(encoding="utf-8"))}
    for requirement in map(Requirement, requires("torch") or []):
        here = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if here and not requirement.name.startswith(("nvidia-", "cuda-", "triton")):  # of the CUDA build
            assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), requirement
