# WHAT: puts itself before the import system and throws the loaded modules away
# CLASS: verdict
# EXPECT: wrong error timeout
import sys


class Finder:
    def find_spec(self, name, path=None, target=None):
        raise SystemExit(0)


sys.meta_path.insert(0, Finder())
sys.path_hooks.clear()
for name in list(sys.modules):
    if name not in ("sys", "builtins", "__main__"):
        del sys.modules[name]


def add(a, b):
    return None
