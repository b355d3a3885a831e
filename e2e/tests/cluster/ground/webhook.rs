//! A webhook that is a process of this machine, as the operator is when a developer runs it.

use holdfast_e2e::cluster::{Namespace, variable, with};
use holdfast_e2e::webhook::Webhook;
use serde_json::{Value, json};

fn config_map(name: &str, key: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": { key: "x" } })
}

#[test]
fn a_process_of_this_machine_decides_what_is_taken() {
    let space = Namespace::new("webhook");
    let node = variable("HOLDFAST_E2E_NODE_ADDRESS").parse().unwrap();
    let hook = Webhook::start(node, |request| match request["object"]["data"]["forbidden"] {
        Value::Null => Ok(()),
        _ => Err("the key `forbidden` is not for you".to_owned()),
    })
    .unwrap();
    let name = format!("{}.holdfast.dev", space.name());
    let selector = json!({ "matchLabels": { "kubernetes.io/metadata.name": space.name() } });
    let rule = json!({
        "operations": ["CREATE", "UPDATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
    });
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": name },
        "webhooks": [{
            "name": name, "sideEffects": "None", "admissionReviewVersions": ["v1"], "failurePolicy": "Fail",
            "timeoutSeconds": 5, "namespaceSelector": selector, "rules": [rule],
            "clientConfig": { "url": hook.url(), "caBundle": hook.authority() },
        }],
    });
    space.apply(&configuration);
    // The API server hears of it in its own time.
    holdfast_e2e::cluster::wait_for(
        "a webhook that is asked",
        holdfast_e2e::cluster::PATIENCE,
        || {
            space.try_apply(&config_map("probe", "allowed"))?;
            Ok(if hook.asked() > 0 {
                Ok(())
            } else {
                space.call(&["delete", "configmap", "probe"]).map(Err)?
            })
        },
    );
    let refused = space.try_apply(&config_map("bad", "forbidden")).unwrap_err().to_string();
    assert!(refused.contains("is not for you") && refused.contains(&name), "{refused}");
    space.apply(&config_map("good", "allowed"));
    drop(hook);
    let closed = space
        .try_apply(&with(config_map("good", "allowed"), "/data/more", json!("y")))
        .unwrap_err();
    assert!(closed.to_string().contains("failed calling webhook"), "{closed}");
    space.delete(&["validatingwebhookconfiguration", &name]);
}
