# WHAT: hangs in its exit handlers and finalisers when the process should end; the answer is right
# CLASS: resource
# EXPECT: passed
import atexit
import time


class Slow:
    def __del__(self):
        time.sleep(3600)


kept = Slow()
atexit.register(time.sleep, 3600)


def add(a, b):
    return a + b
