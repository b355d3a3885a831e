//! The target's hosts as components of a backup.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::backup::Component;
use crate::backup::state::Backup;
use crate::component;
use crate::dependency::{Facts, Task};
use crate::draft::Draft;
use crate::limits;
use crate::survey::Host;
use crate::variables::Values;

/// One component for each host and task, or why there can be none.
pub(crate) fn plan(
    draft: &Draft,
    backup: &Backup,
    hosts: &[Host],
) -> Result<Vec<Component>, String> {
    let Some(plan) = &backup.plan else { return Err("it has not started".into()) };
    let addon = &plan.spec.addon;
    let Some(Facts::Addon { tasks }) = draft.facts(&addon.object()) else {
        return Err(format!("Addon {} not found", addon.name));
    };
    let values = values(backup);
    let mut components: Vec<Component> = Vec::new();
    for reference in &addon.tasks {
        let task = tasks.iter().find(|task| !task.restore && task.name == reference.name);
        let task: &Task = task
            .ok_or_else(|| format!("Addon {} has no backup task {}", addon.name, reference.name))?;
        if draft.facts(&addon.function(&task.function)).is_none() {
            return Err(format!("Function {} not found", task.function));
        }
        let planned = component::plan_backup(task, reference, hosts, &values)
            .map_err(|error| chain(&error))?;
        components.extend(planned);
    }
    if components.is_empty() {
        return Err("the target has nothing to back up".into());
    }
    if components.len() > limits::COMPONENTS_A_SESSION {
        let limit = limits::COMPONENTS_A_SESSION;
        return Err(format!("{} components; a session has at most {limit}", components.len()));
    }
    let mut names: Vec<&str> = components.iter().map(|c| c.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("two tasks of one session have a component {}", pair[0])),
        None => Ok(components),
    }
}

/// Built-in variables of the documents that decisions know (behaviour reference, section 10).
fn values(backup: &Backup) -> Values {
    let mut values = Values::new();
    values.insert("namespace".into(), backup.key.namespace.clone());
    values.insert("backupSession".into(), backup.key.name.clone());
    values.insert("invokerKind".into(), "BackupSession".into());
    values.insert("invokerName".into(), backup.key.name.clone());
    if let Some(target) = backup.plan.as_ref().and_then(|plan| plan.target.as_ref()) {
        values.insert("targetName".into(), target.name.clone());
        if target.kind == "PersistentVolumeClaim" {
            values.insert("PVC_NAME".into(), target.name.clone());
        }
    }
    values
}

fn chain(error: &dyn core::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::backup::phase::{Phase, Step, phase};
    use crate::condition::Type;
    use crate::configuration::TaskRef;
    use crate::dependency::state as dependency;
    use crate::effect::Once;
    use crate::ids::Uid;
    use crate::outbox::{Answer, Command};
    use crate::rejection::Rejection;
    use crate::run::Command as Run;
    use crate::survey::Role;
    use crate::testing::given;
    use crate::testing::world::World;

    fn answer(world: &World, session: Uid, answer: Answer) -> Command {
        let effect = world.effect(&Once::Survey { session });
        Command::Answer { effect, answer }
    }

    fn found(pods: u32) -> Answer {
        Answer::Hosts((0..pods).map(given::pod).collect())
    }

    fn begun() -> (World, Uid) {
        let mut world = World::ready();
        let (session, _) = world.create("nightly");
        (world, session)
    }

    #[test]
    fn every_host_is_a_component_with_its_volumes_and_parameters() {
        let (mut world, session) = begun();
        assert_eq!(
            world.surveyed(session, 2),
            "done backup.Surveyed backup.ComponentPlanned backup.ComponentPlanned \
             snapshot.ComponentsCounted snapshot.ComponentStarted backup.AttemptStarted \
             snapshot.ComponentStarted backup.AttemptStarted"
        );
        let planned: Vec<Component> =
            world.backup(session).components.iter().map(|c| c.component.clone()).collect();
        let expected = |ordinal: u32| Component {
            name: format!("pod-{ordinal}"),
            driver: crate::dependency::Driver::Restic,
            task: "logical-backup".into(),
            params: vec![("paths".into(), "/source/data".into())],
            pod: format!("db-{ordinal}"),
            node: "n1".into(),
            surroundings: crate::survey::Surroundings::default(),
            volumes: given::pod(ordinal).volumes,
        };
        assert_eq!(planned, [expected(0), expected(1)]);
        let snapshot = &world.state.snapshots[&world.snapshot_of(session)];
        assert_eq!(snapshot.total, 2);
        assert_eq!(world.backup(session).total_components, 2);
    }

    #[test]
    fn what_cannot_be_planned_ends_the_session_with_the_reason() {
        // What is done before the answer; the answer; what the session says.
        type Case = (fn(&mut World), Answer, &'static str);
        let cases: [Case; 7] = [
            (|_| {}, Answer::Failed(crate::testing::failure("TargetNotFound")), "it went wrong"),
            (
                |world| drop(world.forget(&dependency::addon("workload-addon"))),
                found(1),
                "Addon workload-addon not found",
            ),
            (
                |world| {
                    let addon = dependency::addon("workload-addon");
                    world.observe(addon, Facts::Addon { tasks: vec![] });
                },
                found(1),
                "Addon workload-addon has no backup task logical-backup",
            ),
            (
                |world| drop(world.forget(&dependency::function("workload-backup"))),
                found(1),
                "Function workload-backup not found",
            ),
            (
                |_| {},
                found(0),
                "the target has no pod or claim to work on; scale it up or wait for its pods",
            ),
            (
                |world| {
                    let mut task = given::task("logical-backup", false);
                    task.parameters[0].name = "password".into();
                    let addon = dependency::addon("workload-addon");
                    world.observe(addon, Facts::Addon { tasks: vec![task] });
                },
                found(1),
                "task logical-backup needs parameter password; give it in the task's params",
            ),
            (|_| {}, found(1025), "1025 components; a session has at most 1024"),
        ];
        for (before, survey, message) in cases {
            let (mut world, session) = begun();
            before(&mut world);
            let failed = matches!(survey, Answer::Failed(_));
            let command = answer(&world, session, survey);
            let happened = world.ask(command);
            let outcome = if failed { "given-up" } else { "done" };
            let expected = format!("{outcome} backup.ExecutorNotEnsured snapshot.Incomplete");
            assert_eq!(happened, expected);
            let facts = &world.backup(session).conditions;
            assert_eq!(facts.get(Type::BackupExecutorEnsured).unwrap().message, message);
            world.closed();
            assert_eq!(phase(world.backup(session)), Phase::Failed);
        }
    }

    #[test]
    fn as_many_components_as_are_allowed_are_planned() {
        let (mut world, session) = begun();
        let most = u32::try_from(limits::COMPONENTS_A_SESSION).unwrap();
        world.surveyed(session, most);
        assert_eq!(world.backup(session).total_components, most);
        assert_eq!(world.backup(session).step, Step::Working);
    }

    #[test]
    fn two_tasks_must_not_write_one_component() {
        let mut spec = given::session("nightly");
        spec.addon.tasks.push(TaskRef { name: "again".into(), ..spec.addon.tasks[0].clone() });
        let mut world = World::furnished();
        let tasks = vec![given::task("logical-backup", false), given::task("again", false)];
        world.observe(dependency::addon("workload-addon"), Facts::Addon { tasks });
        world.serve(&given::configuration(vec![spec]));
        let (session, _) = world.create("nightly");
        world.surveyed(session, 1);
        let facts = &world.backup(session).conditions;
        assert_eq!(
            facts.get(Type::BackupExecutorEnsured).unwrap().message,
            "two tasks of one session have a component pod-0"
        );
    }

    #[test]
    fn built_in_variables_are_known_to_parameters() {
        let mut spec = given::session("nightly");
        spec.addon.tasks[0].params = vec![(
            "paths".into(),
            "${namespace}/${targetName}/${backupSession}/${invokerKind}".into(),
        )];
        let mut world = World::with(vec![spec]);
        let session = world.working(1);
        assert_eq!(
            world.backup(session).components[0].component.params[0].1,
            "demo/db/app-nightly-1700438400/BackupSession"
        );
    }

    #[test]
    fn a_deployment_has_one_component_whatever_its_pods() {
        let (mut world, session) = begun();
        let hosts = (0..3).map(|n| Host { role: Role::Single, ..given::pod(n) }).collect();
        let command = answer(&world, session, Answer::Hosts(hosts));
        world.ask(command);
        let names: Vec<&str> =
            world.backup(session).components.iter().map(|c| c.component.name.as_str()).collect();
        assert_eq!(names, ["dump"]);
    }

    #[test]
    fn an_answer_is_taken_once_and_not_after_a_stop() {
        let (mut world, session) = begun();
        let command = answer(&world, session, found(1));
        let Command::Answer { effect, .. } = command;
        let late =
            Rejection::conflict("effect", format!("nobody waits for effect {effect} any more"));
        let mut stopped = world.clone();
        world.ask(command.clone());
        assert_eq!(world.refused(command.clone()), late);
        stopped.ask(Run::Cancel { session, cause: "no".into() });
        assert_eq!(stopped.refused(command), late);
    }
}
