"""One command as a whole process: wall time, processor time and peak memory, as the kernel counts them."""

import os
import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass


class Failed(Exception):
    """A command ended with a code that is none of a success; the text holds the end of its output."""


@dataclass(frozen=True)
class Run:
    """What one process took. Seconds, and MiB of its largest resident set."""

    wall: float
    cpu: float
    memory: float


def run(command, cwd=None, env=None):
    """Runs a command between two syncs: what the step before left dirty is not its cost, what it left itself is."""
    os.sync()
    began = time.monotonic()
    child = subprocess.Popen(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stdout.close()
    os.sync()
    wall = time.monotonic() - began
    if child.returncode != 0:
        shown = output.decode(errors="replace")[-2000:]
        raise Failed(f"{' '.join(map(str, command))}\nended with {child.returncode}:\n{shown}")
    return Run(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def median(runs, field):
    """The median of one field of several runs."""
    return statistics.median(getattr(one, field) for one in runs)


def tree_bytes(path):
    """Bytes of all files below a directory, as their lengths say; links are not followed."""
    total = 0
    for folder, _, files in os.walk(path):
        total += sum(os.lstat(os.path.join(folder, name)).st_size for name in files)
    return total


def warm(path):
    """Reads a tree once, so that all tools find the same in memory."""
    for folder, _, files in os.walk(path):
        for name in files:
            full = os.path.join(folder, name)
            if os.path.isfile(full) and not os.path.islink(full):
                with open(full, "rb", buffering=0) as file:
                    while file.read(1 << 20):
                        pass


def remove(path):
    """Removes a tree, whatever modes a restore has given to its directories."""
    if not os.path.lexists(path):
        return
    for folder, _, _ in os.walk(path):
        os.chmod(folder, 0o700)
    shutil.rmtree(path)
