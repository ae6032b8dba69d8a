# WHAT: raises exceptions nested in groups 5000 deep, each the cause of itself
# CLASS: resource
# EXPECT: error memory
def add(a, b):
    error = ValueError("passed")
    for _ in range(5000):
        error = ExceptionGroup("passed", [error])
        error.__cause__ = error.__context__ = error
    raise error
