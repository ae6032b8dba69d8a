# WHAT: raises a builtin exception that cannot be made again from its text
# CLASS: verdict
# EXPECT: error
def add(a, b):
    raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "passed")
