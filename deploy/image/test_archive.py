import dataclasses
import hashlib
import io
import json
import tarfile
import unittest

import archive

IMAGE = archive.Image(
    reference="x.invalid/a:7", architecture="amd64", files={"usr/bin/tool": b"program", "etc/note": b"hello"},
    modes={"usr/bin/tool": 0o755, "tmp": 0o1777}, labels={"version": "7"}, entrypoint=["/usr/bin/tool"],
    user="1:1", seconds=86400,
)


def members(data):
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:*") as opened:
        return [(one, opened.extractfile(one).read() if one.isfile() else None) for one in opened]


class Archive(unittest.TestCase):
    def setUp(self):
        self.packed = archive.pack(IMAGE)
        self.parts = {one.name: data for one, data in members(self.packed.archive)}

    def follow(self, descriptor):
        data = self.parts["blobs/" + descriptor["digest"].replace(":", "/")]
        self.assertEqual(descriptor["digest"], "sha256:" + hashlib.sha256(data).hexdigest())
        self.assertEqual(descriptor["size"], len(data))
        return data

    def read(self):
        (entry,) = json.loads(self.parts["index.json"])["manifests"]
        manifest = json.loads(self.follow(entry))
        (layer,) = manifest["layers"]
        return entry, json.loads(self.follow(manifest["config"])), self.follow(layer)

    def test_every_part_is_where_its_digest_says(self):
        entry, config, layer = self.read()
        self.assertEqual(entry["digest"], f"sha256:{self.packed.manifest}")
        (plain,) = config["rootfs"]["diff_ids"]
        unpacked = archive.gzip.decompress(layer)
        self.assertEqual(plain, "sha256:" + hashlib.sha256(unpacked).hexdigest())
        self.assertEqual(len(unpacked), self.packed.unpacked)
        self.assertEqual(entry["annotations"], {
            "io.containerd.image.name": "x.invalid/a:7", "org.opencontainers.image.ref.name": "7",
        })

    def test_docker_finds_the_same_parts(self):
        entry, config, layer = self.read()
        (listed,) = json.loads(self.parts["manifest.json"])
        self.assertEqual(json.loads(self.parts[listed["Config"]]), config)
        self.assertEqual([self.parts[path] for path in listed["Layers"]], [layer])
        self.assertEqual(listed["RepoTags"], ["x.invalid/a:7"])

    def test_a_layer_holds_the_files_and_the_folders_above_them(self):
        _, config, layer = self.read()
        found = [(one.name, oct(one.mode), one.uid, one.gid, one.mtime, data) for one, data in members(layer)]
        self.assertEqual(found, [
            ("etc", "0o755", 0, 0, 86400, None),
            ("etc/note", "0o644", 0, 0, 86400, b"hello"),
            ("tmp", "0o1777", 0, 0, 86400, None),
            ("usr", "0o755", 0, 0, 86400, None),
            ("usr/bin", "0o755", 0, 0, 86400, None),
            ("usr/bin/tool", "0o755", 0, 0, 86400, b"program"),
        ])
        self.assertEqual(config["created"], "1970-01-02T00:00:00Z")
        self.assertEqual(config["config"]["User"], "1:1")

    def test_bytes_depend_on_the_content_only(self):
        turned = dataclasses.replace(IMAGE, files=dict(reversed(IMAGE.files.items())), modes=dict(reversed(IMAGE.modes.items())))
        self.assertEqual(archive.pack(turned), self.packed)
        other = dataclasses.replace(IMAGE, files=IMAGE.files | {"etc/note": b"hullo"})
        self.assertNotEqual(archive.pack(other).manifest, self.packed.manifest)


if __name__ == "__main__":
    unittest.main()
