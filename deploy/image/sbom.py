"""The bill of materials: CycloneDX 1.6, the same bytes for the same image. It has no serial number and no time."""

import json

GENERIC = "pkg:generic"


def document(image, graph, foundations, files):
    """The text of it.

    `image` says of the image `name`, `version`, `architecture` and `manifest`, its digest; `foundations` are what
    is linked and no package, as dictionaries of `name`, `version`, `licence` and `description`; `files` are the
    files of the image with their sha256, by path.
    """
    inside = sorted((path, digest) for path, digest in files.items())
    refs = {package: reference(package) for package in graph.packages}
    bases = {f"{GENERIC}/{one['name']}@{one['version']}": one for one in foundations}
    binary = refs[graph.product]
    whole = f"pkg:oci/{image['name']}@sha256%3A{image['manifest']}?arch={image['architecture']}"
    depends = [{"ref": whole, "dependsOn": sorted([binary, *(f"file:/{path}" for path, _ in inside)])}]
    for package, ref in refs.items():
        on = [refs[one] for one in graph.needs[package]]
        depends.append({"ref": ref, "dependsOn": sorted([*on, *(bases if package == graph.product else ())])})
    components = [crate(package, refs[package], package in graph.linked) for package in graph.packages]
    components += [foundation(ref, one) for ref, one in bases.items()]
    components += [file(path, digest) for path, digest in inside]
    return json.dumps(
        {
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "metadata": {
                "component": {
                    "type": "container",
                    "bom-ref": whole,
                    "name": image["name"],
                    "version": image["version"],
                    "description": "hash: that of the image's manifest",
                    "hashes": hashes(image["manifest"]),
                    "purl": whole,
                }
            },
            "components": sorted(components, key=lambda one: one["bom-ref"]),
            "dependencies": sorted(depends, key=lambda one: one["ref"]),
        },
        indent=1,
    ) + "\n"


def reference(package):
    """How the document calls a package. Ours are in no registry, so they have no package URL."""
    ours = package.checksum is None
    return f"{package.name}@{package.version}" if ours else f"pkg:cargo/{package.name}@{package.version}"


def crate(package, ref, linked):
    """A package. One that only took part in the build is `excluded`: it is not in the binary."""
    return {
        "type": "library",
        "bom-ref": ref,
        "name": package.name,
        "version": package.version,
        "scope": "required" if linked else "excluded",
        "licenses": [{"expression": package.licence}],
    } | ({"hashes": hashes(package.checksum), "purl": ref} if package.checksum else {})


def foundation(ref, one):
    """What is linked into every program."""
    return {
        "type": "library",
        "bom-ref": ref,
        "name": one["name"],
        "version": one["version"],
        "description": one["description"],
        "scope": "required",
        "licenses": [{"expression": one["licence"]}],
        "purl": ref,
    }


def file(path, digest):
    """A file of the image."""
    return {"type": "file", "bom-ref": f"file:/{path}", "name": f"/{path}", "hashes": hashes(digest)}


def hashes(sha256):
    """One hash, as the format has it."""
    return [{"alg": "SHA-256", "content": sha256}]
