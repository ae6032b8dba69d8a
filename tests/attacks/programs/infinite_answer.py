# WHAT: answers infinity, which JSON has no word for
# CLASS: verdict
# PROBLEM: float
# EXPECT: wrong
def add(a, b):
    return float("inf")
