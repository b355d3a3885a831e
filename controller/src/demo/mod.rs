//! `holdfast demo`: the main job, told on the terminal on a temporary directory.
//!
//! The story is played by this very binary through its own command line, so that everything shown can be
//! typed again. Each claim is checked when it is made; the first that does not hold ends the demo with an
//! error.

mod fingerprint;
mod script;
mod stage;
mod volumes;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use fingerprint::Fingerprint;
use stage::Stage;

/// Replicas of the StatefulSet of the documents.
const REPLICAS: usize = 3;
/// How long the story waits for the moment in which it kills the operator.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it looks.
const GLANCE: Duration = Duration::from_millis(5);

/// Where everything lies.
struct Set {
    root: PathBuf,
}

impl Set {
    fn manifests(&self) -> PathBuf {
        self.root.join("manifests")
    }

    fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    fn volume(&self, ordinal: usize) -> PathBuf {
        self.root.join(format!("volumes/source-data-sample-sts-{ordinal}"))
    }

    fn text(path: &Path) -> anyhow::Result<&str> {
        path.to_str().with_context(|| format!("{}: not UTF-8", path.display()))
    }
}

/// Tells the story in `root`, which must not exist or be empty.
///
/// # Errors
/// The first claim that does not hold.
pub fn tell(root: PathBuf) -> anyhow::Result<()> {
    let began = Instant::now();
    std::fs::create_dir_all(&root).with_context(|| root.display().to_string())?;
    ensure!(
        std::fs::read_dir(&root)?.next().is_none(),
        "{}: is not empty; the demo plays in a directory of its own",
        root.display()
    );
    let stage = Stage::new()?;
    let set = Set { root };
    println!("holdfast demo, in {}", set.root.display());
    the_application(&stage, &set)?;
    let first = the_interrupted_backup(&stage, &set)?;
    a_day_later(&stage, &set)?;
    the_disaster(&stage, &set)?;
    asking_the_log(&stage, &set, &first)?;
    what_retention_would_do(&stage, &set)?;
    the_flipped_bit(&stage, &set)?;
    what_next(&stage, &set, &first, began.elapsed());
    Ok(())
}

fn the_application(stage: &Stage, set: &Set) -> anyhow::Result<()> {
    stage.act("An application: a StatefulSet with three replicas, each with a volume");
    for ordinal in 0..REPLICAS {
        let volume = set.volume(ordinal);
        let filled =
            volumes::fill(&volume, ordinal).with_context(|| volume.display().to_string())?;
        stage.say(&format!(
            "sample-sts-{ordinal}: {} real files, {} MiB, and links, holes and names that are not UTF-8",
            filled.files,
            filled.bytes >> 20
        ));
    }
    script::write_base(&set.manifests(), &set.root)?;
    stage.say("The manifests are those of the KubeStash documents; only the backend is a local directory.");
    Ok(())
}

/// Kills the operator in the middle of the first session; answers the session's name.
fn the_interrupted_backup(stage: &Stage, set: &Set) -> anyhow::Result<String> {
    stage.act("A backup, and an operator that dies in the middle of it");
    let (manifests, state) = (set.manifests(), set.state());
    let args = ["local", "-f", Set::text(&manifests)?, "--state", Set::text(&state)?];
    let mut operator = stage.start(&args, &set.root.join("operator.log"))?;
    let moment = script::wait_for_workers(&state, &mut operator, PATIENCE, GLANCE);
    operator.kill().context("kill the operator")?;
    operator.wait().context("wait for the operator")?;
    let session = moment?;
    stage.proven(&format!("SIGKILL while the workers of {session} were moving data"));
    let once = [&args[..], &["--once"]].concat();
    stage.run(&once, 0)?;
    let phase = script::phase(stage, &state, &session)?;
    ensure!(phase == "Succeeded", "{session} is {phase} after the restart, expected Succeeded");
    stage.proven("the next operator adopted the running workers; nothing was moved twice");
    Ok(session)
}

fn a_day_later(stage: &Stage, set: &Set) -> anyhow::Result<()> {
    stage.act("Life goes on; a second backup moves only what changed");
    for ordinal in 0..REPLICAS {
        volumes::live_on(&set.volume(ordinal))?;
    }
    script::write_second_backup(&set.manifests())?;
    let (manifests, state) = (set.manifests(), set.state());
    stage.run(
        &["local", "-f", Set::text(&manifests)?, "--state", Set::text(&state)?, "--once"],
        0,
    )?;
    stage.run(&["session", "--state", Set::text(&state)?, "list"], 0)?;
    Ok(())
}

fn the_disaster(stage: &Stage, set: &Set) -> anyhow::Result<()> {
    stage.act("Disaster: all three volumes are lost, and restored");
    let before = fingerprints(set)?;
    for ordinal in 0..REPLICAS {
        volumes::destroy(&set.volume(ordinal))?;
    }
    ensure!(fingerprints(set)?.iter().all(|tree| tree.len() == 0), "the volumes are not empty");
    script::write_restore(&set.manifests())?;
    let (manifests, state) = (set.manifests(), set.state());
    stage.run(
        &["local", "-f", Set::text(&manifests)?, "--state", Set::text(&state)?, "--once"],
        0,
    )?;
    let after = fingerprints(set)?;
    let mut entries = 0;
    for (ordinal, (lost, restored)) in before.iter().zip(&after).enumerate() {
        let differences = lost.differences(restored);
        ensure!(
            differences.is_empty(),
            "sample-sts-{ordinal} differs after the restore: {differences:?}"
        );
        entries += restored.len();
    }
    stage.proven(&format!(
        "{entries} entries are the same by content, mode, owner, time, links and holes' content"
    ));
    Ok(())
}

fn fingerprints(set: &Set) -> anyhow::Result<Vec<Fingerprint>> {
    (0..REPLICAS)
        .map(|ordinal| {
            let volume = set.volume(ordinal);
            Fingerprint::of(&volume).with_context(|| volume.display().to_string())
        })
        .collect()
}

fn asking_the_log(stage: &Stage, set: &Set, session: &str) -> anyhow::Result<()> {
    stage.act("The log remembers: what happened, why, and what was known when");
    let state = set.state();
    let state = Set::text(&state)?;
    stage.run(&["session", "--state", state, "timeline", session], 0)?;
    stage.run(&["session", "--state", state, "explain", session], 0)?;
    let during = script::instant_of_first_worker(Path::new(state), session)?;
    stage.say("The same session as its status read while it was running:");
    let then = stage.run(&["session", "--state", state, "at", &during, session], 0)?;
    ensure!(then.out.contains("Running"), "at {during} the session should have been Running");
    let page = set.root.join("timeline.html");
    stage
        .run(&["session", "--state", state, "timeline", session, "--html", Set::text(&page)?], 0)?;
    Ok(())
}

fn what_retention_would_do(stage: &Stage, set: &Set) -> anyhow::Result<()> {
    stage.act("What a stricter policy would remove, before anybody applies it");
    let state = set.state();
    let policy = script::write_strict_policy(&set.root)?;
    stage.run(
        &["retention", "simulate", "--state", Set::text(&state)?, "--policy", Set::text(&policy)?],
        0,
    )?;
    Ok(())
}

fn the_flipped_bit(stage: &Stage, set: &Set) -> anyhow::Result<()> {
    stage.act("One flipped bit in a copy of the log");
    let state = set.state();
    stage.run(&["session", "--state", Set::text(&state)?, "verify"], 0)?;
    let copy = set.root.join("damaged-copy-of-the-log");
    let seq = script::copy_log_with_flipped_bit(&state, &copy)?;
    let damaged = crate::exit::Exit::Damaged as i32;
    let answer = stage.run(&["session", "--log", Set::text(&copy)?, "verify"], damaged)?;
    ensure!(
        answer.out.contains(&seq.to_string()),
        "verify should have named event {seq}: {}",
        answer.out
    );
    stage.proven(&format!("verify names the damage at event {seq}; nothing was decided from it"));
    Ok(())
}

fn what_next(stage: &Stage, set: &Set, session: &str, took: Duration) {
    let root = set.root.display();
    stage.act(&format!("Done in {} s. Everything is left to look at", took.as_secs()));
    for line in [
        format!("statuses as kubectl would show them:  ls -R {root}/state/status"),
        format!("the page of the timeline:             {root}/timeline.html"),
        format!(
            "one session in full:                  holdfast session --state {root}/state show {session}"
        ),
        format!(
            "every event:                          holdfast session --state {root}/state export {root}/log.export"
        ),
        format!(
            "the repository by hand:               HOLDFAST_PASSWORD={} holdfast repo --url file://{root}/backend/demo/data/holdfast/v1 snapshots",
            script::PASSWORD
        ),
        format!(
            "change a volume or a manifest, then:  holdfast local -f {root}/manifests --state {root}/state --once"
        ),
        format!("clean up:                             rm -r {root}"),
    ] {
        stage.say(&line);
    }
}
