//! Properties that hold for whatever is asked in whatever order.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use holdfast_engine::ids::TypedRef;
use holdfast_engine::{
    Actor, Command, CommandId, Envelope, Recorded, Timestamp, Uid, dependency, lease, namespace,
};
use holdfast_eventlog::audit::audit;
use holdfast_eventlog::{Answer, Fold, Ledger, Options, Reader, Until, drive, state_hash};
use proptest::prelude::*;

use support::EPOCH_MS;

fn options() -> Options {
    Options { segment_bytes: 4096, checkpoint_every_events: 7, ..Options::default() }
}

fn commands() -> impl Strategy<Value = Command> {
    let uid = (0_u8..4).prop_map(|n| Uid([n; 16]));
    prop_oneof![
        2 => "[a-z]{0,40}".prop_map(|holder| Command::Lease(lease::Command::Begin { holder })),
        4 => (uid.clone(), "[a-z]{1,9}", 0_u8..3).prop_map(|(uid, name, label)| {
            let labels = [("l".to_owned(), label.to_string())].into();
            Command::Namespace(namespace::Command::Observe { uid, name, labels, allowed_namespaces: None })
        }),
        1 => uid.clone().prop_map(|uid| Command::Namespace(namespace::Command::Forget { uid })),
        2 => (uid, any::<bool>()).prop_map(|(uid, supported)| {
            let facts = dependency::Facts::Function { supported };
            let (object, hash) = (TypedRef::default(), holdfast_engine::Hash::default());
            Command::Dependency(dependency::Command::Observe { uid, object, hash, facts })
        }),
    ]
}

/// Ids repeat now and then, times run back, and some askers are of an old term.
fn envelopes() -> impl Strategy<Value = Vec<Envelope>> {
    let one = (0_u8..30, 1_u64..6, -50_i64..500, commands());
    let envelope = |(id, epoch, ms, command)| Envelope {
        id: CommandId([id; 16]),
        at: Timestamp(EPOCH_MS + ms),
        actor: Actor::Operator,
        epoch,
        command,
    };
    proptest::collection::vec(one.prop_map(envelope), 1..40)
}

/// Submits in batches of these sizes, in turn.
fn submit(ledger: &mut Ledger, all: &[Envelope], sizes: &[usize]) -> (Vec<Answer>, Vec<Recorded>) {
    let (mut answers, mut recorded) = (Vec::new(), Vec::new());
    let mut sizes = sizes.iter().cycle();
    while answers.len() < all.len() {
        let end = all.len().min(answers.len() + sizes.next().unwrap());
        let submitted = ledger.submit(&all[answers.len()..end]).unwrap();
        answers.extend(submitted.answers);
        recorded.extend(submitted.recorded);
    }
    (answers, recorded)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 10))]

    #[test]
    fn batched_is_one_by_one_and_replay_is_live(
        all in envelopes(),
        sizes in proptest::collection::vec(1_usize..12, 1..5),
    ) {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut single = Ledger::open(one.path(), options()).unwrap();
        let mut batched = Ledger::open(other.path(), options()).unwrap();
        let expected = submit(&mut single, &all, &[1]);
        let got = submit(&mut batched, &all, &sizes);
        prop_assert_eq!(&got, &expected);
        prop_assert_eq!(batched.state(), single.state());

        let state = batched.state().clone();
        drop(batched);
        let reader = Reader::open(other.path(), None).unwrap();
        let mut fold = Fold::default();
        drive(&reader, &mut fold, Until::End).unwrap();
        prop_assert_eq!(state_hash(&fold.state), state_hash(&state));
        prop_assert_eq!(reader.state_at(Until::End).unwrap(), state.clone());
        let report = audit(&reader).unwrap();
        prop_assert!(report.is_clean(), "{:?}", report.findings);

        let mut again = Ledger::open(other.path(), options()).unwrap();
        prop_assert_eq!(again.state(), &state);
        let (answers, recorded) = submit(&mut again, &all, &sizes);
        let repeats = |answer: &Answer| !matches!(answer, Answer::Recorded { .. });
        for (first, second) in expected.0.iter().zip(&answers) {
            if let Answer::Recorded { first, last } = first {
                prop_assert_eq!(second, &Answer::Repeated { first: *first, last: *last });
            }
        }
        prop_assert!(recorded.is_empty() == answers.iter().all(repeats));
    }
}
