//! `status` of a RestoreSession.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::hooks::{self, HookStatus};
use crate::condition::{Condition, Type};
use crate::ids::TypedRef;
use crate::outcome::Outcome;
use crate::restore::check;
use crate::restore::phase::{Phase, Step, component_phase, phase};
use crate::restore::state::Restore;
use crate::state::State;
use crate::time::Timestamp;

/// `status` of a RestoreSession.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreStatus {
    /// `phase`.
    pub phase: Phase,
    /// `targetFound`; absent without a target.
    pub target_found: Option<bool>,
    /// `duration` from creation to end in whole seconds; absent before the end.
    pub duration: Option<String>,
    /// `restoreDeadline`.
    pub deadline: Option<Timestamp>,
    /// `totalComponents`.
    pub total_components: u32,
    /// `components`, by the names that were asked for.
    pub components: BTreeMap<String, ComponentStatus>,
    /// `hooks`; absent without hooks.
    pub hooks: Option<HookStatus>,
    /// `dependencies`: what it needs, and whether that is there.
    pub dependencies: Vec<(TypedRef, bool)>,
    /// `pausedBackups`.
    pub paused_backups: Vec<TypedRef>,
    /// `conditions`.
    pub conditions: Vec<Condition>,
    /// Why it has not started, for people; absent once it has.
    pub waiting: Option<String>,
}

/// One entry of `components`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentStatus {
    /// `phase`.
    pub phase: Phase,
    /// `duration`; absent before its end.
    pub duration: Option<String>,
    /// `error`.
    pub error: Option<String>,
}

/// The status of a restore.
#[must_use]
pub fn status(state: &State, restore: &Restore) -> RestoreStatus {
    let spec = &restore.spec;
    let components = restore.components.iter().map(|known| {
        let error = match &known.outcome {
            Some(Outcome::Failed(failure)) => Some(failure.message.clone()),
            _ => None,
        };
        let duration = known.outcome.as_ref().map(|_| known.duration.to_string());
        let entry = ComponentStatus { phase: component_phase(known), duration, error };
        (known.asked.clone(), entry)
    });
    let ended = restore.ended_at.map(|end| end.since(restore.created_at).whole_seconds());
    let idle = restore.step == Step::Created;
    RestoreStatus {
        phase: phase(restore),
        target_found: target_found(state, restore),
        duration: ended.map(|duration| duration.to_string()),
        deadline: restore.deadline,
        total_components: restore.total_components,
        components: components.collect(),
        hooks: hooks::status(&spec.pre_hooks, &spec.post_hooks, &restore.hooks),
        dependencies: check::dependencies(state, restore),
        paused_backups: paused(state, restore),
        conditions: super::conditions(&restore.conditions),
        waiting: idle.then(|| check::check(state, restore).err().map(|o| o.to_string())).flatten(),
    }
}

/// What was true at the start stays so: a finished restore does not follow its target's deletion.
fn target_found(state: &State, restore: &Restore) -> Option<bool> {
    let target = restore.spec.target.as_ref()?;
    if restore.conditions.is_false(Type::RestoreTargetFound) {
        return Some(false);
    }
    Some(restore.started_at.is_some() || state.dependency(target).is_some())
}

fn paused(state: &State, restore: &Restore) -> Vec<TypedRef> {
    let known = restore.paused.iter().filter_map(|uid| state.configurations.get(uid));
    let object = known.map(|configuration| TypedRef {
        api_group: "core.kubestash.com".into(),
        kind: "BackupConfiguration".into(),
        namespace: configuration.key.namespace.clone(),
        name: configuration.key.name.clone(),
    });
    object.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dependency::state::{addon, function, secret};
    use crate::restore::Spec;
    use crate::testing::given::{self, core};
    use crate::testing::world::{BACK, World};
    use crate::time::Millis;

    fn of(world: &World) -> RestoreStatus {
        status(&world.state, world.back())
    }

    fn needs(world: &World) -> Vec<(String, String, bool)> {
        let all = of(world).dependencies;
        all.into_iter().map(|(object, found)| (object.kind, object.name, found)).collect()
    }

    fn expected(list: &[(&str, &str, bool)]) -> Vec<(String, String, bool)> {
        list.iter().map(|(kind, name, found)| ((*kind).into(), (*name).into(), *found)).collect()
    }

    #[test]
    fn one_that_waits_says_for_what() {
        let mut world = World::restorable();
        world.forget(&addon("workload-addon"));
        let mut spec = given::restore(&[]);
        spec.source.secret = Some(core("missing"));
        world.declare_restore(spec);
        assert_eq!(
            needs(&world),
            expected(&[
                ("Repository", "one", true),
                ("Addon", "workload-addon", false),
                ("Secret", "missing", false),
            ])
        );
        assert_eq!(of(&world).waiting.as_deref(), Some("Secret demo/missing is not there yet"));
        world.observe(secret(&core("missing")), given::passphrase(1, None));
        let facts = crate::dependency::Facts::Addon { tasks: given::tasks() };
        world.observe(addon("workload-addon"), facts);
        world.forget(&function("workload-restore"));
        assert_eq!(
            needs(&world),
            expected(&[
                ("Repository", "one", true),
                ("Addon", "workload-addon", true),
                ("Function", "workload-restore", false),
            ])
        );
        assert_eq!(
            of(&world).waiting.as_deref(),
            Some("Function workload-restore is not there yet")
        );
    }

    #[test]
    fn a_named_snapshot_is_among_its_needs() {
        let mut world = World::restorable();
        let mut spec = given::restore(&[]);
        spec.source.snapshot = Some("later".into());
        spec.source.repository = None;
        world.declare_restore(spec);
        assert_eq!(
            needs(&world),
            expected(&[("Snapshot", "later", false), ("Addon", "workload-addon", true)])
        );
        let uid = world.adopt("later", &["pod-0", "pod-1"]);
        assert_eq!(needs(&world)[0], ("Snapshot".into(), "later".into(), true));
        assert!(world.state.snapshots.contains_key(&uid));
    }

    #[test]
    fn what_it_needed_at_its_start_stays_found() {
        let mut world = World::restorable();
        world.restoring(given::restore(&["pod-0"]));
        let begun = expected(&[("Snapshot", "snap-1", true), ("Addon", "workload-addon", true)]);
        assert_eq!(needs(&world), begun);
        world.forget(&addon("workload-addon"));
        world.forget(&given::target());
        assert_eq!(needs(&world), begun);
        assert_eq!((of(&world).target_found, of(&world).waiting), (Some(true), None));
    }

    #[test]
    fn components_have_the_names_that_were_asked_for() {
        let mut world = World::restorable();
        let spec = Spec { timeout: Some(Millis(9)), ..given::restore(&["pod-0", "host-1"]) };
        world.restoring(spec);
        let phases = |world: &World| -> Vec<(String, &'static str)> {
            let all = of(world).components;
            all.into_iter().map(|(name, c)| (name, c.phase.as_str())).collect()
        };
        assert_eq!(phases(&world), [("host-1".into(), "Running"), ("pod-0".into(), "Running")]);
        world.reported(BACK, "pod-0");
        world.vanished(BACK, "pod-1");
        assert_eq!(phases(&world), [("host-1".into(), "Failed"), ("pod-0".into(), "Succeeded")]);
        let shown = of(&world);
        assert_eq!(shown.components["host-1"].error.as_deref(), Some("it went wrong"));
        assert_eq!(shown.components["pod-0"].duration.as_deref(), Some("1s"));
        assert_eq!((shown.total_components, shown.phase), (2, Phase::Failed));
        assert_eq!(shown.deadline, Some(world.now.plus(Millis(9))));
        assert_eq!(shown.paused_backups[0].name, "app");
    }

    #[test]
    fn a_target_is_found_or_not_or_not_asked_for() {
        let mut world = World::restorable();
        world.forget(&given::target());
        world.declare_restore(given::restore(&[]));
        assert_eq!(of(&world).target_found, Some(false));
        assert_eq!(
            of(&world).waiting.as_deref(),
            Some("StatefulSet demo/db does not exist; create it first")
        );
        let mut world = World::restorable();
        world.declare_restore(Spec { target: None, ..given::restore(&[]) });
        assert_eq!(of(&world).target_found, None);
    }
}
