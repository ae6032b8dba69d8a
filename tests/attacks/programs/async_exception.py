# WHAT: a timer raises SystemExit(0) again and again, wherever its process happens to be; right answer
# CLASS: verdict
# EXPECT: passed error timeout
import signal


def leave(number, frame):
    raise SystemExit(0)


def add(a, b):
    signal.signal(signal.SIGALRM, leave)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    return a + b
