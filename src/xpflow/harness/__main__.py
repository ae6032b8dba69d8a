"""`python -m xpflow.harness`: the same as `xpflow lm-eval`."""

import sys

from xpflow.errors import XpflowError
from xpflow.harness.run import run

try:
    sys.exit(run(sys.argv[1:]))
except XpflowError as error:
    sys.exit(f"error: {error}")
