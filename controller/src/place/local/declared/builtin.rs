//! The catalog that comes with the binary.

use std::path::Path;

use super::files::Scan;
use super::manifest::read_documents;

const FILES: [(&str, &str); 2] = [
    ("builtin/addons.yaml", include_str!("builtin/addons.yaml")),
    ("builtin/functions.yaml", include_str!("builtin/functions.yaml")),
];

/// Adds the Addons and Functions of the catalog that nobody has declared.
pub fn add(scan: &mut Scan) {
    for (file, text) in FILES {
        let found = read_documents(Path::new(file), text);
        scan.problems.extend(found.problems);
        for manifest in found.manifests {
            scan.manifests.entry(manifest.name.clone()).or_insert(manifest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::local::declared::manifest::ObjectName;

    #[test]
    fn every_task_of_the_catalog_has_its_function_and_a_declared_addon_wins() {
        let mut scan = Scan::default();
        add(&mut scan);
        assert!(scan.complete(), "{:?}", scan.problems);
        let functions = |manifest: &crate::place::local::declared::manifest::Manifest| {
            ["backupTasks", "restoreTasks"]
                .into_iter()
                .flat_map(|list| {
                    manifest.object["spec"][list].as_array().cloned().unwrap_or_default()
                })
                .map(|task| task["function"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let addons: Vec<_> = scan.manifests.values().filter(|m| m.name.kind == "Addon").collect();
        assert_eq!(addons.len(), 2);
        for function in addons.into_iter().flat_map(functions) {
            let name = ObjectName::new("addons.kubestash.com", "Function", "", &function);
            assert!(scan.manifests.contains_key(&name), "{function}");
        }
        let name = ObjectName::new("addons.kubestash.com", "Addon", "", "pvc-addon");
        let mut own = scan.manifests[&name].clone();
        own.object["spec"] = serde_json::json!({});
        let mut declared = Scan { manifests: [(name.clone(), own)].into(), ..Scan::default() };
        add(&mut declared);
        assert_eq!(declared.manifests[&name].object["spec"], serde_json::json!({}));
    }
}
