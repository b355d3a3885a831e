//! Names of services and of their pods.

use holdfast_e2e::cluster::{Namespace, container, headless, pod, with, writer};
use serde_json::json;

#[test]
fn services_and_their_pods_have_names() {
    let space = Namespace::new("names");
    space.apply(&headless("web"));
    let serve = "mkdir /www; hostname >/www/index.html; exec httpd -f -p 8080 -h /www";
    let mut web = writer(2, "16Mi", "true");
    let mut main = container(serve);
    main["readinessProbe"] = json!({ "tcpSocket": { "port": 8080 }, "periodSeconds": 1 });
    web = with(web, "/spec/template/spec/containers", json!([main]));
    space.apply(&web);
    let address =
        json!({ "selector": { "app": "web" }, "ports": [{ "port": 80, "targetPort": 8080 }] });
    space.apply(&json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "front" }, "spec": address }));
    space.ready(&["statefulset", "web"]);
    space.apply(&pod("asks", "sleep 3600"));
    space.becomes(&["pod", "asks"], "running", |status| status["phase"] == "Running");
    // Neither of these asks the C library for names: that crashes in a static program that was not made for it.
    let resolved = |name: &str| -> Vec<String> {
        let said = space.in_pod("asks", &format!("nslookup {name}")).unwrap();
        let lines = said.lines().skip_while(|line| !line.starts_with("Name:"));
        lines.filter_map(|line| line.strip_prefix("Address: ").map(str::to_owned)).collect()
    };
    let ask = |address: &str, port: u16| {
        let script =
            format!("printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 {address} {port} | tail -n 1");
        space.in_pod("asks", &script).unwrap().trim().to_owned()
    };
    let domain = format!("{}.svc.cluster.local", space.name());
    let front = resolved(&format!("front.{domain}"));
    assert_eq!(front.len(), 1, "{front:?}");
    let said = ask(&front[0], 80);
    assert!(said.starts_with("web-"), "{said}");
    for name in ["web-0", "web-1"] {
        let own = resolved(&format!("{name}.web.{domain}"));
        assert_eq!(ask(&own[0], 8080), name);
    }
    assert_eq!(resolved(&format!("web.{domain}")).len(), 2, "a name for all pods");
    let nobody = space.in_pod("asks", "nslookup nobody.example").unwrap_err().to_string();
    assert!(nobody.contains("NXDOMAIN"), "{nobody}");
}
