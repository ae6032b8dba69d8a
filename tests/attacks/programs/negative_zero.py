# WHAT: answers -0.0 where 0 is asked for, which Python holds to be equal
# CLASS: verdict
# EXPECT: passed
def add(a, b):
    return (a + b) or -0.0
