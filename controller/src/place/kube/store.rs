//! The objects of one kind as an API server showed them.
//!
//! | What comes | What becomes of it |
//! |---|---|
//! | a list that is not older than what was seen | it is all there is: what is missing in it is gone |
//! | a list that is older | what it shows besides is taken; nothing is gone, and nothing seen becomes older |
//! | an object that came, changed or went while watching | taken as it comes |
//!
//! Lists of an older time come from a server of a cluster that lags behind, and from a cluster that was set back to a
//! backup of its own. Neither proves that what is missing was deleted.

use std::collections::BTreeMap;

use kube::core::ApiResource;
use serde_json::Value;

use crate::sighting::name::ObjectName;

/// How far a store can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was listed yet.
    Unlisted,
    /// It is all there is.
    Whole,
    /// The last list was of an older time than what was seen before.
    Older {
        /// Its resourceVersion.
        listed: u64,
        /// The newest one that was seen.
        seen: u64,
    },
}

/// Objects of one kind.
pub struct Store {
    of: ApiResource,
    objects: BTreeMap<ObjectName, Value>,
    /// The newest resourceVersion that was seen; zero where the server's cannot be compared.
    newest: u64,
    standing: Standing,
    /// What keeps it from being brought up to date, since it does.
    trouble: Option<String>,
}

impl Store {
    /// An empty one, of a kind.
    #[must_use]
    pub fn new(of: ApiResource) -> Self {
        let (objects, newest, standing) = (BTreeMap::new(), 0, Standing::Unlisted);
        Self { of, objects, newest, standing, trouble: None }
    }

    /// How far it can be trusted.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Its objects.
    pub fn objects(&self) -> impl Iterator<Item = (&ObjectName, &Value)> {
        self.objects.iter()
    }

    /// Why what it shows may be old.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        if let Some(trouble) = &self.trouble {
            return Some(trouble.clone());
        }
        let Standing::Older { listed, seen } = self.standing else { return None };
        Some(format!(
            "the API server lists {} as of resourceVersion {listed}, and showed {seen} before: nothing is taken for \
             deleted until it catches up; if the cluster was set back to a backup of its own, restart the operator",
            self.of.plural
        ))
    }

    /// A whole list, as of `version`.
    pub fn listed(&mut self, version: &str, objects: Vec<Value>) {
        let listed = number(version);
        let named = objects.into_iter().filter_map(|object| self.named(object));
        let named: BTreeMap<ObjectName, Value> = named.collect();
        self.trouble = None;
        if listed >= self.newest {
            (self.objects, self.newest, self.standing) = (named, listed, Standing::Whole);
            return;
        }
        self.standing = Standing::Older { listed, seen: self.newest };
        for (name, object) in named {
            let known = self.objects.get(&name).map(version_of);
            if known.is_none_or(|known| known < version_of(&object)) {
                self.objects.insert(name, object);
            }
        }
    }

    /// An object as it is now.
    pub fn changed(&mut self, object: Value) {
        self.reached(&object);
        if let Some((name, object)) = self.named(object) {
            self.objects.insert(name, object);
        }
    }

    /// An object as it was when it was deleted. Another one of its name stays.
    pub fn deleted(&mut self, object: Value) {
        self.reached(&object);
        let Some((name, object)) = self.named(object) else { return };
        let uid = |object: &Value| object["metadata"]["uid"].clone();
        if self.objects.get(&name).is_some_and(|known| uid(known) == uid(&object)) {
            self.objects.remove(&name);
        }
    }

    /// The server has shown everything up to `version`.
    pub fn at(&mut self, version: &str) {
        self.newest = self.newest.max(number(version));
    }

    /// It cannot be brought up to date, for now.
    pub fn failed(&mut self, trouble: String) {
        self.trouble = Some(trouble);
    }

    /// It is brought up to date again.
    pub fn works(&mut self) {
        self.trouble = None;
    }

    fn reached(&mut self, object: &Value) {
        self.newest = self.newest.max(version_of(object));
    }

    /// An object with its name, with its kind and without what only the API server needs: items of lists come without
    /// a kind.
    fn named(&self, mut object: Value) -> Option<(ObjectName, Value)> {
        object["apiVersion"] = self.of.api_version.clone().into();
        object["kind"] = self.of.kind.clone().into();
        let metadata = object["metadata"].as_object_mut()?;
        metadata.remove("managedFields");
        let text = |name: &str| metadata.get(name).and_then(Value::as_str).unwrap_or_default();
        let name = ObjectName::new(&self.of.group, &self.of.kind, text("namespace"), text("name"));
        Some((name, object))
    }
}

fn version_of(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().map_or(0, number)
}

/// Servers of Kubernetes count; what others say compares with nothing.
fn number(version: &str) -> u64 {
    version.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use holdfast_api::Kind;
    use serde_json::json;

    use super::super::resource::own;
    use super::*;

    fn store() -> Store {
        Store::new(own(Kind::Snapshot).of)
    }

    fn object(name: &str, uid: &str, version: u64) -> Value {
        let metadata = json!({
            "name": name, "namespace": "demo", "uid": uid, "resourceVersion": version.to_string(),
            "managedFields": [{}],
        });
        json!({ "metadata": metadata })
    }

    /// Names with uids and versions.
    fn shown(store: &Store) -> Vec<String> {
        let text =
            |object: &Value, field: &str| object["metadata"][field].as_str().unwrap().to_owned();
        let shown = store.objects().map(|(name, object)| {
            format!("{} {} {}", name.name, text(object, "uid"), text(object, "resourceVersion"))
        });
        shown.collect()
    }

    #[test]
    fn a_list_is_all_there_is() {
        let mut store = store();
        assert_eq!(store.standing(), Standing::Unlisted);
        store.listed("5", vec![object("a", "1", 3), object("b", "2", 4)]);
        store.listed("5", vec![object("b", "2", 4)]);
        assert_eq!((store.standing(), shown(&store)), (Standing::Whole, vec!["b 2 4".to_owned()]));
        let (name, found) = store.objects().next().unwrap();
        assert_eq!(name.to_string(), "Snapshot demo/b");
        assert_eq!(found["apiVersion"], "storage.kubestash.com/v1alpha1");
        assert_eq!(
            (&found["kind"], &found["metadata"]["managedFields"]),
            (&json!("Snapshot"), &json!(null))
        );
    }

    #[test]
    fn an_older_list_makes_nothing_gone_and_nothing_older() {
        let mut store = store();
        store.listed("5", vec![object("a", "1", 3), object("b", "2", 4)]);
        store.changed(object("b", "2", 9));
        store.listed("7", vec![object("b", "2", 4), object("c", "3", 6)]);
        assert_eq!(store.standing(), Standing::Older { listed: 7, seen: 9 });
        assert_eq!(shown(&store), ["a 1 3", "b 2 9", "c 3 6"]);
        let problem = store.problem().unwrap();
        assert!(
            problem.contains("snapshots as of resourceVersion 7, and showed 9 before"),
            "{problem}"
        );
        store.listed("9", vec![object("b", "2", 9)]);
        assert_eq!((store.standing(), shown(&store)), (Standing::Whole, vec!["b 2 9".to_owned()]));
        assert_eq!(store.problem(), None);
    }

    #[test]
    fn what_was_seen_counts_also_where_no_object_shows_it() {
        let mut store = store();
        store.listed("5", vec![object("a", "1", 3)]);
        store.at("8");
        store.listed("6", vec![]);
        assert_eq!(store.standing(), Standing::Older { listed: 6, seen: 8 });
        assert_eq!(shown(&store), ["a 1 3"]);
    }

    #[test]
    fn a_deletion_ends_the_object_of_its_uid_only() {
        let mut store = store();
        store.listed("5", vec![object("a", "1", 3)]);
        store.changed(object("a", "2", 6));
        store.deleted(object("a", "1", 7));
        assert_eq!(shown(&store), ["a 2 6"]);
        store.deleted(object("a", "2", 8));
        assert!(shown(&store).is_empty());
    }

    #[test]
    fn versions_that_do_not_count_are_compared_with_nothing() {
        let mut store = store();
        store.listed("v-9", vec![object("a", "1", 3)]);
        store.listed("v-1", vec![]);
        assert_eq!((store.standing(), shown(&store).len()), (Standing::Whole, 0));
    }
}
