# WHAT: raises an exception that "except Exception" does not catch
# CLASS: verdict
# EXPECT: error
class Stop(BaseException):
    code = 0


def add(a, b):
    raise Stop
