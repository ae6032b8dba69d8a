# WHAT: blocks every signal, takes back every timer and catches every exception, for ever
# CLASS: resource
# EXPECT: timeout
import contextlib
import faulthandler
import signal


def add(a, b):
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    faulthandler.cancel_dump_traceback_later()
    while True:
        with contextlib.suppress(BaseException):
            while True:
                signal.alarm(0)
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
                signal.setitimer(signal.ITIMER_PROF, 0)
