//! Writing blobs. Every worker has a `BlobWriter` of its own and shares nothing with the others but
//! the claims: it fills blocks, seals them, and appends them to its own packs. Full packs go to
//! uploader threads, which put them and hand their records to the index writer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::{Intent, Open, Repo, mirror_key};
use crate::block::{BlockSealer, OpenBlock};
use crate::compress::{Codec, Compression};
use crate::digest::{BlobId, Kind, ObjectHash, PackName};
use crate::error::{Error, Result};
use crate::index::{Claim, DedupIndex, IndexObject, index_key};
use crate::limits;
use crate::pack::{Footer, PackRecord, PackWriter, pack_key};
use crate::seal::Purpose;
use crate::store::{PutOutcome, Staged};
use crate::threads;

/// How a session writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteOptions {
    /// How blocks are compressed.
    pub compression: Compression,
    /// Open every sealed block again and recompute its ids before it leaves the machine.
    pub verify: bool,
    /// Pack size to aim at, bytes; `None` is what the store likes.
    pub pack_target_bytes: Option<u64>,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self { compression: Compression::default(), verify: true, pack_target_bytes: None }
    }
}

/// What a put did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Put {
    /// The id of the content.
    pub id: BlobId,
    /// Whether it was appended now.
    pub new: bool,
}

/// What a session wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Index objects, in the order of their writing.
    pub indexes: Vec<ObjectHash>,
    /// Packs with their sizes, sorted by name.
    pub packs: Vec<(PackName, u64)>,
    /// Blobs that were new.
    pub blobs_added: u64,
    /// Plaintext bytes of those.
    pub bytes_added: u64,
    /// Bytes of packs, once each.
    pub bytes_stored: u64,
}

impl Written {
    /// BLAKE3 of the sorted pack names, as a snapshot carries it.
    #[must_use]
    pub fn packs_digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        // Sorted by `finish` and `merge`.
        for (name, _) in &self.packs {
            hasher.update(name.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }
}

impl Written {
    /// Adds what a second session of the same writer wrote.
    pub(crate) fn merge(&mut self, more: Self) {
        self.indexes.extend(more.indexes);
        self.packs.extend(more.packs);
        self.packs.sort_unstable();
        self.blobs_added += more.blobs_added;
        self.bytes_added += more.bytes_added;
        self.bytes_stored += more.bytes_stored;
    }
}

struct Upload {
    staged: Staged,
    record: PackRecord,
    kind: Kind,
}

struct Shared {
    repo: Repo<Open>,
    dedup: Arc<DedupIndex>,
    options: WriteOptions,
    failed: AtomicBool,
    failure: Mutex<Option<Arc<Error>>>,
    leftovers: Mutex<Leftovers>,
    records: Mutex<Records>,
    blobs_added: AtomicU64,
    bytes_added: AtomicU64,
}

#[derive(Default)]
struct Leftovers {
    blocks: BTreeMap<Kind, Vec<OpenBlock>>,
    packs: BTreeMap<Kind, Vec<PackWriter>>,
}

struct Records {
    waiting: IndexObject,
    waiting_bytes: usize,
    since: Instant,
    written: Written,
}

impl Records {
    /// What waits, as one index object.
    fn take(&mut self) -> IndexObject {
        self.since = Instant::now();
        self.waiting_bytes = 0;
        std::mem::take(&mut self.waiting)
    }

    /// Adds a pack that is in the store. Gives the index objects that are whole by that: what waited before, where this
    /// one does not fit any more, and what waits since too long or is enough.
    fn add(&mut self, record: PackRecord) -> Vec<IndexObject> {
        let mut whole = Vec::new();
        if self.waiting_bytes + record.body.len() > limits::INDEX_TARGET_BYTES {
            whole.push(self.take());
        }
        self.written.packs.push((record.name, record.size));
        self.written.bytes_stored += record.size;
        self.waiting_bytes += record.body.len() + PackName::LEN + 8;
        self.waiting.packs.push(record);
        let due = Duration::from_secs(limits::INDEX_EVERY_SECONDS);
        if self.waiting.packs.len() >= limits::INDEX_EVERY_PACKS || self.since.elapsed() >= due {
            whole.push(self.take());
        }
        whole
    }
}

/// One session of writing: made once, shared by reference, finished once.
pub struct WriteSession {
    shared: Arc<Shared>,
    uploads: Option<Sender<Upload>>,
    threads: Vec<JoinHandle<()>>,
    /// Nothing is ever sent: its end is the end of the thread that renews the intent.
    keeper: Option<Sender<()>>,
}

/// The writer of one worker.
pub struct BlobWriter {
    shared: Arc<Shared>,
    uploads: Sender<Upload>,
    sealer: BlockSealer,
    open: [OpenBlock; 3],
    packs: [Option<PackWriter>; 3],
    blobs_added: u64,
    bytes_added: u64,
}

impl WriteSession {
    /// Begins. The caller has put its intent already.
    ///
    /// # Errors
    /// None today; the threads of the uploader may not start.
    pub fn begin(repo: &Repo<Open>, dedup: Arc<DedupIndex>, options: WriteOptions) -> Result<Self> {
        let habits = repo.store.habits();
        let records = Records {
            waiting: IndexObject::default(),
            waiting_bytes: 0,
            since: Instant::now(),
            written: Written::default(),
        };
        let shared = Arc::new(Shared {
            repo: repo.clone(),
            dedup,
            options,
            failed: AtomicBool::new(false),
            failure: Mutex::default(),
            leftovers: Mutex::default(),
            records: Mutex::new(records),
            blobs_added: AtomicU64::new(0),
            bytes_added: AtomicU64::new(0),
        });
        // As many packs wait as are being put, so that a worker rarely waits and memory stays bounded.
        let (uploads, queue) = bounded(1);
        let threads = (0..habits.puts_in_flight.max(1))
            .map(|_| {
                let (shared, queue) = (shared.clone(), queue.clone());
                spawn("upload", move || shared.upload_all(&queue))
            })
            .collect::<Result<_>>()?;
        Ok(Self { shared, uploads: Some(uploads), threads, keeper: None })
    }

    /// Renews an intent until the session ends: sessions may last for weeks. A store that does not
    /// answer is asked again at the next turn; a lapsed intent ends the session.
    ///
    /// # Errors
    /// `Io` if no thread can be started.
    pub fn renewing(mut self, intent: &Intent) -> Result<Self> {
        let (keeper, ended) = bounded::<()>(0);
        let (shared, intent) = (self.shared.clone(), intent.clone());
        let pause = Duration::from_secs(limits::INTENT_RENEW_SECONDS);
        self.threads.push(spawn("intent", move || {
            while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                if let Err(error @ Error::IntentLapsed { .. }) = intent.renew(&shared.repo) {
                    shared.fail(error);
                }
            }
        })?);
        self.keeper = Some(keeper);
        Ok(self)
    }

    /// A writer for one worker.
    ///
    /// # Errors
    /// `Compression` if zstd has no memory.
    pub fn writer(&self) -> Result<BlobWriter> {
        let shared = self.shared.clone();
        let codec = Codec::new(shared.options.compression).map_err(Error::Compression)?;
        let repo = &shared.repo;
        let sealer =
            BlockSealer::new(codec, repo.sealer(), repo.keys().clone(), shared.options.verify);
        let Some(uploads) = self.uploads.clone() else {
            return Err(Error::Invalid { field: "session", reason: "is finished".to_owned() });
        };
        Ok(BlobWriter {
            shared,
            uploads,
            sealer,
            open: Default::default(),
            packs: Default::default(),
            blobs_added: 0,
            bytes_added: 0,
        })
    }

    /// The index of claims.
    #[must_use]
    pub fn dedup(&self) -> &Arc<DedupIndex> {
        &self.shared.dedup
    }

    /// Merges what the workers left open, puts the last packs, then the last index objects. Every
    /// writer has finished before.
    ///
    /// # Errors
    /// The first failure of any thread of this session.
    pub fn finish(mut self) -> Result<Written> {
        let merged = self.merge();
        drop((self.uploads.take(), self.keeper.take()));
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                self.shared.fail(Error::Defect("a thread that puts packs has broken off"));
            }
        }
        self.shared.check()?;
        merged?;
        let last = self.shared.records().take();
        self.shared.write_index(last)?;
        let mut written = std::mem::take(&mut self.shared.records().written);
        written.packs.sort_unstable();
        written.blobs_added = self.shared.blobs_added.load(Ordering::Relaxed);
        written.bytes_added = self.shared.bytes_added.load(Ordering::Relaxed);
        Ok(written)
    }

    /// Copies all blocks of a stored pack into a new one, as they are: no key is needed for that.
    pub(crate) fn copy_pack(&self, name: &PackName, size: u64) -> Result<()> {
        let (store, key) = (&self.shared.repo.store, pack_key(name));
        let record = self.shared.repo.read_footer(name, size)?;
        let footer =
            Footer::parse(&record.body, size).map_err(|error| Error::damaged(&key, error))?;
        let mut pack = self.shared.new_pack(footer.kind, footer.epoch)?;
        let mut blobs = &footer.blobs[..];
        for block in &footer.blocks {
            let sealed = store.get_range(&key, block.offset.into(), block.sealed_len as usize)?;
            let (own, rest) = blobs.split_at(block.count as usize);
            let (ids, lens): (Vec<_>, Vec<_>) = own.iter().copied().unzip();
            pack.append(&sealed, &ids, &lens)?;
            blobs = rest;
        }
        self.writer()?.send(footer.kind, pack)
    }

    fn merge(&self) -> Result<()> {
        let mut last = self.writer()?;
        let leftovers = std::mem::take(&mut *lock(&self.shared.leftovers));
        for (kind, mut packs) in leftovers.packs {
            last.packs[kind.slot()] = packs.pop();
            for pack in packs {
                last.send(kind, pack)?;
            }
        }
        for (kind, blocks) in leftovers.blocks {
            for block in blocks {
                for (id, content) in block.blobs() {
                    last.append(kind, id, content)?;
                }
            }
        }
        for kind in Kind::ALL {
            last.close_block(kind)?;
            if let Some(pack) = last.packs[kind.slot()].take() {
                last.send(kind, pack)?;
            }
        }
        Ok(())
    }
}

impl BlobWriter {
    /// Stores content that may be stored already.
    ///
    /// # Errors
    /// Any of this session, also those of other threads.
    pub fn put(&mut self, kind: Kind, content: &[u8]) -> Result<Put> {
        let id = self.shared.repo.keys().blob_id(kind, content);
        let new = self.shared.dedup.claim(&id) == Claim::New;
        if new {
            self.blobs_added += 1;
            self.bytes_added += content.len() as u64;
            self.append(kind, id, content)?;
        }
        Ok(Put { id, new })
    }

    /// Seals what is open of this kind, so that what follows shares no block with what was.
    ///
    /// # Errors
    /// As for `put`.
    pub fn close_block(&mut self, kind: Kind) -> Result<()> {
        if self.open[kind.slot()].is_empty() {
            return Ok(());
        }
        let block = std::mem::take(&mut self.open[kind.slot()]);
        let sealed = self.seal(kind, &block.ids, &block.lens, &block.plain);
        let mut block = block;
        block.clear();
        self.open[kind.slot()] = block;
        sealed
    }

    /// Hands what is open to the session, which merges it with that of the other workers.
    ///
    /// # Errors
    /// The first failure of this session.
    pub fn finish(mut self) -> Result<()> {
        self.shared.blobs_added.fetch_add(self.blobs_added, Ordering::Relaxed);
        self.shared.bytes_added.fetch_add(self.bytes_added, Ordering::Relaxed);
        let mut leftovers = lock(&self.shared.leftovers);
        for kind in Kind::ALL {
            let block = std::mem::take(&mut self.open[kind.slot()]);
            if !block.is_empty() {
                leftovers.blocks.entry(kind).or_default().push(block);
            }
            if let Some(pack) = self.packs[kind.slot()].take() {
                leftovers.packs.entry(kind).or_default().push(pack);
            }
        }
        drop(leftovers);
        self.shared.check()
    }

    fn append(&mut self, kind: Kind, id: BlobId, content: &[u8]) -> Result<()> {
        if content.is_empty() || content.len() > limits::BLOB_MAX_BYTES {
            let (limit, found) = (limits::BLOB_MAX_BYTES as u64, content.len() as u64);
            return Err(Error::Limit { what: "bytes of a blob (at least 1)", limit, found });
        }
        if content.len() >= limits::BLOB_ALONE_BYTES {
            return self.seal(kind, &[id], &[content.len() as u32], content);
        }
        let block = &mut self.open[kind.slot()];
        block.push(id, content);
        if block.is_full() { self.close_block(kind) } else { Ok(()) }
    }

    fn seal(&mut self, kind: Kind, ids: &[BlobId], lens: &[u32], plain: &[u8]) -> Result<()> {
        self.shared.check()?;
        let sealed = self.sealer.seal(kind, ids, lens, plain)?;
        let (shared, slot) = (&self.shared, &mut self.packs[kind.slot()]);
        let target = shared.pack_target(kind);
        if let Some(pack) = slot.take_if(|pack| !pack.has_room(sealed.len(), ids.len(), target)) {
            shared.send(&self.uploads, kind, pack)?;
        }
        let pack = match slot {
            Some(pack) => pack,
            None => slot.insert(shared.new_pack(kind, shared.repo.keys().newest_epoch())?),
        };
        pack.append(sealed, ids, lens)?;
        match slot.take_if(|pack| pack.is_full(target)) {
            Some(pack) => shared.send(&self.uploads, kind, pack),
            None => Ok(()),
        }
    }

    fn send(&self, kind: Kind, pack: PackWriter) -> Result<()> {
        self.shared.send(&self.uploads, kind, pack)
    }
}

impl Shared {
    fn pack_target(&self, kind: Kind) -> u64 {
        let target = match self.options.pack_target_bytes {
            Some(bytes) => bytes,
            None if kind.is_mirrored() => limits::PACK_OBJECT_TARGET_BYTES,
            None => self.repo.store.habits().pack_target_bytes,
        };
        // The last block and the padding must still fit.
        target.min(limits::PACK_MAX_BYTES / 5 * 3)
    }

    fn new_pack(&self, kind: Kind, epoch: u32) -> Result<PackWriter> {
        // What is put twice is put from memory, so that both copies come from the same bytes.
        let staged = if kind.is_mirrored() {
            Staged::Memory(Vec::new())
        } else {
            self.repo.store.stage()?
        };
        Ok(PackWriter::new(kind, epoch, staged, self.repo.state.padding))
    }

    fn send(&self, uploads: &Sender<Upload>, kind: Kind, pack: PackWriter) -> Result<()> {
        let (staged, record) = pack.finish(&self.repo.sealer())?;
        // The uploaders end before the queue does only after a failure, which `check` then names.
        if uploads.send(Upload { staged, record, kind }).is_err() {
            self.check()?;
        }
        Ok(())
    }

    fn upload_all(&self, queue: &Receiver<Upload>) {
        while let Ok(upload) = queue.recv() {
            if self.failed.load(Ordering::Acquire) {
                continue;
            }
            if let Err(error) = self.upload(upload) {
                self.fail(error);
            }
        }
    }

    fn upload(&self, mut upload: Upload) -> Result<()> {
        let store = &self.repo.store;
        let record = upload.record;
        let key = pack_key(&record.name);
        self.settle(&key, record.size, store.put_staged(&key, &mut upload.staged)?)?;
        if upload.kind.is_mirrored() {
            let copy = mirror_key(&key);
            self.settle(&copy, record.size, store.put_staged(&copy, &mut upload.staged)?)?;
        }
        drop(upload.staged);
        // Whole index objects leave the lock before they go to the store: another pack's record does not wait for it.
        let full = self.records().add(record);
        full.into_iter().try_for_each(|object| self.write_index(object))
    }

    /// A name that is taken stands for the same bytes, unless a store kept a torn object.
    fn settle(&self, key: &str, size: u64, outcome: PutOutcome) -> Result<()> {
        if outcome == PutOutcome::Exists {
            let found = self.repo.store.stat(key)?.size;
            if found != size {
                return Err(Error::damaged(key, format!("has {found} bytes instead of {size}")));
            }
        }
        Ok(())
    }

    fn write_index(&self, object: IndexObject) -> Result<()> {
        if object.packs.is_empty() {
            return Ok(());
        }
        let sealed = self.repo.seal_object(Purpose::Index, None, |out| object.encode(out))?;
        let hash = ObjectHash::of(&sealed);
        let key = index_key(&hash);
        self.settle(&key, sealed.len() as u64, self.repo.store.put_new(&key, &sealed)?)?;
        self.records().written.indexes.push(hash);
        Ok(())
    }

    fn fail(&self, error: Error) {
        lock(&self.failure).get_or_insert(Arc::new(error));
        self.failed.store(true, Ordering::Release);
    }

    fn check(&self) -> Result<()> {
        if !self.failed.load(Ordering::Acquire) {
            return Ok(());
        }
        match &*lock(&self.failure) {
            Some(error) => Err(Error::SessionFailed(error.clone())),
            None => Ok(()),
        }
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        lock(&self.records)
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    started.map_err(|source| threads::refused(name, source))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
