//! What Kubernetes' own types carry in a definition, and their Rust form does not.
//!
//! Source: the markers beside the fields in Kubernetes' API types, release 1.35. The Rust types are
//! those of 1.33; three fields that are newer are declared here, so that an API server keeps them.

use serde_json::{Value, json};

const LIST_TYPE: &str = "x-kubernetes-list-type";
const LIST_KEYS: &str = "x-kubernetes-list-map-keys";
const MAP_TYPE: &str = "x-kubernetes-map-type";

/// What a quantity looks like, as the API server checks it.
const QUANTITY: &str = concat!(
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))",
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$",
);

/// Lists that server-side apply takes as one value: type, fields.
const ATOMIC_LISTS: &[(&str, &[&str])] = &[
    ("Capabilities", &["add", "drop"]),
    ("CephFSVolumeSource", &["monitors"]),
    ("ConfigMapProjection", &["items"]),
    ("ConfigMapVolumeSource", &["items"]),
    ("Container", &["args", "command", "envFrom", "resizePolicy"]),
    ("DownwardAPIProjection", &["items"]),
    ("DownwardAPIVolumeSource", &["items"]),
    ("ExecAction", &["command"]),
    ("FCVolumeSource", &["targetWWNs", "wwids"]),
    ("HTTPGetAction", &["httpHeaders"]),
    ("ISCSIVolumeSource", &["portals"]),
    ("LabelSelector", &["matchExpressions"]),
    ("LabelSelectorRequirement", &["values"]),
    ("NodeAffinity", &["preferredDuringSchedulingIgnoredDuringExecution"]),
    ("NodeSelector", &["nodeSelectorTerms"]),
    ("NodeSelectorRequirement", &["values"]),
    ("NodeSelectorTerm", &["matchExpressions", "matchFields"]),
    ("PersistentVolumeClaimSpec", &["accessModes"]),
    ("PersistentVolumeClaimStatus", &["accessModes"]),
    ("PodAffinity", AFFINITY),
    ("PodAffinityTerm", &["matchLabelKeys", "mismatchLabelKeys", "namespaces"]),
    ("PodAntiAffinity", AFFINITY),
    ("PodDNSConfig", &["nameservers", "options", "searches"]),
    ("PodSecurityContext", &["supplementalGroups", "sysctls"]),
    ("ProjectedVolumeSource", &["sources"]),
    ("RBDVolumeSource", &["monitors"]),
    ("SecretProjection", &["items"]),
    ("SecretVolumeSource", &["items"]),
    ("TopologySpreadConstraint", &["matchLabelKeys"]),
];

const AFFINITY: &[&str] = &[
    "preferredDuringSchedulingIgnoredDuringExecution",
    "requiredDuringSchedulingIgnoredDuringExecution",
];

/// Lists that server-side apply merges: type, field, fields of an item that identify it.
const MAP_LISTS: &[(&str, &str, &[&str])] = &[
    ("Container", "env", &["name"]),
    ("Container", "ports", &["containerPort", "protocol"]),
    ("Container", "volumeDevices", &["devicePath"]),
    ("Container", "volumeMounts", &["mountPath"]),
    ("PersistentVolumeClaimStatus", "conditions", &["type"]),
    ("ResourceRequirements", "claims", &["name"]),
];

/// Types that server-side apply takes as one value.
const ATOMIC_TYPES: &[&str] = &[
    "ConfigMapEnvSource",
    "ConfigMapKeySelector",
    "ConfigMapProjection",
    "ConfigMapVolumeSource",
    "LabelSelector",
    "LocalObjectReference",
    "NodeSelector",
    "NodeSelectorTerm",
    "ObjectFieldSelector",
    "OwnerReference",
    "ResourceFieldSelector",
    "SecretEnvSource",
    "SecretKeySelector",
    "SecretProjection",
    "TypedLocalObjectReference",
];

/// Types whose name has an empty default, and so is not required.
const EMPTY_NAME: &[&str] = &[
    "ConfigMapEnvSource",
    "ConfigMapKeySelector",
    "ConfigMapProjection",
    "ConfigMapVolumeSource",
    "LocalObjectReference",
    "SecretEnvSource",
    "SecretKeySelector",
    "SecretProjection",
];

/// Defaults of other fields: type, field, JSON.
const DEFAULTS: &[(&str, &str, &str)] = &[
    ("AzureDiskVolumeSource", "fsType", r#""ext4""#),
    ("AzureDiskVolumeSource", "readOnly", "false"),
    ("ContainerPort", "protocol", r#""TCP""#),
    ("GRPCAction", "service", r#""""#),
    ("ISCSIVolumeSource", "iscsiInterface", r#""default""#),
    ("RBDVolumeSource", "keyring", r#""/etc/ceph/keyring""#),
    ("RBDVolumeSource", "pool", r#""rbd""#),
    ("RBDVolumeSource", "user", r#""admin""#),
    ("ScaleIOVolumeSource", "fsType", r#""xfs""#),
    ("ScaleIOVolumeSource", "storageMode", r#""ThinProvisioned""#),
];

/// The fields of the metadata of a claim that is yet to be made.
const CLAIM_METADATA: [&str; 6] =
    ["annotations", "generateName", "labels", "name", "namespace", "ownerReferences"];

/// Adds to the schema of one of Kubernetes' types what is missing in it.
pub fn mark(name: &str, definition: &mut Value) {
    let short = name.rsplit('.').next().unwrap_or_default();
    match short {
        "Quantity" => *definition = int_or_string(Some(QUANTITY)),
        "IntOrString" => *definition = int_or_string(None),
        "ObjectMeta" => {
            if let Some(properties) = definition["properties"].as_object_mut() {
                properties.retain(|field, _| CLAIM_METADATA.contains(&field.as_str()));
            }
        }
        _ => marks_of(short, definition),
    }
}

fn marks_of(name: &str, definition: &mut Value) {
    if ATOMIC_TYPES.contains(&name) {
        definition[MAP_TYPE] = json!("atomic");
    }
    let Some(newer) = newer_field(name) else { return fields(name, definition) };
    definition["properties"][newer.0] = newer.1;
    fields(name, definition);
}

fn fields(name: &str, definition: &mut Value) {
    let of_type = ATOMIC_LISTS.iter().filter(|(of, _)| *of == name);
    for field in of_type.flat_map(|(_, fields)| fields.iter()) {
        definition["properties"][*field][LIST_TYPE] = json!("atomic");
    }
    for (_, field, keys) in MAP_LISTS.iter().filter(|(of, ..)| *of == name) {
        definition["properties"][*field][LIST_TYPE] = json!("map");
        definition["properties"][*field][LIST_KEYS] = json!(keys);
    }
    for (_, field, text) in DEFAULTS.iter().filter(|(of, ..)| *of == name) {
        definition["properties"][*field]["default"] =
            serde_json::from_str(text).unwrap_or_default();
    }
    if EMPTY_NAME.contains(&name) {
        definition["properties"]["name"]["default"] = json!("");
        not_required("name", definition);
    }
    if name == "PersistentVolumeClaimStatus" {
        definition["properties"]["allocatedResourceStatuses"][MAP_TYPE] = json!("granular");
    }
}

fn not_required(field: &str, definition: &mut Value) {
    let Some(required) = definition["required"].as_array_mut() else { return };
    required.retain(|name| name != field);
    if required.is_empty()
        && let Some(definition) = definition.as_object_mut()
    {
        definition.remove("required");
    }
}

fn int_or_string(pattern: Option<&str>) -> Value {
    let mut schema = json!({
        "anyOf": [{ "type": "integer" }, { "type": "string" }],
        "x-kubernetes-int-or-string": true,
    });
    if let Some(pattern) = pattern {
        schema["pattern"] = json!(pattern);
    }
    schema
}

/// A field that is newer than the Rust types.
fn newer_field(name: &str) -> Option<(&'static str, Value)> {
    match name {
        "Container" => Some(("restartPolicyRules", restart_policy_rules())),
        "EnvVarSource" => Some(("fileKeyRef", file_key_ref())),
        "VolumeProjection" => Some(("podCertificate", pod_certificate())),
        _ => None,
    }
}

fn file_key_ref() -> Value {
    json!({
        "type": "object",
        "required": ["key", "path", "volumeName"],
        "properties": {
            "key": { "type": "string" },
            "optional": { "type": "boolean", "default": false },
            "path": { "type": "string" },
            "volumeName": { "type": "string" },
        },
        "x-kubernetes-map-type": "atomic",
    })
}

fn pod_certificate() -> Value {
    json!({
        "type": "object",
        "required": ["keyType", "signerName"],
        "properties": {
            "certificateChainPath": { "type": "string" },
            "credentialBundlePath": { "type": "string" },
            "keyPath": { "type": "string" },
            "keyType": { "type": "string" },
            "maxExpirationSeconds": { "type": "integer", "format": "int32" },
            "signerName": { "type": "string" },
        },
    })
}

fn restart_policy_rules() -> Value {
    json!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["action"],
            "properties": {
                "action": { "type": "string" },
                "exitCodes": {
                    "type": "object",
                    "required": ["operator"],
                    "properties": {
                        "operator": { "type": "string" },
                        "values": {
                            "type": "array",
                            "items": { "type": "integer", "format": "int32" },
                            "x-kubernetes-list-type": "set",
                        },
                    },
                },
            },
        },
        "x-kubernetes-list-type": "atomic",
    })
}
