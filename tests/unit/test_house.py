"""The house agrees with itself: pyproject.toml, the lock files, environment.yml, Makefile, licence."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import xpflow

ROOT = Path(__file__).parents[2]
TORCH = "2.13.0"
LOCKS = tuple(f"requirements{kind}.lock" for kind in ("", "-slurm", "-dev", "-lm-eval"))


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(text("pyproject.toml"))
    return found


def direct(extra: str | None = None) -> dict[str, Requirement]:
    table = project()["project"]
    lines = table["optional-dependencies"][extra] if extra else table["dependencies"]
    return {canonicalize_name(r.name): r for r in map(Requirement, lines)}


def locked(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9][a-z0-9.-]*)==(\S+)", text(name), flags=re.MULTILINE))


def environment() -> dict[str, str]:
    [pip] = [d["pip"] for d in yaml.safe_load(text("environment.yml"))["dependencies"] if isinstance(d, dict)]
    pins = [Requirement(line) for line in pip]
    assert all(str(pin.specifier).startswith("==") for pin in pins), "environment.yml holds exact pins"
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}


def test_environment_has_exactly_the_direct_dependencies() -> None:
    assert set(environment()) == set(direct()) | set(direct("slurm")) | set(direct("dev"))


def test_environment_and_lock_have_the_same_pins() -> None:
    pins = locked("requirements-dev.lock")
    assert {name: pins.get(name, TORCH) for name in environment()} == environment()


def test_every_pin_lies_in_the_range_of_pyproject() -> None:
    pins = {**locked("requirements-dev.lock"), "torch": TORCH}
    for name, requirement in {**direct(), **direct("slurm"), **direct("dev")}.items():
        assert requirement.specifier.contains(pins[name]), f"{requirement} does not admit {pins[name]}"


def test_each_lock_only_adds_to_the_one_before() -> None:
    assert all(locked(a).items() <= locked(b).items() for a, b in pairwise(LOCKS[:3]))
    harness, before = locked(LOCKS[3]), locked(LOCKS[2])
    assert {name: pin for name, pin in harness.items() if before.get(name, pin) != pin} == {}
    assert "lm-eval" in harness
    assert not set(direct("dev")) & set(direct())


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_hashes_and_neither_torch_nor_places(name: str) -> None:
    lock = text(name)
    entries = re.split(r"\n(?=[a-z0-9])", lock.split("\n", 2)[2])
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not [pin for pin in locked(name) if pin == "torch" or pin.startswith(("nvidia", "cuda", "triton"))]
    assert not re.search(r"https?:|file:|--index|--extra-index|--find-links| @ |/", lock.replace("\\", ""))


def test_makefile_and_environment_have_the_same_torch_and_python() -> None:
    assert f"TORCH ?= torch=={TORCH}\n" in text("Makefile")
    assert environment()["torch"] == TORCH
    assert "python=3.11" in yaml.safe_load(text("environment.yml"))["dependencies"]
    assert project()["project"]["requires-python"].startswith(">=3.11")


def test_the_version_is_the_same_everywhere() -> None:
    assert yaml.safe_load(text("CITATION.cff"))["version"] == xpflow.__version__
    assert project()["project"]["license"] == yaml.safe_load(text("CITATION.cff"))["license"] == "Apache-2.0"
    assert "Apache License" in text("LICENSE")
    newest = re.findall(r"^## \[(\S+)\] - (\S+)$", text("CHANGELOG.md"), flags=re.MULTILINE)[0]
    assert newest == (Version(xpflow.__version__).base_version, newest[1])
    assert Version(xpflow.__version__).is_devrelease == (newest[1] == "unreleased")


def test_every_make_target_is_phony_and_explained() -> None:
    makefile = text("Makefile")
    targets = set(re.findall(r"^([a-z]+):.*## \S", makefile, flags=re.MULTILINE))
    assert {"reproduce", "test", "lint", "bench"} <= targets
    [phony] = re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    assert set(phony.split()) == targets


def test_hooks_are_local_and_use_the_locked_tools() -> None:
    hooks = yaml.safe_load(text(".pre-commit-config.yaml"))
    assert [repo["repo"] for repo in hooks["repos"]] == ["local"]
    assert all(hook["entry"].startswith(".venv/bin/") for hook in hooks["repos"][0]["hooks"])
