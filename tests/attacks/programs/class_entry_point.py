# WHAT: answers rightly with a class that makes integers
# CLASS: verdict
# EXPECT: passed
class add(int):
    def __new__(cls, a, b):
        return int.__new__(cls, a + b)
