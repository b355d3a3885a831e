"""Where a first backup and a restore spend the processors' time, stage by stage, from samples of `perf`."""

import os
import re
import shutil
import subprocess

import measure
import places
import tools

# The first rule that fits a symbol decides; what fits none is `other`.
STAGES = (
    ("verify and read: decompress", r"ZSTD_decompress|HUF_decompress|ZSTD_execSequence|FSE_buildDTable|ZSTD_buildFSETable|HUF_readDTable"),
    ("compress", r"ZSTD_|HUF_|FSE_|HIST_|XXH"),
    ("ids and digests (BLAKE3)", r"blake3"),
    ("seal and open (AES-256-GCM)", r"aes|gcm|gctr|ghash|aws_lc"),
    ("key derivation (Argon2id)", r"argon2|blake2"),
    ("cut (FastCDC)", r"fastcdc"),
    ("copies and memory", r"mem(move|cpy|set)|malloc|cfree|_int_free|realloc|unlink_chunk|page_fault|clear_page"),
)


class Unavailable(Exception):
    """There is no `perf` here."""


def _stage(program, symbol, kernel):
    if kernel:
        return "kernel: files, directories, disk"
    for stage, rule in STAGES:
        if re.search(rule, symbol):
            return stage
    return f"{program}'s own code" if program else "other"


def _samples(step, env, data):
    recorded = subprocess.run(
        ["perf", "record", "-q", "-o", data, "-F", "997", "-e", "cpu-clock", "--", *step.command],
        env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )
    if recorded.returncode != 0:
        raise measure.Failed(recorded.stderr)
    report = ["perf", "report", "-i", data, "--stdio", "--no-children", "-s", "symbol", "-F", "sample,symbol", "-t", ";"]
    shown = subprocess.run(report, capture_output=True, text=True, check=True).stdout
    for line in shown.splitlines():
        found = re.match(r"\s*(\d+)\s*;\[(.)\] (.*?)\s*(;.*)?$", line)
        if found:
            yield int(found[1]), found[3], found[2] == "k"


def profile(corpus, work):
    """A table of shares, as text.

    Samples are of the processors' clock; a thread that waits is not in them.
    """
    if not shutil.which("perf"):
        raise Unavailable("profile: `perf` (package linux-perf) is not installed")
    own = f"{work}/profile"
    measure.remove(own)
    os.makedirs(own)
    tool = tools.Holdfast(tools.find("holdfast"), own, places.Directories().below(own))
    measure.warm(corpus.path)
    for step in tool.init():
        measure.run(step.command, env=tool.env)
    lines = [f"### stages, {corpus.name}", "", "| step | stage | share | cpu s |", "|---|---|---|---|"]
    for name, step in (("first", tool.backup(corpus.path)), ("restore", tool.restore(f"{own}/restored"))):
        stages = {}
        for count, symbol, kernel in _samples(step, tool.env, f"{own}/samples"):
            stage = _stage("holdfast", symbol, kernel)
            stages[stage] = stages.get(stage, 0) + count
        total = sum(stages.values())
        for stage, count in sorted(stages.items(), key=lambda pair: -pair[1]):
            lines.append(f"| {name} | {stage} | {count / total:.0%} | {count / 997:.2f} |")
    measure.remove(own)
    return "\n".join(lines) + "\n"
