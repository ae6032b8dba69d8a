# WHAT: returns a lock that it holds
# CLASS: verdict
# EXPECT: wrong error
import threading


def add(a, b):
    lock = threading.Lock()
    lock.acquire()
    return lock
