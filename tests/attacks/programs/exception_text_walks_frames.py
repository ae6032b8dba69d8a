# WHAT: raises an exception whose text, when asked for, writes the verdict into the frames of the asker
# CLASS: verdict
# EXPECT: error
import sys


class Writer(Exception):
    def __str__(self):
        frame = sys._getframe()
        while frame := frame.f_back:
            for value in list(frame.f_locals.values()):
                if hasattr(value, "append"):
                    value.append("passed")
                elif type(value) is dict and "verdict" in value:
                    value["verdict"] = "passed"
        return "passed"


def add(a, b):
    raise Writer
