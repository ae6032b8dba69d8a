"""A system-call filter for jailed programs, as classic BPF bytes. Standard library only.

Refused with EPERM: new processes (threads stay allowed) and programs, tracing and other processes' memory,
mounts and namespaces, kernel interfaces with a history of holes (io_uring, bpf, keyctl, userfaultfd, perf),
memory that has no file (it counts for no limit), System V shared memory and queues, scheduling, limits of
other processes, and sockets other than Unix and Internet ones (a network namespace does not cover vsock). It
stands behind the namespaces and the limits, not instead of them.
Covers x86-64 and aarch64; elsewhere there is no filter.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _EQUAL, _ABOVE, _BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_CLONE_THREAD = 0x10000
_X32_BIT = 0x40000000
# Numbers of (x86-64, aarch64); None where the architecture has no such call.
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "setpriority": (141, 140),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
}
# machine: (column, audit number, clone, socket, prlimit64)
_MACHINES = {"x86_64": (0, 0xC000003E, 56, 41, 302), "aarch64": (1, 0xC00000B7, 220, 198, 261)}
_FAMILIES = (1, 2, 10)  # Unix, IPv4, IPv6
_CLONE3 = 435


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def build() -> bytes | None:
    """Return the filter for this machine, or None where there is none."""
    if platform.machine() not in _MACHINES:
        return None
    column, audit, clone, socket, prlimit = _MACHINES[platform.machine()]
    refuse = _ERRNO | errno.EPERM
    numbers = [pair[column] for pair in _REFUSED.values()]
    lines = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, audit), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    if column == 0:
        lines += [(_ABOVE, 0, 1, _X32_BIT), (_RETURN, 0, 0, refuse)]
    lines += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]  # libc falls back to clone
    for number in numbers:
        if number is not None:
            lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    first_argument = (_LOAD, 0, 0, 16)
    lines += [(_EQUAL, 0, 3, clone), first_argument, (_BITS, 1, 0, _CLONE_THREAD), (_RETURN, 0, 0, refuse)]
    lines += [(_LOAD, 0, 0, 0), (_EQUAL, 0, 3, prlimit), first_argument]  # its own limits only
    lines += [(_EQUAL, 1, 0, 0), (_RETURN, 0, 0, refuse)]
    lines += [(_LOAD, 0, 0, 0), (_EQUAL, 0, 2 + len(_FAMILIES), socket), first_argument]
    lines += [(_EQUAL, len(_FAMILIES) - place, 0, family) for place, family in enumerate(_FAMILIES)]
    lines += [(_RETURN, 0, 0, refuse)]
    lines += [(_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("<HBBI", *line) for line in lines)


class Filter:
    """The filter, laid out before the forks that put it on: each page that a fork need not touch is time."""

    def __init__(self, program: bytes, libc: ctypes.CDLL) -> None:
        self._buffer = ctypes.create_string_buffer(program, len(program))
        self._described = _Program(len(program) // 8, ctypes.addressof(self._buffer))
        numbers = [ctypes.c_ulong(number) for number in (1, 0)]
        self._forbid = (PR_SET_NO_NEW_PRIVS, numbers[0], numbers[1], numbers[1], numbers[1])
        self._mode = (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(self._described))
        self._prctl = libc.prctl

    def apply(self) -> None:
        """Put it on this thread and all it starts, for good; raises OSError."""
        if self._prctl(*self._forbid) or self._prctl(*self._mode):
            raise OSError("the kernel takes no system-call filter")
