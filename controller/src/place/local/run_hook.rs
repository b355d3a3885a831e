//! One try of one hook of a session.

use std::time::Duration;

use holdfast_api::core::HookTemplate;
use holdfast_engine::hook::{HookSpec, Run, Stage};
use holdfast_engine::{EffectId, Failure, Hash, Key, Outcome, Uid};
use holdfast_eventlog::Ledger;
use serde_json::Value;

use super::{Local, hook};
use crate::place::{Task, answered};
use crate::translate::hook::{Order, order};
use crate::translate::kubestash::summary;

/// Fills the frozen template in and runs it.
pub(super) fn run(
    local: &Local,
    ledger: &Ledger,
    effect: EffectId,
    session: Uid,
    run: Run,
) -> Task {
    let prepared = find(ledger, session, run).and_then(|found| {
        let template = template(ledger, &found.spec.template, found.frozen)?;
        let order = order(&template, &found.spec.params, &found.summary)?;
        let timeout = found.spec.timeout.map(|limit| Duration::from_millis(limit.0));
        Ok((order, found.namespace, timeout))
    });
    let (catalog, volumes) = (local.catalog.get(), local.volumes.clone());
    let work = Task::new(async move {
        let outcome = match prepared {
            Ok((order, namespace, timeout)) => {
                let order: Order = order;
                hook::run(&order, &namespace, timeout, &catalog, &volumes).await
            }
            Err(failure) => Outcome::Failed(failure),
        };
        answered(effect, outcome)
    });
    work.ends_when_given_up()
}

struct Found<'a> {
    spec: &'a HookSpec,
    frozen: &'a [(Key, Hash)],
    namespace: String,
    summary: Value,
}

fn find(ledger: &Ledger, session: Uid, run: Run) -> Result<Found<'_>, Failure> {
    let state = ledger.state();
    let gone = || failed("SessionGone", "the hook's session is not known any more".into());
    let (pre, post, frozen, namespace, summary) = if let Some(backup) = state.backups.get(&session)
    {
        let plan = backup.plan.as_ref().ok_or_else(gone)?;
        let summary = summary::of_backup(state, backup);
        (
            &plan.spec.pre_hooks,
            &plan.spec.post_hooks,
            &backup.frozen.hooks,
            &backup.key.namespace,
            summary,
        )
    } else {
        let restore = state.restores.get(&session).ok_or_else(gone)?;
        let summary = summary::of_restore(restore);
        let spec = &restore.spec;
        (&spec.pre_hooks, &spec.post_hooks, &restore.frozen.hooks, &restore.key.namespace, summary)
    };
    let hooks = if run.stage == Stage::Pre { pre } else { post };
    let spec =
        usize::try_from(run.index).ok().and_then(|index| hooks.get(index)).ok_or_else(gone)?;
    Ok(Found { spec, frozen, namespace: namespace.clone(), summary })
}

fn template(ledger: &Ledger, key: &Key, frozen: &[(Key, Hash)]) -> Result<HookTemplate, Failure> {
    let missing = || {
        failed(
            "HookTemplateNotFound",
            format!("HookTemplate {key} was not there when the session started"),
        )
    };
    let hash =
        frozen.iter().find(|(known, _)| known == key).map(|(_, hash)| hash).ok_or_else(missing)?;
    let document = ledger
        .attachment(hash)
        .map_err(|error| failed("LogDamaged", error.to_string()))?
        .ok_or_else(missing)?;
    serde_json::from_slice(&document)
        .map_err(|error| error.to_string())
        .and_then(|object| holdfast_api::read::read(&object).map_err(|error| error.to_string()))
        .map_err(|error| failed("LogDamaged", format!("HookTemplate {key}: {error}")))
}

fn failed(reason: &str, message: String) -> Failure {
    Failure { reason: reason.into(), message, permanent: true }
}

#[cfg(test)]
mod tests {
    use holdfast_eventlog::Options;
    use serde_json::json;

    use super::*;

    fn document(command: &str) -> Vec<u8> {
        let spec = json!({
            "action": {"exec": {"command": [command]}},
            "executor": {"type": "Operator"},
        });
        let object = json!({
            "apiVersion": "core.kubestash.com/v1alpha1",
            "kind": "HookTemplate",
            "metadata": {"name": "freeze", "namespace": "demo"},
            "spec": spec,
        });
        object.to_string().into_bytes()
    }

    #[test]
    fn a_session_keeps_the_template_that_it_began_with() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(dir.path(), Options::default()).unwrap();
        let key = Key::new("demo", "freeze");
        let before = ledger.attach(&document("before")).unwrap();
        let after = ledger.attach(&document("after")).unwrap();
        let command = |hash| {
            let found = template(&ledger, &key, &[(key.clone(), hash)]).unwrap();
            found.spec.action.unwrap().exec.unwrap().command.unwrap()
        };
        assert_eq!(command(before), ["before"]);
        assert_eq!(command(after), ["after"]);
    }

    #[test]
    fn a_template_that_was_not_there_or_cannot_be_read_fails_for_good() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(dir.path(), Options::default()).unwrap();
        let key = Key::new("demo", "freeze");
        let broken = ledger.attach(b"no JSON").unwrap();
        for (frozen, reason) in [
            (Vec::new(), "HookTemplateNotFound"),
            (vec![(key.clone(), Hash([9; 32]))], "HookTemplateNotFound"),
            (vec![(key.clone(), broken)], "LogDamaged"),
        ] {
            let failure = template(&ledger, &key, &frozen).unwrap_err();
            assert_eq!((failure.reason.as_str(), failure.permanent), (reason, true));
            assert!(failure.message.contains("demo/freeze"), "{}", failure.message);
        }
    }
}
