"""Runs a program for which io_uring_setup fails: refused.py ERROR PROGRAM [ARGUMENT...]

ERROR is the error, EPERM or ENOSYS. A seccomp filter returns it, as in a container. The filter needs no privileges and ends
with the program.
"""

import ctypes
import errno
import os
import struct
import sys

IO_URING_SETUP = 425  # on all architectures
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_NUMBER, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERROR = 0x7FFF0000, 0x00050000


def refuse(number: int) -> None:
    def instruction(code: int, constant: int, if_not: int = 0) -> bytes:
        return struct.pack("HBBI", code, 0, if_not, constant)

    program = (
        instruction(LOAD_NUMBER, 0)
        + instruction(JUMP_IF_EQUAL, IO_URING_SETUP, if_not=1)
        + instruction(RETURN, ERROR | number)
        + instruction(RETURN, ALLOW)
    )
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP" if struct.calcsize("P") == 8 else "HxxP", len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero) or libc.prctl(
        PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), ctypes.create_string_buffer(header, len(header)), zero, zero
    ):
        raise OSError(ctypes.get_errno(), "cannot set the filter")


refuse(getattr(errno, sys.argv[1]))
os.execv(sys.argv[2], sys.argv[2:])
