//! The operator without a cluster, put together.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use holdfast_api::Kind;
use holdfast_engine::run::limit::Limits;
use holdfast_engine::usage::References;
use holdfast_engine::view::object::object;
use holdfast_engine::{Level, Rejection, State, level};
use holdfast_eventlog::{Answer, Attachments, Ledger, Options, Refusal};
use tokio::sync::watch;

use crate::chain_key;
use crate::narrate::{Narrator, Phases, Voice};
use crate::operator::Ports;
use crate::operator::dispatcher::{Inbox, Order, Quiet, Stopped};
use crate::operator::publisher::Readers as _;
use crate::operator::start::{Audience, Installed, Started, start};
use crate::place::Place as _;
use crate::place::local::{Layout, Local};
use crate::ports::ids::Ids as _;
use crate::ports::{clock, ids};
use crate::replace::{PRIVATE, replace};
use crate::sighting::Sightings;
use crate::sighting::changes::{Applied, Changes, Sighter};
use crate::sighting::known::Known;
use crate::sighting::name::ObjectName;
use crate::translate::kubestash::object as kubestash;

/// Threads that wait for children, hooks and files; the data path has threads of its own in the workers.
const THREADS: usize = 2;

/// Workers that there may be at once on the smallest machine: one that waits for a store must not keep all others.
const LEAST_WORKERS: u32 = 4;

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Directory or file with the manifests.
    pub file: PathBuf,
    /// Directory for everything that has to last.
    pub state: PathBuf,
    /// File with the key of the log's chain.
    pub chain_key_file: Option<PathBuf>,
    /// How far references across namespaces go.
    pub references: References,
    /// End when nothing is left to do now.
    pub once: bool,
    /// JSON lines.
    pub json: bool,
    /// No lines.
    pub quiet: bool,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything that ran Succeeded or was Skipped.
    Fine,
    /// Something did not.
    SomethingFailed,
    /// A signal ended it.
    Interrupted,
}

/// Runs the operator until it is interrupted, or once.
///
/// # Errors
/// When it cannot start, or its log cannot be written any more.
pub fn run(settings: Settings) -> anyhow::Result<End> {
    let voice = match (settings.json, settings.quiet) {
        (true, _) => Voice::Json,
        (false, true) => Voice::Quiet,
        (false, false) => Voice::Text,
    };
    let state = prepare(&settings.state)?;
    let layout = Layout::below(&state);
    let version_key = version_key(&layout)?;
    let key = chain_key::read(settings.chain_key_file.as_deref())?;
    let options = Options { key, ..Options::default() };
    let ledger = Ledger::open(&layout.log(), options).context("cannot open the log")?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
    let ports = Ports { clock: Arc::new(clock::Machine), ids: Arc::new(ids::Machine) };
    let narrator = Narrator::new(voice);
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let attachments = ledger.attachments();
    let place =
        Local::new(settings.file.clone(), &layout, program, attachments.clone(), ports.clone());
    let place = Arc::new(place);
    let installed = Installed { limits: limits(), references: settings.references };
    let (first, started) = runtime.block_on(async {
        // Effects that an earlier operator left need the declared objects.
        let first = place.watch().await;
        known_before(ledger.state(), &place, &narrator);
        let audience =
            Audience { statuses: Box::new(narrator.clone()), progress: narrator.progress() };
        (first, start(Arc::clone(&place), ledger, ports.clone(), audience, installed).await)
    });
    let Started { dispatcher, inbox, looks } = started?;
    let handle = runtime.handle().clone();
    // The thread of the log: whatever waits for a disk waits here.
    let thread = std::thread::Builder::new()
        .name("dispatcher".into())
        .spawn(move || handle.block_on(dispatcher.run()))?;

    let watcher = Watcher { version_key, attachments, ports, known: Known::default() };
    let operator = Operator {
        inbox,
        narrator,
        place,
        watcher,
        looks,
        applied: Applied::new(),
        told: BTreeSet::new(),
        waiting: BTreeSet::new(),
    };
    let end = runtime.block_on(operator.work(first, settings.once));
    let closed = thread.join().map_err(|_| {
        anyhow::anyhow!("the dispatcher broke off; the log has everything that was acknowledged")
    })?;
    // Tasks that wait for workers are let go: the workers go on, and the next start takes their results.
    runtime.shutdown_background();
    closed.context("the log cannot be written any more")?;
    end
}

/// How many workers share this machine.
fn limits() -> Limits {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = u32::try_from(cores).unwrap_or(u32::MAX).max(LEAST_WORKERS);
    Limits { cluster: Some(workers), ..Limits::default() }
}

/// What was so before is no news.
fn known_before(state: &State, place: &Local, narrator: &Narrator) {
    for level in level::all(state) {
        let Level::Object { kind, uid } = level else { continue };
        let Some(found) = object(state, kind, uid) else { continue };
        let (declared, key) = kubestash::name(&found);
        let published = kubestash::render(&found, place.declared(declared, &key));
        narrator.clone().published(kind, uid, &published);
    }
    narrator.begin();
}

fn prepare(state: &Path) -> anyhow::Result<PathBuf> {
    // The log, manifests and reports of whoever runs it are nobody else's business, whatever the umask.
    let mut private = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(private.recursive(true), 0o700)
        .create(state)
        .and_then(|()| state.canonicalize())
        .with_context(|| format!("cannot use {} for the state", state.display()))
}

/// The key under which versions of Secrets are recorded; made at the first start.
fn version_key(layout: &Layout) -> anyhow::Result<[u8; 32]> {
    let path = layout.version_key();
    match std::fs::read(&path) {
        Ok(bytes) => {
            return bytes
                .try_into()
                .map_err(|_| anyhow::anyhow!("{} is damaged; remove it", path.display()));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
    let mut key = [0; 32];
    key[..16].copy_from_slice(&ids::Machine.fresh());
    key[16..].copy_from_slice(&ids::Machine.fresh());
    replace(&path, &key, PRIVATE).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(key)
}

/// Why a look came to nothing.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    /// The operator is stopping.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A document could not be stored.
    #[error("cannot store a declared object")]
    Log(#[from] holdfast_eventlog::Error),
}

/// Makes commands of what is seen.
struct Watcher {
    version_key: [u8; 32],
    attachments: Attachments,
    ports: Ports,
    /// What the log knew when it was asked last.
    known: Known,
}

impl Watcher {
    /// Compares a look with what was applied, and with the log as it is now.
    async fn compare(
        &mut self,
        inbox: &Inbox,
        look: &Sightings,
        applied: &mut Applied,
    ) -> Result<Changes, FollowError> {
        let seq = self.known.seq;
        let news = inbox.ask(move |state| (state.seq != seq).then(|| Known::of(state))).await?;
        self.known = news.unwrap_or_else(|| std::mem::take(&mut self.known));
        let sighter = Sighter {
            version_key: &self.version_key,
            attachments: &self.attachments,
            ids: &*self.ports.ids,
            now: self.ports.clock.now(),
        };
        Ok(sighter.changes(&self.known, look, applied)?)
    }
}

/// The part that watches and waits.
struct Operator {
    inbox: Inbox,
    narrator: Narrator,
    place: Arc<Local>,
    watcher: Watcher,
    looks: watch::Receiver<Quiet>,
    applied: Applied,
    /// Problems and notices of the last look.
    told: BTreeSet<String>,
    /// What was said about commands that have to be asked again.
    waiting: BTreeSet<String>,
}

impl Operator {
    async fn work(mut self, first: Sightings, once: bool) -> anyhow::Result<End> {
        let work = async {
            match once {
                true => self.once(first).await,
                false => self.follow(first).await.map(|()| End::Fine),
            }
        };
        let end = tokio::select! {
            biased;
            () = signal() => Ok(End::Interrupted),
            end = work => end,
        };
        self.inbox.stop().await;
        match end {
            // The dispatcher's own error says more.
            Err(FollowError::Stopped(_)) => Ok(End::SomethingFailed),
            other => Ok(other?),
        }
    }

    /// Applies, waits until nothing is left to do, then runs what was declared to run, in the order backups,
    /// restores: a restore of the latest snapshot means the one that was just made.
    async fn once(&mut self, look: Sightings) -> Result<End, FollowError> {
        let changes = self.look(&look).await?;
        let mut fine = look.problems.is_empty() && changes.refused.is_empty();
        for orders in [changes.objects, changes.gone, changes.backups, changes.restores] {
            for order in orders {
                fine &= self.submit(vec![order]).await?;
            }
            self.settle().await?;
        }
        Ok(if fine && all_well(&self.narrator.phases()) { End::Fine } else { End::SomethingFailed })
    }

    async fn follow(&mut self, first: Sightings) -> Result<(), FollowError> {
        let mut look = first;
        loop {
            let changes = self.look(&look).await?;
            for orders in [changes.objects, changes.backups, changes.restores, changes.gone] {
                if !orders.is_empty() {
                    self.submit(orders).await?;
                }
            }
            look = self.place.watch().await;
        }
    }

    /// What a look leads to; tells what is new about it.
    async fn look(&mut self, look: &Sightings) -> Result<Changes, FollowError> {
        let changes = self.watcher.compare(&self.inbox, look, &mut self.applied).await?;
        let is_new = |text: &&String| !self.told.contains(*text);
        look.problems.iter().filter(is_new).for_each(|problem| self.narrator.problem(problem));
        look.notices.iter().filter(is_new).for_each(|notice| self.narrator.notice(notice));
        self.told = look.problems.iter().chain(&look.notices).cloned().collect();
        for (name, message) in &changes.refused {
            self.narrator.problem(&format!("{name}: {message}"));
        }
        Ok(changes)
    }

    /// Submits; false when something was refused for good.
    async fn submit(&mut self, orders: Vec<(ObjectName, Order)>) -> Result<bool, Stopped> {
        let mut fine = true;
        let (names, orders): (Vec<_>, Vec<_>) = orders.into_iter().unzip();
        for (name, answer) in names.into_iter().zip(self.inbox.submit(orders).await?) {
            match answer {
                Answer::Recorded { .. } | Answer::Nothing => {}
                Answer::Repeated { .. } if name.own_kind() == Some(Kind::BackupSession) => {
                    self.narrator.notice(&format!(
                        "{name} was carried out before; a new run needs a new name"
                    ));
                }
                Answer::Repeated { .. } => {}
                // What cannot be now may be at the next look.
                Answer::Refused(
                    refusal @ (Refusal::Rejected(Rejection::Retry { .. }) | Refusal::NoSpace(_)),
                ) => {
                    fine = false;
                    self.applied.remove(&name);
                    let text = format!("{name}: {refusal}");
                    if self.waiting.insert(text.clone()) {
                        self.narrator.problem(&text);
                    }
                }
                Answer::Refused(refusal) => {
                    fine = false;
                    self.narrator.problem(&format!("{name}: {refusal}"));
                }
            }
        }
        Ok(fine)
    }

    /// Waits until nothing is left to do before the next deadline.
    async fn settle(&mut self) -> Result<(), Stopped> {
        let before = self.looks.borrow().look;
        // The dispatcher looks again after every question.
        self.inbox.ask(|_| ()).await?;
        self.looks.wait_for(|seen| seen.quiet && seen.look > before).await.map_err(|_| Stopped)?;
        Ok(())
    }
}

/// Whether everything that ran ended well, and everything that was declared can be used.
fn all_well(phases: &Phases) -> bool {
    phases.all().iter().all(|reached| match reached.kind {
        Kind::BackupSession => {
            !reached.now || matches!(reached.phase.as_str(), "Succeeded" | "Skipped")
        }
        Kind::RestoreSession => {
            !reached.now && reached.phase != "Pending" || reached.phase == "Succeeded"
        }
        Kind::BackupStorage | Kind::BackupConfiguration | Kind::Repository => {
            reached.phase == "Ready"
        }
        _ => true,
    })
}

/// SIGINT or SIGTERM.
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers a signal ends the process as it always did; the log is made for that.
        return std::future::pending().await;
    };
    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
}
