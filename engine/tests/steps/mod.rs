//! Which event may happen to a session at which step, and where it leads.

use holdfast_engine::dependency::Driver;
use holdfast_engine::hook::{Run as Try, Stage};
use holdfast_engine::run::limit::Lack;
use holdfast_engine::run::phase::{Step, next};
use holdfast_engine::run::{Component, Event, Worker};
use holdfast_engine::survey::Surroundings;
use holdfast_engine::{Millis, Outcome, Uid};

use crate::world::outside;

const STEPS: [(Step, char); 10] = [
    (Step::Created, 'c'),
    (Step::Queued, 'q'),
    (Step::Preparing, 'p'),
    (Step::Surveying, 's'),
    (Step::Planning, 'l'),
    (Step::Working, 'w'),
    (Step::Closing, 'o'),
    (Step::Retaining, 'r'),
    (Step::Skipped, 'k'),
    (Step::Finished, 'f'),
];

/// Every event; hooks once for each stage and outcome, because they differ by them. Behind it the
/// steps that it leads to from those of [`STEPS`], in their order; a dot is illegal.
fn table() -> Vec<(Event, &'static str)> {
    let uid = Uid::default();
    let text = || String::from("x");
    let run = |stage| Try { stage, index: 0, number: 1 };
    let (pre, post) = (Stage::Pre, Stage::Post);
    let good = || Outcome::Succeeded;
    let bad = || Outcome::Failed(outside::failure("X", "x"));
    let finished = |stage, outcome| Event::HooksFinished { uid, stage, outcome };
    let ended = |stage, outcome| Event::HookEnded { uid, run: run(stage), outcome };
    let (component, number) = (text(), 1);
    let worker = Worker { job: uid, pod: uid };
    let planned = Event::ComponentPlanned { uid, asked: text(), component: planned() };
    let ended_component = Event::ComponentEnded {
        uid,
        component: text(),
        number,
        outcome: good(),
        duration: Millis(0),
        reported: true,
    };
    vec![
        (Event::Surveyed { uid, components: 1, storages: vec![] }, "...l......"),
        (planned, "....l....."),
        (Event::HookStarted { uid, run: run(pre) }, "....l....."),
        (Event::HookStarted { uid, run: run(post) }, ".....oo..."),
        (ended(pre, good()), "....l.o..."),
        (ended(pre, bad()), "....l.o..."),
        (ended(post, good()), "......o..."),
        (ended(post, bad()), "......o..."),
        (finished(pre, good()), "....l.o..."),
        (finished(pre, bad()), "....o.o..."),
        (finished(post, good()), "......o..."),
        (finished(post, bad()), "......o..."),
        (Event::AttemptStarted { uid, component: text(), number }, "....ww...."),
        (Event::QueuedForWorker { uid, lack: Lack::Cluster, limit: 1, left: None }, "....lw...."),
        (Event::WorkerObserved { uid, component, number, worker }, ".....w...."),
        (Event::ExecutorEnsured { uid }, ".....w...."),
        (Event::ExecutorNotEnsured { uid, message: text() }, "...oowo..."),
        (ended_component, ".....wo..."),
        (Event::DeadlineExceeded { uid }, "..ooooor.."),
        (Event::Cancelled { uid, cause: "x".into() }, "..ooooo..."),
    ]
}

fn planned() -> Component {
    Component {
        name: "dump".into(),
        driver: Driver::Restic,
        task: String::new(),
        params: vec![],
        pod: String::new(),
        node: String::new(),
        surroundings: Surroundings::default(),
        volumes: vec![],
    }
}

/// The table is what [`next`] says; what is refused is named as what it is.
pub fn every_event_at_every_step() {
    for (event, expected) in table() {
        let found: String = STEPS
            .iter()
            .map(|(step, _)| match next(*step, &event) {
                Ok(after) => STEPS.iter().find(|(known, _)| *known == after).expect("a step").1,
                Err(illegal) => {
                    let named = format!("{event:?}");
                    let named = named.split(' ').next();
                    assert_eq!((illegal.step, Some(illegal.event)), (*step, named));
                    '.'
                }
            })
            .collect();
        assert_eq!(found, expected, "{event:?}");
    }
}
