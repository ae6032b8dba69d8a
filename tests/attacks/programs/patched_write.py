# WHAT: patches os.write so that a failure goes out as a pass
# CLASS: verdict
# EXPECT: wrong error
import os

honest = os.write


def write(descriptor, data):
    for word in (b'"wrong"', b'"error"', b"null"):
        data = bytes(data).replace(word, b'"passed"')
    return honest(descriptor, data)


os.write = write


def add(a, b):
    return None
