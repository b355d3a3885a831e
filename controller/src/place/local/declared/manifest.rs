//! One document of a file, as an object or as a problem with its place.

use std::fmt;
use std::path::{Path, PathBuf};

use holdfast_api::Kind;
use serde_json::Value;

pub use crate::sighting::name::ObjectName;

/// Kinds besides our own that local mode reads: group, kind, whether they lie in a namespace.
const FOREIGN: &[(&str, &str, bool)] = &[
    ("", "Namespace", false),
    ("", "PersistentVolume", false),
    ("", "PersistentVolumeClaim", true),
    ("", "Secret", true),
    ("apps", "DaemonSet", true),
    ("apps", "Deployment", true),
    ("apps", "StatefulSet", true),
];

/// Kinds that commonly stand beside those and have no meaning without a cluster.
const WITHOUT_MEANING: &[(&str, &str)] = &[
    ("", "ConfigMap"),
    ("", "Service"),
    ("", "ServiceAccount"),
    ("networking.k8s.io", "NetworkPolicy"),
    ("policy", "PodDisruptionBudget"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
    ("storage.k8s.io", "StorageClass"),
];

/// Our own kinds that this release checks and does nothing with.
const WITHOUT_EFFECT: [Kind; 4] = [
    Kind::BackupBatch,
    Kind::BackupBlueprint,
    Kind::BackupVerificationSession,
    Kind::BackupVerifier,
];

/// An object as declared, and where. A Secret's values are in it: it is shown by its name and its place only.
#[derive(Clone)]
pub struct Manifest {
    /// What it is called.
    pub name: ObjectName,
    /// The document, with the namespace filled in.
    pub object: Value,
    /// Where it stands.
    pub place: Place,
}

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.name, self.place)
    }
}

/// A document of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, relative to the directory that is read.
    pub file: PathBuf,
    /// Number of the document, from 1; zero where the file as a whole is meant.
    pub document: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.document {
            0 => write!(f, "{}", self.file.display()),
            number => write!(f, "{}, document {number}", self.file.display()),
        }
    }
}

/// Why a document is not used. The others of its file are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it stands.
    pub place: Place,
    /// The object, as far as it could be told.
    pub object: Option<ObjectName>,
    /// The field, as a path from the object's root; empty when the whole document is meant.
    pub field: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place)?;
        if let Some(object) = &self.object {
            write!(f, ", {object}")?;
        }
        if !self.field.is_empty() {
            write!(f, ", {}", self.field)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// What a file holds.
#[derive(Debug, Default)]
pub struct Documents {
    /// Objects that can be used.
    pub manifests: Vec<Manifest>,
    /// Documents that cannot.
    pub problems: Vec<Problem>,
    /// Older spellings in use and objects without effect, for the reader's information.
    pub notices: Vec<String>,
}

/// Reads all documents of a file.
#[must_use]
pub fn read_documents(file: &Path, text: &str) -> Documents {
    let mut found = Documents::default();
    for (index, document) in split(text).into_iter().enumerate() {
        let place = Place { file: file.to_path_buf(), document: index + 1 };
        match parse(document) {
            Ok(Value::Null) => {}
            Ok(object) => read_object(object, &place, &mut found),
            Err(message) => found.problems.push(Problem {
                place,
                object: None,
                field: String::new(),
                message: format!("not valid YAML: {message}"),
            }),
        }
    }
    found
}

/// Cuts a stream at its `---` lines, so that one broken document does not hide the others.
fn split(text: &str) -> Vec<&str> {
    let mut documents = Vec::new();
    let mut start = 0;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if line
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
        {
            documents.push(&text[start..offset]);
            start = offset + 3;
        }
        offset += line.len();
    }
    documents.push(&text[start..]);
    // What stands before the first separator is a document only when something stands there.
    if documents.len() > 1
        && documents[0].lines().all(|l| l.trim().is_empty() || l.starts_with(['#', '%']))
    {
        documents.remove(0);
    }
    documents
}

fn parse(document: &str) -> Result<Value, String> {
    if document.trim_start().starts_with('{')
        && let Ok(value) = serde_json::from_str(document)
    {
        return Ok(value);
    }
    if document.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Value::Null);
    }
    // As kubectl reads numbers: 0644 is a mode, not six hundred and forty-four.
    let options = serde_saphyr::options! { legacy_octal_numbers: true };
    serde_saphyr::from_str_with_options(document, options)
        .map_err(|error: serde_saphyr::Error| wrong(&error.to_string()))
}

/// What the parser says, without what it says to programmers, and without the picture of the place behind the first
/// line, which a log line has no room for.
fn wrong(said: &str) -> String {
    let line = said.lines().next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    line.replace("cannot deserialize null into string; use Option<String>", "a key is missing")
}

fn read_object(object: Value, place: &Place, found: &mut Documents) {
    if object["kind"] == "List" && object["items"].is_array() {
        if let Value::Object(mut list) = object
            && let Some(Value::Array(items)) = list.remove("items")
        {
            items.into_iter().for_each(|item| read_object(item, place, found));
        }
        return;
    }
    match identify(object) {
        Ok(None) => {}
        Ok(Some((name, object))) => {
            let problems = check(&name, &object, place);
            if problems.is_empty() {
                found.notices.extend(holdfast_api::aliases(&object).into_iter().map(|alias| {
                    format!("{place}, {name}, {}: older spelling, write {}", alias.path, alias.new)
                }));
                if name.own_kind().is_some_and(|kind| WITHOUT_EFFECT.contains(&kind)) {
                    found.notices.push(format!(
                        "{place}, {name}: its fields are valid, and this release does nothing with it"
                    ));
                }
                found.manifests.push(Manifest { name, object, place: place.clone() });
            } else {
                found.problems.extend(problems);
            }
        }
        Err((field, message)) => found.problems.push(Problem {
            place: place.clone(),
            object: None,
            field: field.into(),
            message,
        }),
    }
}

type Unidentified = (&'static str, String);

/// Which object a document is; `None` when it has no meaning without a cluster.
fn identify(mut object: Value) -> Result<Option<(ObjectName, Value)>, Unidentified> {
    if !object.is_object() {
        return Err(("", "a document is an object with apiVersion, kind and metadata".into()));
    }
    let text = |path: &'static str, value: &Value| match value.as_str() {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err((path, "a text is needed here".to_owned())),
    };
    let api_version = text("apiVersion", &object["apiVersion"])?;
    let kind = text("kind", &object["kind"])?;
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let own = Kind::from_api_version_kind(&api_version, &kind);
    let foreign = FOREIGN.iter().find(|(g, k, _)| *g == group && *k == kind && version == "v1");
    let namespaced = match (own, foreign) {
        (Some(own), _) => own.namespaced(),
        (None, Some((_, _, namespaced))) => *namespaced,
        (None, None) if WITHOUT_MEANING.contains(&(group, kind.as_str())) => return Ok(None),
        (None, None) => {
            return Err((
                "kind",
                format!("{kind} of {api_version} is unknown here; correct it or take it out"),
            ));
        }
    };
    let name = text("metadata.name", &object["metadata"]["name"])?;
    let namespace = match (&object["metadata"]["namespace"], namespaced) {
        (Value::Null, true) => "default".to_owned(),
        (value, true) => text("metadata.namespace", value)?,
        (_, false) => String::new(),
    };
    for (field, value) in [("metadata.name", &name), ("metadata.namespace", &namespace)] {
        // Names become file names below: what Kubernetes refuses must not reach a path.
        if value.contains(['/', '\\', '\0']) || value == "." || value == ".." || value.len() > 253 {
            return Err((field, format!("{value:?} is no name of an object")));
        }
    }
    if namespaced {
        object["metadata"]["namespace"] = Value::from(namespace.clone());
    }
    Ok(Some((ObjectName::new(group, &kind, &namespace, &name), object)))
}

/// Fields that nobody knows and values of the wrong type.
fn check(name: &ObjectName, object: &Value, place: &Place) -> Vec<Problem> {
    let problem = |field: String, message: String| Problem {
        place: place.clone(),
        object: Some(name.clone()),
        field,
        message,
    };
    let Some(kind) = name.own_kind() else {
        return check_foreign(name, object)
            .err()
            .map(|message| problem(String::new(), message))
            .into_iter()
            .collect();
    };
    let mut problems: Vec<Problem> = holdfast_api::unknown_fields(kind, object)
        .into_iter()
        .map(|field| problem(field, "this field does not exist".into()))
        .collect();
    let wrong = holdfast_api::validate(kind, object);
    let together = holdfast_api::rules(kind, object);
    problems
        .extend(wrong.into_iter().chain(together).map(|error| problem(error.path, error.message)));
    problems
}

/// Whether an object of a kind that is not ours has the form that its users rely on.
fn check_foreign(name: &ObjectName, object: &Value) -> Result<(), String> {
    use k8s_openapi::api::{apps::v1 as apps, core::v1 as core};
    fn of<T: serde::de::DeserializeOwned>(object: &Value) -> Result<(), String> {
        serde_json::from_value::<T>(object.clone()).map(drop).map_err(|error| error.to_string())
    }
    match name.kind.as_str() {
        "Namespace" => of::<core::Namespace>(object),
        "PersistentVolume" => of::<core::PersistentVolume>(object),
        "PersistentVolumeClaim" => of::<core::PersistentVolumeClaim>(object),
        // The message of the parser would show the value, which is secret.
        "Secret" => of::<core::Secret>(object)
            .map_err(|_| "data needs base64 values, stringData plain text".to_owned()),
        "DaemonSet" => of::<apps::DaemonSet>(object),
        "Deployment" => of::<apps::Deployment>(object),
        "StatefulSet" => of::<apps::StatefulSet>(object),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Documents {
        read_documents(Path::new("a.yaml"), text)
    }

    const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: demo}\n";

    #[test]
    fn documents_are_numbered_and_a_broken_one_hides_no_other() {
        let found = read(&format!("# head\n---\n{NAMESPACE}---\na: [\n---\n\n---\n{NAMESPACE}"));
        assert_eq!(found.manifests.len(), 2);
        assert_eq!(found.manifests[1].place.document, 4);
        assert_eq!(found.problems.len(), 1);
        let text = found.problems[0].to_string();
        assert!(text.starts_with("a.yaml, document 2: not valid YAML: line "), "{text}");
        let found = read(": : :");
        assert_eq!(
            found.problems[0].to_string(),
            "a.yaml, document 1: not valid YAML: line 1 column 1: a key is missing"
        );
    }

    #[test]
    fn a_list_is_its_items() {
        let found = read(
            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: a}}\n- {apiVersion: v1, kind: Namespace, metadata: {name: b}}\n",
        );
        assert_eq!(found.manifests.len(), 2);
    }

    #[test]
    fn objects_without_a_namespace_are_in_default() {
        let found = read("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\n");
        assert_eq!(found.manifests[0].name, ObjectName::new("", "Secret", "default", "s"));
        assert_eq!(found.manifests[0].object["metadata"]["namespace"], "default");
    }

    #[test]
    fn a_secret_is_shown_by_its_name_and_place() {
        let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: marker}\n";
        let found = read(text);
        assert_eq!(found.manifests[0].object["stringData"]["a"], "marker");
        let shown = format!("{found:?} {:?}", found.manifests[0]);
        assert!(!shown.contains("marker") && shown.contains("Secret default/s"), "{shown}");
    }

    #[test]
    fn what_is_unknown_or_without_a_name_says_so() {
        for (text, words) in [
            (
                "apiVersion: v1\nkind: Widget\nmetadata: {name: w}\n",
                "kind: Widget of v1 is unknown",
            ),
            ("apiVersion: v1\nkind: Secret\nmetadata: {}\n", "metadata.name: a text is needed"),
            ("apiVersion: v1\nkind: Secret\nmetadata: {name: ../../etc}\n", "is no name"),
            ("apiVersion: 1\nkind: Secret\n", "apiVersion: a text is needed"),
            ("- a\n", "a document is an object"),
        ] {
            let found = read(text);
            assert_eq!((found.manifests.len(), found.problems.len()), (0, 1), "{text}");
            let message = found.problems[0].to_string();
            assert!(message.contains(words), "{message}");
        }
        assert!(read("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n").problems.is_empty());
    }

    #[test]
    fn objects_that_nothing_is_done_with_are_checked_and_say_so() {
        let verifier = "apiVersion: core.kubestash.com/v1alpha1\nkind: BackupVerifier\n\
                        metadata: {name: v, namespace: demo}\n\
                        spec: {type: RestoreOnly, restoreOption: {addonInfo: {name: a}}}\n";
        let found = read(verifier);
        assert_eq!((found.manifests.len(), found.problems.len()), (1, 0), "{:?}", found.problems);
        assert_eq!(
            found.notices,
            [
                "a.yaml, document 1, BackupVerifier demo/v: its fields are valid, and this release does \
              nothing with it"
            ]
        );
        let wrong = read(&verifier.replace("RestoreOnly", "Query"));
        assert!(wrong.manifests.is_empty() && wrong.notices.is_empty());
        let fields: Vec<&str> = wrong.problems.iter().map(|p| p.field.as_str()).collect();
        assert_eq!(fields, ["spec.query", "spec.function"]);
    }

    #[test]
    fn a_secret_with_a_wrong_value_is_refused_without_showing_it() {
        let found = read(
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: 'marker!of!a!secret'}\n",
        );
        assert_eq!(found.problems.len(), 1);
        assert!(!found.problems[0].to_string().contains("marker"));
    }

    #[test]
    fn modes_are_octal_as_kubectl_reads_them() {
        assert_eq!(parse("mode: 0644").unwrap()["mode"], 420);
    }
}
