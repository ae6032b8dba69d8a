# WHAT: defines the function under a name of full-width letters, which Python takes for the same; right
# CLASS: verdict
# EXPECT: passed
def ａｄｄ(a, b):
    return a + b
