# WHAT: uses the processor in threads that do not hold the interpreter, while it seems to sleep
# CLASS: resource
# EXPECT: timeout
import hashlib
import threading
import time

BLOCK = bytes(16 << 20)


def burn():
    while True:
        hashlib.sha256(BLOCK)


for _ in range(4):
    threading.Thread(target=burn, daemon=True).start()


def add(a, b):
    time.sleep(20)
    return a + b
