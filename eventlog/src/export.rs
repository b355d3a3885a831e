//! Export: a log as named pieces, for an object store, a directory or one file; and back.
//!
//! An export holds everything acknowledged: HEAD, the segments up to their last frame, the attachments
//! that the events name, the checkpoints. It is read like a log ([`Export::reader`]).

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use holdfast_engine::Hash;

use crate::attachment::{self, Attachments};
use crate::bytes::{Take, len_u64, to_usize};
use crate::chain::{Chain, ChainKey};
use crate::error::{Context, Error};
use crate::files::Files;
use crate::frame::OVERHEAD_BYTES;
use crate::journal::Position;
use crate::journal::directory::{Directory, parse_hash};
use crate::journal::source::Memory;
use crate::reader::Reader;
use crate::reader::drive;
use crate::replay::{Machine, Until};
use crate::{lock::Lock, open};

const MAGIC: &[u8; 8] = b"HFEXPORT";

/// One named piece of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// `head`, `base`, `segments/…`, `attachments/…` or `checkpoints/…`.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// A log outside its directory.
#[derive(Clone, Debug, Default)]
pub struct Export {
    pieces: Memory,
}

/// The documents that the events name.
#[derive(Default)]
struct Named {
    /// Only what later events name.
    from: u64,
    documents: BTreeSet<Hash>,
}

impl Machine for Named {
    fn record(
        &mut self,
        recorded: &holdfast_engine::Recorded,
    ) -> Result<(), holdfast_engine::Illegal> {
        if recorded.seq > self.from {
            self.documents.extend(attachment::named_by(&recorded.event));
        }
        Ok(())
    }
}

impl Export {
    /// Everything that a reader sees. The whole chain is proven on the way.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the log is; [`Error::Mismatch`] if an attachment is.
    pub fn of(reader: &Reader) -> Result<Self, Error> {
        Self::after(reader, None)
    }

    /// What was added since an earlier export that ended there: put over that one, piece by piece, it is
    /// a whole export again.
    ///
    /// # Errors
    /// As [`Export::of`].
    pub fn after(reader: &Reader, exported: Option<Position>) -> Result<Self, Error> {
        if let Some(damage) = reader.head_lost() {
            return Err(damage.into());
        }
        let (from_segment, from_seq) = exported.map_or((0, 0), |at| (at.segment, at.seq));
        let mut named = Named { from: from_seq, ..Named::default() };
        drive(reader, &mut named, Until::End)?;
        let (source, head) = (reader.source(), reader.head());
        let mut pieces = Memory { head: source.head()?, base: source.base()?, ..Memory::default() };
        for number in source.segments()? {
            if number < reader.start().segment.max(from_segment) || number > head.segment {
                continue;
            }
            let Some(bytes) = source.segment(number)? else { continue };
            let end = if number == head.segment {
                to_usize(head.offset).min(bytes.len())
            } else {
                // A checksum may end with zeros; what is kept beyond it is zeros anyway.
                let last = bytes.iter().rposition(|byte| *byte != 0).unwrap_or_default();
                (last + OVERHEAD_BYTES).min(bytes.len())
            };
            let kept = bytes.get(..end).unwrap_or_default().to_vec();
            pieces.segments.insert(number, Arc::new(kept));
        }
        for hash in named.documents {
            if let Some(bytes) = attachment::load(source, &hash)? {
                pieces.attachments.insert(hash, bytes);
            }
        }
        for seq in
            source.checkpoints()?.into_iter().filter(|seq| *seq >= from_seq && *seq <= head.seq)
        {
            if let Some(bytes) = source.checkpoint(seq)? {
                pieces.checkpoints.insert(seq, bytes);
            }
        }
        Ok(Self { pieces })
    }

    /// Its pieces, by name; `head` last, so that a store that was filled in this order never claims more
    /// than it has.
    pub fn pieces(&self) -> impl Iterator<Item = Piece> + '_ {
        let Memory { head, base, segments, checkpoints, attachments } = &self.pieces;
        let piece = |name: String, bytes: &[u8]| Piece { name, bytes: bytes.to_vec() };
        let attachments =
            attachments.iter().map(move |(hash, b)| piece(format!("attachments/{hash}"), b));
        let segments = segments.iter().map(move |(n, b)| piece(format!("segments/{n:010}"), b));
        let checkpoints =
            checkpoints.iter().map(move |(n, b)| piece(format!("checkpoints/{n:020}"), b));
        let ends = [("base", base), ("head", head)];
        let ends = ends
            .into_iter()
            .filter_map(move |(name, bytes)| Some(piece(name.to_owned(), bytes.as_ref()?)));
        attachments.chain(segments).chain(checkpoints).chain(ends)
    }

    /// An export from its pieces, in any order; foreign names are left out.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if an attachment is not what its name says.
    pub fn from_pieces(pieces: impl IntoIterator<Item = Piece>) -> Result<Self, Error> {
        let mut memory = Memory::default();
        for Piece { name, bytes } in pieces {
            match name.split_once('/') {
                None if name == "head" => memory.head = Some(bytes),
                None if name == "base" => memory.base = Some(bytes),
                Some(("segments", number)) => {
                    let number =
                        number.parse().map_err(|_| Error::Mismatch { name: name.clone() })?;
                    memory.segments.insert(number, Arc::new(bytes));
                }
                Some(("checkpoints", seq)) => {
                    let seq = seq.parse().map_err(|_| Error::Mismatch { name: name.clone() })?;
                    memory.checkpoints.insert(seq, bytes);
                }
                Some(("attachments", hash)) => {
                    let hash = parse_hash(hash).filter(|hash| attachment::name(&bytes) == *hash);
                    let hash = hash.ok_or(Error::Mismatch { name })?;
                    memory.attachments.insert(hash, bytes);
                }
                _ => {}
            }
        }
        Ok(Self { pieces: memory })
    }

    /// Writes it to a directory that is empty or absent.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NoSpace`].
    pub fn write_directory(&self, dir: &Path) -> Result<(), Error> {
        let files = Files::disk(dir);
        for piece in self.pieces() {
            let path = dir.join(&piece.name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).context("create", parent)?;
            }
            files.write_whole(&path, &piece.bytes)?;
        }
        Ok(())
    }

    /// Writes it to one file: a file is replaced whole, also where a link leads to it; a device or a pipe is written
    /// into.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NoSpace`].
    pub fn write_file(&self, path: &Path) -> Result<(), Error> {
        let mut out = MAGIC.to_vec();
        let end = Piece { name: String::new(), bytes: Vec::new() };
        for Piece { name, bytes } in self.pieces().chain([end]) {
            let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(&len_u64(bytes.len()).to_le_bytes());
            out.extend_from_slice(&bytes);
            out.extend_from_slice(&entry_check(&name, &bytes));
        }
        match fs::metadata(path) {
            Ok(found) if !found.is_file() => {
                let mut file = fs::File::options().write(true).open(path).context("open", path)?;
                file.write_all(&out).context("write", path)
            }
            Ok(_) => {
                let path = fs::canonicalize(path).context("find", path)?;
                Files::disk(&path).write_whole(&path, &out)
            }
            Err(_) => Files::disk(path).write_whole(path, &out),
        }
    }

    /// Reads an export: a file, or a directory.
    ///
    /// # Errors
    /// [`Error::Mismatch`] naming the piece that is not as it was written.
    pub fn read(path: &Path) -> Result<Self, Error> {
        if path.is_dir() {
            return Self::read_directory(path);
        }
        let bytes = fs::read(path).context("read", path)?;
        let broken = || Error::Mismatch { name: path.display().to_string() };
        Self::from_pieces(parse(&bytes).ok_or_else(broken)?)
    }

    fn read_directory(dir: &Path) -> Result<Self, Error> {
        let mut pieces = Vec::new();
        for name in ["head", "base"] {
            if let Some(bytes) = Files::disk(dir).read(&dir.join(name))? {
                pieces.push(Piece { name: name.to_owned(), bytes });
            }
        }
        for folder in ["segments", "attachments", "checkpoints"] {
            let path = dir.join(folder);
            if !path.is_dir() {
                continue;
            }
            for entry in fs::read_dir(&path).context("list", &path)? {
                let entry = entry.context("list", &path)?;
                let bytes = fs::read(entry.path()).context("read", &entry.path())?;
                let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
                pieces.push(Piece { name, bytes });
            }
        }
        Self::from_pieces(pieces)
    }

    /// Reads the log in it. A log directory whose beginning is archived can be read with this behind
    /// it ([`Reader::behind`]).
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn reader(&self, key: Option<ChainKey>) -> Result<Reader, Error> {
        Reader::over(Box::new(self.pieces.clone()), Chain::new(key))
    }

    /// Makes a log directory of it, after proving it. The directory must hold no log.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the export is; [`Error::Occupied`] if there is a log already.
    pub fn import(&self, dir: &Path, key: Option<ChainKey>) -> Result<(), Error> {
        let reader = self.reader(key)?;
        if let Some(damage) = reader.head_lost() {
            return Err(damage.into());
        }
        drive(&reader, &mut Named::default(), Until::End)?;
        let target = Directory::disk(dir);
        target.files.make_root()?;
        let _lock = Lock::take(&target)?;
        if !open::is_new(&target)? {
            return Err(Error::Occupied { dir: dir.to_path_buf() });
        }
        let Memory { head, base, segments, checkpoints, attachments } = &self.pieces;
        let documents = Attachments::new(target.clone());
        for document in attachments.values() {
            documents.store(document)?;
        }
        target.files.make(&target.checkpoints_path())?;
        for (seq, bytes) in checkpoints {
            target.files.write_whole(&target.checkpoint_path(*seq), bytes)?;
        }
        target.files.make(&target.journal())?;
        for (number, bytes) in segments {
            write_segment(&target, *number, bytes)?;
        }
        if let Some(base) = base {
            target.files.write_whole(&target.base_path(), base)?;
        }
        // HEAD makes it a log; what was interrupted before can be imported again.
        let head = head.as_ref();
        head.map_or(Ok(()), |head| target.files.write_whole(&target.head_path(), head))
    }
}

/// Writes a segment at the size that its header names, zeros behind the frames.
fn write_segment(target: &Directory, number: u32, bytes: &[u8]) -> Result<(), Error> {
    let mut take = Take(bytes);
    let size = take.bytes(24).and_then(|_| take.u64()).unwrap_or_default();
    let size = to_usize(size).min(to_usize(u64::from(u32::MAX)));
    let mut whole = bytes.to_vec();
    whole.resize(size.max(bytes.len()), 0);
    target.files.write_whole(&target.segment_path(number), &whole)
}

/// Covers the name too: an entry under another name would be left out.
fn entry_check(name: &str, bytes: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(name.as_bytes()).update(bytes);
    *hasher.finalize().as_bytes()
}

fn parse(bytes: &[u8]) -> Option<Vec<Piece>> {
    let mut take = Take(bytes);
    take.exactly(MAGIC)?;
    let mut pieces = Vec::new();
    loop {
        let length = usize::from(take.u16()?);
        let name = String::from_utf8(take.bytes(length)?.to_vec()).ok()?;
        let length = to_usize(take.u64()?);
        let bytes = take.bytes(length)?;
        if entry_check(&name, bytes) != take.array()? {
            return None;
        }
        if name.is_empty() {
            return take.0.is_empty().then_some(pieces);
        }
        pieces.push(Piece { name, bytes: bytes.to_vec() });
    }
}
