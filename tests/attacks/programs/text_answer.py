# WHAT: answers with the text of the right number
# CLASS: verdict
# EXPECT: wrong
def add(a, b):
    return str(a + b)
