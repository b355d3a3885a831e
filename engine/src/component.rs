//! Components: what one worker moves, how they are named, and how a restore selects them.
//!
//! | Target | Components |
//! |---|---|
//! | StatefulSet | `pod-N` for each pod |
//! | DaemonSet | `dump-<node>` for each pod |
//! | Deployment | `dump`: the oldest Ready pod, then by name |
//! | claim | `dump` |
//! | volume snapshots | `volumesnapshot-pod-N` for a StatefulSet's pods, else `volumesnapshot` |
//! | manifests | `manifest` |

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use crate::backup::Component;
use crate::configuration::TaskRef;
use crate::dependency::{Driver, Parameter, Task};
use crate::ids::TypedRef;
use crate::survey::{Host, Role, Surroundings, Volume, VolumeMode};
use crate::variables::{self, Values, VariableError};

/// The component of a Deployment, a claim, or anything else without siblings.
pub const DUMP: &str = "dump";
/// The component of a backup of manifests.
pub const MANIFEST: &str = "manifest";
/// How the names of tasks begin that move objects of the cluster.
pub const MANIFEST_TASKS: &str = "manifest-";
const VOLUME_SNAPSHOT: &str = "volumesnapshot";

/// Why a task has no components.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// There is nothing to work on.
    #[error("the target has no pod or claim to work on; scale it up or wait for its pods")]
    NoHost,
    /// A Deployment without a usable pod.
    #[error("none of the target's {pods} pods is Ready; wait for one")]
    NoneReady {
        /// How many there are.
        pods: usize,
    },
    /// A pod that no node runs, or does not run yet.
    #[error("pod {pod} is not Ready; wait for it")]
    NotReady {
        /// The pod.
        pod: String,
    },
    /// `targetVolumes` names what the host does not have.
    #[error(
        "targetVolumes names volume {volume}, which {host} does not have; its volumes: {present}"
    )]
    NoSuchVolume {
        /// As written.
        volume: String,
        /// Pod or claim.
        host: String,
        /// What it has.
        present: String,
    },
    /// A volume without files is to be read or written file by file.
    #[error(
        "volume {volume} of {host} is a block device, and task {task} moves files; take a volume snapshot of it, or \
         name the other volumes in targetVolumes"
    )]
    Device {
        /// The volume.
        volume: String,
        /// Pod or claim.
        host: String,
        /// The task.
        task: String,
    },
    /// A host has more than a record holds.
    #[error("{host} has {excess}")]
    TooMuch {
        /// Pod or claim.
        host: String,
        /// What, and the limit.
        excess: String,
    },
    /// A component of the snapshot has no place in the target.
    #[error("component {component} has no counterpart in the target; it has {present}")]
    NoCounterpart {
        /// The component.
        component: String,
        /// The components that the target's hosts stand for.
        present: String,
    },
    /// A required parameter without a value.
    #[error("task {task} needs parameter {parameter}; give it in the task's params")]
    NoParameter {
        /// The task.
        task: String,
        /// The parameter.
        parameter: String,
    },
    /// A parameter whose text cannot be resolved.
    #[error("parameter {parameter} of task {task}")]
    Variable {
        /// The task.
        task: String,
        /// The parameter.
        parameter: String,
        /// Why.
        #[source]
        source: VariableError,
    },
}

/// Name of the component that a host's files are.
#[must_use]
pub fn name_of(role: &Role) -> String {
    match role {
        Role::Ordinal(n) => format!("pod-{n}"),
        Role::Node(node) => format!("{DUMP}-{node}"),
        Role::Single => DUMP.to_string(),
    }
}

fn name_for(task: &Task, role: &Role) -> String {
    match (task.driver, role) {
        (Driver::VolumeSnapshotter, Role::Ordinal(n)) => format!("{VOLUME_SNAPSHOT}-pod-{n}"),
        (Driver::VolumeSnapshotter, Role::Node(node)) => format!("{VOLUME_SNAPSHOT}-{node}"),
        (Driver::VolumeSnapshotter, Role::Single) => VOLUME_SNAPSHOT.to_string(),
        _ => name_of(role),
    }
}

/// Whether the task moves objects of the cluster and so needs no host.
#[must_use]
pub fn moves_manifests(task: &Task) -> bool {
    task.name.starts_with(MANIFEST_TASKS)
}

/// Values that every task of a target can use.
#[must_use]
pub fn target_values(namespace: &str, target: Option<&TypedRef>) -> Values {
    let mut values = Values::from([("namespace".into(), namespace.into())]);
    if let Some(target) = target {
        values.insert("targetName".into(), target.name.clone());
        values.insert("targetKind".into(), target.kind.clone());
        values.insert("targetNamespace".into(), target.namespace.clone());
        if target.kind == "PersistentVolumeClaim" {
            values.insert("PVC_NAME".into(), target.name.clone());
        }
    }
    values
}

/// The components of one task of a backup.
///
/// # Errors
/// [`PlanError`] when the hosts, volumes or parameters are not what the task needs.
pub fn plan_backup(
    task: &Task,
    reference: &TaskRef,
    hosts: &[Host],
    values: &Values,
) -> Result<Vec<Component>, PlanError> {
    if moves_manifests(task) {
        return Ok(vec![without_host(task, reference, values)?]);
    }
    let chosen = choose(hosts)?;
    chosen
        .into_iter()
        .map(|host| on_host(task, reference, host, &name_for(task, &host.role), values))
        .collect()
}

/// The components of one task of a restore: one for each `wanted` component of the snapshot.
///
/// # Errors
/// [`PlanError`] as for a backup, and when a component has no counterpart in the target.
pub fn plan_restore(
    task: &Task,
    reference: &TaskRef,
    hosts: &[Host],
    wanted: &[String],
    values: &Values,
) -> Result<Vec<Component>, PlanError> {
    let mine = wanted.iter().filter(|name| (*name == MANIFEST) == moves_manifests(task));
    mine.map(|name| {
        if moves_manifests(task) || (hosts.is_empty() && task.driver == Driver::VolumeSnapshotter) {
            return Ok(Component { name: name.clone(), ..without_host(task, reference, values)? });
        }
        let host = counterpart(task, name, wanted, hosts)?;
        on_host(task, reference, host, name, values)
    })
    .collect()
}

/// The host that takes a component: of the same name, or the only one for the only component.
fn counterpart<'a>(
    task: &Task,
    name: &str,
    wanted: &[String],
    hosts: &'a [Host],
) -> Result<&'a Host, PlanError> {
    let chosen = choose(hosts)?;
    let same = chosen.iter().find(|host| is_same(name, &name_for(task, &host.role)));
    match (same, chosen.as_slice(), wanted) {
        (Some(host), _, _) | (None, [host], [_]) => Ok(host),
        _ => Err(PlanError::NoCounterpart {
            component: name.to_string(),
            present: list(chosen.iter().map(|host| name_for(task, &host.role))),
        }),
    }
}

/// The hosts to work on: all that have a role of their own, and one of those that are alike.
fn choose(hosts: &[Host]) -> Result<Vec<&Host>, PlanError> {
    let mut chosen: Vec<&Host> = hosts.iter().filter(|host| host.role != Role::Single).collect();
    chosen.sort_by(|a, b| a.role.cmp(&b.role).then_with(|| a.pod.cmp(&b.pod)));
    chosen.dedup_by(|a, b| a.role == b.role);
    if let Some(host) = chosen.iter().find(|host| host.node.is_empty()) {
        return Err(PlanError::NotReady { pod: host.pod.clone() });
    }
    let alike: Vec<&Host> = hosts.iter().filter(|host| host.role == Role::Single).collect();
    let usable = alike.iter().copied().filter(|host| host.ready || host.pod.is_empty());
    match usable.min_by(|a, b| (a.created_ms, &a.pod).cmp(&(b.created_ms, &b.pod))) {
        Some(host) => chosen.push(host),
        None if !alike.is_empty() => return Err(PlanError::NoneReady { pods: alike.len() }),
        None => {}
    }
    if chosen.is_empty() { Err(PlanError::NoHost) } else { Ok(chosen) }
}

fn without_host(task: &Task, reference: &TaskRef, values: &Values) -> Result<Component, PlanError> {
    Ok(Component {
        name: MANIFEST.to_string(),
        driver: task.driver,
        task: task.name.clone(),
        params: parameters(task, reference, values)?,
        pod: String::new(),
        node: String::new(),
        surroundings: Surroundings::default(),
        volumes: Vec::new(),
    })
}

fn on_host(
    task: &Task,
    reference: &TaskRef,
    host: &Host,
    name: &str,
    values: &Values,
) -> Result<Component, PlanError> {
    if let Some(excess) = host.excess() {
        return Err(PlanError::TooMuch { host: said(host), excess });
    }
    let mut values = values.clone();
    if let Role::Ordinal(n) = host.role {
        values.insert("POD_ORDINAL".into(), n.to_string());
    }
    Ok(Component {
        name: name.to_string(),
        driver: task.driver,
        task: task.name.clone(),
        params: parameters(task, reference, &values)?,
        pod: host.pod.clone(),
        node: host.node.clone(),
        surroundings: host.surroundings.clone(),
        volumes: volumes(task, host, reference)?,
    })
}

/// The host's volumes, narrowed to those that the task names and mounted where it says.
fn volumes(task: &Task, host: &Host, reference: &TaskRef) -> Result<Vec<Volume>, PlanError> {
    let chosen = mounted(host, reference)?;
    let device = chosen
        .iter()
        .find(|volume| volume.claim.as_ref().is_some_and(|claim| claim.mode == VolumeMode::Block));
    match device {
        Some(volume) if task.driver == Driver::Restic => Err(PlanError::Device {
            volume: volume.name.clone(),
            host: said(host),
            task: task.name.clone(),
        }),
        _ => Ok(chosen),
    }
}

fn said(host: &Host) -> String {
    if host.pod.is_empty() { "the claim".into() } else { format!("pod {}", host.pod) }
}

fn mounted(host: &Host, reference: &TaskRef) -> Result<Vec<Volume>, PlanError> {
    if reference.mounts.is_empty() {
        return Ok(host.volumes.clone());
    }
    let mounts = reference.mounts.iter().map(|mount| {
        let known = host.volumes.iter().find(|volume| volume.name == mount.volume);
        let volume = known.ok_or_else(|| PlanError::NoSuchVolume {
            volume: mount.volume.clone(),
            host: said(host),
            present: list(host.volumes.iter().map(|volume| volume.name.clone())),
        })?;
        Ok(Volume { mount_path: mount.path.clone(), ..volume.clone() })
    });
    mounts.collect()
}

/// The task's parameters by name: as given, else as declared; variables resolved.
///
/// A parameter that the Addon does not declare is passed on: the documents' own samples give some.
///
/// # Errors
/// [`PlanError::NoParameter`] for a required one without a value, [`PlanError::Variable`].
pub fn parameters(
    task: &Task,
    reference: &TaskRef,
    values: &Values,
) -> Result<Vec<(String, String)>, PlanError> {
    let mut all: Values = reference.params.iter().cloned().collect();
    for Parameter { name, required, default } in &task.parameters {
        match default {
            _ if all.contains_key(name) => {}
            Some(default) => {
                all.insert(name.clone(), default.clone());
            }
            None if *required => {
                return Err(PlanError::NoParameter {
                    task: task.name.clone(),
                    parameter: name.clone(),
                });
            }
            None => {}
        }
    }
    all.into_iter()
        .map(|(name, text)| match variables::resolve(&text, values) {
            Ok(value) => Ok((name, value)),
            Err(source) => {
                Err(PlanError::Variable { task: task.name.clone(), parameter: name, source })
            }
        })
        .collect()
}

/// Components that a restore asks for: the name as asked, and the component of the snapshot.
///
/// Older and later spellings select the same component; nothing asked is everything.
///
/// # Errors
/// The asked names that no component answers to.
pub fn select(asked: &[String], present: &[String]) -> Result<Vec<(String, String)>, Vec<String>> {
    if asked.is_empty() {
        return Ok(present.iter().map(|name| (name.clone(), name.clone())).collect());
    }
    let mut found: Vec<(String, String)> = Vec::new();
    let mut missing = Vec::new();
    for name in asked {
        match spelled(name, present) {
            Some(component) if found.iter().any(|(_, known)| known == component) => {}
            Some(component) => found.push((name.clone(), component.to_string())),
            None => missing.push(name.clone()),
        }
    }
    if missing.is_empty() { Ok(found) } else { Err(missing) }
}

fn spelled<'a>(asked: &str, present: &'a [String]) -> Option<&'a str> {
    let exact = present.iter().find(|name| *name == asked);
    let same = || present.iter().find(|name| is_same(asked, name));
    // `host-0` was the only component of everything in the oldest repositories.
    let only = || present.iter().find(|name| asked == "host-0" && *name == DUMP);
    let old = || present.iter().find(|name| asked == DUMP && *name == "host-0");
    exact.or_else(same).or_else(only).or_else(old).map(String::as_str)
}

/// Whether two names are spellings of one component.
fn is_same(a: &str, b: &str) -> bool {
    a == b || matches!((ordinal(a), ordinal(b)), (Some(a), Some(b)) if a == b)
}

/// The ordinal in `pod-N`, `dump-pod-N`, `host-N`.
fn ordinal(name: &str) -> Option<u32> {
    let digits =
        ["pod-", "dump-pod-", "host-"].iter().find_map(|prefix| name.strip_prefix(prefix))?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit())
        && (digits.len() == 1 || !digits.starts_with('0'));
    plain.then(|| digits.parse().ok()).flatten()
}

fn list(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    if names.is_empty() { "none".to_string() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::configuration::Mount;
    use crate::ids::Uid;
    use crate::survey::{Claim, Taint, Toleration};

    fn task(name: &str, driver: Driver) -> Task {
        let parameter = |name: &str, required, default: Option<&str>| Parameter {
            name: name.into(),
            required,
            default: default.map(Into::into),
        };
        Task {
            name: name.into(),
            restore: false,
            function: "f".into(),
            driver,
            singleton: false,
            parameters: vec![
                parameter("paths", false, Some("/data")),
                parameter("exclude", false, None),
                parameter("who", name == "strict", None),
            ],
        }
    }

    fn reference() -> TaskRef {
        TaskRef { name: "logical-backup".into(), params: Vec::new(), mounts: Vec::new() }
    }

    fn host(role: Role, pod: &str, ready: bool, created_ms: i64) -> Host {
        let volume = |name: &str, path: &str| Volume {
            name: name.into(),
            claim: Some(Claim::named(format!("{name}-{pod}"))),
            mount_path: path.into(),
            ..Volume::default()
        };
        Host {
            role,
            pod: pod.into(),
            node: "n1".into(),
            ready,
            created_ms,
            surroundings: Surroundings::default(),
            volumes: vec![volume("data", "/data"), volume("logs", "/logs")],
        }
    }

    fn names(planned: &[Component]) -> Vec<(&str, &str)> {
        planned.iter().map(|c| (c.name.as_str(), c.pod.as_str())).collect()
    }

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| (*n).into()).collect()
    }

    #[test]
    fn each_kind_of_target_has_its_components() {
        let files = task("logical-backup", Driver::Restic);
        let snapshots = task("volume-snapshot", Driver::VolumeSnapshotter);
        let set =
            [host(Role::Ordinal(10), "a-10", true, 0), host(Role::Ordinal(2), "a-2", true, 0)];
        let daemons = [host(Role::Node("n1".into()), "d-x", true, 0)];
        let alike = [
            host(Role::Single, "w-c", true, 5),
            host(Role::Single, "w-b", true, 5),
            host(Role::Single, "w-a", true, 7),
            host(Role::Single, "w-0", false, 1),
        ];
        let claim = [Host { pod: String::new(), ready: false, ..host(Role::Single, "", false, 0) }];
        for (task, hosts, expected) in [
            (&files, &set[..], vec![("pod-2", "a-2"), ("pod-10", "a-10")]),
            (&files, &daemons, vec![("dump-n1", "d-x")]),
            (&files, &alike, vec![("dump", "w-b")]),
            (&files, &claim, vec![("dump", "")]),
            (
                &snapshots,
                &set,
                vec![("volumesnapshot-pod-2", "a-2"), ("volumesnapshot-pod-10", "a-10")],
            ),
            (&snapshots, &claim, vec![("volumesnapshot", "")]),
            (&task("manifest-backup", Driver::Restic), &[], vec![("manifest", "")]),
        ] {
            let planned = plan_backup(task, &reference(), hosts, &Values::new()).unwrap();
            assert_eq!(names(&planned), expected);
        }
    }

    #[test]
    fn what_cannot_be_planned_says_why() {
        let files = task("logical-backup", Driver::Restic);
        let waiting = [host(Role::Single, "w", false, 0)];
        let homeless = [Host { node: String::new(), ..host(Role::Ordinal(0), "a-0", false, 0) }];
        for (hosts, error) in [
            (&[][..], PlanError::NoHost),
            (&waiting, PlanError::NoneReady { pods: 1 }),
            (&homeless, PlanError::NotReady { pod: "a-0".into() }),
        ] {
            assert_eq!(plan_backup(&files, &reference(), hosts, &Values::new()), Err(error));
        }
    }

    #[test]
    fn mounts_narrow_and_move_volumes() {
        let files = task("logical-backup", Driver::Restic);
        let hosts = [host(Role::Ordinal(0), "a-0", true, 0)];
        let mut reference = reference();
        reference.mounts = vec![Mount { volume: "logs".into(), path: "/source/logs".into() }];
        let planned = plan_backup(&files, &reference, &hosts, &Values::new()).unwrap();
        assert_eq!(planned[0].volumes.len(), 1);
        assert_eq!(planned[0].volumes[0].mount_path, "/source/logs");
        assert_eq!(planned[0].volumes[0].claim, Some(Claim::named("logs-a-0")));
        reference.mounts[0].volume = "cache".into();
        let error = plan_backup(&files, &reference, &hosts, &Values::new()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "targetVolumes names volume cache, which pod a-0 does not have; its volumes: data, logs"
        );
    }

    #[test]
    fn a_block_device_has_no_files_to_move() {
        let files = task("logical-backup", Driver::Restic);
        let snapshots = task("volume-snapshot", Driver::VolumeSnapshotter);
        let mut host = host(Role::Ordinal(0), "a-0", true, 0);
        host.volumes[1].claim.as_mut().unwrap().mode = VolumeMode::Block;
        let plan = |task: &Task, reference: &TaskRef| {
            plan_backup(task, reference, core::slice::from_ref(&host), &Values::new())
                .map_err(|error| error.to_string())
        };
        let refused = plan(&files, &reference()).unwrap_err();
        assert!(
            refused.starts_with("volume logs of pod a-0 is a block device, and task"),
            "{refused}"
        );
        assert!(plan(&snapshots, &reference()).is_ok());
        let mut narrowed = reference();
        narrowed.mounts = vec![Mount { volume: "data".into(), path: "/data".into() }];
        assert_eq!(plan(&files, &narrowed).unwrap()[0].volumes.len(), 1);
        let restored = plan_restore(
            &task("logical-backup-restore", Driver::Restic),
            &reference(),
            &[host.clone()],
            &strings(&["pod-0"]),
            &Values::new(),
        );
        assert!(matches!(restored, Err(PlanError::Device { .. })), "{restored:?}");
    }

    #[test]
    fn a_component_has_what_its_worker_copies_from_the_host() {
        let files = task("logical-backup", Driver::Restic);
        let mut host = host(Role::Ordinal(0), "a-0", true, 0);
        host.surroundings = Surroundings {
            pod_uid: Some(Uid([1; 16])),
            hostname: "n1.example".into(),
            tolerations: vec![Toleration {
                key: "dedicated".into(),
                value: Some("db".into()),
                effect: Some(Taint::NoExecute),
                seconds: None,
            }],
            ..Surroundings::default()
        };
        let hosts = [host];
        let planned = plan_backup(&files, &reference(), &hosts, &Values::new()).unwrap();
        assert_eq!(planned[0].surroundings, hosts[0].surroundings);
    }

    #[test]
    fn a_host_of_more_than_a_record_holds_says_what_is_too_much() {
        let files = task("logical-backup", Driver::Restic);
        let plain = host(Role::Ordinal(0), "a-0", true, 0);
        let toleration = Toleration { key: "k".into(), value: None, effect: None, seconds: None };
        let many = |count: usize| {
            let mut host = plain.clone();
            host.surroundings.tolerations = vec![toleration.clone(); count];
            host
        };
        let most = crate::limits::TOLERATIONS_A_POD;
        let plan = |host| plan_backup(&files, &reference(), &[host], &Values::new());
        assert!(plan(many(most)).is_ok());
        assert_eq!(
            plan(many(most + 1)).unwrap_err().to_string(),
            "pod a-0 has 65 tolerations; at most 64 are carried"
        );
        let mut long = plain.clone();
        long.volumes[0].sub_path = "x".repeat(crate::limits::HOST_TEXT_BYTES);
        assert!(matches!(plan(long), Err(PlanError::TooMuch { .. })));
    }

    #[test]
    fn parameters_are_given_declared_or_asked_for() {
        let values = Values::from([("PVC_NAME".into(), "data-0".into())]);
        let mut reference = reference();
        reference.params = vec![("extra".into(), "${PVC_NAME}".into())];
        let files = task("logical-backup", Driver::Restic);
        assert_eq!(
            parameters(&files, &reference, &values).unwrap(),
            [("extra".into(), "data-0".into()), ("paths".into(), "/data".into())]
        );
        assert_eq!(
            parameters(&task("strict", Driver::Restic), &reference, &values),
            Err(PlanError::NoParameter { task: "strict".into(), parameter: "who".into() })
        );
        reference.params = vec![("paths".into(), "${NOWHERE}".into())];
        assert!(matches!(parameters(&files, &reference, &values), Err(PlanError::Variable { .. })));
    }

    #[test]
    fn every_spelling_selects() {
        let new = strings(&["pod-0", "pod-1", "manifest"]);
        let later = strings(&["dump-pod-0", "dump-pod-1"]);
        let single = strings(&["dump"]);
        for (asked, present, expected) in [
            ("pod-1", &new, Some("pod-1")),
            ("dump-pod-1", &new, Some("pod-1")),
            ("host-1", &new, Some("pod-1")),
            ("host-0", &new, Some("pod-0")),
            ("manifest", &new, Some("manifest")),
            ("pod-2", &new, None),
            ("pod-01", &new, None),
            ("dump", &new, None),
            ("pod-1", &later, Some("dump-pod-1")),
            ("host-0", &single, Some("dump")),
            ("pod-0", &single, None),
            ("dump", &strings(&["host-0"]), Some("host-0")),
            ("dump-n1", &strings(&["dump-n1"]), Some("dump-n1")),
        ] {
            let selected = select(&strings(&[asked]), present);
            let expected = expected.map(|name| vec![(asked.to_string(), name.to_string())]);
            assert_eq!(selected.ok(), expected, "{asked} of {present:?}");
        }
        assert_eq!(select(&[], &single).unwrap(), [("dump".into(), "dump".into())]);
        assert_eq!(select(&strings(&["pod-7", "pod-0", "x"]), &new), Err(strings(&["pod-7", "x"])));
        assert_eq!(select(&strings(&["pod-0", "host-0"]), &new).unwrap().len(), 1);
    }

    #[test]
    fn a_restore_maps_components_to_hosts() {
        let files = task("logical-backup-restore", Driver::Restic);
        let set = [host(Role::Ordinal(0), "a-0", true, 0), host(Role::Ordinal(1), "a-1", true, 0)];
        let one = [host(Role::Single, "w", true, 0)];
        let plan = |hosts: &[Host], wanted: &[&str]| {
            plan_restore(&files, &reference(), hosts, &strings(wanted), &Values::new())
        };
        assert_eq!(names(&plan(&set, &["dump-pod-1"]).unwrap()), [("dump-pod-1", "a-1")]);
        assert_eq!(names(&plan(&one, &["pod-4"]).unwrap()), [("pod-4", "w")]);
        assert_eq!(names(&plan(&set, &["pod-0", "manifest"]).unwrap()), [("pod-0", "a-0")]);
        assert_eq!(
            plan(&set, &["pod-2"]).unwrap_err().to_string(),
            "component pod-2 has no counterpart in the target; it has pod-0, pod-1"
        );
    }

    proptest! {
        #[test]
        fn selecting_what_is_present_finds_it(n in 0u32..40, spelling in 0usize..3) {
            let asked = [format!("pod-{n}"), format!("dump-pod-{n}"), format!("host-{n}")];
            let present: Vec<String> = (0..40).map(|n| format!("pod-{n}")).collect();
            let selected = select(&asked[spelling..=spelling], &present).unwrap();
            prop_assert_eq!(&selected[0].1, &format!("pod-{n}"));
        }

        #[test]
        fn the_order_of_the_survey_changes_nothing(order in Just(vec![0i64, 1, 2, 3]).prop_shuffle()) {
            let files = task("logical-backup", Driver::Restic);
            let hosts: Vec<Host> =
                order.iter().map(|n| host(Role::Single, &format!("w-{n}"), *n > 0, n / 3)).collect();
            let planned = plan_backup(&files, &reference(), &hosts, &Values::new()).unwrap();
            prop_assert_eq!(names(&planned), [("dump", "w-1")]);
        }
    }
}
