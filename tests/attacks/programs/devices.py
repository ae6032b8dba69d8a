# WHAT: looks for devices that lead to memory, disks, graphics and consoles; right only if there are none
# CLASS: containment
# EXPECT: passed
import glob

KINDS = ("mem", "kmsg", "[svx]d*", "nvme*", "loop*", "dm-*", "dri", "nvidia*", "kvm", "fuse", "input", "net")
found = [place for kind in KINDS for place in glob.glob(f"/dev/{kind}")]


def add(a, b):
    return None if found else a + b
