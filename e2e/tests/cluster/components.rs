//! Parts of the cluster that die while something runs.

use std::time::Duration;

use holdfast_e2e::cluster::{Namespace, act, kubectl, pod, wait_for};

/// How soon the cluster has to be itself again.
const AGAIN: Duration = Duration::from_secs(60);

fn is_ready() {
    wait_for("a node that is ready", AGAIN, || {
        let said = kubectl(
            &[
                "get",
                "nodes",
                "-o",
                "jsonpath={.items[*].status.conditions[?(@.type==\"Ready\")].status}",
            ],
            "",
        )?;
        Ok(if said == "True" { Ok(()) } else { Err(said) })
    });
}

/// kubelet and API server are killed: pods that run go on, and new ones run within a minute.
#[test]
fn a_cluster_goes_on_after_its_parts_have_died() {
    let space = Namespace::alone("parts");
    space.apply(&pod("stays", "sleep 3600"));
    let phase = |name: &str| space.get(&["pod", name]).map(|pod| pod["status"].clone());
    let runs = |name: &str, wanted: &'static str| {
        wait_for(&format!("pod {name} {wanted}"), AGAIN, || {
            let status = phase(name)?;
            Ok(if status["phase"] == wanted { Ok(()) } else { Err(status.to_string()) })
        });
    };
    runs("stays", "Running");
    for (number, component) in ["kubelet", "kube-apiserver"].into_iter().enumerate() {
        act("kill", component).unwrap();
        act("restart", component).unwrap();
        is_ready();
        let name = format!("after-{number}");
        wait_for("a pod that can be made", AGAIN, || {
            space.get(&["serviceaccount", "default"]).map(|_| Ok(()))
        });
        space.apply(&pod(&name, "true"));
        runs(&name, "Succeeded");
        assert_eq!(phase("stays").unwrap()["containerStatuses"][0]["restartCount"], 0);
        assert_eq!(space.in_pod("stays", "echo here").unwrap(), "here\n");
    }
}
