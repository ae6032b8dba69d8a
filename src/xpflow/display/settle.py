"""Waiting until a display has shown what it was told: the next line may come from another process."""

from __future__ import annotations

import time
from typing import Any

PATIENCE_S = 5.0


def settle(manager: Any) -> None:
    """Wait until Snakemake's logger manager has handed on all it was told; not longer than PATIENCE_S."""
    listener = manager.queue_listener
    end = time.monotonic() + PATIENCE_S
    while listener is not None and listener.queue.unfinished_tasks and time.monotonic() < end:
        time.sleep(0.02)
    for handler in manager.get_log_handlers():
        handler.flush()
