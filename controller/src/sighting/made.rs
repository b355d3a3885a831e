//! Objects that we made, as the place sees them: ours by name and uid, and by nothing else.

use std::collections::BTreeMap;

use holdfast_api::Kind;
use holdfast_engine::binding::{self, Made};
use holdfast_engine::{Command, State, StreamKind, Uid};

use super::name::ObjectName;

/// All objects of our own kinds that the place has, by name, with their live uids. Copies are among them, and what
/// others made.
pub type Live = BTreeMap<ObjectName, Uid>;

/// What was made and bound: its name, what it was made for, and the uid that the log knows.
#[must_use]
pub fn bound(state: &State) -> Vec<(ObjectName, Made, Uid)> {
    let named = |made: &Made| {
        let (kind, key) = match made.kind {
            StreamKind::Repository => (Kind::Repository, &state.repositories.get(&made.uid)?.key),
            StreamKind::Backup => (Kind::BackupSession, &state.backups.get(&made.uid)?.key),
            StreamKind::Snapshot => (Kind::Snapshot, &state.snapshots.get(&made.uid)?.key),
            _ => return None,
        };
        Some(ObjectName::own(kind, key))
    };
    let all =
        state.bound.iter().filter_map(|(made, live)| Some((named(made)?, made.clone(), *live)));
    all.collect()
}

/// What is missing of what was bound: nothing of its name is there, or something of another uid. A copy that came or
/// went is looked at nowhere: it has another name, or another uid.
#[must_use]
pub fn missing(bound: &[(ObjectName, Made, Uid)], live: &Live) -> Vec<(ObjectName, Command)> {
    let lost = bound.iter().filter(|(name, _, uid)| live.get(name) != Some(uid));
    let miss = lost.map(|(name, made, uid)| {
        let command = binding::Command::Miss { made: made.clone(), live: *uid };
        (name.clone(), Command::Binding(command))
    });
    miss.collect()
}

#[cfg(test)]
mod tests {
    use holdfast_engine::{Group, Key};

    use super::*;

    fn name(name: &str) -> ObjectName {
        ObjectName::own(Kind::Snapshot, &Key::new(Group::KubeStashStorage, "demo", name))
    }

    #[test]
    fn only_name_and_uid_together_are_ours() {
        let (ours, other) = (Uid([1; 16]), Uid([2; 16]));
        let made = Made::whole(StreamKind::Snapshot, Uid([9; 16]));
        let bound = [(name("snap"), made.clone(), ours)];
        let missed =
            [(name("snap"), Command::Binding(binding::Command::Miss { made, live: ours }))];
        for (seen, lost) in [
            (vec![("snap", ours)], false),
            (vec![("snap", ours), ("copy", other)], false),
            (vec![], true),
            (vec![("copy", other)], true),
            (vec![("copy", ours)], true),
            (vec![("snap", other)], true),
        ] {
            let live: Live = seen.iter().map(|(text, uid)| (name(text), *uid)).collect();
            let expected = if lost { missed.to_vec() } else { vec![] };
            assert_eq!(missing(&bound, &live), expected, "{seen:?}");
        }
        assert_eq!(missing(&[], &[(name("stranger"), other)].into()), []);
    }
}
