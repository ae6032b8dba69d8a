# WHAT: returns a time whose zone ends the process with status 0 when asked for its offset
# CLASS: verdict
# EXPECT: wrong error
import datetime
import os


class Nowhere(datetime.tzinfo):
    def utcoffset(self, moment):
        os._exit(0)


def add(a, b):
    return datetime.datetime(2000, 1, 1, tzinfo=Nowhere())
