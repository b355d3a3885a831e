//! Older spellings of fields, which manifests and stored objects still carry.
//!
//! The schemas declare them, so that an API server keeps them. Reading moves their values to the newer
//! field; where both are given the newer one stays.

use serde_json::{Map, Value, json};

use crate::Kind;

/// An older spelling that an object uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasUsed {
    /// Where the older field stands, such as `spec.sessions[0].timeout`.
    pub path: String,
    /// The older field.
    pub old: &'static str,
    /// The newer field, relative to where the older one stands; `*` stands for every member.
    pub new: &'static str,
}

/// How the value of an older field gets to the newer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carry {
    /// The newer field takes the value, at a path of names.
    Move(&'static [&'static str]),
    /// Every member that is an object takes the value, and this one also if it is absent.
    Spread { field: &'static str, always: &'static str },
    /// The value is the name of an issuer of cert-manager.
    IssuerName,
}

struct Alias {
    kind: Kind,
    /// Where the older field stands: names, `[]` for every item, `{}` for every member.
    parent: &'static [&'static str],
    old: &'static str,
    new: &'static str,
    /// Whether it is a time; all others are strings.
    time: bool,
    carry: Carry,
}

const fn alias(
    kind: Kind,
    parent: &'static [&'static str],
    old: &'static str,
    new: &'static str,
    carry: Carry,
) -> Alias {
    Alias { kind, parent, old, new, time: false, carry }
}

const RESTIC_STATS: &[&str] = &["status", "components", "{}", "resticStats", "[]"];

/// The API group of issuers, and the kind of an issuer of which only the name was given.
const ISSUER: (&str, &str) = ("cert-manager.io", "Issuer");

const ALIASES: &[Alias] = &[
    timeout(Kind::BackupBatch, &["spec", "sessions", "[]"]),
    timeout(Kind::BackupBlueprint, &["spec", "backupConfigurationTemplate", "sessions", "[]"]),
    timeout(Kind::BackupConfiguration, &["spec", "sessions", "[]"]),
    alias(
        Kind::RestoreSession,
        &["spec"],
        "timeout",
        "restoreTimeout",
        Carry::Move(&["restoreTimeout"]),
    ),
    Alias {
        time: true,
        ..alias(
            Kind::BackupSession,
            &["status"],
            "deadline",
            "backupDeadline",
            Carry::Move(&["backupDeadline"]),
        )
    },
    Alias {
        time: true,
        ..alias(
            Kind::RestoreSession,
            &["status"],
            "deadline",
            "restoreDeadline",
            Carry::Move(&["restoreDeadline"]),
        )
    },
    alias(
        Kind::RestoreSession,
        &["spec", "manifestOptions"],
        "restoreNamespace",
        "*.restoreNamespace",
        Carry::Spread { field: "restoreNamespace", always: "workload" },
    ),
    issuer(&["spec", "manifestOptions", "mongoDB"]),
    issuer(&["spec", "manifestOptions", "postgres"]),
    issuer(&["spec", "manifestOptions", "mySQL"]),
    issuer(&["spec", "manifestOptions", "mariaDB"]),
    alias(
        Kind::BackupStorage,
        &["spec", "storage", "s3"],
        "secret",
        "secretName",
        Carry::Move(&["secretName"]),
    ),
    summary("hostPath", "summary.hostPath", &["summary", "hostPath"]),
    summary("id", "summary.id", &["summary", "id"]),
    summary("size", "summary.size", &["summary", "size"]),
    summary("uploaded", "summary.uploaded", &["summary", "uploaded"]),
];

/// The time limit of a session that makes backups.
const fn timeout(kind: Kind, parent: &'static [&'static str]) -> Alias {
    alias(kind, parent, "timeout", "backupTimeout", Carry::Move(&["backupTimeout"]))
}

const fn issuer(parent: &'static [&'static str]) -> Alias {
    alias(Kind::RestoreSession, parent, "issuerRefName", "tlsIssuerRef.name", Carry::IssuerName)
}

const fn summary(old: &'static str, new: &'static str, path: &'static [&'static str]) -> Alias {
    alias(Kind::Snapshot, RESTIC_STATS, old, new, Carry::Move(path))
}

/// The older spellings that an object uses, in the order of the table, so that its author can be told.
pub fn aliases(object: &Value) -> Vec<AliasUsed> {
    modernize(&mut object.clone())
}

/// Moves the values of older fields to the newer ones, and says which there were.
/// Objects of other kinds stay as they are.
pub fn modernize(object: &mut Value) -> Vec<AliasUsed> {
    let Some(kind) = Kind::of(object) else { return Vec::new() };
    let mut used = Vec::new();
    for alias in ALIASES.iter().filter(|alias| alias.kind == kind) {
        each(object, alias.parent, String::new(), &mut |parent, path| {
            let Some(value) = parent.remove(alias.old).filter(|value| !value.is_null()) else {
                return;
            };
            let path = format!("{path}.{}", alias.old);
            used.push(AliasUsed { path, old: alias.old, new: alias.new });
            carry(parent, alias.carry, value);
        });
    }
    used
}

/// Declares the older fields in the schema of a kind.
pub(crate) fn declare(kind: Kind, schema: &mut Value) {
    for alias in ALIASES.iter().filter(|alias| alias.kind == kind) {
        let node = alias.parent.iter().fold(&mut *schema, |node, step| match *step {
            "[]" => &mut node["items"],
            "{}" => &mut node["additionalProperties"],
            name => &mut node["properties"][name],
        });
        let mut field = json!({
            "type": "string",
            "description": format!("Older spelling of {}.", alias.new),
        });
        if alias.time {
            field["format"] = json!("date-time");
        }
        node["properties"][alias.old] = field;
    }
}

/// The paths that [`declare`] adds to the schema of a kind, in the form of the parents.
pub fn declared(kind: Kind) -> Vec<String> {
    let of_kind = ALIASES.iter().filter(|alias| alias.kind == kind);
    of_kind
        .map(|alias| {
            let parent = alias.parent.iter().fold(String::new(), |path, step| match *step {
                "[]" | "{}" => path + step,
                name => path + "." + name,
            });
            format!("{parent}.{}", alias.old)
        })
        .collect()
}

fn each(
    value: &mut Value,
    steps: &[&str],
    path: String,
    act: &mut dyn FnMut(&mut Map<String, Value>, &str),
) {
    let Some((step, rest)) = steps.split_first() else {
        if let Value::Object(members) = value {
            act(members, &path);
        }
        return;
    };
    match (*step, value) {
        ("[]", Value::Array(items)) => {
            for (i, item) in items.iter_mut().enumerate() {
                each(item, rest, format!("{path}[{i}]"), act);
            }
        }
        ("{}", Value::Object(members)) => {
            for (name, member) in members {
                each(member, rest, format!("{path}.{name}"), act);
            }
        }
        (name, Value::Object(members)) => {
            if let Some(member) = members.get_mut(name) {
                let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                each(member, rest, path, act);
            }
        }
        _ => {}
    }
}

fn carry(parent: &mut Map<String, Value>, carry: Carry, value: Value) {
    match carry {
        Carry::Move(path) => place(parent, path, value),
        Carry::Spread { field, always } => {
            parent.entry(always).or_insert_with(|| json!({}));
            for member in parent.values_mut().filter_map(Value::as_object_mut) {
                place(member, &[field], value.clone());
            }
        }
        Carry::IssuerName => {
            let (group, kind) = ISSUER;
            let issuer = json!({ "apiGroup": group, "kind": kind, "name": value });
            place(parent, &["tlsIssuerRef"], issuer);
        }
    }
}

/// Puts a value at a path, unless one is there.
fn place(parent: &mut Map<String, Value>, path: &[&str], value: Value) {
    let Some((name, rest)) = path.split_first() else { return };
    let there = parent.entry(*name).or_insert(Value::Null);
    if rest.is_empty() {
        if there.is_null() {
            *there = value;
        }
        return;
    }
    if there.is_null() {
        *there = json!({});
    }
    if let Value::Object(members) = there {
        place(members, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(object: Value) -> Vec<(String, &'static str)> {
        aliases(&object).into_iter().map(|a| (a.path, a.new)).collect()
    }

    fn restore(spec: Value) -> Value {
        json!({ "apiVersion": "core.kubestash.com/v1alpha1", "kind": "RestoreSession", "spec": spec })
    }

    #[test]
    fn the_path_says_which_item_used_the_older_field() {
        let object = json!({
            "apiVersion": "core.kubestash.com/v1alpha1",
            "kind": "BackupConfiguration",
            "spec": { "sessions": [{}, { "timeout": "1h" }, { "backupTimeout": "1h" }] },
        });
        assert_eq!(used(object), [("spec.sessions[1].timeout".to_owned(), "backupTimeout")]);
    }

    #[test]
    fn sessions_of_batches_and_blueprints_take_the_older_limit_as_well() {
        let object = |kind: &str, spec: Value| {
            used(json!({ "apiVersion": "core.kubestash.com/v1alpha1", "kind": kind, "spec": spec }))
        };
        let old = json!({ "sessions": [{ "timeout": "1h" }] });
        assert_eq!(
            object("BackupBatch", old.clone()),
            [("spec.sessions[0].timeout".to_owned(), "backupTimeout")]
        );
        assert_eq!(
            object("BackupBlueprint", json!({ "backupConfigurationTemplate": old })),
            [("spec.backupConfigurationTemplate.sessions[0].timeout".to_owned(), "backupTimeout")]
        );
    }

    #[test]
    fn the_newer_field_wins_and_the_older_one_goes() {
        let mut object = restore(json!({ "timeout": "1h", "restoreTimeout": "2h" }));
        assert_eq!(modernize(&mut object).len(), 1);
        assert_eq!(object["spec"], json!({ "restoreTimeout": "2h" }));
        assert_eq!(modernize(&mut object), []);
    }

    #[test]
    fn null_is_no_value() {
        let mut object = restore(json!({ "timeout": null, "restoreTimeout": null }));
        assert_eq!(modernize(&mut object), []);
        let mut object = restore(json!({ "timeout": "1h", "restoreTimeout": null }));
        assert_eq!(modernize(&mut object).len(), 1);
        assert_eq!(object["spec"], json!({ "restoreTimeout": "1h" }));
    }

    #[test]
    fn a_namespace_for_all_manifests_reaches_every_option_that_has_none() {
        let mut object = restore(json!({
            "manifestOptions": {
                "restoreNamespace": "new",
                "redis": {},
                "druid": { "restoreNamespace": "own" },
            },
        }));
        modernize(&mut object);
        let expected = json!({
            "workload": { "restoreNamespace": "new" },
            "redis": { "restoreNamespace": "new" },
            "druid": { "restoreNamespace": "own" },
        });
        assert_eq!(object["spec"]["manifestOptions"], expected);
    }

    #[test]
    fn other_kinds_and_odd_shapes_stay_as_they_are() {
        for object in [
            json!({ "apiVersion": "v1", "kind": "Pod", "spec": { "timeout": "1h" } }),
            restore(json!([{ "timeout": "1h" }])),
            restore(json!({ "manifestOptions": "none" })),
            json!(null),
        ] {
            let mut after = object.clone();
            assert_eq!(modernize(&mut after), []);
            assert_eq!(after, object);
        }
    }

    #[test]
    fn declared_fields_are_known_fields() {
        for kind in Kind::ALL {
            let text = crate::schema::of(kind).to_string();
            for path in declared(kind) {
                let name = path.rsplit('.').next().unwrap_or_default();
                assert!(text.contains(&format!("\"{name}\":")), "{path}");
            }
        }
    }
}
