//! A worker: takes batches and does everything that they need.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TryRecvError, select};
use rustix::fs::FileType;

use super::batch::{Batch, From, Item, Message, Place, Spot};
use super::large::{self, Run};
use super::{Outbox, Shared, stream};
use crate::digest::Kind;
use crate::error::{Error, Result};
use crate::repo::BlobWriter;
use crate::report::printable;
use crate::source::{
    Extent, Found, OpenedFile, SourceNumber, Trust, bare_node, open_source, open_waiting,
    read_attributes_of, stat_entry,
};
use crate::tree::{
    ATTRIBUTES_IN_NODE_MAX_BYTES, Attribute, Attributes, Content, Node, NodeKind,
    PIECES_IN_NODE_MAX, Piece, Time, encode_lists,
};

/// Files above this are cut by one worker and sealed by all.
pub(super) const LARGE_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// How long a worker that has no batches left waits before it looks whether others still cut.
const LAST_RUNS_WAIT: Duration = Duration::from_millis(1);

/// Works until there is nothing left, or the run was stopped.
pub(super) fn run(
    shared: &Shared<'_>,
    batches: &Receiver<Batch>,
    runs_in: &Sender<Run>,
    runs: &Receiver<Run>,
    messages: Sender<Vec<Message>>,
) {
    let result = work(shared, batches, runs_in, runs, messages);
    if let Err(error) = result {
        shared.fail(error);
    }
    // The walk may stand at a full queue.
    while batches.recv().is_ok() {}
}

fn work(
    shared: &Shared<'_>,
    batches: &Receiver<Batch>,
    runs_in: &Sender<Run>,
    runs: &Receiver<Run>,
    messages: Sender<Vec<Message>>,
) -> Result<()> {
    let producing = Producing(shared);
    let mut worker = Worker::new(shared, runs_in.clone(), messages)?;
    loop {
        if shared.stopped() {
            return Ok(());
        }
        match runs.try_recv() {
            Ok(run) => {
                worker.run(run)?;
                continue;
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
        }
        select! {
            recv(runs) -> run => if let Ok(run) = run { worker.run(run)? },
            recv(batches) -> batch => match batch {
                Ok(batch) => worker.batch(batch)?,
                Err(_) => break,
            },
        }
    }
    drop(producing);
    while !shared.stopped() {
        match runs.recv_timeout(LAST_RUNS_WAIT) {
            Ok(run) => worker.run(run)?,
            Err(_) if shared.producers.load(Ordering::Acquire) == 0 && runs.is_empty() => break,
            Err(_) => {}
        }
    }
    worker.writer.finish()
}

/// As long as it lives, this worker may begin a large file.
struct Producing<'a>(&'a Shared<'a>);

impl Drop for Producing<'_> {
    fn drop(&mut self) {
        self.0.producers.fetch_sub(1, Ordering::Release);
    }
}

/// What was read of a file that fits into one buffer.
struct Small {
    size: u64,
    pieces: Vec<Piece>,
    /// Its end was seen, and is where its size says.
    ends: bool,
}

pub(super) struct Worker<'a> {
    pub(super) shared: &'a Shared<'a>,
    pub(super) writer: BlobWriter,
    pub(super) outbox: Outbox,
    pub(super) runs: Sender<Run>,
    /// Documents never share a block with anything else, nor with other files.
    documents: Option<BlobWriter>,
    buffer: Vec<u8>,
    /// The directory of the last item, as the next one is mostly beside it.
    opened: Option<(Arc<Place>, OwnedFd)>,
}

impl<'a> Worker<'a> {
    fn new(
        shared: &'a Shared<'a>,
        runs: Sender<Run>,
        messages: Sender<Vec<Message>>,
    ) -> Result<Self> {
        Ok(Self {
            shared,
            writer: shared.input.session.writer()?,
            outbox: Outbox::new(messages),
            runs,
            documents: None,
            buffer: Vec::new(),
            opened: None,
        })
    }

    fn batch(&mut self, batch: Batch) -> Result<()> {
        for item in batch.items {
            if self.shared.stopped() {
                return Ok(());
            }
            self.item(item)?;
        }
        if let Some(mut documents) = self.documents.take() {
            documents.close_block(Kind::Data)?;
            documents.finish()?;
        }
        self.outbox.flush();
        Ok(())
    }

    fn item(&mut self, item: Item) -> Result<()> {
        match &item.from {
            From::Place(place) => {
                let place = place.clone();
                let shared = self.shared;
                let wait = move || !shared.stopped();
                let open = |worker: &mut Self| {
                    let directory = worker.directory(&place);
                    directory.and_then(|dir| open_waiting(dir.as_fd(), &item.name, &wait))
                };
                let opened = match open(self) {
                    // Another file may have got its name in between.
                    Err(error) if is_gone(&error) && self.is_still_there(&item) => open(self),
                    opened => opened,
                };
                self.file(&item, || place.trail.join(&item.name), opened, place.trust)
            }
            From::File { path, logical, trust } => {
                let opened = open_source(path, &|| !self.shared.stopped());
                self.file(&item, || logical.clone(), opened, *trust)
            }
            From::Stream { from, logical } => stream::run(self, &item, from, logical),
            From::Document(content) => {
                let node = self.document(item.at.source, &item.name, content)?;
                self.entry(item.at, node);
                Ok(())
            }
        }
    }

    fn document(&mut self, source: SourceNumber, name: &[u8], content: &[u8]) -> Result<Node> {
        let writer = match &mut self.documents {
            Some(writer) => writer,
            None => self.documents.insert(self.shared.input.session.writer()?),
        };
        let mut pieces = Vec::new();
        for chunk in self.shared.input.chunker.cuts(content) {
            pieces.push(put(self.shared, writer, source, chunk)?);
        }
        let size = content.len() as u64;
        let content = self.content(source, pieces)?;
        Ok(Node::bare(name, NodeKind::File { size, content }, 0o600, self.now()))
    }

    /// The job's start: documents and streams have no times of their own.
    pub(super) fn now(&self) -> Time {
        let started = self.shared.input.started;
        Time {
            seconds: started.div_euclid(1_000_000_000),
            nanos: started.rem_euclid(1_000_000_000) as u32,
        }
    }

    fn file(
        &mut self,
        item: &Item,
        logical: impl Fn() -> Vec<u8>,
        opened: std::io::Result<OpenedFile>,
        trust: Trust,
    ) -> Result<()> {
        let read_start = self.shared.clock.now_nanos();
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.not_opened(item, &logical(), &error);
                return Ok(());
            }
        };
        self.shared.tally.files_opened.add(1);
        let mut node = bare_node(&item.name, &opened.stat);
        node.link_group = item.link_group;
        node.racy = self.shared.is_racy(read_start, node.ctime, trust);
        let found = read_attributes_of(opened.file.as_fd());
        let writer = &mut self.writer;
        keep_attributes(self.shared, writer, item.at.source, &logical, found, &mut node)?;
        if opened.size() > LARGE_FILE_BYTES {
            return large::file(self, item, node, opened, logical(), true);
        }
        let Small { size, pieces, ends } = match self.small(item.at.source, &opened)? {
            Ok(read) => read,
            Err(error) => {
                self.lost(item.at, item.link_group, &logical(), &error);
                return Ok(());
            }
        };
        match !ends && size == opened.size() && opened.understates().unwrap_or(true) {
            true => large::file(self, item, node, opened, logical(), false),
            false => self.finish_file(item.at, node, size, pieces, &opened, logical),
        }
    }

    /// A file that is gone or has become something else changed; all else could not be read, and so could not one of
    /// which that is said although it is still there.
    fn not_opened(&mut self, item: &Item, logical: &[u8], error: &std::io::Error) {
        match error.kind() {
            _ if is_gone(error) && self.is_still_there(item) => {
                let error =
                    std::io::Error::other(format!("it is there, and opening it says: {error}"));
                self.shared.tally.unreadable(logical, &error);
            }
            std::io::ErrorKind::NotFound => {
                self.shared.tally.changed(logical, "vanished before it was read");
            }
            std::io::ErrorKind::InvalidData => {
                self.shared.tally.changed(logical, "is no regular file any more");
            }
            _ => match &item.from {
                // It is the source itself.
                From::File { path, .. } => {
                    let path = printable(path.as_os_str().as_encoded_bytes());
                    let source = std::io::Error::new(error.kind(), error.to_string());
                    let error = Error::SourceUnreadable { path, source };
                    self.shared.tally.source_failed(item.at.source, logical, error);
                }
                _ => self.shared.tally.unreadable(logical, error),
            },
        }
        self.outbox.send(Message::Lost { at: item.at, group: item.link_group });
    }

    /// Whether a regular file has this name now.
    fn is_still_there(&mut self, item: &Item) -> bool {
        let From::Place(place) = &item.from else { return false };
        let place = place.clone();
        let stat = self.directory(&place).and_then(|dir| stat_entry(dir.as_fd(), &item.name));
        stat.ok()
            .flatten()
            .is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
    }

    pub(super) fn lost(
        &mut self,
        at: Spot,
        group: Option<u64>,
        logical: &[u8],
        error: &std::io::Error,
    ) {
        self.shared.tally.unreadable(logical, error);
        self.outbox.send(Message::Lost { at, group });
    }

    fn directory(&mut self, place: &Arc<Place>) -> std::io::Result<&OwnedFd> {
        let same = matches!(&self.opened, Some((last, _)) if Arc::ptr_eq(last, place));
        if !same {
            self.opened = None;
            let fd = place.root.open_dir(&place.trail.relative())?;
            self.opened = Some((place.clone(), fd));
        }
        match &self.opened {
            Some((_, fd)) => Ok(fd),
            None => Err(std::io::Error::from(std::io::ErrorKind::NotFound)),
        }
    }

    /// Reads and stores a file that fits into one buffer. The inner error is the file's.
    fn small(
        &mut self,
        source: SourceNumber,
        opened: &OpenedFile,
    ) -> Result<std::io::Result<Small>> {
        let mut pieces = Vec::new();
        let (mut size, mut ends) = (0, false);
        let mut buffer = std::mem::take(&mut self.buffer);
        for extent in opened.extents() {
            let (from, to) = match extent {
                Extent::Data(from, to) => (from, to),
                Extent::Hole(len) => {
                    pieces.push(Piece::Hole { len });
                    size += len;
                    continue;
                }
            };
            let wanted = (to - from) as usize;
            let asked = wanted + usize::from(to == opened.size());
            if buffer.len() < asked {
                buffer.resize(asked, 0);
            }
            let got = match opened.read_about(&mut buffer[..asked], from, wanted) {
                Ok(got) => got,
                Err(error) => return Ok(Err(error)),
            };
            ends = asked > wanted && got == wanted;
            let got = got.min(wanted);
            for chunk in self.shared.input.chunker.cuts(&buffer[..got]) {
                pieces.push(put(self.shared, &mut self.writer, source, chunk)?);
            }
            size += got as u64;
            if got < wanted {
                break;
            }
        }
        self.buffer = buffer;
        Ok(Ok(Small { size, pieces, ends }))
    }

    /// What is left to do when all bytes of a file are stored.
    pub(super) fn finish_file(
        &mut self,
        at: Spot,
        mut node: Node,
        size: u64,
        pieces: Vec<Piece>,
        opened: &OpenedFile,
        logical: impl FnOnce() -> Vec<u8>,
    ) -> Result<()> {
        if opened.has_changed().unwrap_or(true) {
            self.shared.tally.changed(&logical(), "changed while it was read");
            node.racy = true;
        } else if size != opened.size() {
            let what = format!("says that its size is {}, and gave {size} bytes", opened.size());
            self.shared.tally.changed(&logical(), &what);
            node.racy = true;
        }
        node.kind = NodeKind::File { size, content: self.content(at.source, pieces)? };
        self.entry(at, node);
        Ok(())
    }

    pub(super) fn entry(&mut self, at: Spot, node: Node) {
        self.shared.tally.of(at.source).entry(&node);
        self.outbox.send(Message::Entry { at, node: Box::new(node) });
    }

    /// Pieces as a node keeps them: many of them move to lists.
    pub(super) fn content(&mut self, source: SourceNumber, pieces: Vec<Piece>) -> Result<Content> {
        if pieces.len() <= PIECES_IN_NODE_MAX {
            return Ok(Content::Pieces(pieces));
        }
        let mut ids = Vec::new();
        for list in encode_lists(&pieces) {
            let put = self.writer.put(Kind::List, &list)?;
            match put.new {
                true => self.shared.tally.of(source).bytes_new.add(list.len() as u64),
                false => self.shared.tally.blobs_reused.add(1),
            }
            ids.push(put.id);
        }
        Ok(Content::Lists(ids))
    }

    fn run(&mut self, run: Run) -> Result<()> {
        large::seal(self, run)?;
        self.outbox.flush();
        Ok(())
    }
}

/// Whether opening says that there is no such file any more.
fn is_gone(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::InvalidData)
}

/// Gives a node the attributes that could be read. Where some could not, that is told, and a file is read again
/// next time.
pub(super) fn keep_attributes(
    shared: &Shared<'_>,
    writer: &mut BlobWriter,
    source: SourceNumber,
    logical: impl FnOnce() -> Vec<u8>,
    found: Found,
    node: &mut Node,
) -> Result<()> {
    if !found.refused.is_empty() {
        shared.tally.attributes_unreadable(&logical(), &found.refused);
        node.racy |= matches!(node.kind, NodeKind::File { .. });
    }
    node.attributes = store_attributes(shared, writer, source, found.list)?;
    Ok(())
}

/// Attributes as a node keeps them: large ones move to a blob.
fn store_attributes(
    shared: &Shared<'_>,
    writer: &mut BlobWriter,
    source: SourceNumber,
    list: Vec<Attribute>,
) -> Result<Attributes> {
    if list.is_empty() {
        return Ok(Attributes::None);
    }
    let bytes = Attributes::encode(&list);
    if bytes.len() <= ATTRIBUTES_IN_NODE_MAX_BYTES {
        return Ok(Attributes::Inline(list));
    }
    let put = writer.put(Kind::Data, &bytes)?;
    if put.new {
        shared.tally.of(source).bytes_new.add(bytes.len() as u64);
    }
    Ok(Attributes::Blob(put.id))
}

/// Stores one chunk and counts it.
pub(super) fn put(
    shared: &Shared<'_>,
    writer: &mut BlobWriter,
    source: SourceNumber,
    chunk: &[u8],
) -> Result<Piece> {
    let put = writer.put(Kind::Data, chunk)?;
    let len = chunk.len() as u64;
    if put.new {
        shared.tally.data_blobs_new.add(1);
        shared.tally.of(source).bytes_new.add(len);
    } else {
        shared.tally.blobs_reused.add(1);
    }
    Ok(Piece::Chunk { id: put.id, len })
}
