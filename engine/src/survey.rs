//! Facts for one session, asked when it needs them: pods of the target, their nodes and volumes.
//!
//! What a host has beyond its volumes is carried for the Job that works beside it, which runs where the pod runs,
//! is let onto the same nodes, and may read as whom the application reads. Labels of the pod are none of that.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::Uid;
use crate::limits;

/// A pod of the target, or a claim that stands alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// What distinguishes it from its siblings.
    pub role: Role,
    /// Pod name; empty for a claim that nobody mounts.
    pub pod: String,
    /// Node name; empty when unknown.
    pub node: String,
    /// Ready, for the choice among a Deployment's pods.
    pub ready: bool,
    /// When the pod was created, milliseconds since 1970; the oldest Ready one is chosen.
    pub created_ms: i64,
    /// What a pod that works beside it copies.
    pub surroundings: Surroundings,
    /// Volumes that can be read or written.
    pub volumes: Vec<Volume>,
}

/// What distinguishes a host from its siblings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// The ordinal of a StatefulSet's pod.
    Ordinal(u32),
    /// The node of a DaemonSet's pod.
    Node(String),
    /// A pod of a Deployment, or a claim.
    Single,
}

/// What a pod that works beside a host copies from it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surroundings {
    /// The pod; absent for a claim that stands alone, and where pods have no uid.
    pub pod_uid: Option<Uid>,
    /// The node's label `kubernetes.io/hostname`, which need not be its name; empty when unknown.
    pub hostname: String,
    /// The pod's tolerations: without them the node that has the volume may be closed.
    pub tolerations: Vec<Toleration>,
    /// As whom the application works.
    pub security: Security,
    /// The pod's ServiceAccount; empty when unknown.
    pub service_account: String,
}

/// One of a pod's tolerations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toleration {
    /// Key of the taint; empty: every key.
    pub key: String,
    /// Value of the taint; absent: operator `Exists`, every value.
    pub value: Option<String>,
    /// Effect of the taint; absent: every effect.
    pub effect: Option<Taint>,
    /// `tolerationSeconds`.
    pub seconds: Option<i64>,
}

/// What a taint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "Kubernetes' own words")]
pub enum Taint {
    NoSchedule,
    PreferNoSchedule,
    NoExecute,
}

/// The security context of the container that has the volumes, with what its pod's adds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Security {
    /// `runAsUser`.
    pub user: Option<i64>,
    /// `runAsGroup`.
    pub group: Option<i64>,
    /// `fsGroup`: read where the worker has no capabilities; never set on a pod of ours.
    pub fs_group: Option<i64>,
    /// `supplementalGroups`.
    pub supplemental_groups: Vec<i64>,
    /// `seLinuxOptions`: a worker with other categories cannot read what this one wrote.
    pub se_linux: Option<SeLinux>,
}

/// `seLinuxOptions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "Kubernetes' own words")]
pub struct SeLinux {
    pub user: String,
    pub role: String,
    pub kind: String,
    pub level: String,
}

/// A volume of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Name in the pod; the claim's name for a claim that stands alone.
    pub name: String,
    /// PersistentVolumeClaim behind it, if any.
    pub claim: Option<Claim>,
    /// Where the pod mounts it; the Addon's mount path for a claim; of a block device its path.
    pub mount_path: String,
    /// `subPath` of the mount; empty: the whole volume.
    pub sub_path: String,
    /// The pod cannot write to it.
    pub read_only: bool,
}

/// A PersistentVolumeClaim with what is known of the volume that it is bound to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// The object; absent where it is not declared.
    pub uid: Option<Uid>,
    /// `accessModes`.
    pub access: Vec<Access>,
    /// `volumeMode`.
    pub mode: VolumeMode,
    /// `storageClassName`; empty: none.
    pub class: String,
    /// The PersistentVolume; empty while it is not bound.
    pub volume: String,
    /// CSI driver of the volume; empty: another kind of volume, or none yet.
    pub driver: String,
    /// Capacity of the volume in bytes, else what is asked for; zero when unknown.
    pub capacity: u64,
    /// Nodes that the volume can be reached from, any of these; empty: all.
    pub affinity: Vec<NodeTerm>,
    /// A running pod that may write to it, the first by name; empty: none.
    pub writer: String,
}

impl Claim {
    /// A claim of which only the name is known.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

/// How many may use a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "Kubernetes' own words")]
pub enum Access {
    ReadWriteOnce,
    ReadOnlyMany,
    ReadWriteMany,
    ReadWriteOncePod,
}

/// What a volume is to its pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum VolumeMode {
    /// A directory.
    #[default]
    Filesystem,
    /// A device, which has no files.
    Block,
}

/// One of the terms of a volume's `nodeAffinity`: all of its requirements hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeTerm {
    /// `matchExpressions`, on labels.
    pub labels: Vec<Requirement>,
    /// `matchFields`.
    pub fields: Vec<Requirement>,
}

/// A requirement of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// Label or field.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub values: Vec<String>,
}

/// How a node's label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "Kubernetes' own words")]
pub enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    Gt,
    Lt,
}

impl Host {
    /// What of it is more than one record of the log holds: the field, how many there are, and how many there
    /// may be.
    #[must_use]
    pub fn excess(&self) -> Option<String> {
        let around = &self.surroundings;
        let claims = || self.volumes.iter().filter_map(|volume| volume.claim.as_ref());
        let terms = || claims().flat_map(|claim| &claim.affinity);
        let most = |counts: &mut dyn Iterator<Item = usize>| counts.max().unwrap_or(0);
        let counts = [
            ("volumes", self.volumes.len(), limits::VOLUMES_A_HOST),
            ("tolerations", around.tolerations.len(), limits::TOLERATIONS_A_POD),
            (
                "supplemental groups",
                around.security.supplemental_groups.len(),
                limits::SUPPLEMENTAL_GROUPS,
            ),
            (
                "terms of a volume's node affinity",
                most(&mut claims().map(|c| c.affinity.len())),
                limits::AFFINITY_TERMS,
            ),
            (
                "requirements of a node affinity's term",
                most(&mut terms().map(|term| term.labels.len() + term.fields.len())),
                limits::AFFINITY_REQUIREMENTS,
            ),
            ("bytes of text", self.text(), limits::HOST_TEXT_BYTES),
        ];
        let found = counts.into_iter().find(|(_, count, limit)| count > limit);
        found.map(|(what, count, limit)| format!("{count} {what}; at most {limit} are carried"))
    }

    /// Bytes of all texts whose number or length others decide.
    fn text(&self) -> usize {
        let around = &self.surroundings;
        let tolerations = around
            .tolerations
            .iter()
            .map(|t| t.key.len() + t.value.as_ref().map_or(0, String::len));
        let of =
            |r: &Requirement| r.key.len() + r.values.iter().map(|v| v.len() + 1).sum::<usize>();
        let volumes = self.volumes.iter().map(|volume| {
            let claim = volume.claim.as_ref().map_or(0, |claim| {
                let terms =
                    claim.affinity.iter().flat_map(|term| term.labels.iter().chain(&term.fields));
                let names =
                    [&claim.name, &claim.class, &claim.volume, &claim.driver, &claim.writer];
                names.into_iter().map(String::len).sum::<usize>() + terms.map(of).sum::<usize>()
            });
            volume.name.len() + volume.mount_path.len() + volume.sub_path.len() + claim
        });
        let se_linux = around.security.se_linux.as_ref().map_or(0, |labels| {
            labels.user.len() + labels.role.len() + labels.kind.len() + labels.level.len()
        });
        tolerations.chain(volumes).sum::<usize>() + se_linux
    }
}
