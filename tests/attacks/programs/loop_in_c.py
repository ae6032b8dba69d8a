# WHAT: one C call that never ends, so that no Python signal handler could run
# CLASS: resource
# EXPECT: timeout
def add(a, b):
    return max(iter(int, 1))
