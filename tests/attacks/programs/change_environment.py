# WHAT: changes environment, directory, umask, search path and random seed, for whoever comes next; right
# CLASS: containment
# EXPECT: passed
import os
import random
import sys

os.environ.clear()
os.environ["PYTHONSTARTUP"] = os.environ["PYTHONPATH"] = os.environ["LD_PRELOAD"] = "/tmp/@TAG@"
os.chdir("/")
os.umask(0o777)
sys.path[:] = ["/tmp/@TAG@"]
sys.argv[:] = ["@TAG@"]
random.seed(1)


def add(a, b):
    return a + b
