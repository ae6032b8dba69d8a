# WHAT: leaves a key in its user's keyring; answers rightly only if no earlier run's is there
# CLASS: containment
# EXPECT: passed
import ctypes

ADD_KEY, KEYCTL, SEARCH, SET_TIMEOUT, USER_KEYRING = 248, 250, 10, 15, -4
libc = ctypes.CDLL(None)
found = libc.syscall(KEYCTL, SEARCH, USER_KEYRING, b"user", b"@TAG@", 0) >= 0
key = libc.syscall(ADD_KEY, b"user", b"@TAG@", b"left", 4, USER_KEYRING)
if key >= 0:
    libc.syscall(KEYCTL, SET_TIMEOUT, key, 20)


def add(a, b):
    return None if found else a + b
