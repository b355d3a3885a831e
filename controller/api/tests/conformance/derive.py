#!/usr/bin/env python3
"""Derives the structure fixtures of this folder from CustomResourceDefinition files.

usage: derive.py OUT_DIR CRD.yaml...

Writes OUT_DIR/<plural>.<group>.txt for each CRD, and OUT_DIR/shared.txt with the subtrees that occur
more than once in all of them together. README.md describes the format.
"""
import hashlib
import json
import sys
from collections import Counter
from pathlib import Path

import yaml

CHILDREN = ("properties", "items", "additionalProperties")
SHARE_FROM = 6  # a subtree of at least this many nodes is factored out when it repeats


def children(node):
    for name, child in sorted(node.get("properties", {}).items()):
        yield "." + name, child
    if isinstance(node.get("items"), dict):
        yield "[]", node["items"]
    if isinstance(node.get("additionalProperties"), dict):
        yield "{}", node["additionalProperties"]


def size(node):
    return 1 + sum(size(child) for _, child in children(node))


def digest(node):
    return hashlib.sha256(json.dumps(node, sort_keys=True).encode()).hexdigest()[:8]


def count(node, seen):
    seen[digest(node)] += 1
    if seen[digest(node)] == 1:
        for _, child in children(node):
            count(child, seen)


def attributes(node):
    out = []
    for key in sorted(node):
        if key in CHILDREN and isinstance(node[key], dict) or key in ("type", "description"):
            continue
        value = node[key]
        if key in ("required", "enum"):
            value = sorted(value)
        out.append(key + "=" + json.dumps(value, separators=(",", ":"), sort_keys=True))
    return " ".join([node.get("type", "any")] + out)


def lines(node, path, shared, pending, top=False):
    tag = digest(node)
    if not top and tag in shared:
        pending.setdefault(tag, node)
        yield f"{path or '.'} @{tag}"
        return
    yield f"{path or '.'} {attributes(node)}"
    for step, child in children(node):
        yield from lines(child, path + step, shared, pending)


def main(out, files):
    crds = [yaml.load(Path(f).read_text(), Loader=yaml.CSafeLoader) for f in files]
    roots = {}
    seen = Counter()
    for crd in crds:
        root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        roots[crd["metadata"]["name"]] = (crd, root)
        count(root, seen)
    shared = set()

    def choose(node):
        if seen[digest(node)] > 1 and size(node) >= SHARE_FROM:
            shared.add(digest(node))
        for _, child in children(node):
            choose(child)

    for _, root in roots.values():
        choose(root)
    pending = {}
    for name, (crd, root) in roots.items():
        text = list(lines(root, "", shared, pending, top=True))
        spec, version = crd["spec"], crd["spec"]["versions"][0]
        head = {
            "group": spec["group"],
            "names": spec["names"],
            "scope": spec["scope"],
            "labels": crd["metadata"].get("labels", {}),
            "version": version["name"],
            "subresources": version.get("subresources", {}),
            "columns": version.get("additionalPrinterColumns", []),
        }
        first = "# " + json.dumps(head, separators=(",", ":"), sort_keys=True)
        Path(out, name + ".txt").write_text("\n".join([first] + text) + "\n")
    written, text = set(), []
    while set(pending) - written:
        for tag in sorted(set(pending) - written):
            written.add(tag)
            text.append(f"@{tag}")
            text += lines(pending[tag], "", shared, pending, top=True)
    Path(out, "shared.txt").write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
