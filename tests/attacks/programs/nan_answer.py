# WHAT: answers not-a-number, for graders that test for a difference
# CLASS: verdict
# EXPECT: wrong
def add(a, b):
    return float("nan")
