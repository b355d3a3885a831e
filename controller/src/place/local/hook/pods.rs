//! Pods as declared workloads would have them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use holdfast_engine::{Failure, TypedRef};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

use super::failure::failed;
use crate::place::local::declared::catalog::Catalog;
use crate::place::local::volumes::Volumes;

/// A pod of a declared workload.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its volumes: name and directory.
    pub volumes: Vec<(String, PathBuf)>,
    containers: Vec<Value>,
}

/// Pods in a namespace whose labels hold all of `labels`, in the order of their names.
pub(super) fn select(
    namespace: &str,
    labels: &BTreeMap<String, String>,
    catalog: &Catalog,
    root: &Path,
) -> Result<Vec<Pod>, Failure> {
    let resolver = Volumes { catalog, root };
    let mut pods = Vec::new();
    for manifest in catalog.objects.values() {
        let name = &manifest.name;
        if name.group != "apps" || name.namespace != namespace {
            continue;
        }
        let template = &manifest.object["spec"]["template"];
        let has = &template["metadata"]["labels"];
        if !labels.iter().all(|(key, value)| has[key] == **value) {
            continue;
        }
        let target = TypedRef {
            api_group: name.group.clone(),
            kind: name.kind.clone(),
            namespace: name.namespace.clone(),
            name: name.name.clone(),
        };
        for host in resolver.hosts(&target)? {
            let volumes = host
                .volumes
                .iter()
                .map(|volume| Ok((volume.name.clone(), resolver.directory(&target, volume)?)))
                .collect::<Result<_, Failure>>()?;
            pods.push(Pod {
                name: host.pod,
                namespace: namespace.into(),
                volumes,
                containers: template["spec"]["containers"].as_array().cloned().unwrap_or_default(),
            });
        }
    }
    pods.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(pods)
}

/// A port's number; a name is looked up in the pod's containers.
pub(super) fn port(
    port: &IntOrString,
    pod: Option<&Pod>,
    container: Option<&str>,
) -> Result<u16, Failure> {
    let number = match port {
        IntOrString::Int(number) => u16::try_from(*number).ok(),
        IntOrString::String(text) => text.parse().ok().or_else(|| named(text, pod?, container)),
    };
    number.filter(|number| *number > 0).ok_or_else(|| {
        failed(
            "PortNotFound",
            format!("port {port:?} is neither a number nor the name of a pod's port"),
            true,
        )
    })
}

fn named(name: &str, pod: &Pod, container: Option<&str>) -> Option<u16> {
    let port = pod
        .containers
        .iter()
        .filter(|c| container.is_none_or(|wanted| c["name"] == wanted))
        .flat_map(|c| c["ports"].as_array().into_iter().flatten())
        .find(|port| port["name"] == name)?;
    u16::try_from(port["containerPort"].as_u64()?).ok()
}
