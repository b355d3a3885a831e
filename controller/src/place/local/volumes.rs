//! Which directories stand for the volumes of a target, and which pods it would have.
//!
//! All pods are on one node. A StatefulSet has its replicas, a Deployment and a DaemonSet one pod each. A
//! claim is the directory of its volume; one without a declared volume gets a directory of its own.

use std::path::{Path, PathBuf};

use holdfast_engine::survey::{Claim, Host, Role, Surroundings, Volume, VolumeMode};
use holdfast_engine::{Failure, TypedRef};
use serde_json::Value;

use crate::place::local::declared::catalog::Catalog;
use crate::translate::kubestash::workload;
use crate::translate::pod;

/// The only node.
pub const NODE: &str = "local";

/// What a claim is called.
const CLAIM: &str = "PersistentVolumeClaim";

/// Where the catalog's Addon for claims mounts one.
pub const CLAIM_MOUNT: &str = "/kubestash-data";

/// The declared objects, and where volumes without a directory get one.
pub struct Volumes<'a> {
    /// The declared objects.
    pub catalog: &'a Catalog,
    /// `STATE/volumes`.
    pub root: &'a Path,
}

impl Volumes<'_> {
    /// The pods of a target with their volumes.
    ///
    /// # Errors
    /// When the target is not declared or of a kind that has no volumes.
    pub fn hosts(&self, target: &TypedRef) -> Result<Vec<Host>, Failure> {
        let object = self.target(target)?;
        let host = |role, pod: String, ordinal| Host {
            role,
            pod,
            node: NODE.into(),
            ready: true,
            created_ms: 0,
            surroundings: surroundings(object),
            volumes: self.pod_volumes(target, object, ordinal),
        };
        let name = &target.name;
        Ok(match target.kind.as_str() {
            "StatefulSet" => (0..workload::replicas(object))
                .map(|n| host(Role::Ordinal(n), format!("{name}-{n}"), n))
                .collect(),
            "DaemonSet" => vec![host(Role::Node(NODE.into()), format!("{name}-{NODE}"), 0)],
            "Deployment" if workload::replicas(object) == 0 => Vec::new(),
            "Deployment" => vec![host(Role::Single, format!("{name}-{NODE}"), 0)],
            _ => vec![Host {
                role: Role::Single,
                pod: String::new(),
                node: NODE.into(),
                ready: true,
                created_ms: 0,
                surroundings: Surroundings { hostname: NODE.into(), ..Surroundings::default() },
                volumes: vec![Volume {
                    name: name.clone(),
                    claim: Some(self.claim(&target.namespace, name, object)),
                    mount_path: CLAIM_MOUNT.into(),
                    ..Volume::default()
                }],
            }],
        })
    }

    fn target(&self, target: &TypedRef) -> Result<&Value, Failure> {
        let TypedRef { api_group, kind, namespace, name } = target;
        let known = matches!(
            (api_group.as_str(), kind.as_str()),
            ("apps", "StatefulSet" | "Deployment" | "DaemonSet") | ("", "PersistentVolumeClaim")
        );
        if !known {
            return Err(failure(
                "UnsupportedTarget",
                format!(
                    "{target} is no workload or claim whose volumes can be found without a cluster"
                ),
            ));
        }
        self.catalog.find(api_group, kind, namespace, name).ok_or_else(|| {
            failure("TargetNotFound", format!("{target} is not declared; add its manifest"))
        })
    }

    /// Volumes that the pod's containers mount and that hold data beyond the pod.
    fn pod_volumes(&self, target: &TypedRef, object: &Value, ordinal: u32) -> Vec<Volume> {
        let mut volumes: Vec<Volume> = Vec::new();
        let devices = devices(object).map(|device| (device, "devicePath"));
        for (mount, path) in mounts(object).map(|mount| (mount, "mountPath")).chain(devices) {
            let (Some(name), Some(path)) = (mount["name"].as_str(), mount[path].as_str()) else {
                continue;
            };
            if volumes.iter().any(|known| known.name == name) {
                continue;
            }
            let template = template(object, name);
            let claim = claim_of(target, object, name, ordinal).map(|claim| {
                let declared = self.catalog.find("", CLAIM, &target.namespace, &claim);
                let object = declared.or(template).unwrap_or(&Value::Null);
                self.claim(&target.namespace, &claim, object)
            });
            if claim.is_some() || host_path(object, name).is_some() {
                let of_claim =
                    &pod_volume(object, name).unwrap_or(&Value::Null)["persistentVolumeClaim"];
                volumes.push(Volume {
                    name: name.into(),
                    claim,
                    mount_path: path.into(),
                    sub_path: mount["subPath"].as_str().unwrap_or_default().into(),
                    read_only: mount["readOnly"] == true || of_claim["readOnly"] == true,
                });
            }
        }
        volumes
    }

    /// A claim with what its manifest, or its template's, and the volume that it is bound to say. Nobody runs here
    /// who could write to it.
    fn claim(&self, namespace: &str, name: &str, object: &Value) -> Claim {
        let volume = self.bound(namespace, name).ok().flatten().unwrap_or(&Value::Null);
        let (spec, text) =
            (&object["spec"], |value: &Value| value.as_str().unwrap_or_default().to_owned());
        let capacity =
            [&volume["spec"]["capacity"]["storage"], &spec["resources"]["requests"]["storage"]];
        Claim {
            name: name.into(),
            uid: None,
            access: pod::access(&spec["accessModes"]),
            mode: if spec["volumeMode"] == "Block" {
                VolumeMode::Block
            } else {
                VolumeMode::Filesystem
            },
            class: text(&spec["storageClassName"]),
            volume: text(&volume["metadata"]["name"]),
            driver: text(&volume["spec"]["csi"]["driver"]),
            capacity: capacity.into_iter().find_map(pod::quantity).unwrap_or(0),
            affinity: pod::affinity(&volume["spec"]["nodeAffinity"]),
            writer: String::new(),
        }
    }

    /// The directory of a volume of a target's pod.
    ///
    /// # Errors
    /// When no directory stands for it.
    pub fn directory(&self, target: &TypedRef, volume: &Volume) -> Result<PathBuf, Failure> {
        let base = match &volume.claim {
            Some(claim) => self.claim_directory(&target.namespace, &claim.name)?,
            None => {
                let object = self.target(target)?;
                host_path(object, &volume.name).ok_or_else(|| {
                    failure(
                        "VolumeNotFound",
                        format!("{target} has no volume {:?} with a hostPath", volume.name),
                    )
                })?
            }
        };
        Ok(match volume.sub_path.trim_start_matches('/') {
            "" => base,
            sub => base.join(sub),
        })
    }

    /// The directory of a claim: that of the volume it is bound to, else one of its own.
    fn claim_directory(&self, namespace: &str, claim: &str) -> Result<PathBuf, Failure> {
        let Some(volume) = self.bound(namespace, claim)? else {
            return Ok(self.root.join(namespace).join(claim));
        };
        let path = [&volume["spec"]["hostPath"]["path"], &volume["spec"]["local"]["path"]]
            .into_iter()
            .find_map(Value::as_str);
        path.map(PathBuf::from).ok_or_else(|| {
            let name = volume["metadata"]["name"].as_str().unwrap_or_default();
            failure("VolumeNotFound", format!("PersistentVolume {name} of claim {namespace}/{claim} has no hostPath or local path"))
        })
    }

    /// The volume that a claim is bound to; none: it has a directory of its own.
    fn bound(&self, namespace: &str, claim: &str) -> Result<Option<&Value>, Failure> {
        let declared = self.catalog.find("", CLAIM, namespace, claim);
        let named = declared.and_then(|object| object["spec"]["volumeName"].as_str());
        Ok(match named.filter(|name| !name.is_empty()) {
            Some(name) => Some(self.catalog.find("", "PersistentVolume", "", name).ok_or_else(|| {
                failure("VolumeNotFound", format!("claim {namespace}/{claim} names PersistentVolume {name}, which is not declared"))
            })?),
            None => self.catalog.of_core_kind("PersistentVolume").find(|volume| {
                let claim_ref = &volume["spec"]["claimRef"];
                claim_ref["name"] == claim && claim_ref["namespace"] == namespace
            }),
        })
    }

    /// Makes the directories that stand for claims without a volume.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn provide(&self, target: &TypedRef, hosts: &[Host]) -> Result<(), Failure> {
        for volume in hosts.iter().flat_map(|host| &host.volumes) {
            let directory = self.directory(target, volume)?;
            if directory.starts_with(self.root) {
                std::fs::create_dir_all(&directory).map_err(|error| {
                    failure(
                        "VolumeNotFound",
                        format!("cannot make {}: {error}", directory.display()),
                    )
                })?;
            }
        }
        Ok(())
    }
}

fn mounts(object: &Value) -> impl Iterator<Item = &Value> {
    containers(object).flat_map(|c| c["volumeMounts"].as_array().into_iter().flatten())
}

fn devices(object: &Value) -> impl Iterator<Item = &Value> {
    containers(object).flat_map(|c| c["volumeDevices"].as_array().into_iter().flatten())
}

fn containers(object: &Value) -> impl Iterator<Item = &Value> {
    object["spec"]["template"]["spec"]["containers"].as_array().into_iter().flatten()
}

/// What the pods of a workload have around them; the first container that mounts something says as whom it works.
fn surroundings(object: &Value) -> Surroundings {
    let has_volumes = |c: &&Value| c["volumeMounts"].is_array() || c["volumeDevices"].is_array();
    let container = containers(object).find(has_volumes).unwrap_or(&Value::Null);
    Surroundings {
        hostname: NODE.into(),
        ..pod::surroundings(&object["spec"]["template"]["spec"], container)
    }
}

fn template<'a>(object: &'a Value, volume: &str) -> Option<&'a Value> {
    let templates = object["spec"]["volumeClaimTemplates"].as_array();
    templates.into_iter().flatten().find(|template| template["metadata"]["name"] == volume)
}

fn pod_volume<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object["spec"]["template"]["spec"]["volumes"].as_array()?.iter().find(|v| v["name"] == name)
}

fn host_path(object: &Value, name: &str) -> Option<PathBuf> {
    pod_volume(object, name)?["hostPath"]["path"].as_str().map(PathBuf::from)
}

fn claim_of(target: &TypedRef, object: &Value, volume: &str, ordinal: u32) -> Option<String> {
    if template(object, volume).is_some() {
        return Some(format!("{volume}-{}-{ordinal}", target.name));
    }
    pod_volume(object, volume)?["persistentVolumeClaim"]["claimName"]
        .as_str()
        .map(ToOwned::to_owned)
}

fn failure(reason: &str, message: String) -> Failure {
    Failure { reason: reason.into(), message, permanent: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::local::declared::manifest::read_documents;

    const OBJECTS: &str = "
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: sts, namespace: demo}
spec:
  replicas: 2
  serviceName: sts
  selector: {matchLabels: {app: a}}
  template:
    metadata: {labels: {app: a}}
    spec:
      containers:
      - name: c
        volumeMounts:
        - {name: source-data, mountPath: /source/data}
        - {name: fixed, mountPath: /fixed, subPath: inner}
        - {name: scratch, mountPath: /tmp}
      volumes:
      - {name: fixed, hostPath: {path: /srv/fixed}}
      - {name: scratch, emptyDir: {}}
  volumeClaimTemplates:
  - metadata: {name: source-data}
    spec: {accessModes: [ReadWriteOnce]}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: pv-1}
spec:
  hostPath: {path: /srv/one}
  claimRef: {namespace: demo, name: source-data-sts-1}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: alone, namespace: demo}
spec: {volumeName: gone}
";

    fn catalog() -> Catalog {
        let found = read_documents(Path::new("a.yaml"), OBJECTS);
        assert!(found.problems.is_empty(), "{:?}", found.problems);
        let named = found.manifests.into_iter().map(|m| (m.name.clone(), m));
        Catalog { objects: named.collect() }
    }

    fn reference(group: &str, kind: &str, name: &str) -> TypedRef {
        TypedRef {
            api_group: group.into(),
            kind: kind.into(),
            namespace: "demo".into(),
            name: name.into(),
        }
    }

    #[test]
    fn a_stateful_set_has_a_claim_and_a_pod_for_each_replica() {
        let catalog = catalog();
        let volumes = Volumes { catalog: &catalog, root: Path::new("/state/volumes") };
        let target = reference("apps", "StatefulSet", "sts");
        let hosts = volumes.hosts(&target).unwrap();
        assert_eq!(hosts.iter().map(|h| h.pod.as_str()).collect::<Vec<_>>(), ["sts-0", "sts-1"]);
        assert_eq!(hosts[1].role, Role::Ordinal(1));
        let names: Vec<_> = hosts[1].volumes.iter().map(|v| v.name.as_str()).collect();
        assert_eq!(names, ["source-data", "fixed"], "an emptyDir holds nothing to keep");
        let directory = |host: usize, volume: usize| {
            volumes.directory(&target, &hosts[host].volumes[volume]).unwrap()
        };
        assert_eq!(directory(0, 0), Path::new("/state/volumes/demo/source-data-sts-0"));
        assert_eq!(directory(1, 0), Path::new("/srv/one"));
        assert_eq!(directory(0, 1), Path::new("/srv/fixed/inner"));
    }

    #[test]
    fn a_worker_is_told_what_the_manifests_say_of_pod_and_volume() {
        let text = OBJECTS.replace(
            "      containers:",
            "      serviceAccountName: app\n      tolerations: [{key: dedicated, operator: Exists}]\n      \
             securityContext: {runAsUser: 26}\n      containers:",
        );
        let text = text.replace(
            "spec: {accessModes: [ReadWriteOnce]}",
            "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Ki}}}\n  - metadata: {name: raw}\n    \
             spec: {volumeMode: Block}",
        );
        let text = text.replace(
            "        volumeMounts:",
            "        volumeDevices: [{name: raw, devicePath: /dev/xvda}]\n        volumeMounts:",
        );
        let found = read_documents(Path::new("a.yaml"), &text);
        assert!(found.problems.is_empty(), "{:?}", found.problems);
        let named = found.manifests.into_iter().map(|m| (m.name.clone(), m));
        let catalog = Catalog { objects: named.collect() };
        let volumes = Volumes { catalog: &catalog, root: Path::new("/state/volumes") };
        let host = volumes.hosts(&reference("apps", "StatefulSet", "sts")).unwrap().remove(1);
        assert_eq!(host.surroundings.service_account, "app");
        assert_eq!(host.surroundings.security.user, Some(26));
        assert_eq!(host.surroundings.tolerations.len(), 1);
        assert_eq!(host.surroundings.hostname, NODE);
        let claims: Vec<Claim> = host.volumes.iter().filter_map(|v| v.claim.clone()).collect();
        let data = &claims[0];
        assert_eq!((data.name.as_str(), data.volume.as_str()), ("source-data-sts-1", "pv-1"));
        assert_eq!((data.capacity, data.mode), (1024, VolumeMode::Filesystem));
        assert_eq!((claims[1].name.as_str(), claims[1].mode), ("raw-sts-1", VolumeMode::Block));
        let raw = host.volumes.iter().find(|volume| volume.name == "raw").unwrap();
        assert_eq!(raw.mount_path, "/dev/xvda");
    }

    #[test]
    fn what_is_not_declared_is_named() {
        let catalog = catalog();
        let volumes = Volumes { catalog: &catalog, root: Path::new("/state/volumes") };
        let missing = volumes.hosts(&reference("apps", "Deployment", "web")).unwrap_err();
        assert!(missing.message.contains("Deployment demo/web is not declared"), "{missing:?}");
        let foreign = volumes.hosts(&reference("kubedb.com", "Postgres", "pg")).unwrap_err();
        assert_eq!(foreign.reason.as_str(), "UnsupportedTarget");
        let claim = reference("", "PersistentVolumeClaim", "alone");
        let host = volumes.hosts(&claim).unwrap().remove(0);
        let gone = volumes.directory(&claim, &host.volumes[0]).unwrap_err();
        assert!(gone.message.contains("PersistentVolume gone"), "{gone:?}");
    }
}
