//! The checks of a configuration, in the documents' order (behaviour reference, section 11), then
//! those of our own: which code would run, and whose Secrets it would read.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

use crate::configuration::state::{ChosenBackend, Configuration};
use crate::configuration::{RepositoryRef, SessionSpec};
use crate::dependency::{Driver, Facts, Task, state as dependency};
use crate::draft::Draft;
use crate::event::StreamKind;
use crate::ids::{Key, TypedRef};
use crate::usage::{self, Referred};

/// Why a configuration is Invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// CamelCase.
    pub reason: &'static str,
    /// Which field, and what to do.
    pub message: String,
}

/// The documents' own reason.
pub(crate) const RESOURCE: &str = "ResourceValidationFailed";
/// A usage policy says no.
pub(crate) const USAGE: &str = "UsageNotAllowed";
/// A Function that this operator has no code for.
pub(crate) const UNSUPPORTED_FUNCTION: &str = "UnsupportedFunction";
/// A driver of another product.
pub(crate) const UNSUPPORTED_DRIVER: &str = "UnsupportedDriver";

fn bad<T>(message: impl Into<String>) -> Result<T, Problem> {
    Err(Problem { reason: RESOURCE, message: message.into() })
}

/// Checks everything; the first problem found is the answer.
pub(crate) fn validate(draft: &Draft, configuration: &Configuration) -> Result<(), Problem> {
    backends(configuration)?;
    let resolved = configuration.resolved_backends();
    session_names(configuration)?;
    for (index, session) in configuration.sessions.iter().enumerate() {
        let at = format!("spec.sessions[{index}]");
        session_shape(&at, &session.spec)?;
        for repository in &session.spec.repositories {
            self::repository(draft, configuration, &resolved, &at, repository)?;
        }
    }
    directories(configuration)?;
    for backend in &resolved {
        backend_usage(draft, configuration, backend)?;
    }
    for session in &configuration.sessions {
        hook_usage(draft, configuration, &session.spec)?;
        tasks(draft, &session.spec)?;
        secrets(draft, configuration, &session.spec)?;
        target(draft, configuration, &session.spec)?;
    }
    Ok(())
}

fn backends(configuration: &Configuration) -> Result<(), Problem> {
    if configuration.backends.is_empty() && configuration.defaults.is_empty() {
        return bad("spec.backends: none is given, and no default BackupStorage with a default \
             RetentionPolicy may be used from this namespace");
    }
    let mut names = BTreeSet::new();
    for (index, backend) in configuration.backends.iter().enumerate() {
        if !names.insert(&backend.name) {
            return bad(format!("spec.backends[{index}].name: {:?} stands twice", backend.name));
        }
        if configuration.backend(&backend.name).is_none() {
            let missing = match (&backend.retention, &backend.storage) {
                (None, _) => "retentionPolicy",
                _ => "storageRef",
            };
            return bad(format!(
                "spec.backends[{index}].{missing}: none is given, and there is no default"
            ));
        }
    }
    Ok(())
}

fn session_names(configuration: &Configuration) -> Result<(), Problem> {
    if configuration.sessions.is_empty() {
        return bad("spec.sessions: at least one is needed");
    }
    let mut names = BTreeSet::new();
    for (index, session) in configuration.sessions.iter().enumerate() {
        let name = &session.spec.name;
        if name.is_empty() {
            return bad(format!("spec.sessions[{index}].name: it is empty"));
        }
        if !names.insert(name) {
            return bad(format!("spec.sessions[{index}].name: {name:?} stands twice"));
        }
    }
    Ok(())
}

fn session_shape(at: &str, session: &SessionSpec) -> Result<(), Problem> {
    let mut names = BTreeSet::new();
    for (index, repository) in session.repositories.iter().enumerate() {
        if !names.insert(&repository.name) {
            return bad(format!(
                "{at}.repositories[{index}].name: {:?} stands twice",
                repository.name
            ));
        }
    }
    if session.scheduler.is_none() {
        return bad(format!("{at}.scheduler: it is missing"));
    }
    if session.addon.name.is_empty() {
        return bad(format!("{at}.addon.name: it is missing"));
    }
    if session.addon.tasks.is_empty() {
        return bad(format!("{at}.addon.tasks: at least one is needed"));
    }
    if let Some(index) = session.addon.tasks.iter().position(|task| task.name.is_empty()) {
        return bad(format!("{at}.addon.tasks[{index}].name: it is empty"));
    }
    if session.repositories.is_empty() {
        return bad(format!("{at}.repositories: at least one is needed"));
    }
    Ok(())
}

fn repository(
    draft: &Draft,
    configuration: &Configuration,
    resolved: &[ChosenBackend],
    at: &str,
    wanted: &RepositoryRef,
) -> Result<(), Problem> {
    let name = &wanted.name;
    if name.is_empty() {
        return bad(format!("{at}.repositories: a repository has no name"));
    }
    let Some(backend) = resolved.iter().find(|backend| backend.name == wanted.backend) else {
        return bad(format!(
            "{at}.repositories: {name} names backend {:?}, which spec.backends does not have",
            wanted.backend
        ));
    };
    if wanted.directory.is_empty() {
        return bad(format!("{at}.repositories: {name} has no directory"));
    }
    let key = configuration.key.sibling(StreamKind::Repository, &**name);
    if let Some(existing) = draft.repository_named(&key) {
        let target = configuration.target.clone().unwrap_or_else(TypedRef::absent);
        if existing.app != target {
            return bad(format!(
                "{at}.repositories: Repository {key} belongs to {}; choose another name",
                existing.app
            ));
        }
        if existing.storage != backend.storage {
            return bad(format!(
                "{at}.repositories: Repository {key} lies in BackupStorage {}; choose another name",
                existing.storage
            ));
        }
        if existing.path != wanted.directory {
            return bad(format!(
                "{at}.repositories: Repository {key} lies in {:?}, and its directory cannot change",
                existing.path
            ));
        }
    }
    let twin = draft
        .repositories_in(&backend.storage)
        .find(|other| other.key != key && overlap(&other.path, &wanted.directory));
    match twin {
        Some(twin) => bad(format!(
            "{at}.repositories: directory {:?} of {name} overlaps {:?} of Repository {}; \
             choose another one",
            wanted.directory, twin.path, twin.key
        )),
        None => Ok(()),
    }
}

/// Equal, or one within the other: wiping the outer one would take the inner one along.
fn overlap(one: &str, other: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    within(one, other) || within(other, one)
}

/// Within one configuration a directory of a backend belongs to one repository.
fn directories(configuration: &Configuration) -> Result<(), Problem> {
    let mut owners: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for session in &configuration.sessions {
        for repository in &session.spec.repositories {
            let place = (repository.backend.as_str(), repository.directory.as_str());
            let owner = *owners.entry(place).or_insert(&repository.name);
            if owner != repository.name {
                return bad(format!(
                    "spec.sessions: repositories {owner} and {} have one directory, {:?}",
                    repository.name, repository.directory
                ));
            }
        }
    }
    Ok(())
}

fn backend_usage(
    draft: &Draft,
    configuration: &Configuration,
    backend: &ChosenBackend,
) -> Result<(), Problem> {
    let namespace = &configuration.key.namespace;
    let labels = draft.labels_of(namespace);
    let denied = |what: &str, key: &Key| {
        Err(Problem {
            reason: USAGE,
            message: format!(
                "spec.backends: {what} {key} may not be used from namespace {namespace}; \
                 its usagePolicy decides"
            ),
        })
    };
    if let Some(storage) = draft.storage_named(&backend.storage) {
        let home = &storage.key.namespace;
        if !usage::allowed(storage.spec.usage.as_ref(), home, namespace, Some(&labels)) {
            return denied("BackupStorage", &storage.key);
        }
        let runs_in = configuration.target.as_ref().map_or(namespace, |target| &target.namespace);
        if storage.spec.own_namespace_only && home != runs_in {
            return bad(format!(
                "spec.backends: BackupStorage {} is a claim and can be mounted in namespace {home} \
                 only; the backup runs in {runs_in}",
                storage.key
            ));
        }
    }
    if let Some(policy) = draft.retention_named(&backend.retention) {
        let home = &policy.key.namespace;
        if !usage::allowed(policy.spec.usage.as_ref(), home, namespace, Some(&labels)) {
            return denied("RetentionPolicy", &policy.key);
        }
        if let Some(invalid) = &policy.spec.invalid {
            return bad(format!("RetentionPolicy {}: {invalid}", policy.key));
        }
    }
    Ok(())
}

fn hook_usage(
    draft: &Draft,
    configuration: &Configuration,
    session: &SessionSpec,
) -> Result<(), Problem> {
    let namespace = &configuration.key.namespace;
    let labels = draft.labels_of(namespace);
    for hook in session.pre_hooks.iter().chain(&session.post_hooks) {
        let Some(template) = draft.hook_named(&hook.template) else { continue };
        let home = &template.key.namespace;
        if !usage::allowed(template.spec.usage.as_ref(), home, namespace, Some(&labels)) {
            return Err(Problem {
                reason: USAGE,
                message: format!(
                    "session {}: HookTemplate {} may not be used from namespace {namespace}; \
                     its usagePolicy decides",
                    session.name, template.key
                ),
            });
        }
        if let Some(invalid) = &template.spec.invalid {
            return bad(format!("HookTemplate {}: {invalid}", template.key));
        }
    }
    Ok(())
}

/// Tasks of an Addon that is known; one that is not known yet is no mistake of the configuration.
fn tasks(draft: &Draft, session: &SessionSpec) -> Result<(), Problem> {
    let addon = &session.addon;
    let Some(Facts::Addon { tasks }) = draft.facts(&addon.object()) else {
        return Ok(());
    };
    for wanted in &addon.tasks {
        let found = tasks.iter().find(|task| !task.restore && task.name == wanted.name);
        let Some(task) = found else {
            return bad(format!(
                "session {}: Addon {} has no backup task {}",
                session.name, addon.name, wanted.name
            ));
        };
        runnable(draft, session, task)?;
    }
    Ok(())
}

fn runnable(draft: &Draft, session: &SessionSpec, task: &Task) -> Result<(), Problem> {
    let name = &session.name;
    if task.driver == Driver::Foreign {
        return Err(Problem {
            reason: UNSUPPORTED_DRIVER,
            message: format!("session {name}: task {} has a driver of another product", task.name),
        });
    }
    let function = draft.facts(&session.addon.function(&task.function));
    if let Some(Facts::Function { supported: false }) = function {
        return Err(Problem {
            reason: UNSUPPORTED_FUNCTION,
            message: format!(
                "session {name}: Function {} of task {} has an image and a command of its own, \
                 which this operator gives no rights to run",
                task.function, task.name
            ),
        });
    }
    let lacking = session.repositories.iter().find(|repository| repository.secret.is_none());
    match lacking {
        Some(repository) if task.driver == Driver::Restic => bad(format!(
            "session {name}: repository {} has no encryptionSecret, and task {} stores files",
            repository.name, task.name
        )),
        _ => Ok(()),
    }
}

/// A Secret of another namespace has to name this one (design, D13).
fn secrets(
    draft: &Draft,
    configuration: &Configuration,
    session: &SessionSpec,
) -> Result<(), Problem> {
    let namespace = &configuration.key.namespace;
    for secret in session.repositories.iter().filter_map(|repository| repository.secret.as_ref()) {
        let Some(Facts::Secret { allowed_namespaces, .. }) =
            draft.facts(&dependency::secret(secret))
        else {
            continue;
        };
        let (own, annotation) = (&secret.namespace, allowed_namespaces.as_deref());
        let referred = Referred::Secret;
        usage::consent(draft.references(), referred, annotation, own, namespace).map_err(
            |denied| {
                let object = format!("Secret {secret}");
                let said = usage::refusal(denied, referred, &object, own, namespace);
                Problem {
                    reason: usage::DENIED,
                    message: format!("session {}: {said}", session.name),
                }
            },
        )?;
    }
    Ok(())
}

/// The Namespace of a target that is not this one has to name it (design, D13).
fn target(
    draft: &Draft,
    configuration: &Configuration,
    session: &SessionSpec,
) -> Result<(), Problem> {
    let Some(target) = &configuration.target else { return Ok(()) };
    let (own, using) = (usage::home(target), &configuration.key.namespace);
    let annotation = draft.namespace_named(own).and_then(|n| n.allowed_namespaces.as_deref());
    let referred = Referred::Target(session.addon.pod.first());
    usage::consent(draft.references(), referred, annotation, own, using).map_err(|denied| {
        let said = usage::refusal(denied, referred, target, own, using);
        Problem { reason: usage::DENIED, message: format!("spec.target: {said}") }
    })
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::configuration::{Backend, Spec};
    use crate::testing::given::{self, stored};
    use crate::testing::world::{APP, World};
    use crate::usage::UsagePolicy;

    /// What a configuration of this spec is told; absent when nothing is wrong.
    fn told(world: &mut World, spec: &Spec) -> Option<(String, String)> {
        world.declare(spec);
        let facts = &world.state.configurations[&APP].conditions;
        let kind = crate::condition::Type::ValidationPassed;
        facts.is_false(kind).then(|| {
            let found = facts.get(kind).unwrap();
            (found.reason.clone().into_owned(), found.message.clone().into_owned())
        })
    }

    fn furnished() -> World {
        let mut world = World::furnished();
        world.declare_storage("store", given::storage("store"));
        world.answer_backends();
        world.declare_retention("keep", given::retention(1));
        world
    }

    fn spec(change: impl FnOnce(&mut Spec)) -> Spec {
        let mut spec = given::configuration(vec![given::session("nightly")]);
        change(&mut spec);
        spec
    }

    fn session(change: impl FnOnce(&mut SessionSpec)) -> Spec {
        spec(|spec| change(&mut spec.sessions[0]))
    }

    #[test]
    fn the_shape_is_checked_in_the_documents_order() {
        let backend = |name: &str| Backend {
            name: name.into(),
            storage: Some(stored("store")),
            retention: Some(stored("keep")),
        };
        let cases = [
            (
                spec(|s| s.backends.clear()),
                "spec.backends: none is given, and no default BackupStorage with a default \
                 RetentionPolicy may be used from this namespace",
            ),
            (
                spec(|s| s.backends.push(backend("main"))),
                "spec.backends[1].name: \"main\" stands twice",
            ),
            (
                spec(|s| s.backends[0].retention = None),
                "spec.backends[0].retentionPolicy: none is given, and there is no default",
            ),
            (
                spec(|s| s.backends[0].storage = None),
                "spec.backends[0].storageRef: none is given, and there is no default",
            ),
            (spec(|s| s.sessions.clear()), "spec.sessions: at least one is needed"),
            (session(|s| s.name.clear()), "spec.sessions[0].name: it is empty"),
            (
                spec(|s| s.sessions.push(given::session("nightly"))),
                "spec.sessions[1].name: \"nightly\" stands twice",
            ),
            (
                session(|s| s.repositories.push(given::repository("one"))),
                "spec.sessions[0].repositories[1].name: \"one\" stands twice",
            ),
            (session(|s| s.scheduler = None), "spec.sessions[0].scheduler: it is missing"),
            (session(|s| s.addon.name.clear()), "spec.sessions[0].addon.name: it is missing"),
            (
                session(|s| s.addon.tasks.clear()),
                "spec.sessions[0].addon.tasks: at least one is needed",
            ),
            (
                session(|s| s.addon.tasks[0].name.clear()),
                "spec.sessions[0].addon.tasks[0].name: it is empty",
            ),
        ];
        for (spec, message) in cases {
            let told = told(&mut furnished(), &spec);
            assert_eq!(told, Some((RESOURCE.into(), message.into())));
        }
    }

    #[test]
    fn repositories_are_checked_one_by_one() {
        let cases = [
            (
                session(|s| s.repositories.clear()),
                "spec.sessions[0].repositories: at least one is needed",
            ),
            (
                session(|s| s.repositories[0].name.clear()),
                "spec.sessions[0].repositories: a repository has no name",
            ),
            (
                session(|s| s.repositories[0].backend = "other".into()),
                "spec.sessions[0].repositories: one names backend \"other\", which spec.backends \
                 does not have",
            ),
            (
                session(|s| s.repositories[0].directory.clear()),
                "spec.sessions[0].repositories: one has no directory",
            ),
            (
                session(|s| {
                    let twin = given::repository("one").directory;
                    let two = given::repository("two");
                    s.repositories.push(RepositoryRef { directory: twin, ..two });
                }),
                "spec.sessions: repositories one and two have one directory, \"dir/one\"",
            ),
            (
                session(|s| s.repositories[0].secret = None),
                "session nightly: repository one has no encryptionSecret, and task logical-backup \
                 stores files",
            ),
        ];
        for (spec, message) in cases {
            let told = told(&mut furnished(), &spec);
            assert_eq!(told, Some((RESOURCE.into(), message.into())));
        }
        assert_eq!(told(&mut furnished(), &spec(|_| {})), None);
    }

    #[test]
    fn one_directory_may_serve_one_repository_of_two_sessions() {
        let mut spec = spec(|s| s.sessions.push(given::session("weekly")));
        assert_eq!(told(&mut furnished(), &spec), None);
        // The same path in another backend is another place.
        spec.backends.push(Backend { name: "other".into(), ..spec.backends[0].clone() });
        spec.backends[1].storage = Some(stored("second"));
        let mut two = given::repository("two");
        two.backend = "other".into();
        two.directory = "dir/one".into();
        spec.sessions[1].repositories = vec![two];
        let mut world = furnished();
        world.declare_storage("second", given::storage("second"));
        assert_eq!(told(&mut world, &spec), None);
    }

    #[test]
    fn a_repository_that_exists_keeps_target_storage_and_directory() {
        let cases = [
            (
                spec(|s| s.target = Some(TypedRef { name: "other".into(), ..given::target() })),
                "spec.sessions[0].repositories: Repository demo/one belongs to StatefulSet demo/db; \
                 choose another name",
            ),
            (
                spec(|s| s.target = None),
                "spec.sessions[0].repositories: Repository demo/one belongs to StatefulSet demo/db; \
                 choose another name",
            ),
            (
                spec(|s| s.backends[0].storage = Some(stored("second"))),
                "spec.sessions[0].repositories: Repository demo/one lies in BackupStorage \
                 demo/store; choose another name",
            ),
            (
                session(|s| s.repositories[0].directory = "elsewhere".into()),
                "spec.sessions[0].repositories: Repository demo/one lies in \"dir/one\", and its \
                 directory cannot change",
            ),
        ];
        for (spec, message) in cases {
            let mut world = World::ready();
            assert_eq!(told(&mut world, &spec), Some((RESOURCE.into(), message.into())));
        }
    }

    #[test]
    fn a_directory_within_that_of_another_repository_is_refused() {
        for (directory, overlaps) in
            [("dir/one/inner", true), ("dir", true), ("dir/one", true), ("dir/one2", false)]
        {
            let mut world = World::ready();
            let spec = session(|s| {
                s.repositories =
                    vec![RepositoryRef { directory: directory.into(), ..given::repository("two") }];
            });
            let message = format!(
                "spec.sessions[0].repositories: directory {directory:?} of two overlaps \"dir/one\" \
                 of Repository demo/one; choose another one"
            );
            let expected = overlaps.then(|| (String::from(RESOURCE), message));
            assert_eq!(told(&mut world, &spec), expected);
            let uid = world.repository("one");
            let freed = world.ask(crate::repository::Command::Delete { uid });
            assert_eq!(freed.contains("configuration.ValidationPassed"), overlaps, "{freed}");
        }
    }

    #[test]
    fn a_storage_decides_who_may_use_it_and_from_where() {
        let mut closed = given::storage("store");
        closed.usage = None;
        let mut world = furnished();
        world.declare_storage("store", closed);
        assert_eq!(
            told(&mut world, &spec(|_| {})),
            Some((
                USAGE.into(),
                "spec.backends: BackupStorage demo/store may not be used from namespace demo; its \
                 usagePolicy decides"
                    .into()
            ))
        );
        let mut claim = given::storage("store");
        claim.usage = Some(UsagePolicy::All);
        claim.own_namespace_only = true;
        let mut world = furnished();
        world.declare_storage("store", claim);
        assert_eq!(told(&mut world.clone(), &spec(|_| {})), None);
        let elsewhere = TypedRef { namespace: "other".into(), ..given::target() };
        assert_eq!(
            told(&mut world, &spec(|s| s.target = Some(elsewhere))).map(|(_, said)| said),
            Some(
                "spec.backends: BackupStorage demo/store is a claim and can be mounted in namespace \
                 demo only; the backup runs in other"
                    .into()
            )
        );
    }

    #[test]
    fn a_task_of_another_product_is_refused() {
        let mut world = furnished();
        let task = Task { driver: Driver::Foreign, ..given::task("logical-backup", false) };
        let addon = dependency::addon("workload-addon");
        world.observe(addon, Facts::Addon { tasks: vec![task] });
        assert_eq!(
            told(&mut world, &spec(|_| {})),
            Some((
                UNSUPPORTED_DRIVER.into(),
                "session nightly: task logical-backup has a driver of another product".into()
            ))
        );
        // Volume snapshots store no files of ours.
        let mut world = furnished();
        let driver = Driver::VolumeSnapshotter;
        let task = Task { driver, ..given::task("logical-backup", false) };
        let addon = dependency::addon("workload-addon");
        world.observe(addon, Facts::Addon { tasks: vec![task] });
        assert_eq!(told(&mut world, &session(|s| s.repositories[0].secret = None)), None);
    }

    #[test]
    fn what_is_not_known_yet_is_no_mistake() {
        let mut world = World::new();
        world.declare_storage("store", given::storage("store"));
        world.declare_retention("keep", given::retention(1));
        let missing = session(|s| {
            s.pre_hooks = vec![given::hook("missing")];
            s.repositories[0].secret = Some(Key::core("vault", "missing"));
        });
        assert_eq!(told(&mut world, &missing), None);
        assert_eq!(world.state.repositories.len(), 1);
    }

    #[test]
    fn directories_overlap_when_one_is_within_the_other() {
        assert!(overlap("a/b", "a/b"));
        assert!(overlap("a/b", "a"));
        assert!(overlap("a", "a/b/c"));
        assert!(!overlap("a/b", "a/bc"));
        assert!(!overlap("a/b", "a/c"));
    }

    #[test]
    fn a_target_of_another_namespace_has_to_allow_it() {
        let mut world = furnished();
        let mut abroad = session(|_| {});
        abroad.target.as_mut().unwrap().namespace = "shop".into();
        let (reason, said) = told(&mut world, &abroad).unwrap();
        assert_eq!(reason, usage::DENIED);
        assert_eq!(
            said,
            "spec.target: StatefulSet shop/db is in another namespace and does not allow demo; add demo to \
             annotation holdfast.dev/allowed-namespaces of Namespace shop, or run the operator with \
             --cross-namespace-references any"
        );
        let valid = |world: &World| {
            let known = &world.state.configurations[&APP].conditions;
            known.is_true(crate::condition::Type::ValidationPassed)
        };
        assert!(world.allow("shop", &[], Some("demo")).contains("configuration.ValidationPassed"));
        world.allow("shop", &[], Some("other"));
        assert!(!valid(&world));
        let install = |references| crate::lease::Command::Configure { references };
        let said = world.ask(install(usage::References::Any));
        assert_eq!(said, "lease.Configured configuration.ValidationPassed");
        assert_eq!(world.ask(install(usage::References::Any)), "");
        let said = world.ask(install(usage::References::AnyButTargets));
        assert_eq!(said, "lease.Configured configuration.ValidationFailed");

        world.allow("shop", &[], Some("demo"));
        abroad.sessions[0].addon.pod.service_account = true;
        let (_, said) = told(&mut world, &abroad).unwrap();
        assert!(said.contains("which does not allow serviceAccountName of demo"), "{said}");
        assert!(said.contains("end annotation holdfast.dev/allowed-namespaces"), "{said}");
        world.allow("shop", &[], Some("demo:jobs"));
        assert!(valid(&world));
        let uid = world.state.uid_of(StreamKind::Namespace, &Key::core("", "shop")).unwrap();
        let said = world.ask(crate::namespace::Command::Forget { uid });
        assert_eq!(
            said, "namespace.Gone configuration.ValidationFailed",
            "its consent goes with it"
        );
    }
}
