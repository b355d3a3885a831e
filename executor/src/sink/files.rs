//! Regular files: windows of chunks, grouped by the block that holds them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{Advice, AtFlags, Mode, OFlags, fadvise, openat, unlinkat};

use super::Sink;
use super::entry::{hands_on, loosen};
use super::metadata::{Origin, Settled};
use super::names::of_creation;
use super::places::{Place, Verdict, has_content};
use super::{TemporaryNames, hold};
use crate::digest::{BlobId, Kind};
use crate::error::{Error, Result};
use crate::index::Location;
use crate::repo::{OpenedBlock, runs};
use crate::source::open_file;
use crate::tree::{Content, Node, NodeKind, Piece, Pieces};

/// Files of a window: what is known about them stays in memory.
const WINDOW_FILES: usize = 65_536;

/// Lists that take about as much memory as what else is known about a file.
const LISTS_OF_A_FILE: usize = 16;

/// Chunks of a window: a large file may have more than fit.
const WINDOW_CHUNKS: usize = 65_536;

/// Bytes of a window: so many share the opening of their blocks.
const WINDOW_BYTES: u64 = 256 * 1024 * 1024;

/// A file that is being restored.
pub(super) struct FileJob {
    pub(super) place: Arc<Place>,
    pub(super) node: Node,
    /// Its name until it is whole, in directories that existed.
    temporary: Option<Vec<u8>>,
    /// Something was seen in its place, which goes when the file is whole.
    replaces: bool,
    keep: bool,
    open: Mutex<Option<File>>,
    /// Chunks that are still to be written, and one for the planner.
    pending: AtomicUsize,
    failed: AtomicBool,
}

impl FileJob {
    pub(super) fn new(
        place: Arc<Place>,
        node: Node,
        verdict: Verdict,
        names: &TemporaryNames,
    ) -> Arc<Self> {
        let aside = matches!(verdict, Verdict::Add | Verdict::Replace);
        let temporary = aside.then(|| names.name());
        Arc::new(Self {
            place,
            node,
            temporary,
            replaces: verdict == Verdict::Replace,
            keep: verdict == Verdict::Keep,
            open: Mutex::new(None),
            pending: AtomicUsize::new(1),
            failed: AtomicBool::new(false),
        })
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    fn logical(&self) -> Vec<u8> {
        self.place.join(&self.node.name)
    }

    fn size(&self) -> u64 {
        match self.node.kind {
            NodeKind::File { size, .. } => size,
            _ => 0,
        }
    }

    /// Makes the file, exclusively and through no link.
    fn create(&self, dir: &OwnedFd) -> io::Result<File> {
        let name = self.temporary.as_deref().unwrap_or(&self.node.name);
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = openat(dir, name, flags, Mode::RUSR | Mode::WUSR);
        let file = File::from(made.map_err(|error| of_creation(error.into()))?);
        if self.temporary.is_some() {
            hold(file.as_fd());
        }
        Ok(file)
    }
}

/// One use of a blob.
struct Chunk {
    file: Arc<FileJob>,
    id: BlobId,
    len: u64,
    offset: u64,
}

/// Files of one target on their way to the workers.
pub(super) struct Files<'s, 'a> {
    sink: &'s Sink<'a>,
    files: usize,
    bytes: u64,
    chunks: Vec<Chunk>,
    /// Files without chunks, or that stay: only their metadata is set.
    bare: Vec<Arc<FileJob>>,
}

impl<'s, 'a> Files<'s, 'a> {
    pub(super) fn new(sink: &'s Sink<'a>) -> Self {
        Self { sink, files: 0, bytes: 0, chunks: Vec::new(), bare: Vec::new() }
    }

    /// Plans a file; works a window off when it is full.
    pub(super) fn add(&mut self, job: Arc<FileJob>) -> Result<()> {
        self.files += weight(&job.node);
        let NodeKind::File { size, content } = &job.node.kind else { return Ok(()) };
        if job.keep {
            self.bare.push(job);
            return self.flush_if_full();
        }
        let mut offset = 0;
        let mut used = false;
        for piece in Pieces::new(self.sink.reader, *size, content) {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => {
                    // What is on its way already is settled by whoever writes it.
                    Worker { sink: self.sink, dir: None }.fail(&job, &error);
                    self.settle_planned(&job);
                    return self.flush_if_full();
                }
            };
            if let Piece::Chunk { id, len } = piece {
                used = true;
                job.pending.fetch_add(1, Ordering::AcqRel);
                self.chunks.push(Chunk { file: job.clone(), id, len, offset });
                self.bytes = self.bytes.saturating_add(len);
                self.flush_if_full()?;
            }
            offset += piece.len();
        }
        if used {
            self.settle_planned(&job)
        } else {
            self.bare.push(job)
        }
        self.flush_if_full()
    }

    fn flush_if_full(&mut self) -> Result<()> {
        let full = self.files >= WINDOW_FILES
            || self.chunks.len() >= WINDOW_CHUNKS
            || self.bytes >= WINDOW_BYTES;
        if full { self.flush() } else { Ok(()) }
    }

    /// The planner is done with this file.
    fn settle_planned(&self, job: &Arc<FileJob>) {
        let mut worker = Worker { sink: self.sink, dir: None };
        worker.settle(job);
    }

    pub(super) fn finish(&mut self) -> Result<()> {
        self.flush()
    }

    /// Works the window off: every block is opened once.
    fn flush(&mut self) -> Result<()> {
        let chunks = std::mem::take(&mut self.chunks);
        let bare = std::mem::take(&mut self.bare);
        (self.files, self.bytes) = (0, 0);
        let sink = self.sink;
        let mut blocks: BTreeMap<Location, Vec<Chunk>> = BTreeMap::new();
        let mut lost = Worker { sink, dir: None };
        for chunk in chunks {
            match sink.reader.index().locate(&chunk.id) {
                Some(at) => blocks.entry(at).or_default().push(chunk),
                None => {
                    let error = Error::BlobMissing { kind: Kind::Data, id: chunk.id };
                    lost.fail(&chunk.file, &error);
                    lost.settle(&chunk.file);
                }
            }
        }
        let (at, chunks): (Vec<Location>, Vec<Vec<Chunk>>) = blocks.into_iter().unzip();
        let runs = runs(sink.reader.index(), &at, self.bytes_of_a_read(&at));
        let next = AtomicUsize::new(0);
        let next_bare = AtomicUsize::new(0);
        let stop = Mutex::new(None);
        sink.pool.broadcast(|context| {
            let mut worker = Worker { sink, dir: None };
            let stopped = || stop.lock().is_ok_and(|stop| stop.is_some());
            while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let (at, chunks) = (&at[run.clone()], &chunks[run.clone()]);
                let done = if stopped() { return } else { worker.run(at, chunks) };
                if let Err(error) = done.and_then(|()| sink.stop_if_asked()) {
                    stop.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
                if context.index() == 0 {
                    sink.progress.update(&sink.tally.update(sink.repository));
                }
            }
            while let Some(job) = bare.get(next_bare.fetch_add(1, Ordering::Relaxed)) {
                let done = if stopped() { return } else { worker.bare(job) };
                if let Err(error) = done {
                    stop.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            }
        });
        let stopped = stop.into_inner().unwrap_or_else(PoisonError::into_inner);
        if stopped.is_some() {
            chunks.iter().flatten().for_each(|chunk| lost.abandon(&chunk.file));
        }
        stopped.map_or(Ok(()), Err)
    }

    /// So many that every worker has something to fetch.
    fn bytes_of_a_read(&self, blocks: &[Location]) -> u64 {
        let index = self.sink.reader.index();
        let all: u64 = blocks.iter().map(|at| u64::from(index.block(*at).sealed_len)).sum();
        (all / self.sink.pool.current_num_threads() as u64).min(self.sink.reader.join_bytes())
    }
}

/// How many usual files a file counts for: one that names sixty-five thousand lists keeps a megabyte.
fn weight(node: &Node) -> usize {
    match &node.kind {
        NodeKind::File { content: Content::Lists(lists), .. } => 1 + lists.len() / LISTS_OF_A_FILE,
        _ => 1,
    }
}

struct Worker<'s, 'a> {
    sink: &'s Sink<'a>,
    /// The directory of the last file, as the next one is mostly beside it.
    dir: Option<Held>,
}

/// A directory that a worker holds open.
struct Held {
    place: Arc<Place>,
    fd: OwnedFd,
    /// What a file is that is made in it.
    origin: Origin,
}

impl Worker<'_, '_> {
    fn held(&mut self, place: &Arc<Place>) -> io::Result<&mut Held> {
        let held = match self.dir.take() {
            Some(last) if Arc::ptr_eq(&last.place, place) => last,
            _ => {
                let fd = place.open()?;
                let origin = match hands_on(fd.as_fd()) {
                    true => Origin::Made,
                    false => Origin::MadeBare { like: None },
                };
                Held { place: place.clone(), fd, origin }
            }
        };
        Ok(self.dir.insert(held))
    }

    fn directory(&mut self, place: &Arc<Place>) -> io::Result<&OwnedFd> {
        Ok(&self.held(place)?.fd)
    }

    /// Writes everything that blocks side by side hold of this window. An error here ends the restore.
    fn run(&mut self, at: &[Location], chunks: &[Vec<Chunk>]) -> Result<()> {
        let reader = self.sink.reader;
        reader.blocks(Kind::Data, at, |number, block| self.block(block, &chunks[number]))
    }

    fn block(&mut self, block: Result<Arc<OpenedBlock>>, chunks: &[Chunk]) -> Result<()> {
        let block = match block {
            Ok(block) => block,
            Err(error) => {
                for chunk in chunks {
                    self.fail(&chunk.file, &error);
                    self.settle(&chunk.file);
                }
                return Ok(());
            }
        };
        for chunk in chunks {
            let bytes = block.get(&chunk.id);
            match bytes.filter(|bytes| bytes.len() as u64 == chunk.len) {
                Some(bytes) => {
                    if !chunk.file.has_failed()
                        && let Err(error) = self.write(chunk, bytes)
                    {
                        self.fail(&chunk.file, &error);
                        let fatal =
                            self.sink.fatal(&chunk.file.place.root, &chunk.file.logical(), &error);
                        if fatal.is_err() {
                            self.settle(&chunk.file);
                            return fatal;
                        }
                    }
                }
                None => self.fail(&chunk.file, &block.missing(Kind::Data, &chunk.id)),
            }
            self.settle(&chunk.file);
        }
        Ok(())
    }

    fn write(&mut self, chunk: &Chunk, bytes: &[u8]) -> io::Result<()> {
        let job = &chunk.file;
        let mut open = job.open.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match &mut *open {
            Some(file) => file,
            none => {
                // Known before anything else can fail: what is not known is not removed.
                let file = none.insert(job.create(self.directory(&job.place)?)?);
                if job.size() > chunk.len {
                    // One byte too many, until all of it is there: what a killed run leaves of a file never
                    // looks whole, whatever the times of its file system are. A file that the target does not
                    // size beforehand grows as it is written.
                    let _ = file.set_len(job.size().saturating_add(1));
                }
                file
            }
        };
        file.write_all_at(bytes, chunk.offset)?;
        self.sink.tally.written(bytes.len() as u64);
        Ok(())
    }

    /// A file without chunks, or one that stays as it is.
    fn bare(&mut self, job: &Arc<FileJob>) -> Result<()> {
        if job.keep {
            match self.kept(job) {
                Ok(settled) => {
                    self.sink.note(&settled, || job.logical());
                    self.sink.tally.add(|figures| figures.files_unchanged += 1);
                    self.sink.tally.done(&job.node);
                }
                Err(error) => self.fail(job, &error),
            }
            return Ok(());
        }
        let made = self.directory(&job.place).and_then(|dir| job.create(dir)).map(|file| {
            *job.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
        });
        let fatal = match made {
            Ok(()) => Ok(()),
            Err(error) => {
                self.fail(job, &error);
                self.sink.fatal(&job.place.root, &job.logical(), &error)
            }
        };
        self.settle(job);
        fatal
    }

    /// A file that stays gets the metadata of the snapshot, and nobody needs to be able to read it for that.
    fn kept(&mut self, job: &FileJob) -> io::Result<Settled> {
        let sink = self.sink;
        let dir = self.directory(&job.place)?.as_fd();
        let name = &job.node.name[..];
        let opened = match open_file(dir, name) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                loosen(dir, name, 0o400).and_then(|()| open_file(dir, name))
            }
            opened => opened,
        };
        match opened {
            Ok(opened) => Ok(sink.settle(opened.file.as_fd(), &job.node, Origin::Before)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                sink.settle_at(dir, &job.node, Origin::Before)
            }
            Err(error) => Err(error),
        }
    }

    /// The restore ends: a file that is not whole does not stay under its name.
    fn abandon(&mut self, job: &Arc<FileJob>) {
        if job.open.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            self.remove(job);
        }
    }

    /// The first failure of a file is listed; what was written of it is removed.
    fn fail(&self, job: &FileJob, error: &dyn std::fmt::Display) {
        if !job.failed.swap(true, Ordering::AcqRel) {
            self.sink.tally.failed(&job.logical(), error);
        }
    }

    /// Whoever is last gives the file its metadata and its name.
    fn settle(&mut self, job: &Arc<FileJob>) {
        if job.pending.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        let file = job.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(file) = file else { return };
        if !job.has_failed() {
            match self.complete(job, file) {
                Ok(()) => return self.sink.tally.done(&job.node),
                Err(error) => self.fail(job, &error),
            }
        }
        self.remove(job);
    }

    /// The content is written: metadata, the close, the name. Only the content and the name can cost the file.
    fn complete(&mut self, job: &Arc<FileJob>, file: File) -> io::Result<()> {
        if !is_written_at_once(&job.node) {
            sized(&file, job.size())?;
        }
        let settled = self.settled(job, &file);
        if let Err(error) = crate::closing::close(file) {
            if !self.reads_back(job)? {
                return Err(error);
            }
            let what = format!("it is there and was read back, but closing it said: {error}");
            self.sink.tally.unset(&job.logical(), &what);
        }
        if let Some(temporary) = &job.temporary {
            let (sink, names) = (self.sink, (&temporary[..], &job.node.name[..]));
            let Place { root, trail, .. } = &*job.place;
            let dir = self.directory(&job.place)?;
            sink.give_name(root, dir, names, job.replaces, trail)?;
        }
        self.sink.note(&settled, || job.logical());
        Ok(())
    }

    /// Gives a file that this run has made its metadata, and learns from it what those beside it begin with.
    fn settled(&mut self, job: &FileJob, file: &File) -> Settled {
        let sink = self.sink;
        let Ok(held) = self.held(&job.place) else {
            return sink.settle(file.as_fd(), &job.node, Origin::Made);
        };
        let settled = sink.settle(file.as_fd(), &job.node, held.origin);
        if let Origin::MadeBare { like } = &mut held.origin {
            *like = settled.had;
        }
        settled
    }

    /// Whether a file whose close failed is whole all the same: on its disk, and not in memory only.
    fn reads_back(&mut self, job: &FileJob) -> io::Result<bool> {
        let sink = self.sink;
        let dir = self.directory(&job.place)?.as_fd();
        let name = job.temporary.as_ref().unwrap_or(&job.node.name).clone();
        let Ok(opened) = open_file(dir, &name) else { return Ok(false) };
        // Once: std would ask again for ever where the answer is that the call was interrupted.
        if rustix::fs::fsync(&opened.file).is_err() {
            return Ok(false);
        }
        fadvise(&opened.file, 0, None, Advice::DontNeed)?;
        let node = Node { name, ..job.node.clone() };
        has_content(dir, &node, sink).map_err(io::Error::other)
    }

    fn remove(&mut self, job: &Arc<FileJob>) {
        if job.keep {
            return;
        }
        let name = job.temporary.as_deref().unwrap_or(&job.node.name).to_vec();
        if let Ok(dir) = self.directory(&job.place) {
            let _ = unlinkat(dir, &name[..], AtFlags::empty());
        }
    }
}

/// Whether a file is empty or one chunk: whoever has written that has given it its size.
fn is_written_at_once(node: &Node) -> bool {
    match &node.kind {
        NodeKind::File { size, content: Content::Pieces(pieces) } => match pieces[..] {
            [] => *size == 0,
            [Piece::Chunk { len, .. }] => len == *size,
            _ => false,
        },
        _ => false,
    }
}

/// Gives a file the size that it must have. What is written has made it as long as its last byte; a hole at the
/// end is still missing, and where the target makes none, a zero in its last place does.
fn sized(file: &File, size: u64) -> io::Result<()> {
    if file.metadata()?.len() == size {
        return Ok(());
    }
    if file.set_len(size).is_err() && size > 0 {
        file.write_all_at(&[0], size - 1)?;
    }
    match file.metadata()?.len() {
        len if len == size => Ok(()),
        len => Err(io::Error::other(format!("the target made it {len} bytes long, not {size}"))),
    }
}
