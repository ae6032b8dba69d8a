"""Two checkouts with one shared cache: the second trains nothing, and shows and audits the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from xpflow.artifacts.manifest import ENDING, read_manifest
from xpflow.auditing.study_audit import audit_study

pytestmark = [pytest.mark.slow, pytest.mark.long]
ALIGNED = f"results/tiny/llada-micro/runs/paper/seed0/train{ENDING}"


def test_the_second_checkout_takes_what_the_first_one_trained(
    workflow_in: Callable[[str], Any], tiny_configs: dict[int, Path], tiny: Any
) -> None:
    second = replace(workflow_in("second"), cache=tiny.cache)
    done = second.run(config=tiny_configs[1])
    assert done.returncode == 0, done.stdout[-6000:]
    assert second.figures("tiny") == tiny.figures("tiny")
    made, taken = (read_manifest(one.folder / ALIGNED) for one in (tiny, second))
    assert "reused" not in made.facts
    assert taken.facts["reused"]["manifest"] == made.digest
    assert taken.files == made.files
    statuses = {one.status for one in audit_study(second.folder / "results/tiny", second.folder).findings}
    assert statuses <= {"good", "unpinned"}
    assert len(list(tiny.cache.glob("??/*/model.safetensors"))) == 1
