//! What a hook's template may say about its session: the documents' `Summary`.

use holdfast_engine::TypedRef;
use holdfast_engine::plan::Summary;
use serde_json::{Value, json};

/// The summary as templates read it.
#[must_use]
pub fn render(summary: &Summary) -> Value {
    let Summary { session, invoker_kind, invoker, target, phase, duration, error } = summary;
    let absent = TypedRef::absent();
    let target = target.as_ref().unwrap_or(&absent);
    json!({
        "name": session.name,
        "namespace": session.namespace,
        "invoker": {
            "apiGroup": holdfast_api::kind::CORE_GROUP,
            "kind": invoker_kind,
            "namespace": session.namespace,
            "name": invoker,
        },
        "target": {
            "apiGroup": target.api_group,
            "kind": target.kind,
            "namespace": target.namespace,
            "name": target.name,
        },
        "status": {
            "phase": phase,
            "duration": duration.whole_seconds().to_string(),
            "error": error,
        },
    })
}
