"""lm_eval's own command line, with our model registered.

lm_eval has a registry of models and no way for other packages to be found (0.4.13): whoever has a model of
their own imports it and then calls its command line, as LLaDA's eval_llada.py does. So does this.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

from xpflow.errors import ConfigError

EXTRA = "pip install 'xpflow[lm-eval]'"


def require_lm_eval() -> None:
    """Raise ConfigError where lm_eval is not installed."""
    if find_spec("lm_eval") is None:
        raise ConfigError("lm-evaluation-harness is not installed", hint=EXTRA)


def run(arguments: Sequence[str]) -> int:
    """Run lm_eval's command line with arguments as it takes them; returns 0, or exits as it does."""
    require_lm_eval()
    from lm_eval.__main__ import cli_evaluate

    import xpflow.harness.lm  # noqa: F401  registers the model

    before, sys.argv = sys.argv, ["lm_eval", *arguments]
    try:
        cli_evaluate()
    finally:
        sys.argv = before
    return 0
