"""A list of checks: ticks, crosses with their cures, and what comes after a cross."""

from __future__ import annotations

import io

import pytest

from xpflow.display.checklist import Checklist
from xpflow.errors import ConfigError, SandboxUnavailable


def broken() -> str:
    raise SandboxUnavailable("no jail", hint="install bubblewrap")


def test_every_check_is_asked_and_what_fails_says_its_cure() -> None:
    stream = io.StringIO()
    listed = Checklist(stream)
    listed.ask("jail", broken)
    listed.ask("disk", lambda: "1 GB needed")
    listed.notes += ["look here", "look here"]
    with pytest.raises(ConfigError, match=r"s.yaml: 1 of 2 checks failed: jail"):
        listed.require("s.yaml")
    lines = stream.getvalue().splitlines()
    assert lines[0].split() == ["FAILED", "jail", "no", "jail"]
    assert lines[1].strip() == "what to do: install bubblewrap"
    assert lines[2].split() == ["ok", "disk", "1", "GB", "needed"]
    assert lines[3:] == ["s.yaml: note: look here"]


def test_a_fault_of_ours_is_no_failed_check() -> None:
    with pytest.raises(ZeroDivisionError):
        Checklist(io.StringIO()).ask("disk", lambda: str(1 / 0))
