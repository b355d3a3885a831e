//! What goes wrong, and when: all of it follows from a seed, or is aimed at one effect.
//!
//! | Season | What happens |
//! |---|---|
//! | calm | nothing, and everything takes a moment |
//! | benign | delays below every deadline, crashes, broken disks, lost and doubled answers and reports, troubles of the moment |
//! | harmful | the same without bounds, and panics, refusals, silence, workers that vanish or hang, full disks |

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast_engine::plan::Plan;
use holdfast_engine::{EffectId, Once};

use super::calls;
use super::clock::Time;
use super::dice::Dice;
use super::worker::Ending;
use crate::operator::stores;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Season {
    /// Nothing goes wrong.
    Calm,
    /// What goes wrong changes nothing about how it ends.
    Benign,
    /// Anything goes wrong.
    Harmful,
}

macro_rules! kinds {
    ($($name:ident),* $(,)?) => {
        /// A kind of once-effect.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum What {
            $($name),*
        }

        impl What {
            /// All of them.
            pub(super) const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

kinds![
    InitializeBackend,
    InitializeRepository,
    WipeRepository,
    WipeBackend,
    Survey,
    RunHook,
    StartWorker,
    StopWorker,
    UploadMetadata,
    RemoveSnapshot,
];

impl What {
    /// The kind of an effect. Whoever adds one is told here, and then by the table of faults.
    pub(super) fn of(once: &Once) -> Self {
        match once {
            Once::InitializeBackend { .. } => Self::InitializeBackend,
            Once::InitializeRepository { .. } => Self::InitializeRepository,
            Once::WipeRepository { .. } => Self::WipeRepository,
            Once::WipeBackend { .. } => Self::WipeBackend,
            Once::Survey { .. } => Self::Survey,
            Once::RunHook { .. } => Self::RunHook,
            Once::StartWorker { .. } => Self::StartWorker,
            Once::StopWorker { .. } => Self::StopWorker,
            Once::UploadMetadata { .. } => Self::UploadMetadata,
            Once::RemoveSnapshot { .. } => Self::RemoveSnapshot,
        }
    }

    /// The kind of effect that a plan is for.
    pub(super) fn planned(plan: &Plan) -> Self {
        match plan {
            Plan::InitializeBackend(_) => Self::InitializeBackend,
            Plan::InitializeRepository(_) => Self::InitializeRepository,
            Plan::WipeRepository(_) => Self::WipeRepository,
            Plan::WipeBackend(_) => Self::WipeBackend,
            Plan::Survey(_) => Self::Survey,
            Plan::RunHook(_) => Self::RunHook,
            Plan::StartBackup(_) | Plan::StartRestore(_) => Self::StartWorker,
            Plan::StopWorker(_) => Self::StopWorker,
            Plan::UploadMetadata(_) => Self::UploadMetadata,
            Plan::RemoveSnapshot(_) => Self::RemoveSnapshot,
        }
    }
}

/// What goes wrong with one call for an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is done and answered.
    None,
    /// It is not done, and may succeed in a moment.
    NotDone,
    /// It is done, and that is not known.
    AnswerLost,
    /// It is done and answered by two.
    Twice,
    /// It is refused for good.
    Forbidden,
    /// The code for it breaks off.
    Panics,
    /// It is not done, and nobody answers for hours.
    Silent,
    /// It is done, and nobody answers for hours.
    SilentlyDone,
    /// The operator dies before it is done.
    DiesBefore,
    /// The operator dies after it was done.
    DiesAfter,
}

/// A call for an effect that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Begun {
    /// Milliseconds since the beginning.
    pub(super) at: i64,
    pub(super) what: What,
    /// What it is about, where its plan names it.
    pub(super) subject: String,
}

/// What befalls one call for an effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    pub(super) before: Duration,
    pub(super) fault: Fault,
    pub(super) after: Duration,
}

/// How long one life of the operator lasts.
#[derive(Clone, Debug, Default)]
pub(super) struct Span {
    /// Calls of the place, and how many turns of the runtime after the last of them.
    pub(super) calls: Option<(u64, u64)>,
    /// Milliseconds.
    pub(super) millis: Option<u64>,
    /// Calls of the disk, from the opening of the log on.
    pub(super) disk: Option<u64>,
    /// The lead is lost after so many milliseconds.
    pub(super) lead: Option<u64>,
    /// The call of the disk at which that breaks, so that what it has taken is not known.
    pub(super) broken: Option<u64>,
    /// Calls of the disk at which it is full.
    pub(super) full: Vec<u64>,
    /// How long nobody is there afterwards.
    pub(super) away: Duration,
    /// The power goes with it: what was not synced is there or not.
    pub(super) power: Option<u64>,
}

/// A fault that is aimed at one effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aimed {
    pub(super) what: What,
    pub(super) fault: Fault,
    /// Milliseconds before the answer.
    pub(super) late: u64,
    /// It befalls every call, not only the first.
    pub(super) always: bool,
}

/// What goes wrong where somebody says it; all else is calm.
#[derive(Clone, Debug, Default)]
pub(super) struct Fixed {
    pub(super) is_fixed: bool,
    pub(super) aimed: Option<Aimed>,
    /// Short work at stores ends when nobody waits for it any more.
    pub(super) children: bool,
    /// Until when storages whose names begin with [`MUTE`] do not answer.
    pub(super) mute_until: i64,
    /// Until when all stores refuse.
    pub(super) refused_until: i64,
    /// Until when nothing can be shown.
    pub(super) unseen_until: i64,
    /// How long a call at a store takes.
    pub(super) slow: Duration,
    /// From when on and until when somebody asks about every batch that is decided.
    pub(super) asks: Range<i64>,
    /// How long workers work, one after the other; empty: ninety seconds.
    pub(super) work: Vec<u64>,
    /// How long a question about an attempt takes.
    pub(super) survey: Option<Duration>,
    /// Lives, the last one first; after them nothing ends one.
    pub(super) lives: Vec<Span>,
}

/// How the names of storages begin that do not answer.
pub(super) const MUTE: &str = "mute";

/// The weather of one run.
pub(crate) struct Weather {
    season: Season,
    time: Arc<Time>,
    dice: Mutex<Dice>,
    /// Losses of each effect so far.
    losses: Mutex<BTreeMap<EffectId, u32>>,
    /// Short work at stores is done by children, which end when nobody waits for them any more.
    children: bool,
    fixed: Fixed,
    /// Lives that are fixed and have not begun.
    lives: Mutex<Vec<Span>>,
    /// Workers that were started.
    workers: Mutex<usize>,
    /// Crashes that are left.
    crashes: Mutex<u64>,
    aimed: Mutex<Option<Aimed>>,
    /// Calls for effects: when, which, and at what.
    begun: Mutex<Vec<Begun>>,
    /// When something could not be shown.
    unseen: Mutex<Vec<i64>>,
    told: Mutex<Vec<String>>,
}

/// Troubles of the moment that one effect has at most in benign weather: after more its class would give up.
const LOSSES: u32 = 3;

/// When no effect fails any more: a store may be silent for hours again and again, but not for ever.
const CLEARS: i64 = 9 * 60 * 60_000;

impl Weather {
    /// The weather of a seed.
    pub(crate) fn new(season: Season, seed: u64, time: Arc<Time>) -> Arc<Self> {
        let mut dice = Dice::new(seed);
        let crashes = match season {
            Season::Calm => 0,
            Season::Benign => dice.below(4),
            Season::Harmful => dice.below(5),
        };
        Arc::new(Self {
            season,
            time,
            dice: Mutex::new(dice),
            losses: Mutex::default(),
            children: season == Season::Harmful && seed % 16 >= 8,
            fixed: Fixed::default(),
            lives: Mutex::default(),
            workers: Mutex::default(),
            crashes: Mutex::new(crashes),
            aimed: Mutex::default(),
            begun: Mutex::default(),
            unseen: Mutex::default(),
            told: Mutex::default(),
        })
    }

    /// Nothing goes wrong.
    pub(crate) fn calm(time: Arc<Time>) -> Arc<Self> {
        Self::new(Season::Calm, 0, time)
    }

    /// Calm but for one fault.
    pub(super) fn aimed(time: Arc<Time>, aimed: Aimed) -> Arc<Self> {
        let mut weather = Self::calm(time);
        let calm = Arc::get_mut(&mut weather).unwrap();
        calm.aimed = Mutex::new(Some(aimed));
        calm.fixed.aimed = Some(aimed);
        weather
    }

    /// Calm but for what is fixed.
    pub(super) fn fixed(time: Arc<Time>, fixed: Fixed) -> Arc<Self> {
        let mut weather = Self::calm(time);
        let calm = Arc::get_mut(&mut weather).unwrap();
        calm.children = fixed.children;
        calm.lives = Mutex::new(fixed.lives.clone());
        calm.aimed = Mutex::new(fixed.aimed);
        calm.fixed = fixed;
        weather
    }

    /// Whether somebody has said what goes wrong.
    pub(super) fn is_fixed(&self) -> bool {
        self.fixed.is_fixed
    }

    /// Whether short work at stores ends when nobody waits for it any more.
    pub(super) fn are_stores_children(&self) -> bool {
        self.children
    }

    /// From when on and until when somebody asks about every batch that is decided.
    pub(super) fn asks(&self) -> Range<i64> {
        self.fixed.asks.clone()
    }

    /// Whether how it ends may differ from a calm run.
    pub(super) fn is_harmful(&self) -> bool {
        self.season == Season::Harmful
    }

    /// What happened, for whoever reads of a run that failed.
    pub(super) fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    /// Whether nothing goes wrong, and nobody has said what else is different.
    pub(super) fn is_calm(&self) -> bool {
        self.season == Season::Calm && !self.is_fixed() && self.fixed.aimed.is_none()
    }

    /// When something could not be shown, where somebody says until when.
    pub(super) fn unseen(&self) -> Vec<i64> {
        self.unseen.lock().unwrap().clone()
    }

    /// All calls for effects, in their order.
    pub(super) fn begun(&self) -> Vec<Begun> {
        self.begun.lock().unwrap().clone()
    }

    pub(super) fn tell(&self, what: impl FnOnce() -> String) {
        if self.season != Season::Calm {
            let minutes = self.time.passed() as f64 / 60_000.0;
            self.told.lock().unwrap().push(format!("{minutes:.3} min: {}", what()));
        }
    }

    fn delay(&self, dice: &mut Dice, benign: u64, harmful: u64) -> Duration {
        Duration::from_millis(match self.season {
            Season::Calm => 5,
            Season::Benign => dice.below(benign),
            Season::Harmful if dice.one_in(10) => dice.below(harmful),
            Season::Harmful => dice.below(benign),
        })
    }

    /// What befalls a call for an effect.
    pub(super) fn effect(&self, id: EffectId, what: What, plan: &Plan) -> Fate {
        let (at, subject) = (self.time.passed(), calls::subject(plan));
        self.begun.lock().unwrap().push(Begun { at, what, subject });
        let mute = self.time.passed() < self.fixed.mute_until;
        if mute && stores::of(plan).is_some_and(|(at, _)| at.name.starts_with(MUTE)) {
            return Fate { before: Duration::ZERO, fault: Fault::Silent, after: Duration::ZERO };
        }
        if let Some(fate) = self.strike(what) {
            return fate;
        }
        if self.time.passed() < self.fixed.refused_until && stores::of(plan).is_some() {
            return Fate { before: Duration::ZERO, fault: Fault::Forbidden, after: Duration::ZERO };
        }
        if !self.fixed.slow.is_zero() && stores::of(plan).is_some() {
            return Fate { before: self.fixed.slow, fault: Fault::None, after: Duration::ZERO };
        }
        if self.time.passed() > CLEARS {
            return Fate { before: Duration::ZERO, fault: Fault::None, after: Duration::ZERO };
        }
        let mut dice = self.dice.lock().unwrap();
        let most = if what == What::StopWorker { 10_000 } else { 600_000 };
        let before = self.delay(&mut dice, 2_000, most);
        let after = self.delay(&mut dice, 2_000, most);
        let fault = match self.season {
            Season::Calm => Fault::None,
            // A hook is not tried again by whoever runs it: its session decides.
            Season::Benign if what == What::RunHook => {
                *dice.choose(&[Fault::None, Fault::None, Fault::None, Fault::Twice])
            }
            Season::Benign => *dice.choose(&[
                Fault::None,
                Fault::None,
                Fault::None,
                Fault::None,
                Fault::NotDone,
                Fault::AnswerLost,
                Fault::Twice,
            ]),
            Season::Harmful if dice.one_in(2) => Fault::None,
            // Whoever cannot be stopped cannot be stopped: that it is given up is no leak of ours.
            Season::Harmful if what == What::StopWorker => {
                *dice.choose(&[Fault::NotDone, Fault::AnswerLost, Fault::Twice])
            }
            Season::Harmful => *dice.choose(&[
                Fault::NotDone,
                Fault::AnswerLost,
                Fault::Twice,
                Fault::Forbidden,
                Fault::Panics,
                Fault::Silent,
                Fault::SilentlyDone,
            ]),
        };
        let mut losses = self.losses.lock().unwrap();
        let lost = losses.entry(id).or_default();
        let fault = match (what, fault) {
            _ if self.season == Season::Harmful && what != What::StopWorker => fault,
            (_, Fault::NotDone | Fault::AnswerLost) if *lost >= LOSSES => Fault::None,
            (_, Fault::NotDone | Fault::AnswerLost) => {
                *lost += 1;
                fault
            }
            _ => fault,
        };
        drop(dice);
        if fault != Fault::None {
            self.tell(|| format!("{what:?} {id}: {fault:?}"));
        }
        Fate { before, fault, after }
    }

    /// The fault that is aimed at this effect.
    fn strike(&self, what: What) -> Option<Fate> {
        let mut aimed = self.aimed.lock().unwrap();
        let found = aimed.filter(|aimed| aimed.what == what)?;
        if !found.always {
            *aimed = None;
        }
        let after = Duration::from_millis(found.late);
        Some(Fate { before: Duration::ZERO, fault: found.fault, after })
    }

    /// How long a worker works, and how it ends.
    pub(super) fn worker(&self) -> (u64, Ending) {
        let mut dice = self.dice.lock().unwrap();
        let (millis, ending) = match self.season {
            Season::Calm | Season::Benign => {
                let mut workers = self.workers.lock().unwrap();
                let work = &self.fixed.work;
                let millis = work.get(*workers % work.len().max(1)).copied().unwrap_or(90_000);
                *workers += 1;
                (millis, Ending::Succeeds)
            }
            Season::Harmful => {
                let most = if dice.one_in(8) { 5_400_000 } else { 240_000 };
                let millis = dice.between(1_000, most);
                let ending = match dice.below(10) {
                    0 => Ending::Fails,
                    1 => Ending::FailsForGood,
                    2 => Ending::Partial,
                    3 => Ending::Vanishes,
                    4 => Ending::Hangs,
                    _ => Ending::Succeeds,
                };
                (millis, ending)
            }
        };
        drop(dice);
        if ending != Ending::Succeeds {
            self.tell(|| format!("a worker {ending:?} after {millis} ms"));
        }
        (millis, ending)
    }

    /// How late the end of a worker is heard, and how much later it is told a second time.
    pub(super) fn report(&self) -> (Duration, Option<Duration>) {
        let mut dice = self.dice.lock().unwrap();
        let late = self.delay(&mut dice, 5_000, 3_000_000);
        let twice = self.season != Season::Calm && dice.one_in(4);
        let twice = twice.then(|| Duration::from_millis(dice.below(3_000)));
        (late, twice)
    }

    /// How long a question about an attempt takes; absent: for ever.
    pub(super) fn survey(&self) -> Option<Duration> {
        if let Some(wait) = self.fixed.survey {
            return Some(wait);
        }
        let mut dice = self.dice.lock().unwrap();
        let wait = self.delay(&mut dice, 10_000, 2_000_000);
        let silent = self.season == Season::Harmful && dice.one_in(6);
        drop(dice);
        if silent {
            self.tell(|| "nobody says how an attempt stands".into());
        }
        (!silent).then_some(wait)
    }

    /// What befalls something that is shown.
    pub(super) fn publish(&self) -> Fate {
        let (at, fault) = (self.time.passed(), Fault::NotDone);
        if at < self.fixed.unseen_until {
            self.unseen.lock().unwrap().push(at);
            return Fate { before: Duration::ZERO, fault, after: Duration::ZERO };
        }
        let mut dice = self.dice.lock().unwrap();
        let (before, after) = (self.delay(&mut dice, 500, 15_000), Duration::ZERO);
        let fault = match self.season {
            Season::Calm => Fault::None,
            Season::Benign if dice.one_in(12) => *dice.choose(&[Fault::NotDone, Fault::AnswerLost]),
            Season::Harmful if dice.one_in(4) => *dice.choose(&[
                Fault::NotDone,
                Fault::AnswerLost,
                Fault::Forbidden,
                Fault::Panics,
                Fault::Silent,
            ]),
            Season::Benign | Season::Harmful => Fault::None,
        };
        Fate { before, fault, after }
    }

    /// How late changes of what is declared are seen, and whether all of them are.
    pub(super) fn look(&self) -> (Duration, bool) {
        let mut dice = self.dice.lock().unwrap();
        let late = self.delay(&mut dice, 2_000, 60_000);
        (late, self.season == Season::Calm || !dice.one_in(6))
    }

    /// Whether the lead can be asked for, and how long that takes.
    pub(super) fn lease(&self) -> (Duration, bool) {
        let mut dice = self.dice.lock().unwrap();
        let late = self.delay(&mut dice, 1_000, 60_000);
        (late, self.season == Season::Calm || !dice.one_in(12))
    }

    /// How long the next life lasts.
    pub(super) fn life(&self) -> Span {
        if let Some(span) = self.lives.lock().unwrap().pop() {
            return span;
        }
        let mut dice = self.dice.lock().unwrap();
        let mut crashes = self.crashes.lock().unwrap();
        let away = Duration::from_millis(match self.season {
            Season::Calm => 0,
            Season::Benign => dice.below(30_000),
            Season::Harmful if dice.one_in(6) => dice.below(7_200_000),
            Season::Harmful => dice.below(60_000),
        });
        let power = dice.one_in(2).then(|| dice.next());
        let mut span = Span { away, power, ..Span::default() };
        if self.season == Season::Harmful && dice.one_in(4) {
            span.full = (0..dice.between(1, 3)).map(|_| dice.between(1, 600)).collect();
        }
        if *crashes == 0 {
            drop(dice);
            if !span.full.is_empty() {
                self.tell(|| format!("the disk is full in this life: {span:?}"));
            }
            return span;
        }
        *crashes -= 1;
        match dice.below(5) {
            0 => span.millis = Some(dice.below(14_400_000)),
            1 => span.disk = Some(dice.between(1, 700)),
            2 => span.lead = Some(dice.below(14_400_000)),
            3 => span.broken = Some(dice.between(1, 700)),
            _ => span.calls = Some((dice.between(1, 150), dice.below(24))),
        }
        drop(dice);
        self.tell(|| format!("this life lasts {span:?}"));
        span
    }
}
