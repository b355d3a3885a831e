"""What the header of a program says of how it is loaded."""

import struct
from dataclasses import dataclass

from call import Failure

INTERPRETER = 3  # PT_INTERP: the kernel starts another program first, which loads this one
DYNAMIC = 2  # PT_DYNAMIC: also a static program has it, for its own addresses
NEEDED = 1  # DT_NEEDED: a library that has to be there
SHARED = 3  # ET_DYN: it runs wherever it is put in memory


@dataclass(frozen=True)
class Loading:
    """How a program is loaded."""

    interpreter: bool
    libraries: int
    anywhere: bool


def loading(program):
    """Reads the header of a 64-bit little-endian program, which is what we build for."""
    if program[:6] != b"\x7fELF\x02\x01":
        raise Failure("what was built is no 64-bit little-endian ELF program")
    kind, = struct.unpack_from("<H", program, 16)
    start, = struct.unpack_from("<Q", program, 32)
    size, count = struct.unpack_from("<HH", program, 54)
    kinds, libraries = [], 0
    for at in range(start, start + size * count, size):
        segment, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", program, at)
        kinds.append(segment)
        if segment == DYNAMIC:
            tags = struct.iter_unpack("<QQ", program[offset : offset + length])
            libraries += sum(tag == NEEDED for tag, _ in tags)
    return Loading(INTERPRETER in kinds, libraries, kind == SHARED)
