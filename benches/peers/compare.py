"""Tools side by side: every round runs every tool in turn, so that a machine that slows down slows all of them."""

import os
import shutil
import statistics

import corpora
import measure
import tools

STEPS = ("first", "same", "changed", "restore", "check")


def compare(corpus, names, rounds, steps, work, restore_to, where):
    """Runs all steps; returns {tool: {step: [Run]}} with `size` and `grown`, lists of MiB, among the steps."""
    results = {name: {} for name in names}
    measure.warm(corpus.path)
    for number in range(rounds):
        for name in names:
            own = f"{work}/{name}"
            measure.remove(own)
            os.makedirs(own)
            tool = tools.ALL[name](tools.find(name), own, where.below(own))
            _round(tool, corpus, steps, results[name], restore_to)
            measure.remove(own)
            print(f"{corpus.name}: round {number + 1} of {rounds}, {name} is done", flush=True)
    return results


def _round(tool, corpus, steps, result, restore_to):
    def timed(step, what):
        result.setdefault(step, []).append(measure.run(what.command, what.cwd, tool.env))

    def stored():
        return measure.tree_bytes(tool.repository) / corpora.MIB

    if isinstance(tool, tools.Walk):
        if "same" in steps:
            timed("same", tool.backup(corpus.path))
        return
    for step in tool.init():
        measure.run(step.command, step.cwd, tool.env)
    timed("first", tool.backup(corpus.path))
    result.setdefault("size", []).append(stored())
    if "same" in steps and not tool.is_floor:
        timed("same", tool.backup(corpus.path))
    if "changed" in steps and corpus.changed and not tool.is_floor:
        before = stored()
        with Swapped(corpus):
            timed("changed", tool.backup(corpus.path))
        result.setdefault("grown", []).append(stored() - before)
        measure.run(tool.backup(corpus.path).command, tool.backup(corpus.path).cwd, tool.env)
    if "restore" in steps and (step := _restore(tool, restore_to)):
        timed("restore", step)
        measure.remove(f"{restore_to}/restored")
    if "check" in steps and (step := tool.check()):
        timed("check", step)


def _restore(tool, restore_to):
    target = f"{restore_to}/restored"
    measure.remove(target)
    return tool.restore(target)


class Swapped:
    """Within it the corpus is what it has become a day later, under the same path."""

    def __init__(self, corpus):
        self.path, self.changed = corpus.path, corpus.changed

    def _swap(self, first, second):
        aside = first + ".aside"
        os.rename(first, aside)
        os.rename(second, first)
        os.rename(aside, second)

    def __enter__(self):
        self._swap(self.path, self.changed)

    def __exit__(self, *_):
        self._swap(self.path, self.changed)


def table(corpus, results, rounds):
    """The figures as a table: medians, and the ratio of each tool to Holdfast where it is there."""
    size = measure.tree_bytes(corpus.path) / corpora.MIB
    files = sum(len(names) for _, _, names in os.walk(corpus.path))
    lines = [f"### {corpus.name}: {size:,.0f} MiB in {files:,} files; medians of {rounds} rounds", ""]
    lines += ["| step | tool | wall s | cpu s | peak MiB | holdfast / tool |", "|---|---|---|---|---|---|"]
    for step in STEPS:
        ours = results.get("holdfast", {}).get(step)
        for name, result in results.items():
            if step not in result:
                continue
            wall, cpu, memory = (measure.median(result[step], field) for field in ("wall", "cpu", "memory"))
            lines.append(f"| {step} | {name} | {wall:.2f} | {cpu:.2f} | {memory:.0f} | {_ratio(ours, result[step])} |")
    lines += ["", "| MiB | " + " | ".join(results) + " |", "|---|" + "---|" * len(results)]
    for what, words in (("size", "repository"), ("grown", "growth by the changed run")):
        if any(what in result for result in results.values()):
            cells = [f"{statistics.median(result[what]):.1f}" if what in result else "" for result in results.values()]
            lines.append(f"| {words} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _ratio(ours, theirs):
    # Round by round: what slowed one run of a pair has most likely slowed the other.
    if not ours or ours is theirs:
        return ""
    return f"{statistics.median(a.wall / b.wall for a, b in zip(ours, theirs)):.2f}"


def fits(path, below):
    """Whether a restore of a tree fits below a directory with room to spare."""
    return shutil.disk_usage(below).free > 1.2 * measure.tree_bytes(path)
