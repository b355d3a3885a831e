"""The licences of the packages that are linked: most of them ask that their text goes with the program."""

import os
import re

NAMES = re.compile(r"(un)?licen[cs]e|copying|copyright|notice", re.IGNORECASE)
TEXT_BYTES = 100_000  # above it lies a program whose name begins with one of these words, and no licence
LINE = "-" * 100


def notices(graph):
    """One text: each licence once, below the packages that it is the licence of."""
    owners = {}
    for package in sorted(graph.linked):
        if package.checksum is not None:
            for text in texts(package.folder):
                owners.setdefault(text, []).append(f"{package.name} {package.version}")
    parts = ["Holdfast is linked with these packages, and with the GNU C library, which is free under the LGPL 2.1.\n"]
    for text, names in sorted(owners.items(), key=lambda pair: (pair[1], pair[0])):
        parts.append(f"{LINE}\n{', '.join(dict.fromkeys(names))}\n{LINE}\n{text}\n")
    return "\n".join(parts).encode()


def texts(folder):
    """The licences in a package's folder; those of code that it has taken in lie deeper."""
    for below, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(below, name)
            if NAMES.match(name) and not name.endswith((".rs", ".toml")) and os.path.getsize(path) <= TEXT_BYTES:
                with open(path, encoding="utf-8", errors="replace") as file:
                    # Ends of lines are no difference between licences.
                    yield "\n".join(line.rstrip() for line in file).strip("\n")
