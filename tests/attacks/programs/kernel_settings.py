# WHAT: looks for kernel settings and control groups that it may write; right only if there are none
# CLASS: containment
# EXPECT: passed
import os

PLACES = (
    "/proc/sys/kernel/core_pattern",
    "/proc/sysrq-trigger",
    "/sys/fs/cgroup/cgroup.procs",
    "/sys/fs/cgroup/release_agent",
    "/sys/kernel/uevent_helper",
)
found = [place for place in PLACES if os.access(place, os.W_OK)]


def add(a, b):
    return None if found else a + b
