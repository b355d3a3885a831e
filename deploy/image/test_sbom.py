import json
import unittest

import packages
import sbom
from call import Failure

BUILT = """\
0 holdfast v1.0.0 (/src/controller)
1 alpha v0.1.0
2 beta v0.2.0
1 beta v0.2.0
1 derive v3.0.0 (proc-macro)
2 syn v2.0.0
2 beta v0.2.0 (*)
"""
INSIDE = """\
0 holdfast v1.0.0 (/src/controller)
1 alpha v0.1.0
2 beta v0.2.0
1 beta v0.2.0
"""
NAMES = {"holdfast": "1.0.0", "alpha": "0.1.0", "beta": "0.2.0", "derive": "3.0.0", "syn": "2.0.0", "unused": "1.0.0"}


def described(**licences):
    return [
        {"name": name, "version": version, "manifest_path": f"/crates/{name}/Cargo.toml",
         "license": licences.get(name, "MIT/Apache-2.0")}
        for name, version in NAMES.items()
    ]


def locked():
    return {"package": [
        {"name": name, "version": version} | ({} if name == "holdfast" else {"checksum": name[0] * 64})
        for name, version in NAMES.items()
    ]}


class Graph(unittest.TestCase):
    def setUp(self):
        self.graph = packages.graph(described(), locked(), INSIDE, BUILT)

    def test_what_is_linked_is_told_from_what_builds_it(self):
        self.assertEqual([one.name for one in self.graph.packages], ["alpha", "beta", "derive", "holdfast", "syn"])
        self.assertEqual(sorted(one.name for one in self.graph.linked), ["alpha", "beta", "holdfast"])

    def test_each_package_asks_for_those_one_step_below_it(self):
        needs = {one.name: [to.name for to in deps] for one, deps in self.graph.needs.items()}
        self.assertEqual(needs, {
            "holdfast": ["alpha", "beta", "derive"], "alpha": ["beta"], "beta": [], "derive": ["beta", "syn"], "syn": [],
        })

    def test_a_package_without_a_licence_is_refused(self):
        with self.assertRaisesRegex(Failure, "beta 0.2.0 names no licence"):
            packages.graph(described(beta=None), locked(), INSIDE, BUILT)

    def test_two_packages_of_one_name_and_version_are_refused(self):
        with self.assertRaisesRegex(Failure, "beta 0.2.0 is 2 packages"):
            packages.graph([*described(), *described()[2:3]], locked(), INSIDE, BUILT)


class Document(unittest.TestCase):
    def setUp(self):
        graph = packages.graph(described(), locked(), INSIDE, BUILT)
        image = {"name": "holdfast", "version": "1.0.0", "architecture": "amd64", "manifest": "5" * 64}
        base = {"name": "libc", "version": "2", "licence": "LGPL-2.1-or-later", "description": "C library"}
        self.text = sbom.document(image, graph, [base], {"usr/bin/holdfast": "7" * 64})
        self.read = json.loads(self.text)

    def test_it_belongs_to_one_image(self):
        whole = self.read["metadata"]["component"]
        self.assertEqual(whole["hashes"], [{"alg": "SHA-256", "content": "5" * 64}])
        self.assertIn({"type": "file", "bom-ref": "file:/usr/bin/holdfast", "name": "/usr/bin/holdfast",
                       "hashes": [{"alg": "SHA-256", "content": "7" * 64}]}, self.read["components"])

    def test_a_crate_has_licence_hash_and_url_and_ours_have_none(self):
        by_name = {one["name"]: one for one in self.read["components"]}
        self.assertEqual(by_name["alpha"], {
            "type": "library", "bom-ref": "pkg:cargo/alpha@0.1.0", "name": "alpha", "version": "0.1.0", "scope": "required",
            "licenses": [{"expression": "MIT OR Apache-2.0"}], "hashes": [{"alg": "SHA-256", "content": "a" * 64}],
            "purl": "pkg:cargo/alpha@0.1.0",
        })
        self.assertEqual(by_name["syn"]["scope"], "excluded")
        self.assertNotIn("purl", by_name["holdfast"])

    def test_every_reference_leads_to_a_component(self):
        known = [self.read["metadata"]["component"]["bom-ref"], *(one["bom-ref"] for one in self.read["components"])]
        self.assertEqual(len(known), len(set(known)))
        for one in self.read["dependencies"]:
            self.assertLessEqual({one["ref"], *one["dependsOn"]}, set(known))

    def test_it_says_neither_when_nor_with_which_number(self):
        self.assertFalse({"serialNumber", "timestamp"} & {*self.read, *self.read["metadata"]})


if __name__ == "__main__":
    unittest.main()
