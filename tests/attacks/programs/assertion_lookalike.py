# WHAT: raises an exception that is called AssertionError but is another class
# CLASS: verdict
# EXPECT: wrong error
Lookalike = type("AssertionError", (Exception,), {"__module__": "builtins"})


def add(a, b):
    raise Lookalike("passed")
