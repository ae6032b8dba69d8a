# WHAT: raises what Ctrl-C raises, to end the grader instead of the program
# CLASS: verdict
# EXPECT: error
def add(a, b):
    raise KeyboardInterrupt
