//! Whether a restore can start: everything that it names is there, allowed, and fits together.
//!
//! What is wrong with the restore itself makes it Invalid; what is not there yet is waited for, and
//! its status lists it under `dependencies`. Both are looked at again whenever a fact changes.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::backup::Frozen;
use crate::component::{MANIFEST, moves_manifests};
use crate::condition::{Status, Type};
use crate::configuration::{AddonRef, TaskRef};
use crate::dependency::state::secret;
use crate::dependency::{Driver, Facts, Task};
use crate::event::StreamKind;
use crate::hook::HookSpec;
use crate::ids::{Hash, Key, TypedRef, Uid};
use crate::repository::state::Repository;
use crate::restore::phase::Step;
use crate::restore::source::{self, Wanted};
use crate::restore::state::Restore;
use crate::snapshot::phase::phase as snapshot_phase;
use crate::snapshot::state::Snapshot;
use crate::state::State;
use crate::usage::{self, Referred};

/// Why a restore cannot start now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// Something that it needs is not there yet: a sentence.
    #[error("{0}")]
    Waiting(String),
    /// All is there but the target: a sentence.
    #[error("{0}")]
    TargetMissing(String),
    /// It cannot start as it is written.
    #[error("{message}")]
    Invalid {
        /// CamelCase.
        reason: &'static str,
        /// Which field, and what to do.
        message: String,
    },
}

/// What a restore starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The chosen snapshot.
    pub snapshot: Uid,
    /// What it holds fixed.
    pub frozen: Frozen,
}

/// The documents' reason for whatever is wrong with the object itself.
const INVALID: &str = "ResourceValidationFailed";
const UNSUPPORTED: &str = "UnsupportedFunction";

/// What every Secret of a repository holds its passphrase under.
const PASSPHRASE_KEY: &str = "RESTIC_PASSWORD";

/// Runs all checks.
///
/// # Errors
/// The first [`Obstacle`].
pub fn check(state: &State, restore: &Restore) -> Result<Ready, Obstacle> {
    let spec = &restore.spec;
    if let Some(problem) = &spec.invalid {
        return Err(invalid(problem.clone()));
    }
    let wanted = source::wanted(&spec.source).map_err(|problem| invalid(problem.to_string()))?;
    let hooks = hooks(state, restore)?;
    target_is_allowed(state, restore)?;
    secret_is_usable(state, restore)?;
    let (addon_hash, tasks) = tasks(state, restore)?;
    let functions = functions(state, &spec.addon, &tasks)?;
    let snapshot = snapshot(state, restore, &wanted)?;
    let selected = source::select(&spec.source, snapshot).map_err(invalid)?;
    every_component_has_a_task(restore, &selected, &tasks)?;
    target_exists(state, restore, &tasks)?;
    target_is_free(state, restore, &selected)?;
    let frozen = Frozen { invoker: restore.hash, addon: addon_hash, functions, hooks };
    Ok(Ready { snapshot: snapshot.uid, frozen })
}

/// Whether the checks of a restore that has not started now come to something else than is recorded.
#[must_use]
pub fn is_stale(state: &State, restore: &Restore) -> bool {
    restore.step == Step::Created
        && match check(state, restore) {
            Ok(_) => true,
            Err(obstacle) => !is_known(restore, &obstacle),
        }
}

/// Whether the conditions say as much as an obstacle has to say.
pub(crate) fn is_known(restore: &Restore, obstacle: &Obstacle) -> bool {
    let facts = &restore.conditions;
    match obstacle {
        Obstacle::Invalid { reason, message } => {
            facts.get(Type::ValidationPassed).is_some_and(|known| {
                known.status == Status::False
                    && known.reason == *reason
                    && known.message == *message
            })
        }
        // Once what was wrong is mended the phase must not go on saying Invalid.
        Obstacle::Waiting(_) => !facts.is_false(Type::ValidationPassed),
        Obstacle::TargetMissing(message) => {
            let missing = facts.get(Type::RestoreTargetFound);
            facts.is_true(Type::ValidationPassed)
                && missing.is_some_and(|known| known.message == *message)
        }
    }
}

fn invalid(message: String) -> Obstacle {
    Obstacle::Invalid { reason: INVALID, message }
}

fn waiting(what: &str, key: impl core::fmt::Display) -> Obstacle {
    Obstacle::Waiting(format!("{what} {key} is not there yet"))
}

fn hooks(state: &State, restore: &Restore) -> Result<Vec<(Key, Hash)>, Obstacle> {
    let namespace = &restore.key.namespace;
    let labels = state.labels_of(namespace);
    let mut frozen = Vec::new();
    for hook in restore.spec.pre_hooks.iter().chain(&restore.spec.post_hooks) {
        let template = state.hook_named(&hook.template);
        let template = template.ok_or_else(|| waiting("HookTemplate", &hook.template))?;
        let own = &template.key.namespace;
        if !usage::allowed(template.spec.usage.as_ref(), own, namespace, Some(&labels)) {
            return Err(Obstacle::Invalid {
                reason: INVALID,
                message: format!(
                    "hook {}: the usagePolicy of HookTemplate {} does not allow namespace {namespace}",
                    hook.name, hook.template
                ),
            });
        }
        if let Some(problem) = &template.spec.invalid {
            return Err(invalid(format!("HookTemplate {}: {problem}", hook.template)));
        }
        if let Some(name) = missing_parameter(hook, &template.spec.params) {
            let HookSpec { name: hook, template, .. } = hook;
            return Err(invalid(format!("hook {hook}: HookTemplate {template} needs {name}")));
        }
        frozen.push((hook.template.clone(), template.hash));
    }
    frozen.sort();
    frozen.dedup();
    Ok(frozen)
}

fn missing_parameter<'a>(
    hook: &HookSpec,
    declared: &'a [crate::dependency::Parameter],
) -> Option<&'a str> {
    let given = |name: &str| hook.params.iter().any(|(known, _)| known == name);
    let missing = declared.iter().find(|p| p.required && p.default.is_none() && !given(&p.name));
    missing.map(|parameter| parameter.name.as_str())
}

/// Whether an object in `own` may be referred to from the restore's namespace; the way out is the same for every kind.
fn consent(
    (state, restore): (&State, &Restore),
    (field, referred): (&str, Referred),
    object: &dyn core::fmt::Display,
    (annotation, own): (Option<&str>, &str),
) -> Result<(), Obstacle> {
    let using = &restore.key.namespace;
    usage::consent(state.references, referred, annotation, own, using).map_err(|denied| {
        let said = usage::refusal(denied, referred, object, own, using);
        Obstacle::Invalid { reason: usage::DENIED, message: format!("{field}: {said}") }
    })
}

fn target_is_allowed(state: &State, restore: &Restore) -> Result<(), Obstacle> {
    let Some(target) = &restore.spec.target else { return Ok(()) };
    let own = usage::home(target);
    let annotation = state.namespace_named(own).and_then(|n| n.allowed_namespaces.as_deref());
    let referred = Referred::Target(restore.spec.addon.pod.first());
    consent((state, restore), ("target", referred), target, (annotation, own))
}

fn secret_is_usable(state: &State, restore: &Restore) -> Result<(), Obstacle> {
    let Some(key) = &restore.spec.source.secret else { return Ok(()) };
    let field = "dataSource.encryptionSecret";
    match state.facts(&secret(key)) {
        Some(Facts::Secret { keys, allowed_namespaces, .. }) => {
            let object = format!("Secret {key}");
            let says = (allowed_namespaces.as_deref(), key.namespace.as_str());
            consent((state, restore), (field, Referred::Secret), &object, says)?;
            if !keys.iter().any(|name| name == PASSPHRASE_KEY) {
                return Err(invalid(format!("{field}: Secret {key} has no key {PASSPHRASE_KEY}")));
            }
            Ok(())
        }
        _ => Err(waiting("Secret", key)),
    }
}

/// Two restores that write to the same files would leave a mixture of both.
fn target_is_free(
    state: &State,
    restore: &Restore,
    selected: &[(String, String)],
) -> Result<(), Obstacle> {
    let Some(target) = &restore.spec.target else { return Ok(()) };
    let stops = |uid: Uid| state.outbox.values().any(|once| once.stops(uid));
    let meets = |other: &Restore| {
        let snapshot = other.snapshot.and_then(|uid| state.snapshots.get(&uid));
        let theirs = snapshot.and_then(|known| source::select(&other.spec.source, known).ok());
        // Where it is not known any more what the other one selected, it may be anything.
        theirs.is_none_or(|theirs| {
            theirs.iter().any(|(_, name)| selected.iter().any(|(_, own)| own == name))
        })
    };
    let same =
        |other: &&Restore| other.uid != restore.uid && other.spec.target.as_ref() == Some(target);
    let mut others = state.restores.values().filter(same);
    match others.find(|other| (other.is_going() || stops(other.uid)) && meets(other)) {
        Some(other) => {
            Err(Obstacle::Waiting(format!("RestoreSession {} restores into {target}", other.key)))
        }
        None => Ok(()),
    }
}

/// A task of the Addon, and how the restore refers to it.
type Named<'a> = (&'a Task, &'a TaskRef);

/// The Addon's restore tasks that the restore names, each with its reference.
fn tasks<'a>(state: &'a State, restore: &'a Restore) -> Result<(Hash, Vec<Named<'a>>), Obstacle> {
    let name = &restore.spec.addon.name;
    let found =
        state.dependency(&restore.spec.addon.object()).ok_or_else(|| waiting("Addon", name))?;
    let Facts::Addon { tasks } = &found.facts else { return Err(waiting("Addon", name)) };
    if restore.spec.addon.tasks.is_empty() {
        return Err(invalid("addon.tasks: name at least one task".into()));
    }
    let named = restore.spec.addon.tasks.iter().map(|reference| {
        let task = tasks.iter().find(|task| task.restore && task.name == reference.name);
        let task = task.ok_or_else(|| {
            let known: Vec<&str> =
                tasks.iter().filter(|task| task.restore).map(|task| task.name.as_str()).collect();
            invalid(format!(
                "addon.tasks: Addon {name} has no restore task {}; it has {}",
                reference.name,
                known.join(", ")
            ))
        })?;
        Ok((task, reference))
    });
    Ok((found.hash, named.collect::<Result<_, Obstacle>>()?))
}

fn functions(
    state: &State,
    addon: &AddonRef,
    tasks: &[Named<'_>],
) -> Result<Vec<(String, Hash)>, Obstacle> {
    let mut frozen = Vec::new();
    for (task, _) in tasks {
        let name = &task.function;
        let found =
            state.dependency(&addon.function(name)).ok_or_else(|| waiting("Function", name))?;
        let supported = matches!(found.facts, Facts::Function { supported: true });
        if !supported || task.driver == Driver::Foreign {
            return Err(Obstacle::Invalid {
                reason: UNSUPPORTED,
                message: format!(
                    "addon.tasks: Function {name} of task {} is of another product, which this \
                     operator does not run",
                    task.name
                ),
            });
        }
        frozen.push((name.clone(), found.hash));
    }
    frozen.sort();
    frozen.dedup();
    Ok(frozen)
}

fn snapshot<'a>(
    state: &'a State,
    restore: &Restore,
    wanted: &Wanted<'_>,
) -> Result<&'a Snapshot, Obstacle> {
    let source = &restore.spec.source;
    let namespace = source_namespace(restore);
    let named = source.repository.as_ref().filter(|name| !name.is_empty());
    let named = named.map(|name| restore.key.relative(StreamKind::Repository, namespace, &**name));
    let repository = match &named {
        None => None,
        Some(key) => Some(repository(state, restore, key)?),
    };
    let chosen = match wanted {
        Wanted::Named(name) => {
            let key = restore.key.relative(StreamKind::Snapshot, namespace, *name);
            let found = state.snapshot_named(&key).ok_or_else(|| waiting("Snapshot", &key))?;
            if repository.is_some_and(|repository| repository.uid != found.repository) {
                return Err(invalid(format!(
                    "dataSource.repository: snapshot {key} lies in another repository"
                )));
            }
            found
        }
        Wanted::Newest => {
            let uid = repository.map(|repository| repository.uid);
            // A check is part of what the sets follow from, so it cannot ask them.
            let mine = state.snapshots.values().filter(|s| Some(s.repository) == uid);
            source::newest(source, mine).ok_or_else(|| {
                let until = if source.point_in_time.is_some() { " of that time" } else { "" };
                let key = named.unwrap_or_default();
                Obstacle::Waiting(format!("repository {key} has no Succeeded snapshot{until} yet"))
            })?
        }
    };
    if repository.is_none() {
        let owner = state.repositories.get(&chosen.repository);
        let owner = owner.ok_or_else(|| waiting("the Repository of snapshot", &chosen.key))?;
        self::repository(state, restore, &owner.key)?;
    }
    if chosen.removal.is_some() {
        return Err(invalid(format!("dataSource.snapshot: {} is being removed", chosen.key)));
    }
    if !snapshot_phase(chosen).is_completed() {
        return Err(Obstacle::Waiting(format!("snapshot {} is still being written", chosen.key)));
    }
    Ok(chosen)
}

/// Namespace of repository and snapshot.
pub(crate) fn source_namespace(restore: &Restore) -> &str {
    let namespace = &restore.spec.source.namespace;
    if namespace.is_empty() { &restore.key.namespace } else { namespace }
}

fn repository<'a>(
    state: &'a State,
    restore: &Restore,
    key: &Key,
) -> Result<&'a Repository, Obstacle> {
    let found = state.repository_named(key).ok_or_else(|| waiting("Repository", key))?;
    let annotation = match state.facts(&repository_object(key)) {
        Some(Facts::Repository { allowed_namespaces }) => allowed_namespaces.as_deref(),
        _ => None,
    };
    let (object, says) = (format!("Repository {key}"), (annotation, key.namespace.as_str()));
    consent((state, restore), ("dataSource.namespace", Referred::Repository), &object, says)?;
    if found.deleting {
        return Err(invalid(format!("dataSource.repository: {key} is being deleted")));
    }
    if !found.is_ready() {
        return Err(Obstacle::Waiting(format!("repository {key} is not Ready")));
    }
    Ok(found)
}

/// How a Repository is referred to among the dependencies, where its annotation is observed.
#[must_use]
pub fn repository_object(key: &Key) -> TypedRef {
    TypedRef {
        api_group: key.group.as_str().into(),
        kind: "Repository".into(),
        namespace: key.namespace.clone(),
        name: key.name.clone(),
    }
}

fn every_component_has_a_task(
    restore: &Restore,
    selected: &[(String, String)],
    tasks: &[Named<'_>],
) -> Result<(), Obstacle> {
    let moved =
        |name: &str| tasks.iter().any(|(task, _)| moves_manifests(task) == (name == MANIFEST));
    let left: Vec<&str> =
        selected.iter().filter(|(_, name)| !moved(name)).map(|(asked, _)| asked.as_str()).collect();
    let asked = !restore.spec.source.components.is_empty();
    if (asked && !left.is_empty()) || left.len() == selected.len() {
        return Err(invalid(format!("addon.tasks: no task restores {}", left.join(", "))));
    }
    Ok(())
}

fn target_exists(state: &State, restore: &Restore, tasks: &[Named<'_>]) -> Result<(), Obstacle> {
    match &restore.spec.target {
        Some(target) if state.facts(target).is_none() => {
            Err(Obstacle::TargetMissing(format!("{target} does not exist; create it first")))
        }
        None if tasks.iter().any(|(task, _)| needs_target(task)) => {
            Err(invalid("target: needed by a task that restores files".into()))
        }
        _ => Ok(()),
    }
}

fn needs_target(task: &Task) -> bool {
    !moves_manifests(task) && task.driver != Driver::VolumeSnapshotter
}

/// What a restore depends on, and whether it is there (`status.dependencies`). One that has started had
/// all of it: what goes afterwards is no news of it.
#[must_use]
pub fn dependencies(state: &State, restore: &Restore) -> Vec<(TypedRef, bool)> {
    if restore.started_at.is_some() {
        let chosen = restore.snapshot.and_then(|uid| state.snapshots.get(&uid));
        let snapshot = chosen.map(|snapshot| storage_object("Snapshot", &snapshot.key));
        let all = snapshot.into_iter().chain([restore.spec.addon.object()]);
        return all.map(|object| (object, true)).collect();
    }
    let mut all = Vec::new();
    let source = &restore.spec.source;
    let named =
        source.snapshot.as_deref().filter(|name| *name != source::LATEST && !name.is_empty());
    if let Some(name) = named {
        let key = restore.key.relative(StreamKind::Snapshot, source_namespace(restore), name);
        all.push((storage_object("Snapshot", &key), state.snapshot_named(&key).is_some()));
    }
    if let Some(name) = &source.repository {
        let key = restore.key.relative(StreamKind::Repository, source_namespace(restore), &**name);
        let found = state.uid_of(StreamKind::Repository, &key).is_some();
        all.push((repository_object(&key), found));
    }
    let addon = restore.spec.addon.object();
    if let Some(Facts::Addon { tasks }) = state.facts(&addon) {
        let named = restore.spec.addon.tasks.iter();
        let tasks = named.filter_map(|r| tasks.iter().find(|t| t.restore && t.name == r.name));
        let functions = tasks.map(|task| restore.spec.addon.function(&task.function));
        all.push((addon.clone(), true));
        all.extend(functions.filter(|f| state.facts(f).is_none()).map(|f| (f, false)));
    } else {
        all.push((addon, false));
    }
    if let Some(key) = &source.secret {
        let secret = secret(key);
        let found = state.facts(&secret).is_some();
        if !found {
            all.push((secret, false));
        }
    }
    all
}

fn storage_object(kind: &str, key: &Key) -> TypedRef {
    TypedRef { kind: kind.into(), ..repository_object(key) }
}
