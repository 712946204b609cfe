#!/usr/bin/env python3
"""Runs a shim on a kernel that lacks some system calls."""

import ctypes
import os
import struct
import sys

CALLS = [@CALLS@]
SHIM = "@SHIM@"
LOAD, EQUAL, RETURN, ALLOW, ABSENT = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050000 | 38

steps = [struct.pack("HBBI", LOAD, 0, 0, 0)]
for number in CALLS:
    steps.append(struct.pack("HBBI", EQUAL, 0, 1, number))
    steps.append(struct.pack("HBBI", RETURN, 0, 0, ABSENT))
steps.append(struct.pack("HBBI", RETURN, 0, 0, ALLOW))
code = ctypes.create_string_buffer(b"".join(steps))


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]


libc = ctypes.CDLL(None, use_errno=True)
program = Program(len(steps), ctypes.addressof(code))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0, ctypes.get_errno()
os.execv(SHIM, ["mcp-orch"] + sys.argv[1:])
