# WHAT: installs a hook, which cannot be removed, that raises SystemExit at whatever happens next
# CLASS: verdict
# EXPECT: error
import sys


def hook(event, arguments):
    raise SystemExit(0)


def add(a, b):
    sys.addaudithook(hook)
    sys.audit("verdict", "passed")
