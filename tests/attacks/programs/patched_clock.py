# WHAT: stops every clock that Python code could read, then never ends
# CLASS: resource
# EXPECT: timeout
import resource
import time

for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time", "clock_gettime"):
    setattr(time, name, lambda *_: 0.0)
resource.getrusage = lambda _: resource.struct_rusage([0] * 16)


def add(a, b):
    while True:
        pass
