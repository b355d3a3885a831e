//! A run: the places of all commands and streams of a stretch of the log, sorted, in a file that never
//! changes. A checkpoint names it by the hash of its table; the table has the hash of every block. So a
//! start reads tables alone, and nothing is believed before it is proven, a block at a time.

use std::collections::BTreeMap;
use std::path::PathBuf;

use holdfast_engine::{CommandId, Hash, Uid};

use crate::bytes::{Take, len_u32, to_usize};
use crate::files::File;
use crate::index::{CommandPlace, Doubt, FramePlace, StreamPlace, commands, streams};
use crate::journal::directory::Directory;
use crate::record::{Header, StreamKey};

const MAGIC: &[u8; 8] = b"HFPLACE1";
/// Magic, first and last sequence number, numbers of commands and of streams' entries.
const HEADER_BYTES: usize = 32;
/// Entries in a block: with 32 bytes each it is one read of a disk.
const BLOCK_ENTRIES: usize = 128;
/// Of a block's hash, what stands in the table.
const CHECK_BYTES: usize = 16;

const COMMAND: Form = Form { key: 16, entry: 32 };
const STREAM: Form = Form { key: 21, entry: 37 };

/// Bytes of an entry, and of the key that it begins with.
#[derive(Clone, Copy, Debug)]
struct Form {
    key: usize,
    entry: usize,
}

/// What a checkpoint says of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunName {
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// BLAKE3 of its header and table.
    pub(crate) table: Hash,
}

impl RunName {
    /// Events in it.
    pub(crate) fn events(&self) -> u64 {
        (self.last + 1).saturating_sub(self.first)
    }

    pub(crate) fn path(&self, dir: &Directory) -> PathBuf {
        dir.positions_path().join(format!("{:020}-{:020}", self.first, self.last))
    }
}

/// The places of a stretch of the log, while a run is made of them.
#[derive(Debug, Default)]
pub(crate) struct Places {
    commands: BTreeMap<CommandId, CommandPlace>,
    streams: BTreeMap<(StreamKey, u32), StreamPlace>,
}

impl Places {
    /// Takes the records of one frame.
    pub(crate) fn note(&mut self, frame: FramePlace, headers: &[Header]) {
        self.commands.extend(commands(headers));
        for (stream, (first, last)) in streams(headers) {
            self.streams.insert((stream, first), StreamPlace { frame, last });
        }
    }

    /// Takes all of an earlier run. Of what was archived only the end of each stream is still asked for.
    pub(crate) fn take(&mut self, run: &Run, archived: (u64, u32)) -> Result<(), Doubt> {
        let (last_seq, first_segment) = archived;
        run.commands.each(run.file.as_ref(), |entry| {
            let (id, place) = command_of(entry)?;
            if place.last > last_seq {
                self.commands.insert(id, place);
            }
            Some(())
        })?;
        let mut before: Option<(StreamKey, u32)> = None;
        run.streams.each(run.file.as_ref(), |entry| {
            let (key, place) = stream_of(entry)?;
            if let Some(before) = before.take().filter(|before| before.0 == key.0) {
                self.streams.remove(&before);
            }
            before = (place.frame.segment < first_segment).then_some(key);
            self.streams.insert(key, place);
            Some(())
        })
    }

    /// The file of a run, and its name.
    pub(crate) fn encode(&self, (first, last): (u64, u64)) -> (Vec<u8>, RunName) {
        let commands: Vec<u8> = self.commands.iter().flat_map(encode_command).collect();
        let streams: Vec<u8> = self.streams.iter().flat_map(encode_stream).collect();
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&first.to_le_bytes());
        out.extend_from_slice(&last.to_le_bytes());
        out.extend_from_slice(&len_u32(self.commands.len()).to_le_bytes());
        out.extend_from_slice(&len_u32(self.streams.len()).to_le_bytes());
        for (form, entries) in [(COMMAND, &commands), (STREAM, &streams)] {
            for block in entries.chunks(BLOCK_ENTRIES * form.entry) {
                out.extend_from_slice(block.get(..form.key).unwrap_or_default());
                out.extend_from_slice(&check(block));
            }
        }
        let table = Hash(*blake3::hash(&out).as_bytes());
        out.extend(commands);
        out.extend(streams);
        (out, RunName { first, last, table })
    }
}

/// A run whose table is proven.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) name: RunName,
    file: Box<dyn File>,
    commands: Section,
    streams: Section,
}

impl Run {
    /// Opens the file that a checkpoint names.
    pub(crate) fn open(dir: &Directory, name: RunName) -> Result<Self, Doubt> {
        let file = dir.files.open(&name.path(dir)).map_err(|error| Doubt(error.to_string()))?;
        let header = read(file.as_ref(), 0, HEADER_BYTES)?;
        let mut take = Take(&header);
        let counts = take
            .exactly(MAGIC)
            .and_then(|()| Some((take.u64()?, take.u64()?, take.u32()?, take.u32()?)));
        let (first, last, commands, streams) = counts.ok_or_else(|| doubt(&name))?;
        let [commands, streams] = [commands, streams].map(|count| to_usize(u64::from(count)));
        // Bounded by what the file has, before anything is allocated.
        let table = COMMAND.table_bytes(commands) + STREAM.table_bytes(streams);
        let whole = HEADER_BYTES + table + commands * COMMAND.entry + streams * STREAM.entry;
        read(file.as_ref(), whole.saturating_sub(1), 1)?;
        let bytes = [header.clone(), read(file.as_ref(), HEADER_BYTES, table)?].concat();
        if (first, last) != (name.first, name.last)
            || *blake3::hash(&bytes).as_bytes() != name.table.0
        {
            return Err(doubt(&name));
        }
        let mut rest = Take(bytes.get(HEADER_BYTES..).unwrap_or_default());
        let start = HEADER_BYTES + table;
        let commands = Section::of(COMMAND, commands, start, &mut rest);
        let commands = commands.ok_or_else(|| doubt(&name))?;
        let start = start + commands.count * COMMAND.entry;
        let streams = Section::of(STREAM, streams, start, &mut rest).ok_or_else(|| doubt(&name))?;
        Ok(Self { name, file, commands, streams })
    }

    pub(crate) fn command(&self, id: CommandId) -> Result<Option<CommandPlace>, Doubt> {
        let mut found = None;
        self.commands.with(self.file.as_ref(), &id.0, |entry| {
            found = command_of(entry).map(|(_, place)| place);
        })?;
        Ok(found)
    }

    /// The frames that hold records of a stream, in order.
    pub(crate) fn stream(&self, key: StreamKey) -> Result<Vec<StreamPlace>, Doubt> {
        let mut found = Vec::new();
        self.streams.with(self.file.as_ref(), &stream_prefix(key), |entry| {
            found.extend(stream_of(entry).map(|(_, place)| place));
        })?;
        Ok(found)
    }
}

impl Form {
    fn blocks(self, count: usize) -> usize {
        count.div_ceil(BLOCK_ENTRIES)
    }

    fn table_bytes(self, count: usize) -> usize {
        self.blocks(count) * (self.key + CHECK_BYTES)
    }
}

/// Sorted entries of one form.
#[derive(Debug)]
struct Section {
    form: Form,
    count: usize,
    start: usize,
    /// First key and check value of each block.
    blocks: Vec<(Vec<u8>, [u8; CHECK_BYTES])>,
}

impl Section {
    fn of(form: Form, count: usize, start: usize, rest: &mut Take<'_>) -> Option<Self> {
        let block = |_| Some((rest.bytes(form.key)?.to_vec(), rest.array()?));
        let blocks = (0..form.blocks(count)).map(block).collect::<Option<_>>()?;
        Some(Self { form, count, start, blocks })
    }

    /// The entries of a block, proven.
    fn block(&self, file: &dyn File, number: usize) -> Result<Vec<u8>, Doubt> {
        let first = number * BLOCK_ENTRIES;
        let entries = BLOCK_ENTRIES.min(self.count.saturating_sub(first));
        let start = self.start + first * self.form.entry;
        let bytes = read(file, start, entries * self.form.entry)?;
        match self.blocks.get(number) {
            Some((_, expected)) if check(&bytes) == *expected => Ok(bytes),
            _ => Err(Doubt("a block of positions is damaged".into())),
        }
    }

    /// Takes the entries whose key begins like this, in order.
    fn with(
        &self,
        file: &dyn File,
        prefix: &[u8],
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), Doubt> {
        let after = self.blocks.partition_point(|(first, _)| first.as_slice() < prefix);
        for number in after.saturating_sub(1)..self.blocks.len() {
            let begins = self.blocks.get(number).map(|(first, _)| first.as_slice());
            if begins.is_none_or(|first| first > prefix && !first.starts_with(prefix)) {
                break;
            }
            let block = self.block(file, number)?;
            block
                .chunks_exact(self.form.entry)
                .filter(|entry| entry.starts_with(prefix))
                .for_each(&mut take);
        }
        Ok(())
    }

    /// Takes all entries, in order.
    fn each(
        &self,
        file: &dyn File,
        mut take: impl FnMut(&[u8]) -> Option<()>,
    ) -> Result<(), Doubt> {
        for number in 0..self.blocks.len() {
            let block = self.block(file, number)?;
            block
                .chunks_exact(self.form.entry)
                .try_for_each(&mut take)
                .ok_or_else(|| Doubt("an entry has another form".into()))?;
        }
        Ok(())
    }
}

fn read(file: &dyn File, start: usize, length: usize) -> Result<Vec<u8>, Doubt> {
    let mut bytes = vec![0; length];
    file.read_at(&mut bytes, start as u64).map_err(|error| Doubt(error.to_string()))?;
    Ok(bytes)
}

fn doubt(name: &RunName) -> Doubt {
    Doubt(format!("positions of events {} to {} are damaged", name.first, name.last))
}

fn check(block: &[u8]) -> [u8; CHECK_BYTES] {
    let mut check = [0; CHECK_BYTES];
    blake3::Hasher::new().update(block).finalize_xof().fill(&mut check);
    check
}

fn encode_command((id, place): (&CommandId, &CommandPlace)) -> Vec<u8> {
    [&id.0[..], &place.first.to_le_bytes(), &place.last.to_le_bytes()].concat()
}

fn command_of(entry: &[u8]) -> Option<(CommandId, CommandPlace)> {
    let mut take = Take(entry);
    let id = CommandId(take.array()?);
    Some((id, CommandPlace { first: take.u64()?, last: take.u64()? }))
}

fn stream_prefix(key: StreamKey) -> Vec<u8> {
    [&[key.kind][..], &key.uid.0].concat()
}

fn encode_stream(((key, first), place): (&(StreamKey, u32), &StreamPlace)) -> Vec<u8> {
    let StreamPlace { frame, last } = place;
    let (prefix, first) = (stream_prefix(*key), first.to_be_bytes());
    let (segment, offset) = (frame.segment.to_le_bytes(), frame.offset.to_le_bytes());
    [&prefix[..], &first, &segment, &offset, &last.to_le_bytes()].concat()
}

fn stream_of(entry: &[u8]) -> Option<((StreamKey, u32), StreamPlace)> {
    let mut take = Take(entry);
    let key = StreamKey { kind: take.u8()?, uid: Uid(take.array()?) };
    let first = u32::from_be_bytes(take.array()?);
    let frame = FramePlace { segment: take.u32()?, offset: take.u64()? };
    Some(((key, first), StreamPlace { frame, last: take.u32()? }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{Files, Memory};

    const STREAMS: u8 = 7;

    fn id(n: u32) -> CommandId {
        let mut id = [0; 16];
        // Spread like hashes, so that the order of keys is not that of the log.
        id[..4].copy_from_slice(&n.wrapping_mul(2_654_435_761).to_be_bytes());
        CommandId(id)
    }

    fn key(n: u8) -> StreamKey {
        StreamKey { kind: 1 + n % 2, uid: Uid([n; 16]) }
    }

    fn places(frames: std::ops::Range<u32>) -> Places {
        let mut places = Places::default();
        for n in frames {
            let frame = FramePlace { segment: 1 + n / 100, offset: u64::from(n) };
            let header = Header {
                seq: u64::from(n) + 1,
                epoch: 1,
                at: holdfast_engine::Timestamp(0),
                cause: id(n),
                stream: key((n % u32::from(STREAMS)) as u8),
                version: 1 + n / u32::from(STREAMS),
                event_type: 0x0101,
                schema: 1,
                codec: 1,
                length: 0,
            };
            places.note(frame, &[header]);
        }
        places
    }

    fn stored(places: &Places, ends: (u64, u64)) -> (Directory, RunName, Vec<u8>) {
        let dir = Directory::new(Files::memory(&Memory::default()));
        let (bytes, name) = places.encode(ends);
        dir.files.make(&dir.positions_path()).unwrap();
        dir.files.write_whole(&name.path(&dir), &bytes).unwrap();
        (dir, name, bytes)
    }

    #[test]
    fn every_place_is_found_and_nothing_else() {
        let (dir, name, _) = stored(&places(0..1000), (1, 1000));
        let run = Run::open(&dir, name).unwrap();
        for n in 0..1000 {
            let seq = u64::from(n) + 1;
            let place = CommandPlace { first: seq, last: seq };
            assert_eq!(run.command(id(n)).unwrap(), Some(place));
        }
        assert!((1000..3000).all(|n| run.command(id(n)).unwrap().is_none()));
        for n in 0..STREAMS {
            let offsets: Vec<u64> =
                run.stream(key(n)).unwrap().iter().map(|place| place.frame.offset).collect();
            assert!(offsets.into_iter().eq((u64::from(n)..1000).step_by(usize::from(STREAMS))));
        }
        assert!(run.stream(key(STREAMS)).unwrap().is_empty());
    }

    #[test]
    fn runs_are_put_together_and_the_archive_leaves_the_ends_of_streams() {
        let (dir, name, _) = stored(&places(0..500), (1, 500));
        let run = Run::open(&dir, name).unwrap();
        let mut merged = places(500..1000);
        merged.take(&run, (0, 0)).unwrap();
        assert_eq!(merged.encode((1, 1000)), places(0..1000).encode((1, 1000)));
        let mut shorter = Places::default();
        shorter.take(&run, (500, 99)).unwrap();
        assert!(shorter.commands.is_empty());
        assert_eq!(shorter.streams.len(), usize::from(STREAMS));
        let newest =
            |n| *places(0..500).streams.range((key(n), 0)..=(key(n), u32::MAX)).last().unwrap().1;
        for n in 0..STREAMS {
            assert!(shorter.streams.values().any(|place| *place == newest(n)));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_a_doubt_or_harmless() {
        let (dir, name, bytes) = stored(&places(0..40), (1, 40));
        let judge = |bytes: &[u8]| {
            dir.files.write_whole(&name.path(&dir), bytes).unwrap();
            let Ok(run) = Run::open(&dir, name) else { return true };
            let mut doubted = false;
            for n in 0..40 {
                match run.command(id(n)) {
                    Ok(found) => assert_eq!(found.unwrap().first, u64::from(n) + 1),
                    Err(_) => doubted = true,
                }
            }
            doubted | (0..STREAMS).any(|n| run.stream(key(n)).is_err())
        };
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(judge(&flipped), "bit {bit}");
        }
        for end in 0..bytes.len() {
            assert!(judge(&bytes[..end]), "cut at {end}");
        }
        assert!(!judge(&bytes));
    }

    #[test]
    fn an_empty_run_is_one() {
        let (dir, name, _) = stored(&Places::default(), (5, 4));
        let run = Run::open(&dir, name).unwrap();
        assert_eq!(run.command(id(1)).unwrap(), None);
        assert_eq!(name.events(), 0);
    }
}
