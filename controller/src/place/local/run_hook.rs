//! One try of one hook of a session.

use std::time::Duration;

use holdfast_api::core::HookTemplate;
use holdfast_engine::plan::Hook;
use holdfast_engine::{Failure, Hash, Key, Outcome};
use holdfast_eventlog::Attachments;

use super::hook;
use super::machine::Local;
use crate::place::{Answer, Trouble};
use crate::translate::hook::order;
use crate::translate::kubestash::summary;

/// Fills the frozen template in and runs it. Dropped, it ends with all that it started.
pub(super) async fn run(local: &Local, plan: Hook) -> Result<Answer, Trouble> {
    let catalog = local.catalog.get();
    let template = template(&local.attachments, &plan.spec.template, plan.template)?;
    let order = order(&template, &plan.spec.params, &summary::render(&plan.summary))?;
    let timeout = plan.spec.timeout.map(|limit| Duration::from_millis(limit.0));
    match hook::run(&order, &plan.namespace, timeout, &catalog, &local.volumes, &local.guard())
        .await
    {
        Outcome::Succeeded => Ok(Answer::Done),
        Outcome::Failed(failure) => Err(failure.into()),
    }
}

fn template(
    attachments: &Attachments,
    key: &Key,
    frozen: Option<Hash>,
) -> Result<HookTemplate, Failure> {
    let missing = || {
        failed(
            "HookTemplateNotFound",
            format!("HookTemplate {key} was not there when the session started"),
        )
    };
    let document = attachments
        .load(&frozen.ok_or_else(missing)?)
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
    use holdfast_eventlog::{Ledger, Options};
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
        let key = Key::new(holdfast_engine::Group::KubeStash, "demo", "freeze");
        let before = ledger.attach(&document("before")).unwrap();
        let after = ledger.attach(&document("after")).unwrap();
        let command = |hash| {
            let found = template(&ledger.attachments(), &key, Some(hash)).unwrap();
            found.spec.action.unwrap().exec.unwrap().command.unwrap()
        };
        assert_eq!(command(before), ["before"]);
        assert_eq!(command(after), ["after"]);
    }

    #[test]
    fn a_template_that_was_not_there_or_cannot_be_read_fails_for_good() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(dir.path(), Options::default()).unwrap();
        let key = Key::new(holdfast_engine::Group::KubeStash, "demo", "freeze");
        let broken = ledger.attach(b"no JSON").unwrap();
        for (frozen, reason) in [
            (None, "HookTemplateNotFound"),
            (Some(Hash([9; 32])), "HookTemplateNotFound"),
            (Some(broken), "LogDamaged"),
        ] {
            let failure = template(&ledger.attachments(), &key, frozen).unwrap_err();
            assert_eq!((failure.reason.as_str(), failure.permanent), (reason, true));
            assert!(failure.message.contains("demo/freeze"), "{}", failure.message);
        }
    }
}
