//! The product's image, as strict clusters run it.

use holdfast_e2e::cluster::{Disk, Namespace, Product, Server, kubectl, pod, with, writer};
use serde_json::json;

/// Nobody's user, no rights, nothing to write to: under the strictest rules that Kubernetes has a backup of what
/// everybody may read succeeds.
#[test]
fn the_image_runs_under_the_strictest_rules() {
    let space = Namespace::new("strict");
    let server = Server::start(&space, Disk::Memory("64Mi"));
    space.apply(&writer(1, "16Mi", "echo text >file; mkdir d; echo more >d/file"));
    space.ready(&["statefulset", "web"]);
    let strict = "pod-security.kubernetes.io/enforce=restricted";
    kubectl(&["label", "namespace", space.name(), strict], "").unwrap();
    let refused = space.try_apply(&pod("loose", "true")).unwrap_err().to_string();
    assert!(refused.contains("violates PodSecurity"), "{refused}");
    let rules = json!({
        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
        "capabilities": { "drop": ["ALL"] },
    });
    let whole = json!({ "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } });
    let product = Product::at(&server.url("p")).volume("data-web-0", true);
    let run = |name: &str, user: Option<u32>, verb: &[&str]| {
        let job =
            with(product.job(name, verb), "/spec/template/spec/securityContext", whole.clone());
        let mut job = with(job, "/spec/template/spec/containers/0/securityContext", rules.clone());
        if let Some(user) = user {
            job = with(job, "/spec/template/spec/securityContext/runAsUser", json!(user));
        }
        space.apply(&job);
        let ended = space.ended(name);
        assert_eq!(ended.code, 0, "{name}: {ended:?}");
        ended.report()
    };
    // The image names its user by number, which is how the kubelet knows that it is not root.
    run("as-it-is", None, &["backup", "/data", "--init"]);
    let again = run("as-anybody", Some(1_234_567), &["backup", "/data"]);
    assert_eq!(again["repositories"][0]["figures"]["backup"]["filesOpened"], 0, "{again}");
    let report = run("check", None, &["check", "--read-data"]);
    assert_eq!(report["clean"], true, "{report}");
}

/// Authorities are inside: a server that none of them knows is refused for that, not for want of any.
#[test]
fn the_image_knows_authorities() {
    let space = Namespace::new("authorities");
    let node = holdfast_e2e::cluster::variable("HOLDFAST_E2E_NODE_ADDRESS").parse().unwrap();
    let stranger = holdfast_e2e::webhook::Webhook::start(node, |_| Ok(())).unwrap();
    let url = format!("s3://bucket/p?endpoint={}", stranger.url().trim_end_matches('/'));
    Product::grant_all(&space, "key", "secret");
    space.apply(&Product::at(&url).job("asks", &["snapshots"]));
    let ended = space.ended("asks");
    assert_eq!(ended.code, 25, "{ended:?}");
    assert!(ended.log.contains("UnknownIssuer"), "{ended:?}");
    assert_eq!(stranger.asked(), 0);
}
