"""Manifests in these tests are of a committed source, whatever state the checkout is in."""

from __future__ import annotations

import pytest


@pytest.fixture
def source_state() -> dict[str, bool]:
    """The state that the checkout claims to be in; a test may change it."""
    return {"changed": False}


@pytest.fixture(autouse=True)
def committed(monkeypatch: pytest.MonkeyPatch, source_state: dict[str, bool]) -> None:
    def package_facts() -> dict[str, object]:
        return {"name": "xpflow", "version": "0", "git": {"commit": "0" * 40, **source_state}}

    for module in ("record", "audit"):
        monkeypatch.setattr(f"xpflow.artifacts.{module}.package_facts", package_facts)
