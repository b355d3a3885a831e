//! Who a pod is: a token for one audience, and what the API server says of it.

use holdfast_e2e::cluster::{Namespace, PATIENCE, kubectl, pod, wait_for, with};
use serde_json::{Value, json};

fn reviewed(token: &str, audience: &str) -> Value {
    let review = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "metadata": {},
        "spec": { "token": token, "audiences": [audience] },
    });
    let said = kubectl(&["create", "-o", "json", "-f", "-"], &review.to_string()).unwrap();
    serde_json::from_str::<Value>(&said).unwrap()["status"].clone()
}

#[test]
fn a_token_is_good_for_its_audience_and_names_its_pod() {
    let space = Namespace::new("tokens");
    let token = json!({ "audience": "holdfast", "expirationSeconds": 600, "path": "token" });
    let volumes = json!([{ "name": "token", "projected": { "sources": [{ "serviceAccountToken": token }] } }]);
    let mounted = json!([{ "name": "token", "mountPath": "/var/run/holdfast", "readOnly": true }]);
    let holder = with(pod("holder", "sleep 3600"), "/spec/volumes", volumes);
    let holder = with(holder, "/spec/containers/0/volumeMounts", mounted);
    space.apply(&with(holder, "/spec/automountServiceAccountToken", json!(false)));
    let holder =
        space.becomes(&["pod", "holder"], "running", |status| status["phase"] == "Running");
    let token = space.in_pod("holder", "cat /var/run/holdfast/token").unwrap();
    let status = reviewed(&token, "holdfast");
    assert_eq!(
        (&status["authenticated"], &status["audiences"]),
        (&json!(true), &json!(["holdfast"]))
    );
    let user = &status["user"];
    assert_eq!(user["username"], format!("system:serviceaccount:{}:default", space.name()));
    let uid = &user["extra"]["authentication.kubernetes.io/pod-uid"];
    assert_eq!(*uid, json!([holder["metadata"]["uid"]]));
    let elsewhere = reviewed(&token, "another");
    assert_ne!(elsewhere["authenticated"], true, "{elsewhere}");
    let forged = reviewed(&token.replace('.', "x"), "holdfast");
    assert_ne!(forged["authenticated"], true, "{forged}");
    // Who is gone is nobody: a token that was taken from a pod ends with it, as soon as answers are forgotten.
    space.delete(&["pod", "holder"]);
    wait_for("a token that is worth nothing", PATIENCE, || {
        let gone = reviewed(&token, "holdfast");
        Ok(if gone["authenticated"] == true { Err(gone.to_string()) } else { Ok(()) })
    });
}
