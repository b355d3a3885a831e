//! The state in frozen shapes: one record for each object and each entry of the outbox.
//!
//! A record is a pair of key and value in the engine's own words, whose bytes lie in `tests/golden/state/`.
//! A shape that was shipped never changes: when a struct of the engine does, its former shape is written
//! down here as a struct that ends in `From` the newest, behind `was`, and the line above gets the next
//! schema. These bytes are canonical: equal states have equal ones, and the hash of a state is theirs.

#[cfg(test)]
mod golden;

use std::collections::BTreeMap;

use holdfast_engine::binding::Made;
use holdfast_engine::ids::{EffectId, Key, TypedRef, Uid};
use holdfast_engine::run::limit::Limits;
use holdfast_engine::usage::References;
use holdfast_engine::{Hash, State, StreamKind, Timestamp, effect, reaction};
use serde::{Deserialize, Serialize};

use crate::bytes::{Take, len_u32, to_usize};
use crate::codec::{self, CodecError};
use crate::error::Error;

/// What is not an object: where the log stands.
const LOG: u16 = 0x0001;

/// Kinds from here on are the log's own, behind the state.
pub(crate) const BEHIND_STATE: u16 = 0x0040;

/// A line of the table in docs/events.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) kind: u16,
    pub(crate) schema: u16,
    /// The newest schema of its kind, which is the one that is written.
    pub(crate) newest: bool,
    pub(crate) name: &'static str,
    pub(crate) key: &'static str,
    pub(crate) value: &'static str,
}

/// Where canonical bytes go.
pub(crate) trait Sink {
    /// Takes the next bytes.
    fn take(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn take(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Sink for blake3::Hasher {
    fn take(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }
}

/// Writes a record.
pub(crate) fn put(sink: &mut dyn Sink, (kind, schema): (u16, u16), bytes: &[u8]) {
    sink.take(&kind.to_le_bytes());
    sink.take(&schema.to_le_bytes());
    sink.take(&len_u32(bytes.len()).to_le_bytes());
    sink.take(bytes);
}

/// Reads a record: kind, schema, bytes.
pub(crate) fn next<'a>(take: &mut Take<'a>) -> Option<((u16, u16), &'a [u8])> {
    let shape = (take.u16()?, take.u16()?);
    let length = to_usize(u64::from(take.u32()?));
    Some((shape, take.bytes(length)?))
}

/// Where the log stands.
#[derive(Debug, Serialize, Deserialize)]
struct Log {
    epoch: u64,
    last_at: Timestamp,
    leader: String,
    gaps: Vec<(u64, u64)>,
    references: References,
    limits: Limits,
}

fn put_map<'m, K: Serialize + 'm, V: Serialize + 'm>(
    sink: &mut dyn Sink,
    shape: (u16, u16),
    map: impl IntoIterator<Item = (&'m K, &'m V)>,
) -> Result<(), CodecError> {
    for entry in map {
        put(sink, shape, &codec::encode_state(&entry)?);
    }
    Ok(())
}

/// Declares the maps of the state: kind, schema, name of the field, key and value. Behind `was` stand
/// earlier schemas, which are only read.
macro_rules! maps {
    ($state:ty: { $($by_hand:ident)* }
     $($kind:literal $schema:literal $field:ident: $key:ty => $value:ty;)*
     $(was $old_kind:literal $old_schema:literal $old_field:ident: $old_key:ty => $old_value:ty;)*
    ) => {
        /// All maps of the state.
        pub(crate) const MAPS: &[Shape] = &[
            $(Shape { kind: $kind, schema: $schema, newest: true, name: stringify!($field),
                key: stringify!($key), value: stringify!($value) },)*
            $(Shape { kind: $old_kind, schema: $old_schema, newest: false,
                name: stringify!($old_field), key: stringify!($old_key),
                value: stringify!($old_value) },)*
        ];

        /// Writes all entries. A field of the state that has no line here does not compile.
        fn put_maps(sink: &mut dyn Sink, state: &$state) -> Result<(), CodecError> {
            type Of = $state;
            let Of { $($field,)* $($by_hand: _,)* } = state;
            $(put_map::<$key, $value>(sink, ($kind, $schema), $field)?;)*
            Ok(())
        }

        /// Puts an entry into its map; false for a shape that this release does not know.
        fn take_entry(
            state: &mut $state,
            shape: (u16, u16),
            bytes: &[u8],
        ) -> Result<bool, CodecError> {
            match shape {
                $(($kind, $schema) => {
                    let (key, value): ($key, $value) = codec::decode_state(bytes)?;
                    state.$field.insert(key, value);
                })*
                $(($old_kind, $old_schema) => {
                    let (key, value): ($old_key, $old_value) = codec::decode_state(bytes)?;
                    state.$old_field.insert(key.into(), value.into());
                })*
                _ => return Ok(false),
            }
            Ok(true)
        }

        /// A sample of a shape: its bytes, and the entry as text.
        #[cfg(test)]
        fn sample_entry(
            shape: (u16, u16),
            sampler: &mut crate::shapes::sample::Sampler,
        ) -> Option<(Vec<u8>, String)> {
            match shape {
                $(($kind, $schema) => {
                    let entry = <($key, $value)>::deserialize(sampler).unwrap();
                    Some((codec::encode_state(&entry).unwrap(), format!("{entry:?}")))
                })*
                $(($old_kind, $old_schema) => {
                    let entry = <($old_key, $old_value)>::deserialize(sampler).unwrap();
                    Some((codec::encode_state(&entry).unwrap(), format!("{entry:?}")))
                })*
                _ => None,
            }
        }
    };
}

use holdfast_engine::backup::state as backup;
use holdfast_engine::configuration::state as configuration;
use holdfast_engine::dependency::state as dependency;
use holdfast_engine::hook::state as hook;
use holdfast_engine::namespace::state as namespace;
use holdfast_engine::repository::state as repository;
use holdfast_engine::restore::state as restore;
use holdfast_engine::retention::state as retention;
use holdfast_engine::schedule::state as schedule;
use holdfast_engine::snapshot::state as snapshot;
use holdfast_engine::storage::state as storage;

maps! { State: { seq epoch last_at leader gaps references limits index }
    0x0002 1 namespaces: Uid => namespace::Namespace;
    0x0003 1 dependencies: Uid => dependency::Dependency;
    0x0004 1 storages: Uid => storage::Storage;
    0x0005 1 retentions: Uid => retention::RetentionPolicy;
    0x0006 1 hooks: Uid => hook::HookTemplate;
    0x0007 1 configurations: Uid => configuration::Configuration;
    0x0008 1 schedules: Uid => BTreeMap<String, schedule::Schedule>;
    0x0009 1 repositories: Uid => repository::Repository;
    0x000A 1 backups: Uid => backup::Backup;
    0x000B 1 snapshots: Uid => snapshot::Snapshot;
    0x000C 1 restores: Uid => restore::Restore;
    0x000D 1 outbox: EffectId => effect::Once;
    0x000E 1 waiting: u64 => reaction::Reaction;
    0x0020 1 names: (StreamKind, Key) => Uid;
    0x0021 1 objects: TypedRef => Uid;
    0x0022 1 bound: Made => Uid;
}

const LOG_SHAPE: Shape = Shape {
    kind: LOG,
    schema: 1,
    newest: true,
    name: "log",
    key: "seq: u64",
    value: "epoch: u64, last_at: Timestamp, leader: String, gaps: Vec<(u64, u64)>, references: References, limits: Limits",
};

/// All shapes of the state, in the order of their records.
pub(crate) fn all() -> impl Iterator<Item = &'static Shape> {
    std::iter::once(&LOG_SHAPE).chain(MAPS)
}

/// Rises whenever a shape does or one is added: hashes of states are comparable while it stays.
pub(crate) fn schema() -> u16 {
    all().filter(|shape| shape.newest).map(|shape| shape.schema).sum()
}

/// Writes the canonical bytes of a state.
pub(crate) fn write(sink: &mut dyn Sink, state: &State) -> Result<(), Error> {
    let State { seq, epoch, last_at, references, limits, .. } = *state;
    let (leader, gaps) = (state.leader.clone(), state.gaps.clone());
    let log = Log { epoch, last_at, leader, gaps, references, limits };
    let written = codec::encode_state(&(seq, log)).and_then(|bytes| {
        put(sink, (LOG, LOG_SHAPE.schema), &bytes);
        put_maps(sink, state)
    });
    written.map_err(|e| Error::Encode { what: "the state", reason: e.to_string() })
}

/// Takes a record of the state; `None` if this release cannot.
pub(crate) fn take(state: &mut State, shape: (u16, u16), bytes: &[u8]) -> Option<()> {
    if shape != (LOG, LOG_SHAPE.schema) {
        return take_entry(state, shape, bytes).ok()?.then_some(());
    }
    let (seq, log): (u64, Log) = codec::decode_state(bytes).ok()?;
    let Log { epoch, last_at, leader, gaps, references, limits } = log;
    (state.seq, state.epoch, state.last_at) = (seq, epoch, last_at);
    (state.leader, state.gaps) = (leader, gaps);
    (state.references, state.limits) = (references, limits);
    Some(())
}

/// The canonical bytes of a state: equal for equal states, on every machine and in every release that
/// has the same shapes.
///
/// # Errors
/// [`Error::Encode`] if an object is larger than a checkpoint may be.
pub fn state_bytes(state: &State) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    write(&mut bytes, state).map(|()| bytes)
}

/// The state of canonical bytes, also of an earlier release; `None` if these are none, or of a later one.
#[must_use]
pub fn state_of(bytes: &[u8]) -> Option<State> {
    let mut state = State::default();
    let mut left = Take(bytes);
    while !left.0.is_empty() {
        let (shape, record) = next(&mut left)?;
        take(&mut state, shape, record)?;
    }
    state.reindex();
    Some(state)
}

/// The hash of a state: BLAKE3 of its canonical bytes.
#[must_use]
pub fn state_hash(state: &State) -> Hash {
    let mut hasher = blake3::Hasher::new();
    // What is too large for a checkpoint is hashed as far as it goes.
    let _ = write(&mut hasher, state);
    Hash(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_in_order_and_below_the_logs_own() {
        let newest: Vec<u16> = all().filter(|s| s.newest).map(|s| s.kind).collect();
        assert!(newest.is_sorted_by(|a, b| a < b) && newest.iter().all(|k| *k < BEHIND_STATE));
    }

    #[test]
    fn a_shape_that_is_not_known_is_refused_and_so_are_other_bytes() {
        let mut state = State::default();
        assert!(take(&mut state, (0x0039, 1), b"").is_none());
        assert!(take(&mut state, (LOG, 2), b"").is_none());
        assert!(take(&mut state, (0x0002, 1), b"no namespace").is_none());
        assert_eq!(state, State::default());
    }

    /// How an earlier schema is read; the state's own shapes have only one so far.
    mod upcast {
        use super::*;

        #[derive(Debug, Default, PartialEq)]
        struct Small {
            seq: u64,
            names: BTreeMap<Uid, Named>,
        }

        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Named {
            name: String,
            labels: u32,
        }

        #[derive(Debug, Serialize, Deserialize)]
        struct NamedBefore {
            name: String,
        }

        impl From<NamedBefore> for Named {
            fn from(old: NamedBefore) -> Self {
                Self { name: old.name, labels: 0 }
            }
        }

        maps! { Small: { seq }
            0x0002 2 names: Uid => Named;
            was 0x0002 1 names: Uid => NamedBefore;
        }

        #[test]
        fn an_earlier_schema_is_read_into_the_newest_and_written_as_that() {
            let key = Uid([7; 16]);
            let old = codec::encode_state(&(key, NamedBefore { name: "a".into() })).unwrap();
            let mut state = Small { seq: 1, names: BTreeMap::new() };
            assert!(take_entry(&mut state, (2, 1), &old).unwrap());
            assert_eq!(state.names[&key], Named { name: "a".into(), labels: 0 });
            let mut bytes = Vec::new();
            put_maps(&mut bytes, &state).unwrap();
            let (shape, entry) = next(&mut Take(&bytes)).unwrap();
            let mut again = Small { seq: 1, names: BTreeMap::new() };
            assert!(shape == (2, 2) && take_entry(&mut again, shape, entry).unwrap());
            assert_eq!(again, state);
            assert!(!take_entry(&mut again, (2, 3), entry).unwrap());
            let mut sampler = crate::shapes::sample::Sampler::default();
            assert!(sample_entry((2, 1), &mut sampler).is_some());
            assert_eq!(MAPS.iter().filter(|shape| shape.newest).count(), 1);
        }
    }
}
