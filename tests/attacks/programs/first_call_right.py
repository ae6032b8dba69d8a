# WHAT: answers the first call rightly and no other
# CLASS: verdict
# EXPECT: wrong
calls = 0


def add(a, b):
    global calls
    calls += 1
    return a + b if calls == 1 else None
