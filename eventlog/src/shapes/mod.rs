//! Frozen shapes: one struct for each (event type, schema), one file for each aggregate.
//!
//! The engine's `Event` is never encoded. A shape that was shipped never changes: its bytes lie in
//! `tests/golden/`, together with those of the engine's value types inside. A new shape is a new
//! schema number here, and the old one decodes through `From` into the new one.

use holdfast_engine::{Event, StreamKind};

use crate::codec::CodecError;

mod backup;
mod binding;
mod configuration;
mod dependency;
mod hook;
mod lease;
mod namespace;
mod outbox;
mod reaction;
mod repository;
mod restore;
mod retention;
mod schedule;
mod shape;
mod snapshot;
mod storage;

#[cfg(test)]
pub(crate) mod golden;
#[cfg(test)]
pub(crate) mod sample;

pub use shape::{Payload, Shape};

const AGGREGATES: [&[Shape]; 15] = [
    lease::SHAPES,
    namespace::SHAPES,
    dependency::SHAPES,
    storage::SHAPES,
    retention::SHAPES,
    hook::SHAPES,
    configuration::SHAPES,
    schedule::SHAPES,
    repository::SHAPES,
    backup::SHAPES,
    snapshot::SHAPES,
    restore::SHAPES,
    outbox::SHAPES,
    reaction::SHAPES,
    binding::SHAPES,
];

/// All shapes, by aggregate.
pub fn all() -> impl Iterator<Item = &'static Shape> {
    AGGREGATES.into_iter().flatten()
}

/// Whether this release knows a shape.
pub(crate) fn known(event_type: u16, schema: u16) -> bool {
    let [kind, _] = event_type.to_be_bytes();
    let aggregate = usize::from(kind).checked_sub(1).and_then(|index| AGGREGATES.get(index));
    aggregate.is_some_and(|shapes| {
        shapes.iter().any(|shape| (shape.event_type, shape.schema) == (event_type, schema))
    })
}

/// Name of an event's stream kind, for messages.
pub(crate) fn name(event: &Event) -> &'static str {
    let aggregate = usize::from(event.stream().kind as u8).checked_sub(1);
    let shape = aggregate.and_then(|index| AGGREGATES.get(index)).and_then(|all| all.first());
    shape.map_or("event", |shape| shape.stream)
}

/// The newest shape of an event, in bytes.
pub(crate) fn encode(event: &Event) -> Result<Payload, CodecError> {
    match event {
        Event::Lease(e) => lease::encode(e),
        Event::Namespace(e) => namespace::encode(e),
        Event::Dependency(e) => dependency::encode(e),
        Event::Storage(e) => storage::encode(e),
        Event::Retention(e) => retention::encode(e),
        Event::Hook(e) => hook::encode(e),
        Event::Configuration(e) => configuration::encode(e),
        Event::Schedule(e) => schedule::encode(e),
        Event::Repository(e) => repository::encode(e),
        Event::Backup(e) => backup::encode(e),
        Event::Snapshot(e) => snapshot::encode(e),
        Event::Restore(e) => restore::encode(e),
        Event::Outbox(e) => outbox::encode(e),
        Event::Reaction(e) => reaction::encode(e),
        Event::Binding(e) => binding::encode(e),
    }
}

/// The event of a shape's bytes; `None` for a shape that this release does not know.
pub(crate) fn decode(
    event_type: u16,
    schema: u16,
    bytes: &[u8],
) -> Result<Option<Event>, CodecError> {
    let [kind, _] = event_type.to_be_bytes();
    macro_rules! route {
        ($($kind:ident $module:ident)*) => {
            match kind {
                $(k if k == StreamKind::$kind as u8 => {
                    $module::decode(event_type, schema, bytes)?.map(Event::$kind)
                })*
                _ => None,
            }
        };
    }
    Ok(route! {
        Lease lease  Namespace namespace  Dependency dependency  Storage storage
        Retention retention  Hook hook  Configuration configuration  Schedule schedule
        Repository repository  Backup backup  Snapshot snapshot  Restore restore  Outbox outbox
        Reaction reaction  Binding binding
    })
}

/// A sample of a shape: its bytes, and the text of the event they stand for.
#[cfg(test)]
fn sample(shape: &Shape, sampler: &mut sample::Sampler) -> (Payload, String) {
    let Shape { event_type, schema, .. } = *shape;
    macro_rules! route {
        ($($module:ident $kind:ident)*) => {
            match shape.stream {
                $(stringify!($module) => {
                    let (bytes, event) = $module::sample((event_type, schema), sampler);
                    (bytes, Event::$kind(event))
                })*
                other => panic!("no stream {other}"),
            }
        };
    }
    let (bytes, event) = route! {
        lease Lease  namespace Namespace  dependency Dependency  storage Storage
        retention Retention  hook Hook  configuration Configuration  schedule Schedule
        repository Repository  backup Backup  snapshot Snapshot  restore Restore  outbox Outbox
        reaction Reaction  binding Binding
    };
    (Payload { event_type, schema, bytes }, format!("{event:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_carry_their_stream() {
        let mut seen = std::collections::BTreeSet::new();
        for (index, aggregate) in AGGREGATES.iter().enumerate() {
            for shape in *aggregate {
                assert_eq!(usize::from(shape.event_type >> 8), index + 1, "{}", shape.name);
                assert!(seen.insert((shape.event_type, shape.schema)), "{} twice", shape.name);
                assert!(known(shape.event_type, shape.schema));
            }
        }
        assert!(!known(0x0A01, 99) && !known(0xC801, 1) && !known(0, 1));
    }

    /// How an earlier schema is read; the engine's own events have only one so far.
    mod upcast {
        use holdfast_engine::lease::Event;

        use crate::shapes::shape::shapes;

        shapes! { lease
            0x0101 2 EpochBegan { holder: String }
            0x0102 1 LogGapAcknowledged { from: u64, to: u64 }
            0x0103 1 LimitsSet { limits: holdfast_engine::run::limit::Limits }
            0x0104 1 Configured { references: holdfast_engine::usage::References }
            was 0x0101 1 EpochBeganBefore { } => EpochBegan
        }

        impl From<EpochBeganBefore> for EpochBegan {
            fn from(_: EpochBeganBefore) -> Self {
                Self { holder: "unknown".into() }
            }
        }

        #[test]
        fn an_earlier_schema_decodes_into_the_newest() {
            let old = crate::codec::encode_event(&EpochBeganBefore {}).unwrap();
            let event = decode(0x0101, 1, &old).unwrap();
            assert_eq!(event, Some(Event::EpochBegan { holder: "unknown".into() }));
            let again = encode(&event.unwrap()).unwrap();
            assert_eq!((again.event_type, again.schema), (0x0101, 2));
            assert_eq!(decode(0x0101, 3, &again.bytes).unwrap(), None);
            assert_eq!(SHAPES.len(), 5);
            let (bytes, event) =
                sample((0x0101, 1), &mut crate::shapes::sample::Sampler::default());
            assert_eq!(decode(0x0101, 1, &bytes).unwrap(), Some(event));
        }
    }
}
