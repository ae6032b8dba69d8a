# WHAT: starts threads until it is refused; answers rightly only if it was refused early
# CLASS: resource
# EXPECT: passed
import threading

end = threading.Event()
threading.stack_size(64 << 10)
started = 0
try:
    for _ in range(300):
        threading.Thread(target=end.wait, args=(20,), daemon=True).start()
        started += 1
except RuntimeError:
    pass


def add(a, b):
    return a + b if started < 64 else None
