//! The fold of a log: the engine's state, and where each stream stands.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_engine::{Event, Illegal, Recorded, State, StreamKind, Timestamp, apply};

use crate::record::{Header, StreamKey};
use crate::replay::Machine;

/// What a stream has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamEnd {
    /// Events in it.
    pub(crate) version: u32,
    /// It holds an event that this release does not know.
    pub(crate) read_only: bool,
}

/// A shape that was met and is not known to this release: codec, event type, schema.
pub(crate) type Unread = (u8, u16, u16);

/// The state of the engine, and where each stream that has not ended stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fold {
    /// The fold of all events so far.
    pub state: State,
    pub(crate) streams: BTreeMap<StreamKey, StreamEnd>,
    /// What was kept unread: the state is not that of a release that knows it.
    pub(crate) unread: BTreeSet<Unread>,
}

impl Machine for Fold {
    /// What stands in a stream behind something unread is unread as well; so is what cannot follow because
    /// of it, with all of its stream.
    fn record(&mut self, recorded: &Recorded) -> Result<(), Illegal> {
        let id = recorded.event.stream();
        let key = StreamKey::from(id);
        if self.streams.get(&key).is_some_and(|end| end.read_only) {
            self.pass(recorded.seq, recorded.at);
            return Ok(());
        }
        match apply(&mut self.state, recorded) {
            Err(_) if !self.unread.is_empty() && recorded.seq == self.state.seq + 1 => {
                self.leave(key);
                self.pass(recorded.seq, recorded.at);
            }
            applied => {
                applied?;
                self.let_go(&recorded.event, key);
            }
        }
        Ok(())
    }

    fn header(&mut self, header: &Header) {
        self.streams.entry(header.stream).or_default().version = header.version;
    }

    /// The event happened, so the log goes on; its stream cannot be decided about any more.
    fn unknown(&mut self, header: &Header) {
        self.unread.insert((header.codec, header.event_type, header.schema));
        self.leave(header.stream);
        self.pass(header.seq, header.at);
    }
}

impl Fold {
    /// A stream can no longer be written.
    fn leave(&mut self, stream: StreamKey) {
        self.streams.entry(stream).or_default().read_only = true;
    }

    /// Lets a stream go that has ended, with the outbox of its object; an outbox lives as long as that.
    fn let_go(&mut self, event: &Event, stream: StreamKey) {
        let outbox = StreamKey { kind: StreamKind::Outbox as u8, ..stream };
        let lives = |streams: &BTreeMap<StreamKey, StreamEnd>| {
            (0..outbox.kind).any(|kind| streams.contains_key(&StreamKey { kind, ..stream }))
        };
        let ended = match stream == outbox {
            true => !lives(&self.streams),
            false => event.ends_stream(),
        };
        for key in [stream, outbox].iter().filter(|_| ended) {
            if self.streams.get(key).is_some_and(|end| !end.read_only) {
                self.streams.remove(key);
            }
        }
    }

    fn pass(&mut self, seq: u64, at: Timestamp) {
        self.state.seq = seq;
        self.state.last_at = at;
    }
}

#[cfg(test)]
mod tests {
    use holdfast_engine::{CommandId, Event, Uid, namespace};

    use super::*;

    fn header(seq: u64, stream: StreamKey, event_type: u16) -> Header {
        Header {
            seq,
            epoch: 1,
            at: Timestamp(1),
            cause: CommandId::default(),
            stream,
            version: 1,
            event_type,
            schema: 1,
            codec: 1,
            length: 0,
        }
    }

    fn namespace(uid: u8) -> StreamKey {
        StreamKey { kind: StreamKind::Namespace as u8, uid: Uid([uid; 16]) }
    }

    fn record(fold: &mut Fold, event: namespace::Event) -> Result<(), Illegal> {
        let event = Event::Namespace(event);
        let seq = fold.state.seq + 1;
        fold.header(&header(seq, StreamKey::from(event.stream()), 0x0201));
        let (at, cause) = (Timestamp(1), CommandId::default());
        fold.record(&Recorded { seq, at, cause, epoch: 1, event })
    }

    fn seen(uid: u8) -> namespace::Event {
        let labels = BTreeMap::new();
        namespace::Event::Observed {
            uid: Uid([uid; 16]),
            name: format!("n{uid}"),
            labels,
            allowed_namespaces: None,
        }
    }

    fn gone(uid: u8) -> namespace::Event {
        namespace::Event::Gone { uid: Uid([uid; 16]), name: format!("n{uid}") }
    }

    #[test]
    fn a_stream_that_ended_is_let_go() {
        let mut fold = Fold::default();
        record(&mut fold, seen(1)).unwrap();
        record(&mut fold, seen(2)).unwrap();
        record(&mut fold, gone(1)).unwrap();
        assert!(fold.streams.into_keys().eq([namespace(2)]));
    }

    #[test]
    fn only_the_stream_of_something_unread_is_left() {
        let mut fold = Fold::default();
        record(&mut fold, seen(1)).unwrap();
        fold.unknown(&header(2, namespace(1), 0x02FF));
        record(&mut fold, gone(1)).unwrap();
        record(&mut fold, seen(2)).unwrap();
        assert!(fold.streams[&namespace(1)].read_only && !fold.streams[&namespace(2)].read_only);
        assert_eq!((fold.state.seq, fold.state.namespaces.len()), (4, 2), "left as it was");
        assert_eq!(fold.unread.len(), 1);
    }

    #[test]
    fn what_cannot_follow_is_illegal_unless_something_is_unread() {
        let mut fold = Fold::default();
        assert!(record(&mut fold, gone(1)).is_err());
        let mut fold = Fold::default();
        fold.unknown(&header(1, namespace(9), 0x02FF));
        record(&mut fold, gone(1)).unwrap();
        assert!(fold.streams[&namespace(1)].read_only);
        assert_eq!(fold.state.seq, 2);
    }

    #[test]
    fn an_outbox_is_let_go_with_its_object_and_one_that_is_unread_stays() {
        let outbox = |uid| StreamKey { kind: StreamKind::Outbox as u8, uid: Uid([uid; 16]) };
        let mut fold = Fold::default();
        record(&mut fold, seen(1)).unwrap();
        record(&mut fold, seen(2)).unwrap();
        fold.header(&header(3, outbox(1), 0x0D01));
        fold.unknown(&header(3, outbox(2), 0x0DFF));
        record(&mut fold, gone(1)).unwrap();
        record(&mut fold, gone(2)).unwrap();
        assert!(fold.streams.into_keys().eq([outbox(2)]));
    }
}
