"""The image as one tar: the layout of OCI, with docker's own list beside it. Its bytes depend on what is in it and
on nothing else."""

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime

CONFIG = "application/vnd.oci.image.config.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class Image:
    """What is packed. `files` are bytes by path, `modes` are of those paths that are not 0644, and of folders.

    A path in `modes` without a file is a folder. Folders above others need no entry."""

    reference: str
    architecture: str
    files: dict
    modes: dict
    labels: dict
    entrypoint: list
    user: str
    seconds: int


@dataclass(frozen=True)
class Packed:
    """The archive, the digest of the image's manifest, and the size of what a runtime unpacks."""

    archive: bytes
    manifest: str
    unpacked: int


def pack(image):
    """Packs it."""
    plain = layer(image)
    # No name and no time in its header.
    small = gzip.compress(plain, 9, mtime=0)
    blobs = {}

    def put(kind, content):
        data = content if isinstance(content, bytes) else text(content)
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}

    below = put(LAYER, small)
    config = put(CONFIG, configuration(image, hashlib.sha256(plain).hexdigest()))
    manifest = put(MANIFEST, {
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [below], "annotations": image.labels,
    })
    # containerd takes the first as the image's name, other programs the second as its tag.
    manifest["annotations"] = {
        "io.containerd.image.name": image.reference,
        "org.opencontainers.image.ref.name": image.reference.rpartition(":")[2],
    }
    manifest["platform"] = {"architecture": image.architecture, "os": "linux"}
    path = {one["mediaType"]: "blobs/" + one["digest"].replace(":", "/") for one in (config, below)}
    members = blobs | {
        "oci-layout": text({"imageLayoutVersion": "1.0.0"}),
        "index.json": text({"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest]}),
        # What docker reads where it does not know the layout.
        "manifest.json": text([{"Config": path[CONFIG], "RepoTags": [image.reference], "Layers": [path[LAYER]]}]),
    }
    whole = tar({name: (0o644, data) for name, data in members.items()}, image.seconds)
    return Packed(whole, manifest["digest"].removeprefix("sha256:"), len(plain))


def configuration(image, layer_digest):
    """How a runtime starts it."""
    return {
        "created": datetime.fromtimestamp(image.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "architecture": image.architecture,
        "os": "linux",
        "config": {
            "User": image.user, "Entrypoint": image.entrypoint, "WorkingDir": "/", "Labels": image.labels,
            "Env": ["PATH=/usr/bin"],
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
    }


def layer(image):
    """The files of the image as a tar, with the folders that they lie in."""
    entries = {path: (image.modes.get(path, 0o644), data) for path, data in image.files.items()}
    entries |= {path: (mode, None) for path, mode in image.modes.items() if path not in image.files}
    for path in list(entries):
        above = path.rpartition("/")[0]
        while above:
            entries.setdefault(above, (0o755, None))
            above = above.rpartition("/")[0]
    return tar(entries, image.seconds)


def tar(entries, seconds):
    """{path: (mode, bytes or None for a folder)} as a tar: in the order of the paths, owned by root."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, (mode, data) in sorted(entries.items()):
            member = tarfile.TarInfo(path)
            member.mode, member.mtime = mode, seconds
            if data is None:
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
            else:
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def text(value):
    """JSON in one way of several."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
