# WHAT: answers False where 0 is asked for, which Python holds to be equal
# CLASS: verdict
# EXPECT: passed
def add(a, b):
    return a + b if a + b else False
