"""What holds for every test: one thread, no hub, property tests that never vary, and who shares a process."""

from __future__ import annotations

import os
from typing import Any

# Before torch and transformers are imported anywhere.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
from hypothesis import settings

settings.register_profile("xpflow", derandomize=True, deadline=None)
settings.load_profile("xpflow")

# `make test` runs in two processes. A file is run by one of them, and so are all the files of a line below:
# they share a study that takes a minute to run, or search the whole machine for what an attack left behind.
TOGETHER = (
    ("tests/workflow/test_audit.py", "tests/workflow/test_smoke.py"),
    ("tests/workflow/test_kill.py", "tests/workflow/test_cache.py", "tests/workflow/test_freshness.py"),
    ("tests/attacks/test_attacks.py", "tests/attacks/test_endurance.py"),
)
FIRST = {file: files[0] for files in TOGETHER for file in files}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is long unless it is asked for; put the slow files first.

    So no process is left alone with a slow file at the end.
    """
    if not os.environ.get("XPFLOW_TEST_LONG"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="set XPFLOW_TEST_LONG=1: a minute or more"))
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Return a scheduler that hands out whole files, in the order above."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::", 1)[0]
            return FIRST.get(file, file)

    config.option.loadscopereorder = False
    return ByFile(config, log)
