//! What the story needs from the log and the manifests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use holdfast_engine::{Event, Illegal, Recorded, Timestamp, Uid, backup, run};
use holdfast_eventlog::{Machine, Reader};

use super::stage::Stage;

/// Password of the demo's repository; it is shown, so that the repository can be opened by hand.
pub const PASSWORD: &str = "demo-only";

const BASE: &str = include_str!("manifests/base.yaml");
const SECOND_BACKUP: &str = include_str!("manifests/second-backup.yaml");
const RESTORE: &str = include_str!("manifests/restore.yaml");
const STRICT_POLICY: &str = include_str!("manifests/strict-policy.yaml");

/// Stands in the manifests for the directory that the demo plays in.
const ROOT: &str = "${ROOT}";

/// The application and how it is backed up.
pub fn write_base(manifests: &Path, root: &Path) -> anyhow::Result<()> {
    let root = root.to_str().context("the demo's directory must be UTF-8")?;
    fs::create_dir_all(manifests)?;
    let text = BASE.replace(ROOT, root).replace("${PASSWORD}", PASSWORD);
    fs::write(manifests.join("base.yaml"), text).context("write the manifests")
}

/// A backup that somebody asks for.
pub fn write_second_backup(manifests: &Path) -> anyhow::Result<()> {
    fs::write(manifests.join("second-backup.yaml"), SECOND_BACKUP).context("write the manifests")
}

/// The restore.
pub fn write_restore(manifests: &Path) -> anyhow::Result<()> {
    fs::write(manifests.join("restore.yaml"), RESTORE).context("write the manifests")
}

/// A policy that keeps less than the one in force.
pub fn write_strict_policy(root: &Path) -> anyhow::Result<PathBuf> {
    let path = root.join("strict-policy.yaml");
    fs::write(&path, STRICT_POLICY).context("write the policy")?;
    Ok(path)
}

/// Names of sessions by uid, and when each first had a worker.
#[derive(Default)]
struct Sightings {
    names: Vec<(Uid, String)>,
    first_worker: Vec<(Uid, Timestamp)>,
    ended: Vec<Uid>,
}

impl Machine for Sightings {
    fn record(&mut self, recorded: &Recorded) -> Result<(), Illegal> {
        match &recorded.event {
            Event::Backup(backup::Event::Created { uid, key, .. }) => {
                self.names.push((*uid, key.name.clone()));
            }
            Event::Backup(backup::Event::Run { event: run::Event::WorkerObserved { uid, .. } })
                if !self.first_worker.iter().any(|(seen, _)| seen == uid) =>
            {
                self.first_worker.push((*uid, recorded.at));
            }
            Event::Backup(backup::Event::Run { event: run::Event::ComponentEnded { uid, .. } }) => {
                self.ended.push(*uid);
            }
            _ => {}
        }
        Ok(())
    }
}

fn sightings(state: &Path) -> anyhow::Result<Sightings> {
    let mut sightings = Sightings::default();
    Reader::open(&state.join("log"), None)?.replay(&mut sightings)?;
    Ok(sightings)
}

/// Waits until a session has a worker and no component has ended; answers the session's name.
pub fn wait_for_workers(
    state: &Path,
    operator: &mut Child,
    patience: Duration,
    glance: Duration,
) -> anyhow::Result<String> {
    let began = Instant::now();
    while began.elapsed() < patience {
        if let Some(status) = operator.try_wait()? {
            bail!("the operator ended by itself ({status}) before any worker ran");
        }
        // Until the operator has made its log there is nothing to read.
        if let Ok(seen) = sightings(state)
            && let Some((uid, _)) = seen.first_worker.first()
            && let Some((_, name)) = seen.names.iter().find(|(named, _)| named == uid)
        {
            ensure!(
                !seen.ended.contains(uid),
                "the first component ended before the operator could be killed; give the demo more to move"
            );
            return Ok(name.clone());
        }
        std::thread::sleep(glance);
    }
    bail!("no worker ran within {} s; see operator.log", patience.as_secs())
}

/// An instant at which the session was running, as `session at` reads it.
pub fn instant_of_first_worker(state: &Path, session: &str) -> anyhow::Result<String> {
    let seen = sightings(state)?;
    let (uid, _) =
        seen.names.iter().find(|(_, name)| name == session).context("the session is in the log")?;
    let (_, at) =
        seen.first_worker.iter().find(|(of, _)| of == uid).context("the session had a worker")?;
    Ok(format!("{at:#}"))
}

/// Phase of a session as the command line shows it.
pub fn phase(stage: &Stage, state: &Path, session: &str) -> anyhow::Result<String> {
    let state = state.to_str().context("the demo's directory must be UTF-8")?;
    let answer = stage.quietly(&["session", "--state", state, "--json", "show", session])?;
    let object: serde_json::Value = serde_json::from_str(&answer.out)
        .with_context(|| format!("session show {session} should print JSON: {}", answer.out))?;
    Ok(object["status"]["phase"].as_str().unwrap_or("unknown").to_owned())
}

/// Copies the log and flips one bit in the middle of what is written; answers the sequence number of the
/// last event before the frame that it hit.
///
/// The frames are walked here by `docs/events.md`, not by the log's own code: a check of the checker.
pub fn copy_log_with_flipped_bit(state: &Path, copy: &Path) -> anyhow::Result<u64> {
    copy_directory(&state.join("log"), copy)?;
    let segment = copy.join("journal/0000000001.seg");
    let mut bytes = fs::read(&segment).with_context(|| segment.display().to_string())?;
    let frames = frames(&bytes).context("the journal's first segment is not as documented")?;
    let (offset, first_seq) = *frames.get(frames.len() / 2).context("the log holds frames")?;
    let place = offset + FRAME_HEADER_BYTES;
    let byte = bytes.get_mut(place).context("the frame has content")?;
    *byte ^= 0x10;
    fs::write(&segment, &bytes)?;
    Ok(first_seq - 1)
}

/// Bytes before the first frame of a segment.
const SEGMENT_HEADER_BYTES: usize = 128;
/// Bytes of a frame before its content.
const FRAME_HEADER_BYTES: usize = 32;
/// Bytes of a frame behind its content: chain value and checksum.
const FRAME_TRAILER_BYTES: usize = 36;

/// Offset and first sequence number of each frame of a segment.
fn frames(bytes: &[u8]) -> Option<Vec<(usize, u64)>> {
    let mut frames = Vec::new();
    let mut offset = SEGMENT_HEADER_BYTES;
    while bytes.get(offset..offset + 4)? == b"HFF1" {
        let length = u32::from_le_bytes(bytes.get(offset + 4..offset + 8)?.try_into().ok()?);
        let first = u64::from_le_bytes(bytes.get(offset + 16..offset + 24)?.try_into().ok()?);
        frames.push((offset, first));
        offset += FRAME_HEADER_BYTES + usize::try_from(length).ok()? + FRAME_TRAILER_BYTES;
    }
    Some(frames)
}

fn copy_directory(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(|| target.display().to_string())?;
        }
    }
    Ok(())
}
