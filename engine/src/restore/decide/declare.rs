//! The object is there, or a fact around it has changed: check it, and start it when it can start.

use crate::condition::Type;
use crate::declared::Declared;
use crate::draft::Draft;
use crate::ids::Uid;
use crate::rejection::Rejection;
use crate::restore::bounds::recordable;
use crate::restore::check::{self, Obstacle, Ready};
use crate::restore::phase::Step;
use crate::restore::state::Restore;
use crate::restore::{Event, Spec};

use crate::run::decide::advance;

use super::get;

pub(super) fn declare(draft: &mut Draft<'_>, declared: &Declared<Spec>) -> Result<(), Rejection> {
    let uid = declared.uid;
    let found = draft.restore(uid);
    // A restore runs once: what its user changes afterwards has no effect.
    if found.is_some_and(|found| found.step != Step::Created) {
        return Ok(());
    }
    if declared.is_news(found.map(|found| found.hash.into()))? {
        let spec = recordable(&declared.spec);
        draft.emit(Event::from(Declared { spec, ..declared.clone() }));
    }
    consider(draft, &get(draft, uid)?)
}

pub(super) fn reconcile(draft: &mut Draft<'_>, uid: Uid) -> Result<(), Rejection> {
    let restore = get(draft, uid)?;
    if restore.step == Step::Created { consider(draft, &restore) } else { Ok(()) }
}

fn consider(draft: &mut Draft<'_>, restore: &Restore) -> Result<(), Rejection> {
    let uid = restore.uid;
    let passed = restore.conditions.is_true(Type::ValidationPassed);
    let obstacle = match check::check(draft.base(), restore) {
        Ok(ready) => {
            if !passed {
                draft.emit(Event::ValidationPassed { uid });
            }
            start(draft, restore, ready);
            advance(draft, uid);
            return Ok(());
        }
        Err(obstacle) => obstacle,
    };
    if check::is_known(restore, &obstacle) {
        return Ok(());
    }
    match obstacle {
        Obstacle::Invalid { reason, message } => {
            draft.emit(Event::ValidationFailed { uid, reason: reason.into(), message });
        }
        Obstacle::Waiting(_) => draft.emit(Event::ValidationPassed { uid }),
        Obstacle::TargetMissing(message) => {
            if !passed {
                draft.emit(Event::ValidationPassed { uid });
            }
            draft.emit(Event::TargetNotFound { uid, message });
        }
    }
    Ok(())
}

fn start(draft: &mut Draft<'_>, restore: &Restore, ready: Ready) {
    let uid = restore.uid;
    let deadline = restore.spec.timeout.map(|timeout| draft.at().plus(timeout));
    let Ready { snapshot, frozen } = ready;
    draft.emit(Event::Started { uid, snapshot, deadline, frozen });
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;
    use crate::backup::Frozen;
    use crate::dependency::Facts;
    use crate::dependency::state::{addon, function, secret};
    use crate::effect::Once;
    use crate::hook::{Executor, HookSpec};
    use crate::ids::TypedRef;
    use crate::limits;
    use crate::repository;
    use crate::restore::phase::{Phase, phase};
    use crate::restore::{Command, Source};
    use crate::testing::given::{self, core, key};
    use crate::testing::world::{APP, BACK, MINUTE, World, named};
    use crate::time::Millis;

    const STARTS: &str = "restore.Declared restore.ValidationPassed restore.Started \
                          configuration.PausedByRestore";
    const RECONCILE: Command = Command::Reconcile { uid: BACK };

    fn spec(change: impl FnOnce(&mut Spec)) -> Spec {
        let mut spec = given::restore(&[]);
        change(&mut spec);
        spec
    }

    fn source(change: impl FnOnce(&mut Source)) -> Spec {
        spec(|spec| change(&mut spec.source))
    }

    /// What a spec is told that cannot start as it is written.
    fn invalid(world: &mut World, spec: Spec) -> (alloc::string::String, alloc::string::String) {
        assert_eq!(world.declare_restore(spec), "restore.Declared restore.ValidationFailed");
        assert_eq!(phase(world.back()), Phase::Invalid);
        assert_eq!(world.ask(RECONCILE), "", "saying so once is enough");
        let known = world.back().conditions.get(Type::ValidationPassed).unwrap();
        (known.reason.to_string(), known.message.to_string())
    }

    #[test]
    fn one_that_can_start_starts_and_holds_its_target() {
        let mut world = World::restorable();
        world.declare_hook("thaw", Executor::Pod);
        let wanted = spec(|spec| {
            spec.timeout = Some(Millis(MINUTE));
            spec.post_hooks = vec![given::hook("thaw")];
        });
        assert_eq!(world.declare_restore(wanted), STARTS);
        assert_eq!(world.outbox(), [Once::Survey { session: BACK }]);
        let state = &world.state;
        let of = |object: &TypedRef| state.dependency(object).unwrap().hash;
        let back = world.back();
        assert_eq!(back.deadline, Some(world.now.plus(Millis(MINUTE))));
        assert_eq!(back.snapshot, Some(named("snapshot/snap-1")));
        assert_eq!(
            back.frozen,
            Frozen {
                invoker: back.hash,
                addon: of(&addon("workload-addon")),
                functions: vec![("workload-restore".into(), of(&function("workload-restore")))],
                hooks: vec![(key("thaw"), state.hook_named(&key("thaw")).unwrap().hash)],
            }
        );
        assert!(state.configurations[&APP].is_paused());
    }

    #[test]
    fn the_same_object_and_any_change_after_the_start_are_nothing_new() {
        let mut world = World::restorable();
        let (key, hash) = (key("back"), given::hash(1));
        let declare = |hash| {
            Command::Declare(Declared {
                uid: BACK,
                key: key.clone(),
                generation: 1,
                hash,
                spec: given::restore(&[]),
            })
        };
        assert_eq!(world.ask(declare(hash)), STARTS);
        assert_eq!(world.ask(declare(hash)), "");
        assert_eq!(world.ask(declare(given::hash(2))), "");
        assert_eq!(world.ask(RECONCILE), "");
        assert_eq!(world.back().hash, hash);
        let nobody = named("nobody");
        assert_eq!(
            world.refused(Command::Reconcile { uid: nobody }),
            Rejection::never(nobody, "there is no such restore")
        );
    }

    #[test]
    fn what_is_not_there_yet_is_waited_for() {
        // What is taken from the world; the restore that waits for it.
        type Case = (fn(&mut World), Spec);
        let cases: [Case; 9] = [
            (|world| drop(world.forget(&addon("workload-addon"))), spec(|_| {})),
            (|world| drop(world.forget(&function("workload-restore"))), spec(|_| {})),
            (|_| {}, spec(|spec| spec.pre_hooks = vec![given::hook("missing")])),
            (|_| {}, source(|s| s.secret = Some(core("missing")))),
            (|_| {}, source(|s| s.repository = Some("missing".into()))),
            (|_| {}, source(|s| s.snapshot = Some("missing".into()))),
            (|_| {}, source(|s| s.point_in_time = Some((crate::Timestamp(1), false)))),
            (
                |world| {
                    let (uid, failure) = (world.repository("one"), crate::testing::failure("X"));
                    world.record(repository::Event::InitializationFailed {
                        uid,
                        failure,
                        retry_at: None,
                    });
                },
                spec(|_| {}),
            ),
            (
                |world| {
                    world.pass(1);
                    let session = world.working(2);
                    world.reported(session, "pod-0");
                },
                source(|s| s.snapshot = Some("one-app-nightly-1700438400".into())),
            ),
        ];
        for (number, (take, spec)) in cases.into_iter().enumerate() {
            let mut world = World::restorable();
            take(&mut world);
            assert_eq!(world.declare_restore(spec), "restore.Declared", "{number}");
            assert_eq!(phase(world.back()), Phase::Pending);
            assert_eq!(world.ask(RECONCILE), "");
        }
    }

    #[test]
    fn what_is_wrong_with_the_object_is_said_field_by_field() {
        let cases = [
            (spec(|spec| spec.invalid = Some("it is odd".into())), "it is odd"),
            (source(|s| s.repository = None), "dataSource.repository: needed for snapshot latest"),
            (source(|s| s.snapshot = None), "dataSource.snapshot: name one, or write latest"),
            (spec(|spec| spec.addon.tasks.clear()), "addon.tasks: name at least one task"),
            (
                spec(|spec| spec.addon.tasks[0].name = "logical-backup".into()),
                "addon.tasks: Addon workload-addon has no restore task logical-backup; it has \
                 logical-backup-restore, manifest-restore",
            ),
            (
                source(|s| s.components = vec!["pod-7".into()]),
                "dataSource.components: snapshot snap-1 has no pod-7; it has pod-0, pod-1",
            ),
            (
                spec(|spec| spec.addon.tasks[0].name = "manifest-restore".into()),
                "addon.tasks: no task restores pod-0, pod-1",
            ),
            (spec(|spec| spec.target = None), "target: needed by a task that restores files"),
        ];
        for (spec, message) in cases {
            let mut world = World::restorable();
            let (reason, said) = invalid(&mut world, spec);
            assert_eq!((reason.as_str(), said.as_str()), ("ResourceValidationFailed", message));
        }
    }

    #[test]
    fn a_function_of_another_product_and_a_foreign_driver_are_refused() {
        let mut world = World::restorable();
        world.observe(function("workload-restore"), Facts::Function { supported: false });
        let (reason, said) = invalid(&mut world, spec(|_| {}));
        assert_eq!(reason, "UnsupportedFunction");
        assert_eq!(
            said,
            "addon.tasks: Function workload-restore of task logical-backup-restore is of another \
             product, which this operator does not run"
        );
    }

    #[test]
    fn secrets_hooks_and_repositories_of_others_need_their_leave() {
        let foreign = crate::ids::Key::core("vault", "key");
        let mut world = World::restorable();
        world.observe(secret(&foreign), given::passphrase(1, Some("other")));
        let with_secret = source(|s| s.secret = Some(foreign.clone()));
        let (reason, said) = invalid(&mut world, with_secret);
        assert_eq!(reason, "CrossNamespaceReferenceDenied");
        assert_eq!(
            said,
            "dataSource.encryptionSecret: Secret vault/key is in another namespace and does not allow demo; add \
             demo to its annotation holdfast.dev/allowed-namespaces, or run the operator with \
             --cross-namespace-references any-but-targets"
        );
        world.observe(secret(&foreign), given::passphrase(2, Some("other, demo")));
        assert_eq!(
            world.ask(RECONCILE),
            "restore.ValidationPassed restore.Started configuration.PausedByRestore"
        );

        let mut world = World::restorable();
        let facts = Facts::Secret { version: "1".into(), keys: vec![], allowed_namespaces: None };
        world.observe(secret(&core("bare")), facts);
        let (_, said) = invalid(&mut world, source(|s| s.secret = Some(core("bare"))));
        assert_eq!(
            said,
            "dataSource.encryptionSecret: Secret demo/bare has no key RESTIC_PASSWORD"
        );

        let mut world = World::restorable();
        world.declare_hook("freeze", Executor::Pod);
        let template = crate::ids::Key::new(crate::Group::KubeStash, "elsewhere", "freeze");
        let hooked = HookSpec { template: template.clone(), ..given::hook("freeze") };
        let mut elsewhere = given::template(Executor::Pod);
        elsewhere.usage = Some(crate::usage::UsagePolicy::Same);
        world.ask(crate::hook::Command::Declare(Declared {
            uid: named("elsewhere"),
            key: template,
            generation: 1,
            hash: given::hash(9),
            spec: elsewhere,
        }));
        let (_, said) = invalid(&mut world, spec(|spec| spec.pre_hooks = vec![hooked]));
        assert_eq!(
            said,
            "hook freeze: the usagePolicy of HookTemplate elsewhere/freeze does not allow namespace \
             demo"
        );
    }

    #[test]
    fn a_named_snapshot_is_taken_as_it_is_unless_it_goes() {
        let mut world = World::restorable();
        let named_one = source(|s| {
            s.repository = None;
            s.snapshot = Some("snap-1".into());
        });
        let snapshot = named("snapshot/snap-1");
        let mut going = world.clone();
        going.record(crate::snapshot::Event::RemovalRequested {
            uid: snapshot,
            by: None,
            wipe: true,
        });
        let (_, said) = invalid(&mut going, named_one.clone());
        assert_eq!(said, "dataSource.snapshot: demo/snap-1 is being removed");
        assert_eq!(world.declare_restore(named_one), STARTS);
    }

    #[test]
    fn a_missing_target_is_a_fact_until_it_comes() {
        let mut world = World::restorable();
        world.forget(&given::target());
        assert_eq!(
            world.declare_restore(spec(|_| {})),
            "restore.Declared restore.ValidationPassed restore.TargetNotFound"
        );
        assert_eq!(phase(world.back()), Phase::Pending);
        world.observe(given::target(), Facts::Target { replicas: None });
        assert_eq!(world.ask(RECONCILE), "restore.Started configuration.PausedByRestore");
        assert!(world.back().conditions.is_true(Type::RestoreTargetFound));
    }

    #[test]
    fn what_was_wrong_and_now_only_waits_is_invalid_no_longer() {
        let mut world = World::restorable();
        invalid(&mut world, spec(|spec| spec.addon.tasks[0].name = "clone".into()));
        world.forget(&addon("workload-addon"));
        assert_eq!(world.ask(RECONCILE), "restore.ValidationPassed");
        assert_eq!(phase(world.back()), Phase::Pending);
    }

    #[test]
    fn bounds_are_taken_at_their_value_and_refused_beyond_it() {
        let hooks = |count| vec![given::hook("h"); count];
        let text = |bytes: usize| {
            // All other text of this spec: the Addon's and the task's names.
            let rest = "workload-addon".len() + "logical-backup-restore".len();
            source(|s| s.components = vec!["x".repeat(bytes - rest)])
        };
        let retries = |count| {
            spec(|spec| {
                spec.pre_hooks = vec![HookSpec { max_retry: count, ..given::hook("h") }];
            })
        };
        let tasks =
            |count| spec(|spec| spec.addon.tasks = vec![spec.addon.tasks[0].clone(); count]);
        let (most, text_most) = (limits::HOOKS_A_STAGE, limits::SESSION_TEXT_BYTES);
        for (fits, beyond, message) in [
            (
                spec(|spec| spec.pre_hooks = hooks(most)),
                spec(|spec| spec.pre_hooks = hooks(most + 1)),
                "spec.hooks.preRestore: at most 32 are possible",
            ),
            (
                spec(|spec| spec.post_hooks = hooks(most)),
                spec(|spec| spec.post_hooks = hooks(most + 1)),
                "spec.hooks.postRestore: at most 32 are possible",
            ),
            (
                tasks(limits::TASKS_A_SESSION),
                tasks(limits::TASKS_A_SESSION + 1),
                "spec.addon.tasks: at most 16 are possible",
            ),
            (
                source(|s| s.components = vec!["x".into(); limits::COMPONENTS_A_SESSION]),
                source(|s| s.components = vec!["x".into(); limits::COMPONENTS_A_SESSION + 1]),
                "spec.dataSource.components: at most 1024 are possible",
            ),
            (
                retries(limits::HOOK_RETRIES),
                retries(limits::HOOK_RETRIES + 1),
                "spec.hooks: maxRetry is at most 100",
            ),
            (text(text_most), text(text_most + 1), "spec: all its text is at most 40960 bytes"),
        ] {
            let mut world = World::restorable();
            world.declare_restore(fits);
            assert_eq!(world.back().spec.invalid, None, "{message}");
            let mut world = World::restorable();
            assert_eq!(invalid(&mut world, beyond).1, message.to_string());
            let kept = &world.back().spec;
            assert!(kept.pre_hooks.is_empty() && kept.source.components.is_empty(), "{message}");
        }
    }
}
