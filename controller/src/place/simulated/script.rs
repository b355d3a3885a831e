//! What a user does, from a seed: objects that he declares, changes and removes, each at its minute.
//!
//! A gentle user waits until all is quiet before he does the next thing, so that the weather cannot change what it
//! leads to. A tight one does not.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::cluster::{HookFate, name_of};
use super::dice::Dice;
use super::manifests::{self, Wanted};
use super::worker::Ending;
use crate::sighting::name::ObjectName;

/// Minutes at which a gentle user does something; a slot falls at 60.
const GENTLE: [i64; 8] = [20, 40, 90, 120, 150, 180, 210, 240];

/// What a user does at once.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Milliseconds since the beginning.
    pub(super) at: i64,
    pub(super) says: String,
    pub(super) puts: Vec<Value>,
    pub(super) removes: Vec<ObjectName>,
}

/// What a user does, and what his workloads are like.
#[derive(Clone, Debug, Default)]
pub(super) struct Script {
    pub(super) steps: Vec<Step>,
    /// How workers of a component end; all others succeed.
    pub(super) endings: BTreeMap<String, Ending>,
    /// How hooks go; all others succeed.
    pub(super) hooks: BTreeMap<String, HookFate>,
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "  {:.3} min: {}", step.at as f64 / 60_000.0, step.says)?;
        }
        for (label, ending) in &self.endings {
            writeln!(f, "  workers of {label}: {ending:?}")?;
        }
        for (name, fate) in &self.hooks {
            writeln!(f, "  hook {name}: {fate:?}")?;
        }
        Ok(())
    }
}

struct Writer {
    dice: Dice,
    script: Script,
    wanted: Vec<Wanted>,
    /// Replicas of each workload.
    replicas: Vec<u64>,
    /// What has to come back.
    away: Vec<Value>,
    runs: u64,
    restores: u64,
    tight: bool,
}

impl Script {
    /// The script of a seed.
    pub(super) fn of(seed: u64, tight: bool) -> Self {
        let mut writer = Writer {
            dice: Dice::new(seed),
            script: Self::default(),
            wanted: Vec::new(),
            replicas: Vec::new(),
            away: Vec::new(),
            runs: 0,
            restores: 0,
            tight,
        };
        writer.furnish();
        let mut at = 0;
        let count = if tight { writer.dice.between(3, 6) } else { 8 };
        let skip = if tight { 0 } else { writer.dice.between(4, 6) };
        for number in 0..count.saturating_sub(skip) {
            at = match tight {
                true => at + i64::try_from(writer.dice.between(5_000, 300_000)).unwrap(),
                false => GENTLE[usize::try_from(number).unwrap()] * 60_000,
            };
            writer.act(at);
        }
        writer.script
    }
}

impl Writer {
    fn step(&mut self, at: i64, says: String, puts: Vec<Value>, removes: Vec<ObjectName>) {
        self.script.steps.push(Step { at, says, puts, removes });
    }

    /// What is declared at the beginning.
    fn furnish(&mut self) {
        let mut puts = manifests::base();
        let storages = self.dice.between(1, 2);
        for number in 0..storages {
            let deletion = *self.dice.choose(&["Delete", "WipeOut"]);
            puts.push(manifests::storage(&format!("store-{number}"), deletion));
        }
        puts.push(manifests::policy(self.dice.between(1, 3)));
        puts.extend([manifests::hook("freeze"), manifests::hook("thaw")]);
        let mut says = format!("declares {storages} storages");
        for number in 0..if self.dice.one_in(4) { 2 } else { 1 } {
            let wanted = self.wanted(number, storages);
            let replicas = self.dice.between(1, 2);
            puts.push(manifests::workload(&wanted.name, replicas));
            puts.push(manifests::configuration(&wanted));
            says += &format!(", {replicas} replicas with {wanted:?}");
            self.replicas.push(replicas);
            self.wanted.push(wanted);
        }
        if self.dice.one_in(4) {
            let ending = *self.dice.choose(&[Ending::Fails, Ending::FailsForGood, Ending::Partial]);
            self.script.endings.insert("demo/app-0/nightly/pod-0".into(), ending);
        }
        if self.dice.one_in(4) {
            let name = *self.dice.choose(&["freeze", "thaw"]);
            let millis = *self.dice.choose(&[50, 20_000, 300_000]);
            let fails = self.dice.one_in(2);
            self.script.hooks.insert(name.into(), HookFate { millis, fails });
        }
        self.step(0, says, puts, Vec::new());
    }

    fn wanted(&mut self, number: u64, storages: u64) -> Wanted {
        let timeouts: &[&'static str] =
            if self.tight { &["3m", "10m", "1h"] } else { &["1h", "2h"] };
        Wanted {
            name: format!("app-{number}"),
            storage: format!("store-{}", self.dice.below(storages)),
            repositories: self.dice.between(1, 2),
            hooks: self.dice.one_in(2),
            retries: self.dice.below(2),
            timeout: self.dice.word(timeouts),
            schedule: "0 1 * * *",
            concurrency: self.dice.word(&["Allow", "Forbid", "Replace"]),
            suspended: self.dice.one_in(4),
            paused: false,
            deletion: self.dice.word(&["Delete", "WipeOut"]),
        }
    }

    fn act(&mut self, at: i64) {
        if !self.away.is_empty() {
            let puts = std::mem::take(&mut self.away);
            let names: Vec<String> = puts.iter().map(|put| name_of(put).to_string()).collect();
            return self.step(at, format!("brings back {}", names.join(", ")), puts, Vec::new());
        }
        let number = usize::try_from(self.dice.below(self.wanted.len() as u64)).unwrap();
        match self.dice.below(14) {
            0..=3 => self.run(at, &[number]),
            // Which of two that are equally old is the newer one says nobody.
            5 if self.tight => self.run(at, &[number, number]),
            4 | 5 => self.run(at, &(0..self.wanted.len()).collect::<Vec<_>>()),
            6 | 7 => self.restore(at, number),
            8 => {
                let last = self.dice.between(1, 3);
                let policy = manifests::policy(last);
                self.step(at, format!("keeps the last {last}"), vec![policy], Vec::new());
            }
            9 => self.lose(at, number),
            10 => self.change(at, number),
            11 => self.forget_run(at),
            12 => self.remove(at, number),
            _ => self.scale(at, number),
        }
    }

    fn run(&mut self, at: i64, of: &[usize]) {
        let mut puts = Vec::new();
        let mut says = "runs".to_owned();
        for number in of {
            let name = format!("run-{}", self.runs);
            self.runs += 1;
            says += &format!(" {name} of {}", self.wanted[*number].name);
            puts.push(manifests::session(&name, &self.wanted[*number].name));
        }
        self.step(at, says, puts, Vec::new());
    }

    fn restore(&mut self, at: i64, number: usize) {
        let name = format!("back-{}", self.restores);
        self.restores += 1;
        let app = self.wanted[number].name.clone();
        let timeout = if self.tight { "5m" } else { "1h" };
        let repository = format!("{app}-0");
        let restore = manifests::restore(&name, &repository, &app, timeout);
        self.step(at, format!("restores {repository} as {name}"), vec![restore], Vec::new());
    }

    /// Something that sessions need goes, and a run is asked for; it comes back with the next step.
    fn lose(&mut self, at: i64, number: usize) {
        let app = self.wanted[number].name.clone();
        let lost = match self.dice.below(3) {
            0 => manifests::workload(&app, self.replicas[number]),
            1 => manifests::secret("a passphrase"),
            _ => manifests::hook("thaw"),
        };
        let name = name_of(&lost);
        self.away.push(lost);
        let run = format!("run-{}", self.runs);
        self.runs += 1;
        let session = manifests::session(&run, &app);
        self.step(
            at,
            format!("takes {name} away and runs {run} of {app}"),
            vec![session],
            vec![name],
        );
    }

    fn change(&mut self, at: i64, number: usize) {
        let (pauses, suspends) = (self.dice.one_in(2), self.dice.one_in(2));
        let wanted = &mut self.wanted[number];
        if pauses {
            wanted.paused = !wanted.paused;
        }
        if suspends {
            wanted.suspended = !wanted.suspended;
        }
        let says =
            format!("{}: paused {}, suspended {}", wanted.name, wanted.paused, wanted.suspended);
        let object = manifests::configuration(wanted);
        self.step(at, says, vec![object], Vec::new());
    }

    fn forget_run(&mut self, at: i64) {
        let run = self.dice.below(self.runs.max(1));
        let name = name_of(&manifests::session(&format!("run-{run}"), "any"));
        self.step(at, format!("removes {name}"), Vec::new(), vec![name]);
    }

    /// A configuration goes, and comes back with the next step.
    fn remove(&mut self, at: i64, number: usize) {
        let object = manifests::configuration(&self.wanted[number]);
        let name = name_of(&object);
        if self.dice.one_in(2) {
            self.away.push(object);
        }
        self.step(at, format!("removes {name}"), Vec::new(), vec![name]);
    }

    fn scale(&mut self, at: i64, number: usize) {
        let replicas = self.dice.between(1, 3);
        self.replicas[number] = replicas;
        let app = self.wanted[number].name.clone();
        let object = manifests::workload(&app, replicas);
        self.step(at, format!("scales {app} to {replicas}"), vec![object], Vec::new());
    }
}
