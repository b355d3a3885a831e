"""How cost grows: with files, with bytes, and with snapshots, each over four sizes, all else the same."""

import os
import random
import statistics

import corpora
import measure
import tools

FILES = (25_000, 100_000, 400_000, 1_600_000)
MIBS = (256, 1_024, 4_096, 16_384)
SNAPSHOTS = (10, 40, 160, 640)


def _many(folder, count):
    """So many files of 100 bytes, 100 in a directory."""
    draw = random.Random(count)
    for number in range(count):
        if number % 100 == 0:
            below = f"{folder}/{number // 10_000}/{number // 100 % 100}"
            os.makedirs(below)
        with open(f"{below}/{number}", "wb") as file:
            file.write(draw.randbytes(50).hex().encode())


def _much(folder, mib):
    """So many MiB in files of 64 MiB, half of each compressible."""
    draw = random.Random(mib)
    os.makedirs(folder)
    half = (b"0123456789abcdef" * (corpora.MIB // 32))
    for number in range(max(mib // 64, 1)):
        with open(f"{folder}/{number}", "wb") as file:
            for _ in range(min(64, mib)):
                file.write(draw.randbytes(corpora.MIB // 2) + half)


def _sizes(title, sizes, make, work, scale, rounds, where):
    lines = [f"### {title}", "", "| size | step | wall s | cpu s | peak MiB |", "|---|---|---|---|---|"]
    for size in (int(size * scale) for size in sizes):
        own = f"{work}/growth"
        measure.remove(own)
        source = f"{own}/source"
        make(source, size)
        measure.warm(source)
        runs = {}
        for number in range(rounds):
            os.makedirs(f"{own}/{number}")
            tool = tools.Holdfast(tools.find("holdfast"), f"{own}/{number}", where.below(f"{own}/{number}"))
            for step in tool.init():
                measure.run(step.command, env=tool.env)
            steps = [("first", tool.backup(source)), ("unchanged", tool.backup(source))]
            steps += [("restore", tool.restore(f"{own}/restored")), ("check", tool.check())]
            for name, step in steps:
                runs.setdefault(name, []).append(measure.run(step.command, env=tool.env))
            measure.remove(f"{own}/restored")
            measure.remove(f"{own}/{number}")
        lines += [_row(f"{size:,}", name, taken) for name, taken in runs.items()]
        print(f"growth: {title}, {size:,} is done", flush=True)
        measure.remove(own)
    return "\n".join(lines) + "\n"


def _row(size, name, runs):
    wall, cpu, memory = (measure.median(runs, field) for field in ("wall", "cpu", "memory"))
    return f"| {size} | {name} | {wall:.2f} | {cpu:.2f} | {memory:.0f} |"


def _snapshots(work, scale, rounds, where):
    own = f"{work}/growth"
    measure.remove(own)
    source = f"{own}/source"
    _many(source, int(10_000 * scale))
    tool = tools.Holdfast(tools.find("holdfast"), own, where.below(own))
    lines = ["### snapshots of one tree, one file in a hundred changed between them", ""]
    lines += ["| snapshots | step | wall s | cpu s | peak MiB |", "|---|---|---|---|---|"]
    for step in tool.init():
        measure.run(step.command, env=tool.env)
    draw, there, added = random.Random(5), 0, []
    paths = sorted(os.path.join(at, name) for at, _, names in os.walk(source) for name in names)
    for wanted in (max(int(count * scale), 1) for count in SNAPSHOTS):
        while there < wanted:
            for path in draw.sample(paths, max(len(paths) // 100, 1)):
                with open(path, "wb") as file:
                    file.write(draw.randbytes(50).hex().encode())
            before = measure.tree_bytes(tool.repository)
            measure.run(tool.backup(source).command, env=tool.env)
            added.append(measure.tree_bytes(tool.repository) - before)
            there += 1
        looks = [("unchanged", tool.backup(source)), ("list", tool.repo("snapshots"))]
        looks += [("check", tool.check()), ("forget --dry-run", tool.repo("forget", "--keep-last", "3", "--dry-run"))]
        looks += [("restore", tool.restore(f"{own}/restored"))]
        for name, step in looks:
            runs = []
            for _ in range(rounds):
                runs.append(measure.run(step.command, env=tool.env))
                measure.remove(f"{own}/restored")
            there += rounds if name == "unchanged" else 0
            lines.append(_row(f"{wanted:,}", name, runs))
        print(f"growth: snapshots, {wanted} is done", flush=True)
    lines += ["", f"A snapshot added {statistics.median(added) / 1024:.0f} KiB to the repository (median)."]
    measure.remove(own)
    return "\n".join(lines) + "\n"


TABLES = {
    "files": lambda *how: _sizes("files of 100 bytes", FILES, _many, *how),
    "bytes": lambda *how: _sizes("MiB in files of 64 MiB", MIBS, _much, *how),
    "snapshots": _snapshots,
}


def growth(names, work, scale, rounds, where):
    """These tables, as text. `scale` makes every size smaller or larger."""
    return "\n".join(TABLES[name](work, scale, rounds, where) for name in names)
