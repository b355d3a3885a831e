//! The table of faults of effects: each kind of once-effect with each fault, once, in a calm world.
//!
//! A row is `E-<effect>-<fault>`. Its end is either that of a run in which nothing went wrong, or what the row says: how
//! the objects that it befell are shown at the end. What always holds holds in every row.

use std::collections::BTreeSet;

use super::manifests::{self, Wanted};
use super::run::{Outcome, World};
use super::script::{Script, Step};
use super::weather::{Aimed, Fault, Weather, What};

/// What befalls an effect in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    /// The operator dies before it is done, and starts again.
    DiesBefore,
    /// The operator dies after it was done, and starts again.
    DiesAfter,
    /// It is done, and no answer comes for hours.
    NoAnswer,
    /// It is done, and answered by two.
    AnsweredTwice,
    /// It is done, and the answer comes after the deadline of its class.
    Late,
    /// The code for it breaks off.
    Panics,
    /// It is refused for good.
    Forbidden,
}

const ROWS: [Row; 7] = [
    Row::DiesBefore,
    Row::DiesAfter,
    Row::NoAnswer,
    Row::AnsweredTwice,
    Row::Late,
    Row::Panics,
    Row::Forbidden,
];

impl Row {
    fn aimed(self, what: What) -> Aimed {
        let (fault, late) = match self {
            Self::DiesBefore => (Fault::DiesBefore, 0),
            Self::DiesAfter => (Fault::DiesAfter, 0),
            Self::NoAnswer => (Fault::SilentlyDone, 0),
            Self::AnsweredTwice => (Fault::Twice, 5),
            Self::Late => (Fault::None, late(what)),
            Self::Panics => (Fault::Panics, 0),
            Self::Forbidden => (Fault::Forbidden, 0),
        };
        Aimed { what, fault, late, always: false }
    }
}

/// Milliseconds after which nobody waits any more: the deadline of its class, or of its session, and a minute.
fn late(what: What) -> u64 {
    let minutes = match what {
        What::RunHook => 21,
        What::WipeRepository | What::WipeBackend | What::RemoveSnapshot => 61,
        _ => 3,
    };
    minutes * 60_000
}

/// Rows that do not end as if nothing had happened, and a line that tells how they differ.
const ENDS: &[(What, &[Row], &str)] = &[
    // What never answers holds the turn of its storage for as long: sessions find it not ready, and are not held back.
    (What::InitializeBackend, &[Row::NoAnswer], NOT_MOVED),
    (What::InitializeRepository, &[Row::NoAnswer], NOT_MOVED),
    // Who may not is asked by nobody again: what stands in the way has to be changed.
    (What::InitializeRepository, &[Row::Forbidden], NOT_MOVED),
    (What::Survey, &[Row::NoAnswer, Row::Late, Row::Panics, Row::Forbidden], NOT_MOVED),
    // A try that broke off is followed by the next one of the same hook; the others have none left in time.
    (What::RunHook, &[Row::NoAnswer, Row::Late, Row::Forbidden], NOT_MOVED),
    // The worker works to its end, and its commit is in no snapshot: nothing takes it away with one.
    (
        What::StartWorker,
        &[Row::NoAnswer, Row::Late],
        "- 1 times deleted commit demo/store:app/0 one.pod-0.1",
    ),
    (What::StartWorker, &[Row::Panics, Row::Forbidden], NOT_MOVED),
    // Whoever cannot be stopped works to his end.
    (
        What::StopWorker,
        &[Row::Panics, Row::Forbidden],
        "+ 1 times created commit demo/store:app/0 three.pod-0.1",
    ),
    (
        What::UploadMetadata,
        &[Row::Panics, Row::Forbidden],
        "- 1 times created description demo/store:app/0 app-0-one",
    ),
];

/// The session that is struck moved nothing.
const NOT_MOVED: &str = "- 1 times created commit demo/store:app/0 one.pod-0.1";

fn id(what: What, row: Row) -> String {
    let dashed = |name: String| {
        let letters = name.chars().flat_map(|letter| {
            let dash = letter.is_uppercase().then_some('-');
            dash.into_iter().chain(letter.to_lowercase())
        });
        letters.collect::<String>()
    };
    format!("E{}{}", dashed(format!("{what:?}")), dashed(format!("{row:?}")))
}

/// A user who makes every kind of effect happen, one after the other; sessions have so much time.
pub(super) fn script(timeout: &'static str) -> Script {
    let wanted = Wanted {
        name: "app".into(),
        storage: "store".into(),
        repositories: 1,
        hooks: true,
        retries: 0,
        timeout,
        schedule: "0 1 * * *",
        concurrency: "Allow",
        suspended: true,
        paused: false,
        deletion: "WipeOut",
    };
    let mut all = manifests::base();
    all.extend([
        manifests::storage("store", "WipeOut"),
        manifests::policy(1),
        manifests::hook("freeze"),
        manifests::hook("thaw"),
        manifests::workload("app", 1),
        manifests::configuration(&wanted),
    ]);
    let session = |name: &str| manifests::session(name, "app");
    let name = super::cluster::name_of;
    let step = |minutes: i64, puts, removes| Step {
        at: minutes * 60_000,
        says: String::new(),
        puts,
        removes,
    };
    let restore = manifests::restore("back", "app-0", "app", timeout);
    let (configuration, store) =
        (manifests::configuration(&wanted), manifests::storage("store", ""));
    let steps = vec![
        step(0, all, vec![]),
        step(90, vec![session("one")], vec![]),
        // Retention takes the first one away.
        step(180, vec![session("two")], vec![]),
        step(270, vec![restore], vec![]),
        step(360, vec![session("three")], vec![]),
        // It works for ninety seconds.
        step(361, vec![], vec![name(&session("three"))]),
        step(450, vec![], vec![name(&configuration)]),
        step(540, vec![], vec![name(&store)]),
    ];
    Script { steps, ..Script::default() }
}

fn run(aimed: Option<Aimed>) -> Outcome {
    let world = World::new(script("20m"), |time| match aimed {
        Some(aimed) => Weather::aimed(time, aimed),
        None => Weather::calm(time),
    });
    world.run()
}

/// How a run differs from one in which nothing went wrong.
fn differs(calm: &Outcome, outcome: &Outcome) -> Vec<String> {
    let of = |outcome: &Outcome| outcome.lines.iter().cloned().collect::<BTreeSet<_>>();
    let (calm, is) = (of(calm), of(outcome));
    let gone = calm.difference(&is).map(|line| format!("- {line}"));
    gone.chain(is.difference(&calm).map(|line| format!("+ {line}"))).collect()
}

#[test]
fn in_a_simulation_every_effect_has_a_row_for_every_fault_and_happens_without_one() {
    let ids: BTreeSet<String> =
        What::ALL.iter().flat_map(|what| ROWS.iter().map(|row| id(*what, *row))).collect();
    assert_eq!(ids.len(), What::ALL.len() * ROWS.len());
    assert!(ids.contains("E-run-hook-answered-twice"), "{ids:?}");
    let calm = run(None);
    assert_eq!(calm.breaches, [] as [String; 0]);
    let happened: BTreeSet<What> = calm.begun.iter().map(|begun| begun.what).collect();
    assert_eq!(
        happened,
        What::ALL.iter().copied().collect(),
        "the script makes each of them happen"
    );
}

#[test]
fn in_a_simulation_every_row_of_the_table_of_effect_faults_ends_as_it_says() {
    let calm = run(None);
    let mut wrong = Vec::new();
    for what in What::ALL.iter().copied() {
        for row in ROWS {
            let outcome = run(Some(row.aimed(what)));
            let differs = differs(&calm, &outcome);
            let says = ENDS.iter().find(|(other, rows, _)| *other == what && rows.contains(&row));
            let fits = match says {
                None => differs.is_empty(),
                Some((_, _, line)) => differs.iter().any(|found| found == line),
            };
            if !fits || !outcome.breaches.is_empty() {
                let (id, breaches) = (id(what, row), outcome.breaches);
                wrong.push(format!("{id}: {breaches:#?}, says {says:?}, differs {differs:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
