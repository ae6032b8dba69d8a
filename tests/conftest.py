"""What holds for every test: one thread, no hub, and property tests that are the same in every run."""

from __future__ import annotations

import os

# Before torch and transformers are imported anywhere.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from hypothesis import settings

settings.register_profile("xpflow", derandomize=True, deadline=None)
settings.load_profile("xpflow")
