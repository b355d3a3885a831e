//! How far workers have come. It is no event and in no view: it lies over the statuses of those that are under way, and is
//! gone with them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use holdfast_engine::units::format_size;
use holdfast_engine::view::object::Object;
use holdfast_engine::{Attempt, Level, State, StreamKind, Uid};
use holdfast_executor::report::ProgressUpdate;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::publisher::Marks;

/// How often a session's statuses show it at most: each time is a write (design 4.3).
const EVERY: Duration = Duration::from_secs(30);

/// How many times a session's statuses show it, between the begin of its first worker and the end of its last.
const TIMES: u32 = 20;

/// Hears of every step, for whoever watches.
pub type Heard = Arc<dyn Fn(&Attempt, &ProgressUpdate) + Send + Sync>;

/// What lies over the statuses.
#[derive(Clone)]
pub struct Overlay(Arc<Inner>);

struct Inner {
    marks: Marks,
    heard: Heard,
    lies: Mutex<Lies>,
}

#[derive(Default)]
struct Lies {
    /// By the object that shows it and the name of the component there.
    done: BTreeMap<(Uid, String), ProgressUpdate>,
    sessions: BTreeMap<Uid, Session>,
}

#[derive(Default)]
struct Session {
    attempts: u32,
    shown: u32,
    last: Option<Instant>,
}

/// Tells how far one attempt has come, until it is dropped.
pub struct Teller {
    overlay: Overlay,
    attempt: Attempt,
    shown_by: Vec<(Level, String)>,
}

impl Overlay {
    /// An overlay that marks what it changes.
    #[must_use]
    pub fn new(marks: Marks, heard: Heard) -> Self {
        Self(Arc::new(Inner { marks, heard, lies: Mutex::default() }))
    }

    /// Who tells of an attempt, and which statuses show it.
    #[must_use]
    pub fn teller(&self, attempt: Attempt, shown_by: Vec<(Level, String)>) -> Teller {
        self.lies().sessions.entry(attempt.session).or_default().attempts += 1;
        Teller { overlay: self.clone(), attempt, shown_by }
    }

    fn lies(&self) -> MutexGuard<'_, Lies> {
        self.0.lies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lays over an object's status what is known of its components.
    pub fn cover(&self, object: &Object, rendered: &mut Value) {
        let (uid, cover): (Uid, fn(&ProgressUpdate) -> Value) = match object {
            Object::Snapshot(found) => (found.snapshot.uid, backed_up),
            Object::Restore(found) => (found.uid, restored),
            _ => return,
        };
        let lies = self.lies();
        let of = (uid, String::new())..;
        for ((_, name), done) in lies.done.range(of).take_while(|((of, _), _)| *of == uid) {
            let component = &mut rendered["status"]["components"][name];
            if component.is_null() {
                *component = json!({"phase": "Running"});
            }
            if let (Some(component), Value::Object(fields)) =
                (component.as_object_mut(), cover(done))
            {
                component.extend(fields);
            }
        }
    }
}

impl Teller {
    /// It has come this far.
    pub fn tell(&self, update: &ProgressUpdate) {
        (self.overlay.0.heard)(&self.attempt, update);
        let now = Instant::now();
        let mut lies = self.overlay.lies();
        for (level, name) in &self.shown_by {
            if let Level::Object { uid, .. } = level {
                lies.done.insert((*uid, name.clone()), update.clone());
            }
        }
        let session = lies.sessions.entry(self.attempt.session).or_default();
        // What ends sooner needs none.
        let begun = *session.last.get_or_insert(now);
        if session.shown < TIMES && now.duration_since(begun) >= EVERY {
            session.shown += 1;
            session.last = Some(now);
            drop(lies);
            self.overlay.0.marks.mark(self.shown_by.iter().map(|(level, _)| level.clone()));
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        let mut lies = self.overlay.lies();
        for (level, name) in &self.shown_by {
            if let Level::Object { uid, .. } = level
                && lies.done.remove(&(*uid, name.clone())).is_some()
            {
                // Where its session ended before it did, nothing else would show that it is gone.
                self.overlay.0.marks.mark([level.clone()]);
            }
        }
        let session = self.attempt.session;
        if let Some(known) = lies.sessions.get_mut(&session) {
            known.attempts = known.attempts.saturating_sub(1);
            if known.attempts == 0 {
                lies.sessions.remove(&session);
            }
        }
    }
}

/// The objects whose statuses show an attempt, and the name of its component there.
#[must_use]
pub fn shown_by(state: &State, attempt: &Attempt) -> Vec<(Level, String)> {
    if let Some(backup) = state.backups.get(&attempt.session) {
        let shows =
            |uid| (Level::Object { kind: StreamKind::Snapshot, uid }, attempt.component.clone());
        return backup.snapshots.iter().map(|snapshot| shows(snapshot.uid)).collect();
    }
    let restore = state.restores.get(&attempt.session);
    let asked =
        restore.and_then(|restore| Some(restore.component(&attempt.component)?.asked.clone()));
    let level = Level::Object { kind: StreamKind::Restore, uid: attempt.session };
    asked.map(|asked| (level, asked)).into_iter().collect()
}

fn backed_up(done: &ProgressUpdate) -> Value {
    let mut progress = figures(done);
    progress["backupDone"] = format_size(done.bytes).into();
    json!({"resticStats": [{"progress": progress}]})
}

fn restored(done: &ProgressUpdate) -> Value {
    let mut progress = figures(done);
    progress["restoreDone"] = format_size(done.bytes).into();
    json!({"progress": progress})
}

fn figures(done: &ProgressUpdate) -> Value {
    let mut figures = json!({
        "totalFiles": done.files_total,
        "filesDone": done.files,
        "total": format_size(done.bytes_total),
    });
    if let Some(percent) = done.bytes.saturating_mul(100).checked_div(done.bytes_total) {
        figures["percentDone"] = format!("{}%", percent.min(100)).into();
    }
    figures
}

#[cfg(test)]
mod tests {
    use holdfast_api::Kind;

    use super::*;

    const SESSION: Uid = Uid([1; 16]);
    const RESTORE: Level = Level::Object { kind: StreamKind::Restore, uid: SESSION };

    fn attempt() -> Attempt {
        Attempt { session: SESSION, component: "pod-0".into(), number: 1 }
    }

    fn half() -> ProgressUpdate {
        ProgressUpdate {
            files: 1,
            files_total: 2,
            bytes: 512,
            bytes_total: 1024,
            ..ProgressUpdate::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_marked_now_and_then_and_not_for_ever() {
        let marks = Marks::default();
        let overlay = Overlay::new(marks.clone(), Arc::new(|_, _| {}));
        let teller = overlay.teller(attempt(), vec![(RESTORE, "host-0".into())]);
        let mut marked = Vec::new();
        for second in 0..3_600 {
            teller.tell(&half());
            if !marks.is_clean() {
                marked.push(second);
                marks.take(1);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(marked.len(), usize::try_from(TIMES).unwrap());
        assert!(marked[0] >= 30 && marked.windows(2).all(|pair| pair[1] - pair[0] >= 30));
    }

    #[test]
    fn what_is_over_lies_over_nothing() {
        let overlay = Overlay::new(Marks::default(), Arc::new(|_, _| {}));
        let key = (SESSION, "host-0".to_owned());
        let teller = overlay.teller(attempt(), vec![(RESTORE, "host-0".into())]);
        overlay.lies().done.insert(key.clone(), half());
        drop(teller);
        assert!(overlay.lies().done.is_empty() && overlay.lies().sessions.is_empty());
    }

    #[test]
    fn what_lies_over_a_status_is_in_its_schema() {
        for (kind, mut component) in
            [(Kind::RestoreSession, restored(&half())), (Kind::Snapshot, backed_up(&half()))]
        {
            component["phase"] = "Running".into();
            let object = json!({
                "apiVersion": kind.api_version(),
                "kind": kind.name(),
                "metadata": {"name": "x", "namespace": "demo"},
                "status": {"components": {"pod-0": component}},
            });
            assert_eq!(holdfast_api::unknown_fields(kind, &object), Vec::<String>::new());
            let wrong = holdfast_api::validate(kind, &object);
            let of_status: Vec<_> = wrong.iter().filter(|e| e.path.contains("status")).collect();
            assert!(of_status.is_empty(), "{of_status:?}");
        }
    }

    #[test]
    fn figures_are_those_of_the_documents() {
        let restored = restored(&half());
        assert_eq!(
            restored["progress"],
            json!({"totalFiles": 2, "filesDone": 1, "total": format_size(1024),
                   "restoreDone": format_size(512), "percentDone": "50%"})
        );
        assert_eq!(backed_up(&half())["resticStats"][0]["progress"]["filesDone"], 1);
        assert!(figures(&ProgressUpdate::default())["percentDone"].is_null(), "not known yet");
    }
}
