//! Dump: a file of a snapshot as its bytes, a directory as a tar stream. Nothing touches a disk but the file
//! that it is to become.

mod acl;
mod file;
mod links;
mod rights;
mod tar;

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::Write;

pub use file::{Destination, InPlace, Unfinished, WholeFile};

use super::{BlobReader, Open, Repo, fetch_all};
use crate::beneath::extend;
use crate::digest::{BlobId, Kind};
use crate::error::{Error, Result};
use crate::index::Location;
use crate::limits;
use crate::snapshot::Snapshot;
use crate::source::components;
use crate::store::SharedStore;
use crate::tree::{
    Attribute, Attributes, Content, DEPTH_MAX, Leaves, Node, NodeKind, Piece, Pieces,
};

/// Blocks that are fetched together at most, whatever the store would take.
const BLOCKS_TOGETHER: usize = 16;

/// Pieces of a file that are looked at together at most.
const PIECES_TOGETHER: usize = 4_096;

/// Zeros that are written at once for a hole.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// Something in a snapshot that can be dumped.
pub struct Dump {
    node: Node,
    /// What the names in an archive begin with, without a slash at either end.
    prefix: Vec<u8>,
    reader: BlobReader,
    store: SharedStore,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dumped {
    /// Entries of the archive; 1 for a file.
    pub entries: u64,
    /// Bytes of content, holes and all.
    pub bytes: u64,
    /// Sockets and attributes that an archive cannot hold.
    pub skipped: u64,
}

impl Dump {
    /// What lies at a logical path. With `full_names` an archive names entries by their whole path, else by
    /// their path beneath this one.
    ///
    /// # Errors
    /// `NoSuch` when the snapshot does not hold the path; damage of the pages on the way.
    pub fn at(
        repo: &Repo<Open>,
        snapshot: &Snapshot,
        path: &str,
        full_names: bool,
    ) -> Result<Self> {
        let indexed = repo.index_for_reading()?;
        let reader = indexed.reader();
        let node = indexed.node_at(&reader, snapshot, path)?;
        let parts = components(path)?;
        let prefix = if full_names { parts.join(&b'/') } else { Vec::new() };
        Ok(Self { node, prefix, reader, store: repo.store().clone() })
    }

    /// Whether an archive is written, not the bytes of one file.
    #[must_use]
    pub fn is_archive(&self) -> bool {
        !matches!(self.node.kind, NodeKind::File { .. })
    }

    /// Writes it.
    ///
    /// # Errors
    /// `Io` when `out` takes no more; damage of what is read. What was written until then is there.
    pub fn write(&self, out: &mut dyn Write) -> Result<Dumped> {
        let mut archive =
            Archive { dump: self, out, done: Dumped::default(), links: HashMap::new() };
        if let NodeKind::File { size, content } = &self.node.kind {
            archive.content(*size, content)?;
            archive.done.entries = 1;
        } else {
            archive.all()?;
        }
        archive.out.flush().map_err(output)?;
        Ok(archive.done)
    }
}

fn output(source: std::io::Error) -> Error {
    Error::Io { path: "output".to_owned(), source }
}

/// What two names of one file share: its inode and its content. A hash, as a node may name a megabyte of lists.
fn identity(node: &Node) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&node.inode.to_le_bytes());
    if let NodeKind::File { size, content } = &node.kind {
        hasher.update(&size.to_le_bytes());
        match content {
            Content::Lists(lists) => {
                for id in lists {
                    hasher.update(id.as_bytes());
                }
            }
            Content::Pieces(pieces) => {
                for piece in pieces {
                    hasher.update(&piece.len().to_le_bytes());
                    if let Piece::Chunk { id, .. } = piece {
                        hasher.update(id.as_bytes());
                    }
                }
            }
        }
    }
    *hasher.finalize().as_bytes()
}

struct Archive<'a> {
    dump: &'a Dump,
    out: &'a mut dyn Write,
    done: Dumped,
    /// Name of the first file of each group of hard links, and what it is.
    links: HashMap<u64, (Vec<u8>, [u8; 32])>,
}

struct Level<'a> {
    /// Of its path: the path itself is one for all levels.
    path_len: usize,
    nodes: Box<dyn Iterator<Item = Result<Node>> + 'a>,
}

impl<'a> Archive<'a> {
    fn all(&mut self) -> Result<()> {
        let (top, path) = (&self.dump.node, self.dump.prefix.clone());
        let Some(tree) = top.kind.tree() else {
            // A link or device, which has no bytes of its own.
            let name = if path.is_empty() { top.name.clone() } else { path };
            self.entry(&name, top)?;
            return tar::end(self.out).map_err(output);
        };
        self.entry(if path.is_empty() { b"." } else { &path }, top)?;
        let mut path = path;
        let mut levels = vec![self.level(&path, &tree)];
        while let Some(level) = levels.last_mut() {
            let Some(node) = level.nodes.next() else {
                levels.pop();
                continue;
            };
            let node = node?;
            path.truncate(level.path_len);
            extend(&mut path, &node.name);
            self.entry(&path, &node)?;
            if let Some(tree) = node.kind.tree().filter(|_| levels.len() < DEPTH_MAX) {
                levels.push(self.level(&path, &tree));
            }
        }
        tar::end(self.out).map_err(output)
    }

    fn level(&self, path: &[u8], tree: &BlobId) -> Level<'a> {
        let dump: &'a Dump = self.dump;
        Level { path_len: path.len(), nodes: Box::new(Leaves::new(&dump.reader, tree).nodes()) }
    }

    fn entry(&mut self, name: &[u8], node: &Node) -> Result<()> {
        match &node.kind {
            // It has no metadata: whoever unpacks makes it as a parent.
            NodeKind::Passage { .. } => return Ok(()),
            NodeKind::Socket => {
                self.done.skipped += 1;
                return Ok(());
            }
            _ => {}
        }
        let attributes = self.attributes(node)?;
        if let Some(group) = node.link_group
            && let NodeKind::File { .. } = node.kind
        {
            match self.links.get(&group) {
                Some((first, leader)) if *leader == identity(node) => {
                    let head = tar::head(name, node, &[], Some(first)).map_err(output)?;
                    self.done.entries += 1;
                    return self.write(&head.bytes);
                }
                _ => drop(self.links.insert(group, (name.to_vec(), identity(node)))),
            }
        }
        let head = tar::head(name, node, &attributes, None).map_err(output)?;
        self.done.skipped += head.skipped;
        self.write(&head.bytes)?;
        if let NodeKind::File { size, content } = &node.kind {
            self.content(*size, content)?;
            self.write(&ZEROS[..tar::padding(*size)])?;
        }
        self.done.entries += 1;
        Ok(())
    }

    fn attributes(&self, node: &Node) -> Result<Vec<Attribute>> {
        match &node.attributes {
            Attributes::None => Ok(Vec::new()),
            Attributes::Inline(list) => Ok(list.clone()),
            Attributes::Blob(id) => {
                let bytes = self.dump.reader.read(Kind::Data, id)?;
                let decoded = Attributes::decode(&bytes);
                decoded.map_err(|error| Error::damaged(format!("attributes {id}"), error))
            }
        }
    }

    /// The bytes of a file, in windows of blocks that are fetched at once.
    fn content(&mut self, size: u64, content: &Content) -> Result<()> {
        let dump = self.dump;
        let mut pieces = Pieces::new(&dump.reader, size, content);
        let together = self.dump.store.habits().reads_in_flight.clamp(1, BLOCKS_TOGETHER);
        let mut ahead = VecDeque::new();
        loop {
            while ahead.len() < PIECES_TOGETHER
                && let Some(piece) = pieces.next().transpose()?
            {
                ahead.push_back(piece);
            }
            let rest = ahead.make_contiguous();
            if rest.is_empty() {
                break;
            }
            let (count, blocks) = self.window(rest, together)?;
            let now = &rest[..count];
            let opened = fetch_all(&*self.dump.store, &blocks, |at| {
                Ok((*at, self.dump.reader.block(Kind::Data, *at)?))
            })?;
            let opened: HashMap<Location, _> = opened.into_iter().collect();
            for piece in now {
                match piece {
                    Piece::Hole { len } => self.zeros(*len)?,
                    Piece::Chunk { id, len } => {
                        let missing = || Error::BlobMissing { kind: Kind::Data, id: *id };
                        let at = self.dump.reader.index().locate(id).ok_or_else(missing)?;
                        let block = opened.get(&at).ok_or_else(missing)?;
                        let bytes = block.get(id).filter(|bytes| bytes.len() as u64 == *len);
                        self.write(bytes.ok_or_else(|| block.missing(Kind::Data, id))?)?;
                    }
                }
            }
            ahead.drain(..count);
        }
        self.done.bytes += size;
        Ok(())
    }

    /// So many of the pieces, and the blocks that they need.
    fn window(&self, pieces: &[Piece], together: usize) -> Result<(usize, Vec<Location>)> {
        let index = self.dump.reader.index();
        let (mut blocks, mut seen, mut bytes) = (Vec::new(), HashSet::new(), 0);
        for (count, piece) in pieces.iter().enumerate() {
            let Piece::Chunk { id, .. } = piece else { continue };
            let missing = || Error::BlobMissing { kind: Kind::Data, id: *id };
            let at = index.locate(id).ok_or_else(missing)?;
            if seen.contains(&at) {
                continue;
            }
            let more = index.block(at).plain_len as usize;
            let full = blocks.len() >= together || bytes + more > limits::READ_CACHE_BYTES / 2;
            if full && !blocks.is_empty() {
                return Ok((count, blocks));
            }
            bytes += more;
            seen.insert(at);
            blocks.push(at);
        }
        Ok((pieces.len(), blocks))
    }

    fn zeros(&mut self, mut len: u64) -> Result<()> {
        while len > 0 {
            let now = len.min(ZEROS.len() as u64);
            self.write(&ZEROS[..now as usize])?;
            len -= now;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(output)
    }
}
