//! Components of the snapshot become components to restore, one for each host that takes one.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::error::Error;

use crate::backup::Component;
use crate::component::{self, PlanError, target_values};
use crate::dependency::Facts;
use crate::draft::Draft;
use crate::restore::source;
use crate::restore::state::Restore;
use crate::survey::Host;

/// The components with the names that they were asked for by.
pub(crate) fn plan(
    draft: &Draft,
    restore: &Restore,
    hosts: &[Host],
) -> Result<Vec<(String, Component)>, String> {
    let snapshot = restore.snapshot.and_then(|uid| draft.snapshot(uid));
    let snapshot = snapshot.ok_or("the snapshot was removed after the restore had started")?;
    let name = &restore.spec.addon.name;
    let Some(Facts::Addon { tasks }) = draft.facts(&restore.spec.addon.object()) else {
        return Err(format!("Addon {name} was removed after the restore had started"));
    };
    let selected = source::select(&restore.spec.source, snapshot)?;
    let asked: BTreeMap<&str, &str> =
        selected.iter().map(|(asked, name)| (name.as_str(), asked.as_str())).collect();
    let wanted: Vec<String> = selected.iter().map(|(_, name)| name.clone()).collect();
    let mut values = target_values(&restore.key.namespace, restore.spec.target.as_ref());
    values.insert("snapshot".into(), snapshot.key.name.clone());
    values.insert("restoreSession".into(), restore.key.name.clone());
    let mut all: Vec<(String, Component)> = Vec::new();
    for reference in &restore.spec.addon.tasks {
        let task = tasks.iter().find(|task| task.restore && task.name == reference.name);
        let task = task.ok_or_else(|| format!("Addon {name} lost its task {}", reference.name))?;
        let found = component::plan_restore(task, reference, hosts, &wanted, &values);
        for component in found.map_err(sentence)? {
            if !all.iter().any(|(_, known)| known.name == component.name) {
                let asked = asked.get(component.name.as_str()).copied();
                all.push((asked.unwrap_or(&component.name).to_string(), component));
            }
        }
    }
    if all.is_empty() { Err("no task restores any of the components".to_string()) } else { Ok(all) }
}

/// An error with its causes, in one line.
fn sentence(error: PlanError) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::condition::Type;
    use crate::configuration::TaskRef;
    use crate::dependency::state::addon;
    use crate::dependency::{Driver, Parameter};
    use crate::ids::TypedRef;
    use crate::restore::Spec;
    use crate::restore::phase::{Phase, phase};
    use crate::testing::given;
    use crate::testing::world::{BACK, World};

    fn declared(change: impl FnOnce(&mut Spec)) -> World {
        let mut world = World::restorable();
        let mut spec = given::restore(&[]);
        change(&mut spec);
        world.declare_restore(spec);
        world
    }

    /// The names asked for, and the components that they became.
    fn planned(world: &World) -> Vec<(&str, &str)> {
        let all = &world.back().components;
        all.iter().map(|c| (c.asked.as_str(), c.component.name.as_str())).collect()
    }

    fn why(world: &World) -> &str {
        &world.back().conditions.get(Type::RestoreExecutorEnsured).unwrap().message
    }

    #[test]
    fn every_component_goes_to_the_host_of_its_name() {
        let mut world = declared(|_| {});
        world.surveyed(BACK, 2);
        assert_eq!(planned(&world), [("pod-0", "pod-0"), ("pod-1", "pod-1")]);
        let first = &world.back().components[0].component;
        assert_eq!(
            *first,
            Component {
                name: "pod-0".into(),
                driver: Driver::Restic,
                task: "logical-backup-restore".into(),
                params: vec![],
                pod: "db-0".into(),
                node: "n1".into(),
                surroundings: crate::survey::Surroundings::default(),
                volumes: given::pod(0).volumes,
            }
        );
    }

    #[test]
    fn what_was_asked_for_is_echoed() {
        let mut world = declared(|spec| spec.source.components = vec!["host-1".into()]);
        world.surveyed(BACK, 2);
        assert_eq!(planned(&world), [("host-1", "pod-1")]);
    }

    #[test]
    fn a_smaller_target_is_an_end_with_a_reason() {
        let mut world = declared(|_| {});
        world.surveyed(BACK, 1);
        assert_eq!(why(&world), "component pod-1 has no counterpart in the target; it has pod-0");
        assert_eq!(phase(world.back()), Phase::Failed);
    }

    #[test]
    fn what_went_after_the_start_is_named() {
        let mut gone = declared(|_| {});
        gone.forget(&addon("workload-addon"));
        gone.surveyed(BACK, 2);
        assert_eq!(why(&gone), "Addon workload-addon was removed after the restore had started");

        let mut other = declared(|_| {});
        other.observe(addon("workload-addon"), Facts::Addon { tasks: vec![] });
        other.surveyed(BACK, 2);
        assert_eq!(why(&other), "Addon workload-addon lost its task logical-backup-restore");

        let mut stricter = declared(|_| {});
        let mut task = given::task("logical-backup-restore", true);
        task.parameters = vec![Parameter { name: "path".into(), required: true, default: None }];
        stricter.observe(addon("workload-addon"), Facts::Addon { tasks: vec![task] });
        stricter.surveyed(BACK, 2);
        assert!(why(&stricter).starts_with("task logical-backup-restore"), "{}", why(&stricter));

        let mut forgotten = declared(|_| {});
        let snapshot = forgotten.back().snapshot.unwrap();
        forgotten.state.snapshots.remove(&snapshot);
        forgotten.surveyed(BACK, 2);
        assert_eq!(why(&forgotten), "the snapshot was removed after the restore had started");
    }

    #[test]
    fn variables_are_known_to_parameters() {
        let mut world = declared(|spec| {
            spec.addon.tasks[0].params = vec![(
                "note".into(),
                "${namespace} ${targetName} ${snapshot} ${restoreSession}".into(),
            )];
        });
        world.surveyed(BACK, 2);
        let params = &world.back().components[0].component.params;
        assert_eq!(*params, [("note".into(), "demo db snap-1 back".into())]);
    }

    #[test]
    fn the_first_task_that_takes_a_component_has_it() {
        let again = given::task("again", true);
        let mut world = World::restorable();
        let tasks = vec![given::task("logical-backup-restore", true), again];
        world.observe(addon("workload-addon"), Facts::Addon { tasks });
        let mut spec = given::restore(&[]);
        spec.addon.tasks.push(TaskRef { name: "again".into(), params: vec![], mounts: vec![] });
        world.declare_restore(spec);
        world.surveyed(BACK, 2);
        let tasks: Vec<&str> =
            world.back().components.iter().map(|c| c.component.task.as_str()).collect();
        assert_eq!(tasks, ["logical-backup-restore"; 2]);
    }

    #[test]
    fn manifests_need_no_host() {
        let mut world = World::restorable();
        world.pass(1);
        world.adopt("snap-2", &["manifest"]);
        let mut spec = given::restore(&["manifest"]);
        spec.addon.tasks[0].name = "manifest-restore".into();
        assert_eq!(
            world.declare_restore(Spec { target: None, ..spec.clone() }),
            "restore.Declared restore.ValidationPassed restore.Started restore.Surveyed \
             restore.ComponentPlanned restore.AttemptStarted"
        );
        assert_eq!(planned(&world), [("manifest", "manifest")]);
        // A target is held and asked for only where files go into it.
        let mut other = World::restorable();
        other.pass(1);
        other.adopt("snap-2", &["manifest"]);
        let target = Some(TypedRef { name: "copy".into(), ..given::target() });
        other.observe(target.clone().unwrap(), Facts::Target { replicas: None });
        assert!(other.declare_restore(Spec { target, ..spec }).ends_with("restore.AttemptStarted"));
    }
}
