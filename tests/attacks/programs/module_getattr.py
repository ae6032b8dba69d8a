# WHAT: defines no function, but a module that makes one when asked for a name
# CLASS: verdict
# EXPECT: error passed
def __getattr__(name):
    return lambda a, b: a + b
