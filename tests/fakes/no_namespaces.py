"""`no_namespaces.py COMMAND ...` runs a command that is refused user namespaces, as Docker refuses them.

A seccomp filter of x86-64: unshare, and clone with CLONE_NEWUSER, end in EPERM. Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

SET_NO_NEW_PRIVS, SET_SECCOMP, FILTER = 38, 22, 2
LOAD, EQUAL, BITS, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x00050001, 0x00050026
CLONE, UNSHARE, CLONE3, NEW_USER = 56, 272, 435, 0x10000000
NUMBER, FIRST_ARGUMENT = 0, 16  # offsets in seccomp_data
PROGRAM = (  # (code, jump if true, jump if false, value)
    (LOAD, 0, 0, NUMBER),
    (EQUAL, 0, 1, UNSHARE),
    (RETURN, 0, 0, EPERM),
    (EQUAL, 0, 1, CLONE3),
    (RETURN, 0, 0, ENOSYS),  # then clone is tried
    (EQUAL, 0, 3, CLONE),
    (LOAD, 0, 0, FIRST_ARGUMENT),
    (BITS, 0, 1, NEW_USER),
    (RETURN, 0, 0, EPERM),
    (RETURN, 0, 0, ALLOW),
)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def refuse() -> None:
    """Refuse user namespaces to this process and all that it starts."""
    code = b"".join(struct.pack("HBBI", *line) for line in PROGRAM)
    buffer = ctypes.create_string_buffer(code)
    program = _Program(len(PROGRAM), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        SET_SECCOMP, FILTER, ctypes.byref(program), 0, 0
    ):
        raise OSError(ctypes.get_errno(), "no filter of system calls")


if __name__ == "__main__":
    refuse()
    os.execvp(sys.argv[1], sys.argv[1:])
