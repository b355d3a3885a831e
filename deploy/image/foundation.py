"""What is linked into every program without being a package: the standard library, the C library, the unwinder."""

import re

from call import Failure, output

# How the C library names itself in a program that it is linked into; distributions add their own release to it.
BANNER = re.compile(rb"GNU C Library \(([ -'*-~]+)\)")


def found(rust, env, program):
    """All of it, with versions, as the compilers that are used here and the program say."""
    c = libc(output(["cc", "-E", "-dM", "-include", "features.h", "-x", "c", "/dev/null"], env))
    named = BANNER.search(program)
    compiler = output(["cc", "-dumpfullversion"], env).strip()
    return [
        {
            "name": "rust",
            "version": rust.release,
            "licence": "MIT OR Apache-2.0",
            "description": f"standard library and compiler, commit {rust.commit}",
        },
        {
            "name": "glibc",
            "version": c,
            "licence": "LGPL-2.1-or-later",
            "description": f"C library, linked statically: {named[1].decode() if named else c}",
        },
        {
            "name": "libgcc",
            "version": compiler,
            "licence": "GPL-3.0-or-later WITH GCC-exception-3.1",
            "description": "unwinder and arithmetic, linked statically",
        },
    ]


def libc(macros):
    """The version of glibc in the macros that its headers define."""
    defined = dict(line.split(" ", 2)[1:] for line in macros.splitlines() if line.count(" ") >= 2)
    try:
        return f"{defined['__GLIBC__']}.{defined['__GLIBC_MINOR__']}"
    except KeyError as missing:
        raise Failure("the C library is not glibc, or its headers are missing: install libc6-dev") from missing
