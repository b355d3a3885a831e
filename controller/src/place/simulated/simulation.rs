//! Runs from seeds. Of eight seeds four are benign and share a script with one calm run, whose end theirs has to equal;
//! the other four are harmful, and hold what always holds.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::run::{Outcome, World};
use super::script::Script;
use super::weather::{Season, Weather};

/// Seeds of a run of the tests: a minute and a half on two cores, nearly all of it kernel and engine without
/// optimisation.
const SEEDS: Range<u64> = 0..2_000;

/// Seeds that share a script.
const GROUP: u64 = 8;

/// Threads: each seed has one of its own at a time.
const THREADS: u64 = 2;

/// Seeds that are told of when several fail.
const TOLD: usize = 5;

struct Seed {
    number: u64,
    season: Season,
    script: Script,
}

impl Seed {
    fn of(number: u64) -> Self {
        let place = number % GROUP;
        let season = if place < GROUP / 2 { Season::Benign } else { Season::Harmful };
        // A gentle user in harmful weather finds other things than one who does not wait.
        let tight = place > GROUP / 2;
        Self { number, season, script: Script::of(number / GROUP, tight) }
    }

    fn run(&self, season: Season) -> Outcome {
        let world = World::new(self.script.clone(), |time| Weather::new(season, self.number, time));
        world.run()
    }

    /// What is wrong about a run of it; nothing: all is as it has to be.
    fn wrong(&self, outcome: &Outcome, calm: Option<&Outcome>) -> Vec<String> {
        let mut wrong = outcome.breaches.clone();
        if let Some(calm) = calm.filter(|_| self.season == Season::Benign) {
            let of = |outcome: &Outcome| outcome.lines.iter().cloned().collect::<BTreeSet<_>>();
            let (calm, is) = (of(calm), of(outcome));
            wrong.extend(calm.difference(&is).map(|line| format!("- {line}")));
            wrong.extend(is.difference(&calm).map(|line| format!("+ {line}")));
        }
        wrong
    }

    fn told(&self, wrong: &[String], outcome: &Outcome) -> String {
        let Self { number, season, script } = self;
        let mut text = format!(
            "seed {number}, {season:?}; alone: HOLDFAST_SEEDS={number}..{} cargo test -p holdfast --lib simulation\n",
            number + 1
        );
        let told = outcome.told.join("\n  ");
        let wrong = wrong.join("\n  ");
        let log = std::env::var_os("HOLDFAST_EVENTS").map(|_| outcome.log());
        write!(text, "the user:\n{script}the weather:\n  {told}\nwrong:\n  {wrong}\n").unwrap();
        log.into_iter().for_each(|log| write!(text, "the log:\n  {log}\n").unwrap());
        text
    }
}

/// What seeds came to.
#[derive(Default)]
struct Tally {
    benign: AtomicU64,
    harmful: AtomicU64,
    events: AtomicU64,
    lives: AtomicU64,
    failed: Mutex<Vec<(u64, String)>>,
}

impl Tally {
    fn group(&self, numbers: Range<u64>) {
        let mut calm = None;
        for number in numbers {
            let seed = Seed::of(number);
            let outcome = seed.run(seed.season);
            if seed.season == Season::Benign {
                self.benign.fetch_add(1, Ordering::Relaxed);
                calm.get_or_insert_with(|| seed.run(Season::Calm));
            } else {
                self.harmful.fetch_add(1, Ordering::Relaxed);
            }
            self.events.fetch_add(outcome.events, Ordering::Relaxed);
            self.lives.fetch_add(outcome.lives, Ordering::Relaxed);
            let wrong = seed.wrong(&outcome, calm.as_ref());
            if !wrong.is_empty() {
                let told = seed.told(&wrong, &outcome);
                self.failed.lock().unwrap().push((number, told));
            }
        }
    }
}

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("HOLDFAST_SEEDS") else { return SEEDS };
    let parsed = text
        .split_once("..")
        .and_then(|(from, to)| Some(from.trim().parse().ok()?..to.trim().parse().ok()?));
    parsed.unwrap_or_else(|| panic!("HOLDFAST_SEEDS={text:?} is not FROM..TO"))
}

#[test]
fn a_simulation_of_each_seed_ends_as_it_has_to() {
    let seeds = seeds();
    let tally = Tally::default();
    let next = AtomicU64::new(seeds.start);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let begin = next.load(Ordering::Relaxed);
                    let end = (begin - begin % GROUP + GROUP).min(seeds.end);
                    if begin >= seeds.end {
                        return;
                    }
                    let taken =
                        next.compare_exchange(begin, end, Ordering::Relaxed, Ordering::Relaxed);
                    if taken.is_ok() {
                        tally.group(begin..end);
                    }
                }
            });
        }
    });
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
    println!(
        "{} benign seeds, {} harmful; {} events in {} lives",
        of(&tally.benign),
        of(&tally.harmful),
        of(&tally.events),
        of(&tally.lives)
    );
    let mut failed = tally.failed.into_inner().unwrap();
    failed.sort();
    let numbers: Vec<u64> = failed.iter().map(|(number, _)| *number).collect();
    let told: Vec<String> = failed.into_iter().take(TOLD).map(|(_, told)| told).collect();
    assert!(numbers.is_empty(), "{} seeds fail: {numbers:?}\n{}", numbers.len(), told.join("\n"));
}

#[test]
fn the_same_seed_gives_the_same_bytes_in_the_simulation() {
    for number in [0, 1, 4, 5, 6, 7, 12] {
        let seed = Seed::of(number);
        let (one, other) = (seed.run(seed.season), seed.run(seed.season));
        assert_eq!(one.chain, other.chain, "seed {number}");
        assert_eq!(one.lines, other.lines, "seed {number}");
        assert_eq!(one.told, other.told, "seed {number}");
    }
}
