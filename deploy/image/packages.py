"""The packages that the binary is made of: which, from where, under which licence, and who asks for whom."""

import json
import os
import tomllib
from dataclasses import dataclass

from call import Failure, output

PRODUCT = "holdfast"


@dataclass(frozen=True, order=True)
class Package:
    """One package. `checksum` is that of its archive in the lock file; our own have none."""

    name: str
    version: str
    licence: str
    checksum: str | None
    folder: str


@dataclass(frozen=True)
class Graph:
    """All that are needed to build the binary, and by whom. Those that are in it are `linked`; the others run
    while it is built: macros, build scripts and what these need."""

    packages: tuple
    linked: frozenset
    needs: dict

    @property
    def product(self):
        """The package of the binary."""
        return next(package for package in self.packages if package.name == PRODUCT)


def read(root, triple, env, offline):
    """Asks cargo, which downloads what is missing. Returns the graph, and the folders that hold foreign packages."""
    told = ["--locked", *(["--offline"] if offline else [])]
    metadata = json.loads(output(
        ["cargo", "metadata", *told, "--format-version", "1", "--filter-platform", triple], env, root
    ))
    with open(f"{root}/Cargo.lock", "rb") as file:
        lock = tomllib.load(file)
    # The features in the metadata are those of the whole workspace with its tests; the tree has the binary's.
    tree = ["cargo", "tree", *told, "--package", PRODUCT, "--target", triple, "--prefix", "depth", "--format", " {p}"]
    linked = output([*tree, "--edges", "normal,no-proc-macro"], env, root)
    built = output([*tree, "--edges", "normal,build"], env, root)
    folders = {os.path.dirname(os.path.dirname(one["manifest_path"])) for one in metadata["packages"] if one["source"]}
    return graph(metadata["packages"], lock, linked, built), sorted(folders)


def graph(described, lock, linked, built):
    """Puts together what cargo's metadata, its lock file and its two trees say."""
    checksums = {(one["name"], one["version"]): one.get("checksum") for one in lock["package"]}
    known = {}
    for one in described:
        key = one["name"], one["version"]
        folder = os.path.dirname(one["manifest_path"])
        # Old packages write a slash for the word.
        licence = " ".join((one["license"] or "").replace("/", " OR ").split())
        known.setdefault(key, []).append(Package(*key, licence, checksums.get(key), folder))
    needs = edges(built)
    inside = edges(linked)
    for key in needs:
        if len(known.get(key, ())) != 1:
            raise Failure(f"{' '.join(key)} is {len(known.get(key, ()))} packages: name and version shall name one")
        if not known[key][0].licence:
            raise Failure(f"{' '.join(key)} names no licence: what is shipped needs one")
    one = {key: packages[0] for key, packages in known.items()}
    return Graph(
        tuple(sorted(one[key] for key in needs)),
        frozenset(one[key] for key in inside),
        {one[key]: tuple(sorted(one[to] for to in deps)) for key, deps in needs.items()},
    )


def edges(tree):
    """{(name, version): {(name, version)}} from lines such as `2 serde v1.0.1`, which begin with their depth. What
    stands below a package is listed once, where it comes first."""
    found, above = {}, []
    for line in tree.splitlines():
        depth, name, version, *_ = line.split(" ")
        key = name, version.removeprefix("v")
        del above[int(depth) :]
        found.setdefault(key, set())
        if above:
            found[above[-1]].add(key)
        above.append(key)
    return found
