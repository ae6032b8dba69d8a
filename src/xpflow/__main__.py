"""`python -m xpflow`, the same as `xpflow`."""

import sys

from xpflow.cli import main

sys.exit(main())
