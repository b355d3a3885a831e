//! Power cuts and failing calls on a disk in memory, at every call of a run: what was acknowledged is there
//! afterwards, and nothing that was not asked for. (The same on real disks: `tests/crash.rs`, package e2e.)
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use holdfast_engine::{
    Actor, Command, CommandId, Envelope, Hash, Recorded, State, Timestamp, Uid, lease, namespace,
};
use holdfast_eventlog::audit::audit;
use holdfast_eventlog::{
    Answer, Error, Failure, Files, Ledger, Memory, Options, Reader, Refusal, Submitted, Until,
};
use proptest::prelude::*;

use support::{Chance, EPOCH_MS};

fn options() -> Options {
    Options { segment_bytes: 4096, checkpoint_every_events: 5, ..Options::default() }
}

fn open(memory: &Memory) -> Result<Ledger, Error> {
    Ledger::open_in(&Files::memory(memory), options())
}

fn reader(memory: &Memory) -> Reader {
    Reader::open_in(&Files::memory(memory), None).unwrap()
}

/// Batches of commands, each of which leads to one event at most. Ids never repeat.
fn batches() -> impl Strategy<Value = Vec<Vec<Envelope>>> {
    let command = prop_oneof![
        2 => "[a-z]{0,200}".prop_map(|holder| Command::Lease(lease::Command::Begin { holder })),
        3 => (0_u8..3, "[a-z]{1,300}", 0_u8..3).prop_map(|(uid, name, label)| {
            let labels = [("l".to_owned(), label.to_string())].into();
            let uid = Uid([uid; 16]);
            Command::Namespace(namespace::Command::Observe { uid, name, labels, allowed_namespaces: None })
        }),
        1 => (0_u8..3).prop_map(|uid| {
            Command::Namespace(namespace::Command::Forget { uid: Uid([uid; 16]) })
        }),
    ];
    let batch = proptest::collection::vec(command, 1..5);
    proptest::collection::vec(batch, 1..12).prop_map(|batches| {
        let mut place = 0_u64;
        let mut envelope = |command| {
            place += 1;
            Envelope {
                id: CommandId(u128::from(place).to_be_bytes()),
                at: Timestamp(EPOCH_MS + i64::try_from(place).unwrap()),
                actor: Actor::Operator,
                epoch: place,
                command,
            }
        };
        batches.into_iter().map(|batch| batch.into_iter().map(&mut envelope).collect()).collect()
    })
}

/// What a run that nothing disturbs comes to.
struct Undisturbed {
    recorded: Vec<Recorded>,
    states: Vec<State>,
    document: Hash,
    calls: u64,
}

fn document() -> &'static [u8] {
    b"{\"kind\":\"Namespace\"}"
}

fn undisturbed(batches: &[Vec<Envelope>]) -> Undisturbed {
    let memory = Memory::default();
    let mut ledger = open(&memory).unwrap();
    let document = ledger.attach(document()).unwrap();
    let mut recorded = Vec::new();
    for batch in batches {
        recorded.extend(ledger.submit(batch).unwrap().recorded);
    }
    ledger.close().unwrap();
    let last = recorded.len() as u64;
    let reader = reader(&memory);
    let states = (0..=last).map(|seq| reader.state_at(Until::Seq(seq)).unwrap()).collect();
    Undisturbed { recorded, states, document, calls: memory.calls() }
}

/// How far a run came before it was disturbed.
#[derive(Default)]
struct Disturbed {
    acknowledged: u64,
    attached: bool,
    asked: usize,
}

/// Runs until the disk fails for good; a full one is asked again, once.
fn run(memory: &Memory, batches: &[Vec<Envelope>]) -> Disturbed {
    let mut run = Disturbed::default();
    let Ok(mut ledger) = open(memory) else { return run };
    run.acknowledged = ledger.state().seq;
    run.attached = ledger.attach(document()).is_ok();
    for batch in batches {
        run.asked += 1;
        for _ in 0..2 {
            let Ok(submitted) = ledger.submit(batch) else {
                // A poisoned ledger shows nothing that was not acknowledged.
                assert!(ledger.state().seq <= run.acknowledged.max(ledger.head().seq));
                return run;
            };
            run.acknowledged = ledger.state().seq;
            if !is_full(&submitted) {
                break;
            }
        }
    }
    // Ends in order, or does not; nothing depends on it.
    let _ = ledger.close();
    run
}

fn is_full(submitted: &Submitted) -> bool {
    submitted.answers.iter().any(|a| matches!(a, Answer::Refused(Refusal::NoSpace(_))))
}

/// The log is whole, has what was acknowledged, and is a beginning of the undisturbed one.
fn prove(memory: &Memory, run: &Disturbed, whole: &Undisturbed, what: &str) -> u64 {
    let ledger = open(memory).unwrap_or_else(|error| panic!("{what}: {error}"));
    let seq = ledger.state().seq;
    assert!(seq >= run.acknowledged, "{what}: {} acknowledged, {seq} there", run.acknowledged);
    assert_eq!(ledger.state(), &whole.states[usize::try_from(seq).unwrap()], "{what}");
    if run.attached {
        assert!(ledger.attachment(&whole.document).unwrap().is_some(), "{what}: no document");
    }
    drop(ledger);
    let reader = reader(memory);
    let there = reader.range(1, seq).unwrap();
    assert_eq!(there, whole.recorded[..usize::try_from(seq).unwrap()], "{what}");
    // A document that nobody names yet is the only thing that may be found.
    let findings = audit(&reader).unwrap().findings;
    assert!(findings.iter().all(|f| f.what.contains("no event names")), "{what}: {findings:?}");
    seq
}

/// What is left can be gone on with to the same end.
fn go_on(memory: &Memory, batches: &[Vec<Envelope>], whole: &Undisturbed, what: &str) {
    let mut ledger = open(memory).unwrap();
    for batch in batches {
        ledger.submit(batch).unwrap();
    }
    assert_eq!(ledger.state(), whole.states.last().unwrap(), "{what}");
}

fn disturb(batches: &[Vec<Envelope>], failure: Failure, seeds: std::ops::Range<u64>) {
    let whole = undisturbed(batches);
    for call in 1..=whole.calls {
        let memory = Memory::default();
        memory.fail_at(call, failure);
        let run = run(&memory, batches);
        for seed in seeds.clone() {
            let what = format!("{failure:?} in call {call}, seed {seed}");
            let left = memory.power_cut(seed);
            // The next start is cut off as well, somewhere on its way.
            let mut chance = Chance(seed ^ call);
            let again = left.power_cut(seed);
            again.fail_at(1 + chance.below(40), Failure::Stop);
            drop(open(&again));
            prove(&again.power_cut(seed), &run, &whole, &format!("{what}, twice"));
            prove(&left, &run, &whole, &what);
            go_on(&left, batches, &whole, &what);
        }
        prove(&memory.killed(), &run, &whole, &format!("{failure:?} in call {call}, killed"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases((ProptestConfig::default().cases / 64).max(1)))]

    #[test]
    fn a_power_cut_in_any_call_costs_nothing_acknowledged(batches in batches()) {
        disturb(&batches, Failure::Stop, 0..3);
    }

    #[test]
    fn a_broken_disk_in_any_call_costs_nothing_acknowledged(batches in batches()) {
        disturb(&batches, Failure::Io, 0..2);
    }

    #[test]
    fn a_full_disk_in_any_call_costs_nothing_acknowledged(batches in batches()) {
        disturb(&batches, Failure::NoSpace, 0..1);
    }

    #[test]
    fn a_seed_reproduces_a_run(batches in batches(), call in 1_u64..200, seed: u64) {
        let left = |()| {
            let memory = Memory::default();
            memory.fail_at(call, Failure::Stop);
            run(&memory, &batches);
            let left = memory.power_cut(seed);
            open(&left).map(|ledger| (ledger.state().clone(), ledger.head(), left.calls())).ok()
        };
        prop_assert_eq!(left(()), left(()));
    }
}
