//! Commands in pods, jobs by the clock, and sets whose pods have volumes of their own.

use holdfast_e2e::cluster::{
    Namespace, PATIENCE, cron_job, headless, kubectl, pod, wait_for, writer,
};

#[test]
fn a_command_runs_in_a_pod_and_its_end_is_told() {
    let space = Namespace::new("exec");
    space.apply(&pod("one", "sleep 3600"));
    space.becomes(&["pod", "one"], "running", |status| status["phase"] == "Running");
    assert_eq!(space.in_pod("one", "echo out; hostname").unwrap(), "out\none\n");
    let failed = space.in_pod("one", "echo why >&2; exit 41").unwrap_err().to_string();
    assert!(failed.contains("why") && failed.contains("exit code 41"), "{failed}");
    let input = "a line\n".repeat(100_000);
    let args = ["exec", "-i", "--namespace", space.name(), "one", "--", "wc", "-c"];
    assert_eq!(kubectl(&args, &input).unwrap().trim(), input.len().to_string());
}

#[test]
fn a_cron_job_runs_by_the_clock_of_its_zone() {
    let space = Namespace::new("cron");
    space.apply(&cron_job("minutely", "* * * * *", "Asia/Kathmandu", "echo ran"));
    let job = wait_for("a job of the minute", PATIENCE, || {
        let jobs = space.get(&["jobs"])?;
        let first = jobs["items"][0].clone();
        Ok(if first.is_null() { Err(jobs.to_string()) } else { Ok(first) })
    });
    let name = job["metadata"]["name"].as_str().unwrap();
    assert_eq!(job["metadata"]["ownerReferences"][0]["kind"], "CronJob");
    // The slot is the end of the name, in minutes since 1970: it tells when a job was due.
    let slot: i64 = name.strip_prefix("minutely-").unwrap().parse().unwrap();
    let stamp =
        job["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"].as_str();
    let stamp = stamp.unwrap();
    assert!(slot > 29_000_000 && stamp.ends_with(":00+05:45"), "{slot} {stamp}");
    assert_eq!(space.succeeded(name), "ran\n");
    space.delete(&["cronjob", "minutely"]);
}

#[test]
fn each_pod_of_a_set_keeps_its_own_volume() {
    let space = Namespace::new("sets");
    space.apply(&headless("web"));
    space.apply(&writer(2, "16Mi", "hostname >who"));
    space.ready(&["statefulset", "web"]);
    let told = |pod: &str| space.in_pod(pod, "cat /data/who").unwrap();
    space.in_pod("web-1", "echo more >>/data/who").unwrap();
    space.delete(&["pod", "web-1"]);
    space.ready(&["statefulset", "web"]);
    assert_eq!((told("web-0").as_str(), told("web-1").as_str()), ("web-0\n", "web-1\nmore\n"));
    // Claims outlive their set: what destroys data is somebody's decision.
    space.delete(&["statefulset", "web", "--cascade=foreground"]);
    let claims = space.get(&["pvc"]).unwrap();
    assert_eq!(claims["items"].as_array().unwrap().len(), 2, "{claims}");
}
