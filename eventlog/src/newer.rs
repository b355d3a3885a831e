//! A log that a newer release has written to: every verb reads it, and only the streams concerned are
//! read-only. The bytes are made by hand, as that release would.

use std::collections::BTreeMap;

use holdfast_engine::{
    Actor, Command, CommandId, Envelope, Recorded, StreamId, StreamKind, Timestamp, Uid, namespace,
};

use crate::audit::audit;
use crate::chain::Chain;
use crate::export::Export;
use crate::files::{Files, Memory};
use crate::frame::{Intro, Kind};
use crate::journal::directory::Directory;
use crate::journal::scan::{Scan, acknowledged, beginning};
use crate::journal::writer::Writer;
use crate::ledger::{Answer, Ledger, Refusal};
use crate::limits::MIN_SEGMENT_BYTES;
use crate::open::Options;
use crate::reader::Reader;
use crate::record::{HEADER_BYTES, Header, StreamKey};
use crate::replay::Until;

const CODEC: u8 = 1;

fn options() -> Options {
    Options {
        segment_bytes: 4 * MIN_SEGMENT_BYTES,
        checkpoint_every_events: 1_000,
        ..Options::default()
    }
}

fn open(memory: &Memory) -> Ledger {
    Ledger::open_in(&Files::memory(memory), options()).unwrap()
}

fn reader(memory: &Memory) -> Reader {
    Reader::open_in(&Files::memory(memory), None).unwrap()
}

/// A command about a namespace; each has an id of its own.
fn seen(uid: u8, number: u8) -> Envelope {
    let labels = BTreeMap::from([("n".to_owned(), number.to_string())]);
    let uid = Uid([uid; 16]);
    let command = namespace::Command::Observe {
        uid,
        name: format!("n{uid}"),
        labels,
        allowed_namespaces: None,
    };
    Envelope {
        id: CommandId([number; 16]),
        at: Timestamp(i64::from(number)),
        actor: Actor::Operator,
        epoch: 0,
        command: Command::Namespace(command),
    }
}

fn stream(kind: StreamKind, uid: u8) -> StreamKey {
    StreamKey { kind: kind as u8, uid: Uid([uid; 16]) }
}

/// What a record of a newer release says of itself.
struct Newer {
    stream: StreamKey,
    event_type: u16,
    schema: u16,
    codec: u8,
}

/// Appends one frame with these records.
fn append(memory: &Memory, records: &[Newer]) {
    let (dir, chain) = (Directory::new(Files::memory(memory)), Chain::default());
    let (generation, head) = acknowledged(&dir, &chain).unwrap();
    let mut versions: BTreeMap<StreamKey, u32> = BTreeMap::new();
    let mut scan = Scan::new(&dir, &chain, beginning(&dir, &chain).unwrap(), head).unwrap();
    while let Some(found) = scan.next().unwrap() {
        versions.extend(found.records.iter().map(|(header, _)| (header.stream, header.version)));
    }
    let mut content = Vec::new();
    for (seq, Newer { stream, event_type, schema, codec }) in (head.seq + 1..).zip(records) {
        let version = versions.entry(*stream).or_default();
        *version += 1;
        let header = Header {
            seq,
            epoch: head.epoch,
            at: Timestamp(5),
            cause: CommandId([200; 16]),
            stream: *stream,
            version: *version,
            event_type: *event_type,
            schema: *schema,
            codec: *codec,
            length: 5,
        };
        header.encode(&mut content);
        content.extend_from_slice(b"newer");
    }
    assert_eq!(content.len(), records.len() * (HEADER_BYTES + 5));
    let segment = 4 * MIN_SEGMENT_BYTES;
    let at = scan.position();
    let mut writer =
        Writer::resume(dir.clone(), chain.clone(), segment, (generation, head), at).unwrap();
    let count = u32::try_from(records.len()).unwrap();
    let intro = Intro { kind: Kind::Events, count, first_seq: head.seq + 1, epoch: head.epoch };
    writer.make_room().unwrap();
    writer.append(intro, &content).unwrap();
}

/// Every kind of thing that an earlier release does not know: a type, a schema, a codec, a kind of
/// stream, and a kind of effect, each about another object.
fn records() -> Vec<Newer> {
    let newer = |stream, event_type, schema, codec| Newer { stream, event_type, schema, codec };
    let unknown_kind = StreamKey { kind: 200, uid: Uid([5; 16]) };
    vec![
        newer(stream(StreamKind::Namespace, 1), 0x02FF, 1, CODEC),
        newer(stream(StreamKind::Namespace, 2), 0x0201, 99, CODEC),
        newer(stream(StreamKind::Namespace, 3), 0x0201, 1, CODEC + 1),
        newer(stream(StreamKind::Outbox, 4), 0x0DFE, 1, CODEC),
        newer(unknown_kind, 0xC801, 1, CODEC),
    ]
}

/// Namespaces 1 to 4, then what a newer release wrote about 1, 2, 3 and the outbox of 4.
fn log() -> Memory {
    let memory = Memory::default();
    let mut ledger = open(&memory);
    for uid in 1..=4 {
        ledger.submit(&[seen(uid, uid)]).unwrap();
    }
    drop(ledger);
    append(&memory, &records());
    memory
}

/// Only the streams concerned refuse.
fn refuses(ledger: &mut Ledger, number: u8) {
    for uid in 1..=4 {
        let answers = ledger.submit(&[seen(uid, number + uid)]).unwrap().answers;
        let id = StreamId { kind: StreamKind::Namespace, uid: Uid([uid; 16]) };
        match answers.as_slice() {
            [Answer::Refused(Refusal::ReadOnlyStream(refused))] => {
                assert!(uid < 4 && *refused == id, "namespace {uid}");
            }
            [Answer::Recorded { .. }] => assert_eq!(uid, 4),
            other => panic!("namespace {uid}: {other:?}"),
        }
    }
}

#[test]
fn only_the_streams_concerned_are_read_only_also_behind_a_checkpoint() {
    let memory = log();
    let mut ledger = open(&memory);
    assert_eq!(ledger.state().seq, 9);
    refuses(&mut ledger, 10);
    let mark = ledger.checkpoint().unwrap();
    assert_eq!(mark.unread, 5);
    drop(ledger);
    let mut ledger = open(&memory.killed());
    refuses(&mut ledger, 20);
    let outbox = stream(StreamKind::Outbox, 4);
    assert!(ledger.state().outbox.is_empty(), "nobody carries out what nobody knows: {outbox:?}");
    ledger.close().unwrap();
}

#[test]
fn every_verb_reads_on() {
    let memory = log();
    refuses(&mut open(&memory), 10);
    let reader = reader(&memory);
    assert_eq!(reader.range(1, 20).unwrap().len(), 5, "what is known");
    let one = StreamId { kind: StreamKind::Namespace, uid: Uid([1; 16]) };
    assert_eq!(reader.stream(one).unwrap().len(), 1);
    for until in [Until::End, Until::Seq(7), Until::Time(Timestamp(4))] {
        assert!(reader.state_at(until).unwrap().namespaces.len() == 4);
    }
    let report = audit(&reader).unwrap();
    assert_eq!((report.events, report.findings.len()), (10, 5), "{:?}", report.findings);
    let export = Export::of(&reader).unwrap();
    let root = tempfile::tempdir().unwrap();
    export.import(root.path(), None).unwrap();
    let mut imported = Ledger::open(root.path(), options()).unwrap();
    assert_eq!(imported.state().seq, 10);
    refuses(&mut imported, 30);
    let known: Vec<Recorded> = imported.stream(one).unwrap();
    assert_eq!(known.len(), 1);
    imported.close().unwrap();
}
