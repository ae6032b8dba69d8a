# WHAT: raises MemoryError without having used any
# CLASS: verdict
# EXPECT: memory error
def add(a, b):
    raise MemoryError
