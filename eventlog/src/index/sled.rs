//! The index in sled, and nothing else names it.
//!
//! sled opens damaged stores silently, or panics (references: 74.7 % and 12.7 % of single flipped bits).
//! So a directory is opened only if every byte is the one that the last clean end left; otherwise
//! it is dropped and made again. A panic that happens nevertheless becomes a [`Doubt`].

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use holdfast_engine::CommandId;

use crate::bytes::Take;
use crate::error::{Context, Error};
use crate::index::{CommandPlace, Doubt, FramePlace, Index, StreamPlace, commands, streams};
use crate::journal::Position;
use crate::journal::directory::Directory;
use crate::limits::{INDEX_CACHE_BYTES, INDEX_VALUE_BYTES};
use crate::record::{Header, StreamKey};

const COMMANDS: &str = "commands";
const STREAMS: &str = "streams";
const PROJECTIONS: &str = "projections";

fn path(dir: &Directory) -> PathBuf {
    dir.root().join("index")
}

fn marker(dir: &Directory) -> PathBuf {
    dir.root().join("index.clean")
}

/// The index of the last clean end, if it is of this log and every byte is as it was.
pub(crate) fn reopen(dir: &Directory, head: &Position) -> Option<Box<dyn Index>> {
    let expected = dir.files.read(&marker(dir)).ok().flatten()?;
    let found = fingerprint(dir, head).ok()?;
    if expected != found.into_bytes() {
        return None;
    }
    // From here on it is in use; without the marker the next start makes it again.
    dir.files.remove(&marker(dir)).ok()?;
    dir.files.sync_dir(dir.root()).ok()?;
    SledIndex::open(&path(dir)).ok().map(|index| Box::new(index) as Box<dyn Index>)
}

/// An empty index in place of whatever is there.
pub(crate) fn create(dir: &Directory) -> Result<Box<dyn Index>, Doubt> {
    let made = dir.files.remove(&marker(dir)).and_then(|()| put_aside(dir));
    made.map_err(|error| Doubt(error.to_string()))?;
    Ok(Box::new(SledIndex::open(&path(dir))?))
}

/// Takes an index that is not trusted out of the way. Removing its files takes longer than a start may, so
/// that is done beside it; what is left when the process ends goes with the next one.
fn put_aside(dir: &Directory) -> Result<(), Error> {
    let aside = dir.root().join("index.gone");
    let from = path(dir);
    if from.exists() {
        fs::create_dir_all(&aside).context("create", &aside)?;
        let free = (0_u32..).map(|n| aside.join(n.to_string())).find(|to| !to.exists());
        fs::rename(&from, free.unwrap_or_default()).context("rename", &from)?;
    }
    if aside.exists() {
        // Nobody waits for it, and nothing depends on it.
        let remove = move || drop(fs::remove_dir_all(aside));
        drop(std::thread::Builder::new().name("index.gone".into()).spawn(remove));
    }
    Ok(())
}

/// Says that the index, which is closed now, may be taken as it is.
pub(crate) fn mark_clean(dir: &Directory, head: &Position) -> Result<(), Error> {
    let text = fingerprint(dir, head)?;
    dir.files.write_whole(&marker(dir), text.as_bytes())
}

/// Names and hashes of all files, and the end of the log that they are the index of.
fn fingerprint(dir: &Directory, head: &Position) -> Result<String, Error> {
    let mut files = BTreeMap::new();
    let mut folders = vec![path(dir)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).context("list", &folder)? {
            let entry = entry.context("list", &folder)?.path();
            if entry.is_dir() {
                folders.push(entry);
            } else {
                let mut hasher = blake3::Hasher::new();
                File::open(&entry)
                    .and_then(|file| {
                        file.sync_all()?;
                        hasher.update_reader(file).map(|_| ())
                    })
                    .context("read", &entry)?;
                files.insert(entry, hasher.finalize());
            }
        }
    }
    let mut text = format!("{} {}\n", head.seq, head.hash);
    for (file, hash) in files {
        let name = file.strip_prefix(dir.root()).unwrap_or(&file);
        text.push_str(&format!("{hash} {}\n", name.display()));
    }
    Ok(text)
}

/// Runs sled where its panics end.
fn contained<T>(what: impl FnOnce() -> Result<T, ::sled::Error>) -> Result<T, Doubt> {
    match catch_unwind(AssertUnwindSafe(what)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Doubt(error.to_string())),
        Err(_) => Err(Doubt("sled panicked".into())),
    }
}

fn doubt() -> Doubt {
    Doubt("it is closed".into())
}

struct SledIndex {
    // An Option, so that its drop can be contained too.
    open: Option<Trees>,
}

struct Trees {
    db: ::sled::Db,
    commands: ::sled::Tree,
    streams: ::sled::Tree,
    projections: ::sled::Tree,
}

impl SledIndex {
    fn open(path: &Path) -> Result<Self, Doubt> {
        let open = contained(|| {
            let db = ::sled::Config::new()
                .path(path)
                .cache_capacity(INDEX_CACHE_BYTES)
                // Its space is given back by a rebuild; its time is what a start waits for.
                .mode(::sled::Mode::HighThroughput)
                .flush_every_ms(None)
                .open()?;
            let commands = db.open_tree(COMMANDS)?;
            let streams = db.open_tree(STREAMS)?;
            let projections = db.open_tree(PROJECTIONS)?;
            Ok(Trees { db, commands, streams, projections })
        })?;
        Ok(Self { open: Some(open) })
    }

    fn trees(&self) -> Result<&Trees, Doubt> {
        self.open.as_ref().ok_or_else(doubt)
    }
}

impl Drop for SledIndex {
    fn drop(&mut self) {
        let open = self.open.take();
        let _ = contained(|| {
            drop(open);
            Ok(())
        });
    }
}

impl Index for SledIndex {
    fn note(&mut self, frame: FramePlace, headers: &[Header]) -> Result<(), Doubt> {
        let trees = self.trees()?;
        contained(|| {
            for (stream, (first, last)) in streams(headers) {
                let place = StreamPlace { frame, last };
                trees.streams.insert(stream_key(stream, first), encode_place(&place))?;
            }
            for (id, place) in commands(headers) {
                trees.commands.insert(id.0, encode_command(&place))?;
            }
            Ok(())
        })
    }

    fn command(&self, id: CommandId) -> Result<Option<CommandPlace>, Doubt> {
        let trees = self.trees()?;
        match contained(|| trees.commands.get(id.0))? {
            None => Ok(None),
            Some(value) => decode_command(&value).map(Some).ok_or_else(strange),
        }
    }

    fn stream(&self, key: StreamKey) -> Result<Vec<FramePlace>, Doubt> {
        let trees = self.trees()?;
        let prefix = stream_prefix(key);
        let values = contained(|| {
            trees.streams.scan_prefix(prefix).values().collect::<Result<Vec<_>, _>>()
        })?;
        let place = |value: &::sled::IVec| decode_place(value).ok_or_else(strange);
        values.iter().map(|value| place(value).map(|place| place.frame)).collect()
    }

    fn version(&self, key: StreamKey) -> Result<Option<u32>, Doubt> {
        let trees = self.trees()?;
        let prefix = stream_prefix(key);
        let newest =
            contained(|| trees.streams.scan_prefix(prefix).values().next_back().transpose())?;
        let place = newest.map(|value| decode_place(&value).ok_or_else(strange)).transpose()?;
        Ok(place.map(|place| place.last))
    }

    fn projection(&self, name: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Doubt> {
        let trees = self.trees()?;
        Ok(contained(|| trees.projections.get(projection_key(name, key)))?
            .map(|value| value.to_vec()))
    }

    fn project(&mut self, name: &str, key: &[u8], value: Option<&[u8]>) -> Result<(), Doubt> {
        let trees = self.trees()?;
        if value.is_some_and(|value| value.len() > INDEX_VALUE_BYTES) {
            return Err(Doubt(format!("a value of {name} is above {INDEX_VALUE_BYTES} bytes")));
        }
        contained(|| match value {
            Some(value) => trees.projections.insert(projection_key(name, key), value).map(drop),
            None => trees.projections.remove(projection_key(name, key)).map(drop),
        })
    }

    fn forget(&mut self) -> Result<(), Doubt> {
        let Some(mut open) = self.open.take() else { return Err(doubt()) };
        self.open = Some(contained(|| {
            open.db.drop_tree(COMMANDS)?;
            open.db.drop_tree(STREAMS)?;
            open.commands = open.db.open_tree(COMMANDS)?;
            open.streams = open.db.open_tree(STREAMS)?;
            Ok(open)
        })?);
        Ok(())
    }

    /// sled's own flush reaches the disk only in part; the fingerprint syncs every file afterwards.
    fn close(mut self: Box<Self>) -> Result<(), Doubt> {
        let Some(open) = self.open.take() else { return Err(doubt()) };
        contained(|| {
            open.db.flush()?;
            drop(open);
            Ok(())
        })
    }
}

fn strange() -> Doubt {
    Doubt("an entry has another form".into())
}

fn stream_prefix(key: StreamKey) -> [u8; 17] {
    let mut prefix = [key.kind; 17];
    prefix[1..].copy_from_slice(&key.uid.0);
    prefix
}

fn stream_key(stream: StreamKey, version: u32) -> [u8; 21] {
    let mut key = [0; 21];
    key[..17].copy_from_slice(&stream_prefix(stream));
    key[17..].copy_from_slice(&version.to_be_bytes());
    key
}

/// A name ends with a zero byte, so that no name is the beginning of another one's keys.
fn projection_key(name: &str, key: &[u8]) -> Vec<u8> {
    [name.as_bytes(), &[0], key].concat()
}

fn encode_place(place: &StreamPlace) -> Vec<u8> {
    let StreamPlace { frame: FramePlace { segment, offset }, last } = place;
    [&segment.to_le_bytes()[..], &offset.to_le_bytes(), &last.to_le_bytes()].concat()
}

fn decode_place(value: &[u8]) -> Option<StreamPlace> {
    let mut take = Take(value);
    let frame = FramePlace { segment: take.u32()?, offset: take.u64()? };
    let place = StreamPlace { frame, last: take.u32()? };
    take.0.is_empty().then_some(place)
}

fn encode_command(place: &CommandPlace) -> Vec<u8> {
    [place.first.to_le_bytes(), place.last.to_le_bytes()].concat()
}

fn decode_command(value: &[u8]) -> Option<CommandPlace> {
    let mut take = Take(value);
    let place = CommandPlace { first: take.u64()?, last: take.u64()? };
    take.0.is_empty().then_some(place)
}
