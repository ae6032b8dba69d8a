"""A made-up study on disk, shared by the tests of the reports."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _load(name: str) -> ModuleType:
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"reporting_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def synthetic() -> ModuleType:
    """The module that makes plans and result files."""
    return _load("synthetic")


@pytest.fixture(scope="session")
def study(synthetic: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """A plan and its folder of results; do not write into it."""
    folder = tmp_path_factory.mktemp("results")
    plan = synthetic.plan()
    synthetic.write_results(folder, plan.rows)
    return plan, folder
