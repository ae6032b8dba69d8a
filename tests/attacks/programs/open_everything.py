# WHAT: opens files until it is refused and keeps them; the answer is right
# CLASS: resource
# EXPECT: passed error
kept = []
try:
    for _ in range(5000):
        kept.append(open("/dev/null"))  # noqa: SIM115
except OSError:
    pass


def add(a, b):
    return a + b
