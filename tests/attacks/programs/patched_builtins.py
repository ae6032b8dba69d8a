# WHAT: replaces the builtins by which a grader inspects an answer
# CLASS: verdict
# EXPECT: wrong error timeout
import builtins

answer = object()
honest_type = type
builtins.type = lambda *parts: int if parts[0] is answer else honest_type(*parts)
builtins.isinstance = builtins.issubclass = builtins.all = builtins.callable = lambda *_: True
builtins.any = lambda *_: False
builtins.repr = builtins.str = builtins.format = lambda *_: "3"
builtins.sorted = builtins.list = lambda *_: []
builtins.len = lambda _: 0
builtins.print = lambda *_, **__: None


def add(a, b):
    return answer
