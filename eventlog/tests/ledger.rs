//! The ledger as the operator uses it.
//!
//! New terms of leadership are the simplest commands that always lead to one event.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::fs;
use std::path::Path;

use holdfast_engine::{
    Actor, Command, CommandId, Envelope, Rejection, StreamId, StreamKind, Timestamp, Uid, namespace,
};
use holdfast_eventlog::audit::audit;
use holdfast_eventlog::{
    Answer, Error, Ledger, Options, Proven, Reader, Refusal, Submitted, Until, limits,
};

use support::{filled, options, term};

fn answers(submitted: &Submitted) -> Vec<&'static str> {
    let word = |answer: &Answer| match answer {
        Answer::Recorded { .. } => "recorded",
        Answer::Repeated { .. } => "repeated",
        Answer::Nothing => "nothing",
        Answer::Refused(_) => "refused",
    };
    submitted.answers.iter().map(word).collect()
}

#[test]
fn what_was_answered_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = filled(dir.path(), 220);
    let (state, head) = (ledger.state().clone(), ledger.head());
    assert_eq!(head.seq, 220);
    assert!(head.segment > 1, "the log has rolled over");
    drop(ledger);
    let unclean = Ledger::open(dir.path(), options()).unwrap();
    assert_eq!((unclean.state(), unclean.head()), (&state, head));
    unclean.close().unwrap();
    let clean = Ledger::open(dir.path(), options()).unwrap();
    assert_eq!(clean.state(), &state);
    let reader = Reader::open(dir.path(), None).unwrap();
    assert_eq!(reader.state_at(Until::End).unwrap(), state);
    assert_eq!(reader.state_at(Until::Seq(120)).unwrap().seq, 120);
    let at = Timestamp(support::EPOCH_MS + 77);
    assert_eq!(reader.state_at(Until::Time(at)).unwrap().seq, 77);
}

#[test]
fn the_same_command_has_one_effect_and_one_answer() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = filled(dir.path(), 6);
    let first = ledger.submit(&[term(7, "a"), term(8, "b"), term(7, "a")]).unwrap();
    assert_eq!(answers(&first), ["recorded", "recorded", "repeated"]);
    let repeated = [Answer::Repeated { first: 7, last: 7 }];
    let ask = |ledger: &mut Ledger| {
        let again = ledger.submit(&[term(7, "a")]).unwrap();
        assert_eq!(again.answers, repeated);
        assert!(again.recorded.is_empty());
        assert_eq!(ledger.head().seq, 8);
    };
    ask(&mut ledger);
    drop(ledger);
    let mut rebuilt = Ledger::open(dir.path(), options()).unwrap();
    ask(&mut rebuilt);
    rebuilt.close().unwrap();
    ask(&mut Ledger::open(dir.path(), options()).unwrap());
}

#[test]
fn a_thousand_times_the_same_command_is_one_event() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = filled(dir.path(), 1);
    let submitted = ledger.submit(&vec![term(2, "me"); 1000]).unwrap();
    let words = answers(&submitted);
    assert_eq!((words[0], submitted.recorded.len()), ("recorded", 1));
    assert!(words[1..].iter().all(|word| *word == "repeated"));
}

#[test]
fn a_subscriber_that_lags_too_far_behind_is_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = filled(dir.path(), 0);
    let news = ledger.subscribe();
    let batches = u64::try_from(limits::SUBSCRIBER_BATCHES).unwrap();
    for epoch in 1..=batches + 1 {
        ledger.submit(&[term(epoch, "me")]).unwrap();
    }
    let seen = news.iter().count();
    assert_eq!(seen, limits::SUBSCRIBER_BATCHES, "what fitted, then the end");
}

#[test]
fn an_event_above_the_limit_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 1024 * 1024, ..Options::default() };
    let mut ledger = Ledger::open(dir.path(), options).unwrap();
    let submitted = ledger.submit(&[term(1, &"x".repeat(64 * 1024)), term(2, "fits")]).unwrap();
    assert!(matches!(
        submitted.answers.as_slice(),
        [Answer::Refused(Refusal::TooLarge { .. }), Answer::Recorded { first: 1, last: 1 }]
    ));
    assert_eq!((ledger.head().seq, ledger.state().epoch), (1, 2));
}

#[test]
fn an_old_leader_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = filled(dir.path(), 1);
    let submitted = ledger.submit(&[term(3, "new"), term(2, "old")]).unwrap();
    let stale = Rejection::StaleEpoch { given: 2, current: 3 };
    assert_eq!(submitted.answers[1], Answer::Refused(stale.into()));
}

#[test]
fn a_batch_larger_than_a_frame_is_recorded_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = filled(dir.path(), 1);
    let name = "n".repeat(3000);
    let batch: Vec<_> = (2..=21).map(|n| term(n, &name)).collect();
    let submitted = ledger.submit(&batch).unwrap();
    assert_eq!(answers(&submitted), ["recorded"; 20]);
    assert!(submitted.recorded.iter().map(|r| r.seq).eq(2..=21));
}

#[test]
fn a_stream_is_found_by_the_index_and_by_reading() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = filled(dir.path(), 160);
    let id = StreamId { kind: StreamKind::Lease, uid: Uid::default() };
    let indexed = ledger.stream(id).unwrap();
    assert!(indexed.iter().map(|r| r.seq).eq(1..=160));
    assert_eq!(ledger.reader().unwrap().stream(id).unwrap(), indexed);
    assert_eq!(ledger.reader().unwrap().range(30, 40).unwrap(), indexed[29..40]);
    let other = StreamId { kind: StreamKind::Backup, uid: Uid::default() };
    assert!(ledger.stream(other).unwrap().is_empty());
}

#[test]
fn a_subscriber_sees_every_batch() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = filled(dir.path(), 1);
    let news = ledger.subscribe();
    ledger.submit(&[term(2, "a"), term(3, "b")]).unwrap();
    assert_eq!(news.recv().unwrap().len(), 2);
    drop(ledger);
    assert!(news.recv().is_err());
}

#[test]
fn a_second_owner_is_refused_and_told_who_holds_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let _ledger = filled(dir.path(), 1);
    match Ledger::open(dir.path(), options()) {
        Err(Error::Locked { holder, .. }) => assert_eq!(holder, std::process::id().to_string()),
        _ => panic!("two owners"),
    }
    assert_eq!(Reader::open(dir.path(), None).unwrap().head().seq, 1);
}

#[test]
fn foreign_files_and_an_index_that_is_garbage_are_no_obstacle() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 2).close().unwrap();
    fs::write(dir.path().join("journal/snap.17.generating"), b"torn").unwrap();
    fs::write(dir.path().join("index/db"), b"garbage").unwrap();
    let mut ledger = Ledger::open(dir.path(), options()).unwrap();
    assert_eq!(answers(&ledger.submit(&[term(1, "me")]).unwrap()), ["repeated"]);
}

#[test]
fn projections_last_over_a_clean_end_and_vanish_over_another() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = filled(dir.path(), 1);
    assert!(ledger.project("view", b"k", Some(b"v")));
    assert!(!ledger.project("view", b"k", Some(&[0; 5000])), "above 4 KiB");
    ledger.close().unwrap();
    let ledger = Ledger::open(dir.path(), options()).unwrap();
    assert_eq!(ledger.projection("view", b"k").as_deref(), Some(&b"v"[..]));
    drop(ledger);
    let ledger = Ledger::open(dir.path(), options()).unwrap();
    assert_eq!(ledger.projection("view", b"k"), None);
}

#[test]
fn settings_out_of_bounds_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let small = Options { segment_bytes: 100, ..Options::default() };
    assert!(matches!(Ledger::open(dir.path(), small), Err(Error::Setting { .. })));
}

/// The namespace of this number is seen, with a label of this number, or gone.
fn namespace(uid: u8, number: u16, seen: bool) -> Envelope {
    let (uid, name) = (Uid([uid; 16]), format!("n{uid}"));
    let labels = [("n".to_owned(), number.to_string())].into();
    let command = match seen {
        true => namespace::Command::Observe { uid, name, labels, allowed_namespaces: None },
        false => namespace::Command::Forget { uid },
    };
    let [high, low] = number.to_be_bytes();
    let mut id = [9; 16];
    (id[0], id[1]) = (high, low);
    let at = Timestamp(support::EPOCH_MS + i64::from(number));
    let (epoch, command) = (0, Command::Namespace(command));
    Envelope { id: CommandId(id), at, actor: Actor::Operator, epoch, command }
}

/// A way in which a process ends, with the log in a directory.
type End = fn(Ledger, &Path);

const RESTARTS: [(&str, End); 5] = [
    ("an unclean end", |ledger, _| drop(ledger)),
    ("a clean end", |ledger, _| ledger.close().unwrap()),
    ("a checkpoint and an unclean end", |mut ledger, _| assert!(ledger.checkpoint().is_ok())),
    ("the positions lost", |ledger, dir| {
        ledger.close().unwrap();
        fs::remove_dir_all(dir.join("positions")).unwrap();
    }),
    ("the index lost", |ledger, dir| {
        ledger.close().unwrap();
        fs::remove_dir_all(dir.join("index")).unwrap();
    }),
];

#[test]
fn a_stream_that_ended_and_is_written_again_goes_on_from_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut number = 0;
    let mut next = |uid, seen| {
        number += 1;
        namespace(uid, number, seen)
    };
    for round in 0..3 {
        for (restart, end) in RESTARTS {
            let mut ledger = Ledger::open(dir.path(), options()).unwrap();
            // Ended and begun again across batches, and within one.
            for batch in [
                vec![next(1, true)],
                vec![next(1, false)],
                vec![next(2, true), next(2, false), next(2, true), next(3, true)],
                vec![next(2, false), next(3, true)],
            ] {
                let submitted = ledger.submit(&batch).unwrap();
                assert_eq!(
                    submitted.recorded.len(),
                    batch.len(),
                    "round {round}, before {restart}"
                );
            }
            end(ledger, dir.path());
        }
    }
    let report = audit(&Reader::open(dir.path(), None).unwrap()).unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    let mut ledger = Ledger::open(dir.path(), options()).unwrap();
    for uid in 1..=3 {
        let id = StreamId { kind: StreamKind::Namespace, uid: Uid([uid; 16]) };
        let found = ledger.stream(id).unwrap();
        assert_eq!(found, ledger.reader().unwrap().stream(id).unwrap());
        assert!(found.len() >= 30);
    }
    // And every command is still known.
    for number in 1..=number {
        let again = ledger.submit(&[namespace(1, number, true)]).unwrap();
        assert_eq!(answers(&again), ["repeated"], "command {number}");
    }
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_tried_again_and_costs_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let in_the_way = dir.path().join("checkpoints");
    let mut ledger = Ledger::open(dir.path(), options()).unwrap();
    fs::write(&in_the_way, b"").unwrap();
    for epoch in 1..=120 {
        assert_eq!(answers(&ledger.submit(&[term(epoch, "me")]).unwrap()), ["recorded"]);
    }
    assert!(in_the_way.is_file());
    fs::remove_file(&in_the_way).unwrap();
    let mut epoch = 120;
    while fs::read_dir(&in_the_way).map_or(0, Iterator::count) == 0 {
        epoch += 1;
        assert_eq!(answers(&ledger.submit(&[term(epoch, "me")]).unwrap()), ["recorded"]);
        assert!(epoch < 2_000, "no checkpoint after many intervals");
    }
    let state = ledger.state().clone();
    drop(ledger);
    assert_eq!(Ledger::open(dir.path(), options()).unwrap().state(), &state);
}

#[test]
fn many_checkpoints_leave_two_and_the_positions_that_they_need() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(dir.path(), options()).unwrap();
    for epoch in 1..=400 {
        ledger.submit(&[term(epoch, "me")]).unwrap();
        if epoch % 20 == 0 {
            ledger.checkpoint().unwrap();
        }
    }
    ledger.close().unwrap();
    let count = |folder: &str| fs::read_dir(dir.path().join(folder)).unwrap().count();
    // The last two, and the one that the next checkpoint removes.
    assert!(count("checkpoints") <= 3, "{}", count("checkpoints"));
    assert!(count("positions") <= 20, "{}", count("positions"));
    let mut ledger = Ledger::open(dir.path(), options()).unwrap();
    for epoch in 1..=400 {
        assert_eq!(answers(&ledger.submit(&[term(epoch, "me")]).unwrap()), ["repeated"]);
    }
    let id = StreamId { kind: StreamKind::Lease, uid: Uid::default() };
    assert!(ledger.stream(id).unwrap().iter().map(|r| r.seq).eq(1..=400));
    assert_eq!(ledger.prove(), Proven::Whole);
}
