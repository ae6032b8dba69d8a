# WHAT: raises an exception with a text of 30 MB
# CLASS: resource
# EXPECT: error memory
class Huge(Exception):
    def __str__(self):
        return "\n" * 30_000_000


def add(a, b):
    raise Huge
