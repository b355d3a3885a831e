"""The one binary: it needs no other file to run, and nothing of the machine that built it is in it."""

import os
import re
import shlex
from dataclasses import dataclass

import elf
from call import Failure, output, run

# All that the build sees of the caller's environment. Flags of compilers are not among it: equal sources and
# equal compilers shall give equal bytes, whoever calls.
KEPT = re.compile(
    r"PATH|HOME|USER|TMPDIR|CARGO_HOME|CARGO_BUILD_JOBS|CARGO_TERM_\w+|CARGO_(HTTP|NET|REGISTRY|REGISTRIES|SOURCE)_\w+|"
    r"RUSTUP_(?!TOOLCHAIN)\w+|(?i:(https?|all|no)_proxy)|SSL_CERT_(FILE|DIR)|GIT_SSL_\w+|NIX_\w+"
)


@dataclass(frozen=True)
class Toolchain:
    """The compiler that `rust-toolchain.toml` asks for."""

    host: str
    release: str
    commit: str
    sysroot: str


def environment(caller, seconds):
    """The environment of all programs that are called. `seconds` is what they take for the time."""
    kept = {name: value for name, value in caller.items() if KEPT.fullmatch(name)}
    return kept | {"LC_ALL": "C", "SOURCE_DATE_EPOCH": str(seconds), "CARGO_INCREMENTAL": "0"}


def toolchain(root, env):
    """Asks the compiler what it is."""
    said = output(["rustc", "--version", "--verbose"], env, root)
    facts = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)
    sysroot = output(["rustc", "--print", "sysroot"], env, root).strip()
    return Toolchain(facts["host"], facts["release"], facts["commit-hash"], sysroot)


def prefixes(root, target, sources, rust):
    """Folders of this machine, and what stands in the binary instead. The last that fits decides, for both
    compilers: so a folder comes behind those that it lies in."""
    names = {root: "/holdfast", target: "/target", f"{rust.sysroot}/lib/rustlib/src/rust": f"/rustc/{rust.commit}"}
    # A folder of crates is named after where they come from.
    names |= {folder: "/crates" for folder in sources}
    names |= {os.path.realpath(folder): name for folder, name in names.items()}
    return sorted(names.items(), key=lambda pair: len(pair[0]))


def build(root, target, renamed, rust, env, offline):
    """Builds it and returns its path."""
    library = output(["cc", "-print-file-name=libc.a"], env).strip()
    if not os.path.isabs(library):
        raise Failure("the C library cannot be linked statically: install libc6-dev (Debian) or glibc-static (Fedora)")
    flags = [
        "-Ctarget-feature=+crt-static", "-Clink-arg=-Wl,--build-id=none",
        # Randomness is asked of the kernel. A static program finds no function by its name while it runs, and the
        # crate would take that for an old kernel, and open /dev/random.
        '--cfg=getrandom_backend="linux_getrandom"',
    ]
    flags += [f"--remap-path-prefix={folder}={name}" for folder, name in renamed]
    # C code is compiled by the build scripts of crates, which take these by the name of the target.
    compiler = " ".join(shlex.quote(f"-ffile-prefix-map={folder}={name}") for folder, name in renamed)
    env = env | {
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags),
        "CARGO_PROFILE_RELEASE_STRIP": "symbols",
        f"CFLAGS_{rust.host.replace('-', '_')}": compiler,
        "CC_SHELL_ESCAPED_FLAGS": "1",
    }
    # With a target of its own the flags are the binary's: build scripts and macros run on this machine.
    command = ["cargo", "build", "--locked", "--release", "--package", "holdfast", "--target", rust.host]
    run([*command, "--target-dir", target, *(["--offline"] if offline else [])], env, root)
    return f"{target}/{rust.host}/release/holdfast"


def check(program, machine, renamed, rust):
    """Refuses a program that needs another file, or that says where it was built."""
    how = elf.loading(program)
    if how.interpreter or how.libraries:
        raise Failure(f"the binary is not static: interpreter {how.interpreter}, {how.libraries} libraries")
    # For other processors rustc links static programs that have one address only.
    if not how.anywhere and rust.host.startswith("x86_64"):
        raise Failure("the binary runs at one address only: it was not linked as a static-pie")
    written = {name for _, name in renamed}
    for folder in sorted({os.path.realpath(folder) for folder in machine} | set(machine)):
        # A folder that is called as all are in the binary says nothing.
        at = -1 if folder in written or folder == "/" else program.find(f"{folder}/".encode())
        if at >= 0:
            shown = re.match(rb"[ -~]*", program[at : at + 200]).group().decode()
            raise Failure(f"the binary names a folder of this machine, {folder}: {shown!r}")
