# WHAT: replaces compile, exec and eval so that what is run from now on is nothing
# CLASS: verdict
# EXPECT: wrong error
import builtins

honest = compile
builtins.compile = lambda *_, **__: honest("", "<nothing>", "exec")
builtins.exec = builtins.eval = lambda *_, **__: None


def add(a, b):
    return None
