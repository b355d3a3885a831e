import struct
import unittest

import binary
import elf
from binary import Toolchain
from call import Failure

RUST = Toolchain("x86_64-unknown-linux-gnu", "1.0.0", "abc", "/opt/rust")


def program(kind, segments, dynamic=(), text=b""):
    """A program with these segments, whose dynamic section has these tags."""
    start = 64
    behind = start + 56 * len(segments)
    table = b"".join(struct.pack("<QQ", tag, 0) for tag in dynamic)
    header = b"\x7fELF\x02\x01".ljust(16, b"\0") + struct.pack("<HHIQQQIHHHHHH", kind, 62, 1, 0, start, 0, 0, 64, 56, len(segments), 0, 0, 0)
    entries = b"".join(struct.pack("<IIQQQQQQ", one, 0, behind, 0, 0, len(table), 0, 0) for one in segments)
    return header + entries + table + text


STATIC = program(elf.SHARED, [1, elf.DYNAMIC], dynamic=[5, 0])


class Check(unittest.TestCase):
    def refused(self, data, machine=()):
        with self.assertRaises(Failure) as raised:
            binary.check(data, machine, [("/home", "/target")], RUST)
        return str(raised.exception)

    def test_a_static_program_passes(self):
        binary.check(STATIC + b"/target/x", ["/target", "/"], [("/home", "/target")], RUST)

    def test_a_program_that_needs_others_is_refused(self):
        self.assertIn("interpreter True", self.refused(program(elf.SHARED, [elf.INTERPRETER])))
        self.assertIn("2 libraries", self.refused(program(elf.SHARED, [elf.DYNAMIC], dynamic=[elf.NEEDED, elf.NEEDED, 0])))
        self.assertIn("one address", self.refused(program(2, [1])))
        self.assertIn("no 64-bit", self.refused(b"#!/bin/sh"))

    def test_a_program_that_names_the_machine_is_refused(self):
        said = self.refused(STATIC + b"\0/srv/me/lib.rs\0", ["/srv/me", "/srv/you"])
        self.assertIn("/srv/me: '/srv/me/lib.rs'", said)


class Environment(unittest.TestCase):
    def test_flags_of_compilers_stay_outside(self):
        kept = {"PATH": "a", "CARGO_HOME": "b", "CARGO_NET_OFFLINE": "c", "RUSTUP_HOME": "d", "https_proxy": "e"}
        lost = {name: "x" for name in (
            "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CFLAGS", "CC", "RUSTC_WRAPPER", "RUSTUP_TOOLCHAIN", "PATHS",
            "CARGO_PROFILE_RELEASE_LTO", "CARGO_BUILD_RUSTFLAGS", "LC_ALL", "SOURCE_DATE_EPOCH",
        )}
        own = {"LC_ALL": "C", "SOURCE_DATE_EPOCH": "7", "CARGO_INCREMENTAL": "0"}
        self.assertEqual(binary.environment(kept | lost, 7), kept | own)


class Prefixes(unittest.TestCase):
    def test_a_folder_comes_behind_those_that_it_lies_in(self):
        renamed = binary.prefixes("/s", "/s/target", ["/s/target/vendor", "/c/registry"], RUST)
        order = [folder for folder, _ in renamed]
        self.assertLess(order.index("/s"), order.index("/s/target"))
        self.assertLess(order.index("/s/target"), order.index("/s/target/vendor"))
        self.assertEqual(dict(renamed)["/c/registry"], "/crates")


if __name__ == "__main__":
    unittest.main()
