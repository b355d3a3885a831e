//! The commit object: what one attempt of one component leaves behind. Its name is fixed before its
//! first byte is written, it is sealed with that name, put once, and stored twice.

use std::collections::BTreeMap;

use crate::digest::{BlobId, ObjectHash, SnapshotName};
use crate::error::Malformed;
use crate::limits;
use crate::wire::{Reader, Write};

/// Where snapshots lie.
pub(crate) const SNAPSHOT_FOLDER: &str = "meta/snapshots/";

/// The key of a snapshot.
#[must_use]
pub fn snapshot_key(name: &SnapshotName) -> String {
    format!("{SNAPSHOT_FOLDER}{name}")
}

/// A directory, file, stream or document set that a snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Its logical path: absolute, `/`-separated, any bytes but NUL.
    pub path: Vec<u8>,
    /// The tree blob that describes it.
    pub tree: BlobId,
}

/// What was counted while it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Symbolic links, devices, sockets, pipes.
    pub others: u64,
    /// Bytes of content of regular files, holes and all.
    pub bytes: u64,
    /// Files that were taken over from the parent without reading them.
    pub unchanged: u64,
    /// Entries that could not be read.
    pub unreadable: u64,
    /// Blobs that were new.
    pub blobs_added: u64,
    /// Plaintext bytes of those.
    pub bytes_added: u64,
    /// Bytes of new packs, once each.
    pub bytes_stored: u64,
}

/// The content of a snapshot object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Uid of the session.
    pub session: String,
    /// The component, as the seeds spell it.
    pub component: String,
    /// Number of the attempt.
    pub attempt: u32,
    /// Whether something could not be read: never chosen by `latest`.
    pub partial: bool,
    /// When the attempt began, milliseconds since 1970, by the caller's clock.
    pub started_ms: i64,
    /// When the last byte was read, the same way.
    pub ended_ms: i64,
    /// The machine whose files these are.
    pub host: String,
    /// Version of the program that made it.
    pub program: String,
    /// What it holds.
    pub roots: Vec<Root>,
    /// The user's tags, sorted.
    pub tags: Vec<String>,
    /// Whatever the caller wants to find again: names of cluster objects, KubeStash's path, the head of
    /// the log.
    pub labels: BTreeMap<String, String>,
    /// The rules that chose the files, as text: a parent must have the same.
    pub selection: Vec<String>,
    /// The snapshot that unchanged files were taken from.
    pub parent: Option<SnapshotName>,
    /// Counts of the walk and of the writing.
    pub counts: Counts,
    /// The collection that the writer had seen.
    pub gc_generation: u64,
    /// Index objects that this session wrote.
    pub indexes: Vec<ObjectHash>,
    /// BLAKE3 of the sorted names of the packs that this session wrote.
    pub packs_digest: [u8; 32],
}

impl Snapshot {
    /// The plaintext of the object.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.text(self.session.as_bytes());
        out.text(self.component.as_bytes());
        out.u32(self.attempt);
        out.u8(u8::from(self.partial));
        out.i64(self.started_ms);
        out.i64(self.ended_ms);
        out.text(self.host.as_bytes());
        out.text(self.program.as_bytes());
        out.varint(self.roots.len() as u64);
        for root in &self.roots {
            out.text(&root.path);
            out.bytes(root.tree.as_bytes());
        }
        texts(out, &self.tags);
        out.varint(self.labels.len() as u64);
        for (key, value) in &self.labels {
            out.text(key.as_bytes());
            out.text(value.as_bytes());
        }
        texts(out, &self.selection);
        match &self.parent {
            Some(name) => {
                out.u8(1);
                out.bytes(name.as_bytes());
            }
            None => out.u8(0),
        }
        self.counts.to_array().iter().for_each(|count| out.varint(*count));
        out.u64(self.gc_generation);
        out.varint(self.indexes.len() as u64);
        self.indexes.iter().for_each(|hash| out.bytes(hash.as_bytes()));
        out.bytes(&self.packs_digest);
    }

    /// Reads the plaintext of a snapshot object.
    ///
    /// # Errors
    /// The field that cannot be.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let snapshot = Self {
            session: reader.string("session", limits::TEXT_MAX_BYTES)?,
            component: reader.string("component", limits::TEXT_MAX_BYTES)?,
            attempt: reader.u32("attempt")?,
            partial: flag(&mut reader, "partial")?,
            started_ms: reader.i64("started")?,
            ended_ms: reader.i64("ended")?,
            host: reader.string("host", limits::TEXT_MAX_BYTES)?,
            program: reader.string("program", limits::TEXT_MAX_BYTES)?,
            roots: read_roots(&mut reader)?,
            tags: read_texts(&mut reader, "tags")?,
            labels: read_labels(&mut reader)?,
            selection: read_texts(&mut reader, "selection")?,
            parent: match flag(&mut reader, "parent")? {
                true => Some(SnapshotName(reader.array("parent")?)),
                false => None,
            },
            counts: Counts::read(&mut reader)?,
            gc_generation: reader.u64("collection")?,
            indexes: read_indexes(&mut reader)?,
            packs_digest: reader.array("packs digest")?,
        };
        reader.end("snapshot")?;
        Ok(snapshot)
    }
}

impl Counts {
    const fn to_array(self) -> [u64; 9] {
        [
            self.files,
            self.directories,
            self.others,
            self.bytes,
            self.unchanged,
            self.unreadable,
            self.blobs_added,
            self.bytes_added,
            self.bytes_stored,
        ]
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            files: reader.varint("files")?,
            directories: reader.varint("directories")?,
            others: reader.varint("others")?,
            bytes: reader.varint("bytes")?,
            unchanged: reader.varint("unchanged")?,
            unreadable: reader.varint("unreadable")?,
            blobs_added: reader.varint("blobs added")?,
            bytes_added: reader.varint("bytes added")?,
            bytes_stored: reader.varint("bytes stored")?,
        })
    }
}

fn texts(out: &mut Vec<u8>, texts: &[String]) {
    out.varint(texts.len() as u64);
    texts.iter().for_each(|text| out.text(text.as_bytes()));
}

fn flag(reader: &mut Reader<'_>, field: &'static str) -> Result<bool, Malformed> {
    match reader.u8(field)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Malformed { field, reason: "is neither 0 nor 1" }),
    }
}

fn read_roots(reader: &mut Reader<'_>) -> Result<Vec<Root>, Malformed> {
    let count = reader.count("roots", limits::SNAPSHOT_MAX_ROOTS, 1 + BlobId::LEN)?;
    let mut roots = Vec::with_capacity(count);
    for _ in 0..count {
        let path = reader.text("root path", limits::TEXT_MAX_BYTES)?.to_vec();
        roots.push(Root { path, tree: BlobId(reader.array("root tree")?) });
    }
    Ok(roots)
}

fn read_texts(reader: &mut Reader<'_>, field: &'static str) -> Result<Vec<String>, Malformed> {
    let count = reader.count(field, limits::SNAPSHOT_MAX_LABELS, 1)?;
    (0..count).map(|_| reader.string(field, limits::TEXT_MAX_BYTES)).collect()
}

fn read_labels(reader: &mut Reader<'_>) -> Result<BTreeMap<String, String>, Malformed> {
    let count = reader.count("labels", limits::SNAPSHOT_MAX_LABELS, 2)?;
    let mut labels = BTreeMap::new();
    for _ in 0..count {
        let key = reader.string("label", limits::TEXT_MAX_BYTES)?;
        let value = reader.string("label", limits::TEXT_MAX_BYTES)?;
        if labels.last_key_value().is_some_and(|(last, _)| *last >= key) {
            return Err(Malformed { field: "labels", reason: "are not in order" });
        }
        labels.insert(key, value);
    }
    Ok(labels)
}

fn read_indexes(reader: &mut Reader<'_>) -> Result<Vec<ObjectHash>, Malformed> {
    let count = reader.count("indexes", limits::SNAPSHOT_MAX_INDEXES, ObjectHash::LEN)?;
    (0..count).map(|_| Ok(ObjectHash(reader.array("index name")?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Snapshot {
        Snapshot {
            session: "5e55".into(),
            component: "pod-0".into(),
            attempt: 3,
            partial: true,
            started_ms: -1,
            ended_ms: i64::MAX,
            host: "node-a".into(),
            program: "0.1.0".into(),
            roots: vec![Root { path: b"/\xff".to_vec(), tree: BlobId([7; 16]) }],
            tags: vec!["a".into(), "b".into()],
            labels: [("k".to_owned(), "v".to_owned()), ("l".to_owned(), String::new())].into(),
            selection: vec!["exclude *.tmp".into()],
            parent: Some(SnapshotName([9; 16])),
            counts: Counts { files: 1, bytes: u64::MAX, ..Counts::default() },
            gc_generation: 12,
            indexes: vec![ObjectHash([1; 32])],
            packs_digest: [5; 32],
        }
    }

    #[test]
    fn snapshots_survive_their_bytes_and_no_part_of_them_does() {
        for snapshot in [full(), Snapshot::default()] {
            let mut bytes = Vec::new();
            snapshot.encode(&mut bytes);
            assert_eq!(Snapshot::decode(&bytes).unwrap(), snapshot);
            for len in 0..bytes.len() {
                assert!(Snapshot::decode(&bytes[..len]).is_err(), "cut at {len}");
            }
            bytes.push(0);
            assert!(Snapshot::decode(&bytes).is_err(), "a byte that belongs to nothing");
        }
    }

    #[test]
    fn labels_out_of_order_are_refused() {
        let mut bytes = Vec::new();
        bytes.varint(2);
        for key in ["b", "a"] {
            bytes.text(key.as_bytes());
            bytes.text(b"");
        }
        assert!(read_labels(&mut Reader::new(&bytes)).is_err());
    }
}
