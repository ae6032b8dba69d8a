# WHAT: matches a pattern that takes longer than the universe will last
# CLASS: resource
# EXPECT: timeout
import re


def add(a, b):
    return re.match(r"(a+)+$", "a" * 80 + "b")
