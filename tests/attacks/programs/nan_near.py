# WHAT: answers not-a-number, for graders that fail an answer only when it is too far away
# CLASS: verdict
# PROBLEM: float
# EXPECT: wrong
def add(a, b):
    return float("nan")
