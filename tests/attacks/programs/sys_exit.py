# WHAT: raises SystemExit(0) inside the call
# CLASS: verdict
# EXPECT: error
import sys


def add(a, b):
    sys.exit(0)
