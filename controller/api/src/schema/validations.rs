//! Rules about several fields of one object, in CEL, which the API server evaluates itself.
//!
//! They say what KubeStash's webhooks refuse and one object shows. An API server limits what a rule may
//! cost at worst. Lists and strings have no bounds here, since the kinds of KubeStash have none: a rule
//! looks at most once at every item of one list. So what compares items with each other (unique names),
//! or looks at lists in lists (backends that repositories name), is no rule here; [`rules`](crate::rules)
//! and the engine decide on it.
//!
//! `function` is a reserved word of CEL, so a field of that name is `__function__` in a rule.
//! A rule about the old object (`oldSelf`) applies to updates only.

use serde_json::{Value, json};

use crate::Kind;

/// A rule of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validation {
    /// The kind.
    pub kind: Kind,
    /// The node that is `self`: names of fields, `[]` for the items of a list; empty for the object.
    pub at: &'static [&'static str],
    /// What must hold.
    pub rule: &'static str,
    /// Which field is wrong, and what to do.
    pub message: &'static str,
}

/// The nodes that rules are about.
const OBJECT: &[&str] = &[];
const SPEC: &[&str] = &["spec"];
const ALLOWED_NAMESPACES: &[&str] = &["spec", "usagePolicy", "allowedNamespaces"];
const SESSION: &[&str] = &["spec", "sessions", "[]"];
const TARGET: &[&str] = &["spec", "targets", "[]"];
const STORAGE: &[&str] = &["spec", "storage"];
const EXECUTOR: &[&str] = &["spec", "executor"];
const POD: &[&str] = &["spec", "executor", "pod"];
const DATA_SOURCE: &[&str] = &["spec", "dataSource"];

const fn rule(
    kind: Kind,
    at: &'static [&'static str],
    rule: &'static str,
    message: &'static str,
) -> Validation {
    Validation { kind, at, rule, message }
}

/// KubeStash's webhooks refuse a usage policy that speaks of a selector and has none.
const fn selector(kind: Kind) -> Validation {
    rule(
        kind,
        ALLOWED_NAMESPACES,
        "!has(self.from) || self.from != 'Selector' || has(self.selector)",
        "selector must be given where from is Selector: give labels, or choose All or Same",
    )
}

/// KubeStash's webhooks refuse every change of the spec of a run.
const fn unchanging(kind: Kind) -> Validation {
    rule(
        kind,
        SPEC,
        "self == oldSelf",
        "spec must not change: it describes one run, so create another object",
    )
}

/// A name that is given, of an item that others refer to by it.
const fn named(kind: Kind, at: &'static [&'static str], message: &'static str) -> Validation {
    rule(kind, at, "has(self.name) && self.name != ''", message)
}

/// That a field of `spec.storage` is as it was: given on both sides or on none, and with the same value.
macro_rules! same {
    ($field:literal) => {
        concat!(
            " && has(self.spec.storage.",
            $field,
            ") == has(oldSelf.spec.storage.",
            $field,
            ")",
            " && (!has(self.spec.storage.",
            $field,
            ")",
            " || self.spec.storage.",
            $field,
            " == oldSelf.spec.storage.",
            $field,
            ")",
        )
    };
    ($outer:literal, $field:literal) => {
        concat!(
            " && (has(self.spec.storage.",
            $outer,
            ") && has(self.spec.storage.",
            $outer,
            ".",
            $field,
            ")",
            " ? self.spec.storage.",
            $outer,
            ".",
            $field,
            " : '')",
            " == (has(oldSelf.spec.storage.",
            $outer,
            ") && has(oldSelf.spec.storage.",
            $outer,
            ".",
            $field,
            ")",
            " ? oldSelf.spec.storage.",
            $outer,
            ".",
            $field,
            " : '')",
        )
    };
}

const SESSION_NAME: &str = "name must be given: a session is referred to by it";

/// Every rule.
pub const VALIDATIONS: &[Validation] = &[
    // KubeStash's webhook refuses every change of the storage while repositories lie in it. How the place is
    // reached may change here: a Secret of another name, another endpoint or authority, another number of connections.
    rule(
        Kind::BackupStorage,
        OBJECT,
        concat!(
            "!has(self.status) || !has(self.status.repositories) || size(self.status.repositories) == 0",
            " || (has(self.spec) && has(self.spec.storage) && has(oldSelf.spec) && has(oldSelf.spec.storage)",
            same!("provider"),
            same!("local"),
            same!("s3", "bucket"),
            same!("s3", "prefix"),
            same!("gcs", "bucket"),
            same!("gcs", "prefix"),
            same!("azure", "storageAccount"),
            same!("azure", "container"),
            same!("azure", "prefix"),
            ")",
        ),
        "spec.storage must name the same place while repositories lie in it (provider, bucket or container, prefix, \
         local): create another BackupStorage",
    ),
    // KubeStash reads the settings of the provider that is named, and fails without them.
    rule(
        Kind::BackupStorage,
        STORAGE,
        "!has(self.provider) || (self.provider == 'local' ? has(self.local) \
         : self.provider == 's3' ? has(self.s3) : self.provider == 'gcs' ? has(self.gcs) \
         : self.provider == 'azure' ? has(self.azure) : true)",
        "the settings of the provider must be given: the field that provider names (local, s3, gcs or azure)",
    ),
    selector(Kind::BackupStorage),
    // KubeStash's webhook refuses another path.
    rule(
        Kind::Repository,
        SPEC,
        "has(self.path) == has(oldSelf.path) && (!has(self.path) || self.path == oldSelf.path)",
        "path must not change: the data lies there, so create another Repository",
    ),
    // KubeStash's webhook refuses a period that it cannot read.
    rule(
        Kind::RetentionPolicy,
        SPEC,
        r"!has(self.maxRetentionPeriod) || self.maxRetentionPeriod.matches('^\\s*(-?[0-9]+(y|mo|w|d|h|m))*\\s*$')",
        "maxRetentionPeriod must be numbers with units y, mo, w, d, h or m, such as 1y2mo3w",
    ),
    // KubeStash's webhook refuses a policy that keeps nothing for a reason.
    rule(
        Kind::RetentionPolicy,
        SPEC,
        "has(self.successfulSnapshots) || (has(self.maxRetentionPeriod) && self.maxRetentionPeriod != '')",
        "maxRetentionPeriod or successfulSnapshots must be given: they say what is kept",
    ),
    selector(Kind::RetentionPolicy),
    // KubeStash's webhook refuses a configuration without sessions, and sessions without their parts.
    rule(
        Kind::BackupConfiguration,
        SPEC,
        "has(self.sessions) && size(self.sessions) > 0",
        "sessions must be given: at least one says when and how the backup runs",
    ),
    named(Kind::BackupConfiguration, SESSION, SESSION_NAME),
    rule(
        Kind::BackupConfiguration,
        SESSION,
        "has(self.scheduler)",
        "scheduler must be given: it says when the session starts",
    ),
    rule(
        Kind::BackupConfiguration,
        SESSION,
        "has(self.addon) && has(self.addon.name) && self.addon.name != ''",
        "addon.name must be given: it names the Addon that does the work",
    ),
    rule(
        Kind::BackupConfiguration,
        SESSION,
        "!has(self.addon) || (has(self.addon.tasks) && size(self.addon.tasks) > 0)",
        "addon.tasks must be given: at least one task of the Addon",
    ),
    rule(
        Kind::BackupConfiguration,
        SESSION,
        "has(self.repositories) && size(self.repositories) > 0",
        "repositories must be given: at least one says where the data goes",
    ),
    // KubeStash's webhook refuses a blueprint without a template.
    rule(
        Kind::BackupBlueprint,
        SPEC,
        "has(self.backupConfigurationTemplate)",
        "backupConfigurationTemplate must be given: it is what the blueprint makes",
    ),
    selector(Kind::BackupBlueprint),
    // Sessions of a batch name its targets.
    named(Kind::BackupBatch, TARGET, "name must be given: sessions refer to a target by it"),
    named(Kind::BackupBatch, SESSION, SESSION_NAME),
    // KubeStash's webhook refuses a template that does not say what runs, or where.
    rule(
        Kind::HookTemplate,
        SPEC,
        "has(self.executor)",
        "executor must be given: it says where the action runs",
    ),
    rule(
        Kind::HookTemplate,
        SPEC,
        "has(self.action) || (has(self.executor) && has(self.executor.type) \
         && self.executor.type == 'Function')",
        "action must be given, unless executor.type is Function",
    ),
    rule(
        Kind::HookTemplate,
        EXECUTOR,
        "!has(self.type) || self.type != 'Function' || has(self.__function__)",
        "function must be given where type is Function: it names the Function that runs",
    ),
    rule(
        Kind::HookTemplate,
        EXECUTOR,
        "!has(self.type) || self.type != 'Pod' || has(self.pod)",
        "pod must be given where type is Pod: its selector chooses the pods",
    ),
    rule(
        Kind::HookTemplate,
        POD,
        "has(self.selector) && self.selector.matches('^[^,]*=[^,]*(,[^,]*=[^,]*)*$')",
        "selector must be labels such as app=web,tier=db: every part between commas has a =",
    ),
    selector(Kind::HookTemplate),
    unchanging(Kind::BackupSession),
    unchanging(Kind::BackupVerificationSession),
    // KubeStash's webhook refuses a restore that does not say what is restored.
    rule(
        Kind::RestoreSession,
        SPEC,
        "has(self.dataSource)",
        "dataSource must be given: it says what is restored",
    ),
    rule(
        Kind::RestoreSession,
        DATA_SOURCE,
        "!has(self.pitr) || (has(self.pitr.targetTime) && has(self.repository) && self.repository != '')",
        "pitr.targetTime and repository must be given for a point in time",
    ),
    rule(
        Kind::RestoreSession,
        DATA_SOURCE,
        "has(self.pitr) || (has(self.snapshot) && self.snapshot != '')",
        "snapshot must be given: the name of a Snapshot, or latest",
    ),
    rule(
        Kind::RestoreSession,
        DATA_SOURCE,
        "has(self.pitr) || !has(self.snapshot) || self.snapshot != 'latest' \
         || (has(self.repository) && self.repository != '')",
        "repository must be given where snapshot is latest",
    ),
    // KubeStash's code refuses a verifier that lacks what its type needs.
    rule(
        Kind::BackupVerifier,
        SPEC,
        "has(self.restoreOption) && has(self.restoreOption.addonInfo)",
        "restoreOption.addonInfo must be given: it names the tasks that restore",
    ),
    rule(
        Kind::BackupVerifier,
        SPEC,
        "has(self.type)",
        "type must be given: RestoreOnly, Query or Script",
    ),
    rule(
        Kind::BackupVerifier,
        SPEC,
        "!has(self.type) || self.type == 'RestoreOnly' || (has(self.__function__) && self.__function__ != '')",
        "function must be given where type is Query or Script: it names the Function that checks",
    ),
    rule(
        Kind::BackupVerifier,
        SPEC,
        "!has(self.type) || self.type != 'Query' || has(self.query)",
        "query must be given where type is Query",
    ),
    rule(
        Kind::BackupVerifier,
        SPEC,
        "!has(self.type) || self.type != 'Script' || (has(self.script) && has(self.script.location) \
         && self.script.location != '')",
        "script.location must be given where type is Script",
    ),
];

/// Adds the rules of a kind to its schema.
pub(super) fn declare(kind: Kind, schema: &mut Value) {
    for validation in VALIDATIONS.iter().filter(|validation| validation.kind == kind) {
        let node = validation.at.iter().fold(&mut *schema, |node, step| match *step {
            "[]" => &mut node["items"],
            name => &mut node["properties"][name],
        });
        let entry = json!({ "rule": validation.rule, "message": validation.message });
        match node["x-kubernetes-validations"].as_array_mut() {
            Some(entries) => entries.push(entry),
            None => node["x-kubernetes-validations"] = json!([entry]),
        }
    }
}
