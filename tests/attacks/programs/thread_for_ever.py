# WHAT: starts a thread that keeps the process alive; the answer is right
# CLASS: resource
# EXPECT: passed
import threading
import time

threading.Thread(target=time.sleep, args=(3600,)).start()


def add(a, b):
    return a + b
