//! The default storage and retention policy of a namespace (behaviour reference, section 8).
//!
//! 1. a default of the same namespace, for `Same`;
//! 2. one of any namespace whose selector matches the labels of the using one;
//! 3. one of any namespace, for `All`.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::configuration::Event;
use crate::configuration::state::{ChosenBackend, Configuration};
use crate::draft::Draft;
use crate::ids::Key;
use crate::usage::UsagePolicy;

/// Chooses what the configuration's backends leave open, and records a choice that is new.
pub(crate) fn choose(draft: &mut Draft, configuration: &Configuration) {
    let chosen = wanted(draft, configuration);
    for choice in chosen {
        if configuration.defaults.contains(&choice) {
            continue;
        }
        draft.emit(Event::BackendDefaulted {
            uid: configuration.uid,
            backend: choice.name,
            storage: choice.storage,
            retention: choice.retention,
        });
    }
}

fn wanted(draft: &Draft, configuration: &Configuration) -> Vec<ChosenBackend> {
    let namespace = &configuration.key.namespace;
    let family = configuration.key.group.family();
    let labels = draft.labels_of(namespace);
    let storages = draft
        .storages_behind(None)
        .filter(|storage| storage.spec.default && !storage.deleting)
        .filter(|storage| storage.key.group.family() == family)
        .map(|storage| (&storage.key, storage.spec.usage.as_ref()));
    let storage = rank(namespace, &labels, storages);
    let policies = draft
        .retentions_behind(None)
        .filter(|policy| policy.spec.default && policy.key.group.family() == family)
        .map(|policy| (&policy.key, policy.spec.usage.as_ref()));
    let policy = rank(namespace, &labels, policies);

    let fill = |name: &str, own_storage: Option<&Key>, own_policy: Option<&Key>| {
        Some(ChosenBackend {
            name: name.into(),
            storage: own_storage.or(storage.as_ref())?.clone(),
            retention: own_policy.or(policy.as_ref())?.clone(),
        })
    };
    if configuration.backends.is_empty() {
        return fill("", None, None).into_iter().collect();
    }
    configuration
        .backends
        .iter()
        .filter(|backend| backend.storage.is_none() || backend.retention.is_none())
        .filter_map(|b| fill(&b.name, b.storage.as_ref(), b.retention.as_ref()))
        .collect()
}

/// The best default for a namespace; the first by name within a rank.
fn rank<'k>(
    namespace: &str,
    labels: &BTreeMap<String, String>,
    defaults: impl Iterator<Item = (&'k Key, Option<&'k UsagePolicy>)>,
) -> Option<Key> {
    let ranked = defaults.filter_map(|(key, usage)| {
        let rank = match usage? {
            UsagePolicy::Same if key.namespace == namespace => 1,
            UsagePolicy::Selector(selector) if selector.matches(labels) => 2,
            UsagePolicy::All => 3,
            UsagePolicy::Same | UsagePolicy::Selector(_) => return None,
        };
        Some((rank, key))
    });
    ranked.min().map(|(_, key)| key.clone())
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::configuration::{Backend, Command};
    use crate::group::Group;
    use crate::testing::given::{self, stored};
    use crate::testing::world::{APP, World, named};
    use crate::usage::Selector;
    use crate::{retention, storage};

    fn selector() -> UsagePolicy {
        let mut selector = Selector::default();
        selector.match_labels.insert("team".into(), "blue".into());
        UsagePolicy::Selector(selector)
    }

    #[test]
    fn own_namespace_then_selector_then_all() {
        let mut labels = BTreeMap::new();
        labels.insert("team".into(), "blue".into());
        let own = Key::new(Group::KubeStashStorage, "demo", "own");
        let chosen = Key::new(Group::KubeStashStorage, "other", "selected");
        let all = Key::new(Group::KubeStashStorage, "demo", "all");
        let (same, select, any) = (UsagePolicy::Same, selector(), UsagePolicy::All);
        let entries = [(&all, Some(&any)), (&chosen, Some(&select)), (&own, Some(&same))];
        for (skip, expected) in [(3, &own), (2, &chosen), (1, &all)] {
            let best = rank("demo", &labels, entries.iter().take(skip).copied());
            assert_eq!(best.as_ref(), Some(expected));
        }
        assert_eq!(rank("other", &labels, [(&own, Some(&same))].into_iter()), None);
        assert_eq!(rank("demo", &labels, [(&all, None)].into_iter()), None, "no policy denies");
        assert_eq!(rank("demo", &BTreeMap::new(), [(&chosen, Some(&select))].into_iter()), None);
    }

    /// Which storage and policy the backends of `app` get.
    fn chosen(world: &World) -> Vec<(String, String, String)> {
        let app = &world.state.configurations[&APP];
        let all = app.resolved_backends().into_iter();
        all.map(|b| (b.name, b.storage.name, b.retention.name)).collect()
    }

    fn expected(list: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
        list.iter().map(|(a, b, c)| ((*a).into(), (*b).into(), (*c).into())).collect()
    }

    fn defaults(world: &mut World) {
        let storage = given::storage("usual");
        world.declare_storage("usual", storage::Spec { default: true, ..storage });
        let policy = given::retention(1);
        world.declare_retention("usual", retention::Spec { default: true, ..policy });
    }

    #[test]
    fn what_is_open_is_filled_and_what_is_given_is_kept() {
        let backend = |name: &str, storage: Option<&str>, policy: Option<&str>| Backend {
            name: name.into(),
            storage: storage.map(stored),
            retention: policy.map(stored),
        };
        for (backends, chosen_ones) in [
            (vec![], vec![("", "usual", "usual")]),
            (
                vec![
                    backend("main", None, None),
                    backend("a", Some("own"), None),
                    backend("b", None, Some("own")),
                    backend("c", Some("own"), Some("own")),
                ],
                vec![
                    ("main", "usual", "usual"),
                    ("a", "own", "usual"),
                    ("b", "usual", "own"),
                    ("c", "own", "own"),
                ],
            ),
        ] {
            let mut world = World::furnished();
            defaults(&mut world);
            let mut spec = given::configuration(vec![given::session("nightly")]);
            spec.backends = backends;
            world.declare(&spec);
            assert_eq!(chosen(&world), expected(&chosen_ones));
        }
    }

    #[test]
    fn a_choice_is_recorded_once_and_follows_the_defaults() {
        let mut world = World::furnished();
        let mut spec = given::configuration(vec![given::session("nightly")]);
        spec.backends.clear();
        spec.sessions[0].repositories[0].backend.clear();
        world.declare(&spec);
        assert_eq!(chosen(&world), []);
        defaults(&mut world);
        assert_eq!(chosen(&world), expected(&[("", "usual", "usual")]));
        assert_eq!(world.ask(Command::Reconcile { uid: APP }), "");
        // A default of the same rank whose name comes before is the better one from now on.
        let policy = given::retention(1);
        world.declare_retention("better", retention::Spec { default: true, ..policy });
        assert_eq!(chosen(&world), expected(&[("", "usual", "better")]));
    }

    #[test]
    fn a_storage_that_is_being_deleted_is_no_default() {
        let mut world = World::furnished();
        defaults(&mut world);
        world.record(storage::Event::DeletionRequested { uid: named("storage/usual") });
        let mut spec = given::configuration(vec![given::session("nightly")]);
        spec.backends.clear();
        world.declare(&spec);
        assert_eq!(chosen(&world), []);
    }
}
