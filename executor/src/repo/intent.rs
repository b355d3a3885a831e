//! Intents: a writer says that it is alive, so that no collector takes away what it has just put or
//! has begun to rely on. There is no lock: a writer that dies costs only delay.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Open, Repo};
use crate::error::{Error, Malformed, Result};
use crate::limits;
use crate::seal::Purpose;
use crate::store::PutOutcome;
use crate::wire::{Reader, Write};

const PREFIX: &str = "intents/";

/// Who is writing, as a collector shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writer {
    /// Uid of the session.
    pub session: String,
    /// The component.
    pub component: String,
    /// The machine or pod.
    pub host: String,
    /// When it began, milliseconds since 1970, by its own clock.
    pub started_ms: i64,
    /// The collection that it saw first.
    pub gc_generation: u64,
}

/// A writer's own intent: renewed while it works, dropped when it has committed. Clones are one intent.
#[derive(Clone)]
pub struct Intent {
    writer: Arc<Writer>,
    name: Arc<str>,
    newest: Arc<Mutex<Newest>>,
}

/// The newest object of an intent.
#[derive(Clone, Copy)]
struct Newest {
    serial: u64,
    /// When it was put, by the clock of the store; not asked before a renewal needs it.
    renewed_ms: Option<i64>,
}

/// An intent that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundIntent {
    /// Key of its newest object.
    pub key: String,
    /// When that was put, by the clock of the store.
    pub renewed_ms: i64,
    /// Who it is, if the object can be read: one that cannot still protects.
    pub writer: Option<Writer>,
}

impl Writer {
    fn encode(&self, out: &mut Vec<u8>) {
        out.text(self.session.as_bytes());
        out.text(self.component.as_bytes());
        out.text(self.host.as_bytes());
        out.i64(self.started_ms);
        out.u64(self.gc_generation);
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let writer = Self {
            session: reader.string("session", limits::TEXT_MAX_BYTES)?,
            component: reader.string("component", limits::TEXT_MAX_BYTES)?,
            host: reader.string("host", limits::TEXT_MAX_BYTES)?,
            started_ms: reader.i64("started")?,
            gc_generation: reader.u64("collection")?,
        };
        reader.end("intent")?;
        Ok(writer)
    }
}

impl Repo<Open> {
    /// Puts the first intent of a writer: before it reads the index, so that whatever it relies on
    /// stays.
    ///
    /// # Errors
    /// The store's.
    pub fn put_intent(&self, writer: Writer) -> Result<Intent> {
        let mut name = [0; 16];
        self.state.random.fill(&mut name)?;
        let name = crate::digest::RepoId(name).to_string();
        let newest = Newest { serial: 0, renewed_ms: None };
        let newest = Arc::new(Mutex::new(newest));
        let intent = Intent { writer: Arc::new(writer), name: name.into(), newest };
        intent.put(self, 0)?;
        Ok(intent)
    }

    /// All intents by writer, newest object of each.
    ///
    /// # Errors
    /// The store's.
    pub fn intents(&self) -> Result<Vec<FoundIntent>> {
        let mut newest: Vec<FoundIntent> = Vec::new();
        // Serials have a fixed width, so the order of keys is the order of renewals.
        for row in self.store.list(PREFIX)? {
            let (key, renewed_ms) = (row.key, row.modified_ms);
            let same = |last: &FoundIntent| writer_of(&last.key) == writer_of(&key);
            let found = FoundIntent { key: key.clone(), renewed_ms, writer: None };
            match newest.last_mut().filter(|last| same(last)) {
                Some(last) => *last = found,
                None => newest.push(found),
            }
        }
        for found in &mut newest {
            found.writer = self.read_intent(&found.key)?;
        }
        Ok(newest)
    }

    fn read_intent(&self, key: &str) -> Result<Option<Writer>> {
        let bytes = match self.store.get(key, limits::INTENT_MAX_BYTES as u64) {
            Ok(bytes) => bytes,
            Err(error) if error.permanent() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let plain = self.open_object(key, Purpose::Intent, Some(key), &bytes);
        Ok(plain.ok().and_then(|plain| Writer::decode(&plain).ok()))
    }
}

fn writer_of(key: &str) -> &str {
    key.split_once('.').map_or(key, |(writer, _)| writer)
}

impl Intent {
    /// Says again that the writer is alive; call it at least daily. Time is the store's, which counts
    /// a sleep of this machine.
    ///
    /// # Errors
    /// `IntentLapsed` if the last renewal is older than 96 hours; the store's.
    pub fn renew(&self, repo: &Repo<Open>) -> Result<()> {
        let mut newest = self.newest();
        let before = *newest;
        let before_ms = match before.renewed_ms {
            Some(at) => at,
            None => self.time_of(repo, before.serial)?,
        };
        let serial = before.serial + 1;
        self.put(repo, serial)?;
        let renewed_ms = self.time_of(repo, serial)?;
        *newest = Newest { serial, renewed_ms: Some(renewed_ms) };
        let late = renewed_ms.saturating_sub(before_ms) - limits::INTENT_LAPSE_MS;
        if late > 0 {
            // The times stay apart: whoever renews after this must not find it alive again.
            newest.renewed_ms = Some(before_ms);
            return Err(Error::IntentLapsed { hours: late / 3_600_000 });
        }
        Self::drop_object(repo, &self.key(before.serial))
    }

    /// The writer is done.
    ///
    /// # Errors
    /// The store's; a store that denies deletion is no error, the intent lapses.
    pub fn release(self, repo: &Repo<Open>) -> Result<()> {
        let serial = self.newest().serial;
        Self::drop_object(repo, &self.key(serial))
    }

    fn key(&self, serial: u64) -> String {
        format!("{PREFIX}{}.{serial:08}", self.name)
    }

    fn newest(&self) -> MutexGuard<'_, Newest> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When an object of this intent was put, by the clock of the store. Only a collector takes one
    /// away that its writer has not replaced, and only a lapsed one.
    fn time_of(&self, repo: &Repo<Open>, serial: u64) -> Result<i64> {
        match repo.store.stat(&self.key(serial)) {
            Ok(found) => Ok(found.modified_ms),
            Err(error) if error.is_not_found() => Err(Error::IntentLapsed { hours: 0 }),
            Err(error) => Err(error.into()),
        }
    }

    fn put(&self, repo: &Repo<Open>, serial: u64) -> Result<()> {
        let key = self.key(serial);
        let bytes = repo.seal_object(Purpose::Intent, Some(&key), |out| self.writer.encode(out))?;
        if repo.store.put_new(&key, &bytes)? == PutOutcome::Exists {
            // Ours, from a try whose answer was lost, unless random names repeat.
            let found = repo.store.get(&key, limits::INTENT_MAX_BYTES as u64)?;
            let ours = repo.open_object(&key, Purpose::Intent, Some(&key), &found)?;
            if Writer::decode(&ours).ok().as_ref() != Some(&*self.writer) {
                return Err(Error::binding(key, "is the intent of another writer"));
            }
        }
        Ok(())
    }

    fn drop_object(repo: &Repo<Open>, key: &str) -> Result<()> {
        match repo.store.delete(key) {
            Err(crate::store::StoreError::Denied { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl FoundIntent {
    /// Whether nobody stands behind it any more, at `now_ms` of the store's clock.
    #[must_use]
    pub const fn is_lapsed(&self, now_ms: i64) -> bool {
        now_ms.saturating_sub(self.renewed_ms) > limits::INTENT_LAPSE_MS
    }
}
