"""The corpora, laid out once below a directory and the same on every machine but for `source`.

Each is a directory and, where a change makes sense, a second one that is the first a day later. Whoever
measures puts the second in the place of the first, so that all tools see the same paths.
"""

import glob
import os
import random
import shutil
import sqlite3
import subprocess
import tarfile
from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True)
class Corpus:
    """A directory to back up, and what it has become a day later (or None)."""

    name: str
    path: str
    changed: str | None


class Unavailable(Exception):
    """A corpus cannot be laid out here; the text says why."""


def source(folder, _scale):
    """A Linux source tree from Debian's package: 86,000 files, 1.4 GiB of text."""
    archives = sorted(glob.glob("/usr/src/linux-source-*.tar.xz"))
    if not archives and os.geteuid() == 0 and shutil.which("apt-get"):
        found = subprocess.run(["apt-cache", "search", "^linux-source-[0-9]"], capture_output=True, text=True)
        names = sorted(line.split()[0] for line in found.stdout.splitlines())
        if names:
            subprocess.run(["apt-get", "install", "-qqy", "--no-install-recommends", names[-1]], check=True)
        archives = sorted(glob.glob("/usr/src/linux-source-*.tar.xz"))
    if not archives:
        raise Unavailable("source: install Debian's package linux-source, or name a tree of your own with --tree DIR")
    with tarfile.open(archives[-1]) as archive:
        archive.extractall(folder, filter="tar")


def small(folder, scale):
    """200,000 small JSON files in 16,384 directories."""
    draw = random.Random(7)
    for number in range(200_000 * scale):
        below = f"{folder}/{number % 256:02x}/{number // 256 % 64:02x}"
        if number < 256 * 64:
            os.makedirs(below)
        values = ",".join(str(draw.randrange(1000)) for _ in range(draw.randrange(4, 200)))
        with open(f"{below}/{number}.json", "w") as file:
            file.write(f'{{"id":{number},"k":"{draw.getrandbits(96):x}","v":[{values}]}}\n')


def noise(folder, scale):
    """64 files that do not compress, 1 GiB in all."""
    draw = random.Random(8)
    os.makedirs(folder)
    for number in range(64):
        with open(f"{folder}/{number}", "wb") as file:
            file.write(draw.randbytes(16 * MIB * scale))


def database(folder, scale):
    """One SQLite file of about 1 GiB: rows with a key, a time and some text."""
    draw = random.Random(9)
    os.makedirs(folder)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randrange(3, 10))) for _ in range(5_000)]

    def rows():
        for number in range(4_000_000 * scale):
            text = " ".join(draw.choices(words, k=30))
            yield number, 1_700_000_000 + number, draw.getrandbits(62), text

    with sqlite3.connect(f"{folder}/data.sqlite") as base:
        base.execute("pragma journal_mode=off")
        base.execute("create table account (id integer primary key, at integer, balance integer, note text)")
        base.executemany("insert into account values (?, ?, ?, ?)", rows())
    base.close()


def image(folder, _scale):
    """An ext4 of 3 GiB that holds /usr/share, as a virtual machine's disk would be."""
    maker = shutil.which("mkfs.ext4") or shutil.which("mkfs.ext4", path="/usr/sbin:/sbin")
    if not maker:
        raise Unavailable("image: mkfs.ext4 (package e2fsprogs) is not installed")
    os.makedirs(folder)
    path = f"{folder}/disk.img"
    with open(path, "wb") as file:
        file.truncate(3 * 1024 * MIB)
    subprocess.run([maker, "-q", "-F", "-d", "/usr/share", path], check=True)


def change_files(folder):
    """One file in a hundred gets a line more, one in a thousand goes, one in a thousand comes."""
    draw = random.Random(10)
    paths = sorted(os.path.join(at, name) for at, _, names in os.walk(folder) for name in names)
    for path in paths:
        luck = draw.randrange(1000)
        if os.path.islink(path):
            continue
        if luck < 10:
            with open(path, "ab") as file:
                file.write(draw.randbytes(40))
        elif luck == 10:
            os.remove(path)
        elif luck == 11:
            with open(path + ".new", "wb") as file:
                file.write(draw.randbytes(2_000))


def change_pages(folder):
    """Pages of 4 KiB all over one large file, and one piece of 32 MiB, are written anew."""
    draw = random.Random(11)
    (name,) = os.listdir(folder)
    with open(f"{folder}/{name}", "r+b") as file:
        pages = os.fstat(file.fileno()).st_size // 4096
        for _ in range(400):
            file.seek(draw.randrange(pages) * 4096)
            file.write(draw.randbytes(4096))
        file.seek(draw.randrange(pages - 8192) * 4096)
        file.write(draw.randbytes(32 * MIB))


ALL = {
    "source": (source, change_files),
    "small": (small, change_files),
    "noise": (noise, None),
    "database": (database, change_pages),
    "image": (image, change_pages),
}


def lay_out(name, below, scale):
    """The corpus of that name, made now if it is not there yet. What was begun and not finished is made anew."""
    make, change = ALL[name]
    path, changed = f"{below}/{name}", f"{below}/{name}-changed"
    for wanted, step in ((path, lambda at: make(at, scale)), (changed, change and (lambda at: _changed(path, at, change)))):
        if step and not os.path.isdir(wanted):
            print(f"laying out {wanted}", flush=True)
            begun = wanted + ".begun"
            shutil.rmtree(begun, ignore_errors=True)
            step(begun)
            os.rename(begun, wanted)
    return Corpus(name, path, changed if change else None)


def _changed(path, to, change):
    # `cp` keeps holes, times and links; a tree that was copied otherwise would be new to every tool.
    subprocess.run(["cp", "-a", path, to], check=True)
    change(to)
