//! A small world for tests: the engine, a log in memory, a clock, and an outside that answers effects.
//!
//! Every command that goes through [`World::submit`] is also checked against the laws that hold for
//! all of them, so that each scenario and each random run is a proof of them as well.
#![allow(dead_code, reason = "two test programs use it, each a part")]

pub mod outside;
pub mod reordered;
pub mod spec;
pub mod statuses;
pub mod tenants;
pub mod turns;

use std::collections::{BTreeMap, BTreeSet};

use holdfast_engine::backup::Trigger;
use holdfast_engine::backup::phase::{Phase, Step, phase};
use holdfast_engine::effect::Once;
use holdfast_engine::hook::{self, Executor, HookSpec, Stage};
use holdfast_engine::run::state::Run;
use holdfast_engine::{
    Actor, Command, CommandId, EffectId, Envelope, Event, Family, Level, Millis, Outcome, Recorded,
    Rejection, State, StreamKind, Timestamp, Uid, apply, backup, configuration, deadline, decide,
    due, lease, level, next_wakeup, outbox, restore, run, schedule,
};
use outside::Outside;
use statuses::Statuses;

/// The engine and what surrounds it.
pub struct World {
    pub state: State,
    pub log: Vec<Recorded>,
    /// The commands that led to it: all that were not refused.
    pub asked: Vec<Envelope>,
    /// After how many of them what the log held was archived, where one is kept.
    pub archived: Vec<usize>,
    pub now: Timestamp,
    pub outside: Outside,
    /// Period of each session's schedule, by configuration and session name.
    pub periods: BTreeMap<(Uid, String), i64>,
    /// Answers that are on their way, by the time of their arrival.
    pub arrivals: Vec<(Timestamp, u64, Command)>,
    /// The family of whatever is declared.
    pub family: Family,
    /// What every status says; looked at after every event while it is there.
    pub statuses: Option<Statuses>,
    /// A seed: every decision is also made in another manner, and compared.
    pub reordered: Option<u64>,
    /// When each session came to a place of a worker last.
    pub turns: turns::Turns,
    commands: u64,
}

/// A uid that follows from a word.
pub fn uid(name: &str) -> Uid {
    Uid::default().derive(name)
}

/// Minutes since the beginning of the world.
pub fn minutes(count: i64) -> i64 {
    count * 60_000
}

impl World {
    /// An empty world under its first leader.
    pub fn new() -> Self {
        let mut world = Self {
            state: State::default(),
            log: Vec::new(),
            asked: Vec::new(),
            archived: Vec::new(),
            // A Monday, so that days and weeks begin where one expects them.
            now: Timestamp(1_700_438_400_000),
            outside: Outside::default(),
            periods: BTreeMap::new(),
            arrivals: Vec::new(),
            family: Family::KubeStash,
            statuses: None,
            reordered: None,
            turns: turns::Turns::new(),
            commands: 0,
        };
        world.lead();
        world
    }

    /// Submits a command in the current epoch.
    pub fn ask(&mut self, command: Command) -> Result<Vec<Event>, Rejection> {
        self.submit(self.state.epoch, command)
    }

    /// Decides, checks the laws, records, applies, and hands the effects to the outside.
    pub fn submit(&mut self, epoch: u64, command: Command) -> Result<Vec<Event>, Rejection> {
        self.commands += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.commands.to_be_bytes());
        let envelope =
            Envelope { id: CommandId(id), at: self.now, actor: Actor::Operator, epoch, command };
        let events = decide(&self.state, &envelope);
        assert_eq!(events, decide(&self.state, &envelope), "decide is deterministic");
        if let Err(Rejection::Conflict { subject, reason }) = &events {
            assert_ne!(subject, "state", "no decision contradicts itself: {reason}");
        }
        if let Some(seed) = self.reordered {
            reordered::same(&self.state, &envelope, seed ^ self.commands);
        }
        let events = events?;
        for event in &events {
            let recorded = Recorded {
                seq: self.state.seq + 1,
                at: self.now,
                cause: envelope.id,
                epoch,
                event: event.clone(),
            };
            self.record(recorded);
        }
        self.asked.push(envelope);
        self.check_laws();
        Ok(events)
    }

    fn record(&mut self, recorded: Recorded) {
        let before = self.state.outbox.clone();
        self.begins_in_turn(recorded.at, &recorded.event);
        self.ends_as_it_went(recorded.at, &recorded.event);
        apply(&mut self.state, &recorded).expect("apply accepts what decide returned");
        outbox_follows_its_events_alone(&before, &self.state.outbox, &recorded);
        self.check_beginning(&recorded.event);
        if let Some(before) = &self.statuses {
            self.statuses = Some(statuses::follow(before, &self.state, &recorded));
        }
        let requested = match &recorded.event {
            Event::Outbox(outbox::Event::Requested { once }) => Some(once.clone()),
            _ => None,
        };
        let (id, levels) = (EffectId(recorded.seq), level::changed(&self.state, &recorded));
        self.log.push(recorded);
        if let Some(once) = requested {
            self.hand_out(id, &once);
        }
        for level in levels {
            if let Level::Scheduler { configuration, session } = level {
                self.ensure_scheduler(configuration, session);
            }
        }
    }

    fn hand_out(&mut self, id: EffectId, once: &Once) {
        for (when, command) in self.outside.answer(&self.state, self.now, id, once) {
            self.commands += 1;
            self.arrivals.push((when, self.commands, command));
        }
    }

    fn ensure_scheduler(&mut self, uid: Uid, session: String) {
        if self.state.schedule(uid, &session).is_some() {
            let outcome = holdfast_engine::Outcome::Succeeded;
            let command = configuration::Command::SchedulerReported { uid, session, outcome };
            self.commands += 1;
            self.arrivals.push((self.now, self.commands, Command::Configuration(command)));
        }
    }

    fn check_laws(&self) {
        for backup in self.state.backups.values() {
            if backup.is_finished() {
                assert!(
                    phase(backup).is_completed(),
                    "MetricsPushed makes the phase final: {backup:#?}"
                );
            } else {
                assert!(!phase(backup).is_completed(), "no phase is final before: {backup:#?}");
            }
        }
        for restore in self.state.restores.values() {
            let phase = restore::phase::phase(restore);
            if restore.is_finished() {
                assert!(phase.is_completed(), "MetricsPushed makes the phase final: {restore:#?}");
            } else if restore.is_going() {
                assert!(!phase.is_completed(), "no phase is final before: {restore:#?}");
            }
        }
        for configuration in self.state.configurations.values() {
            for holder in &configuration.paused_by {
                let restore = self.state.restores.get(holder);
                assert!(restore.is_some_and(|r| r.is_going()), "nobody holds {configuration:#?}");
            }
        }
        assert!(self.state.is_indexed(), "a set that apply keeps is wrong");
        statuses::agree_with_decisions(&self.state);
        self.sessions_keep_out_of_each_others_way();
        self.every_effect_has_somebody_who_waits_for_it();
        self.nobody_waits_for_a_place_that_is_free();
        self.asking_again_finds_nothing_new();
    }

    /// Whatever a configuration rests on is news to it once: one that is looked at again says what it said.
    fn asking_again_finds_nothing_new(&self) {
        if !self.state.waiting.is_empty() {
            return;
        }
        // One that goes waits for what others do, and is told when they have done it.
        let stays = self.state.configurations.values().filter(|known| !known.deleting);
        for uid in stays.map(|known| &known.uid) {
            let (id, at, epoch) = (CommandId([u8::MAX; 16]), self.now, self.state.epoch);
            let again = configuration::Command::Reconcile { uid: *uid };
            let command = Command::Configuration(again);
            let envelope = Envelope { id, at, actor: Actor::Operator, epoch, command };
            let events = decide(&self.state, &envelope).expect("one that is there can be asked");
            // Repositories that failed, or that somebody deleted, are tried again, and lead to first backups.
            let tried = events.iter().position(|event| matches!(event, Event::Repository(_)));
            let mut found = events[..tried.unwrap_or(events.len())].iter();
            let news = found.find(|event| matches!(event, Event::Configuration(_)));
            assert_eq!(news, None, "nobody told {uid}");
        }
    }

    fn sessions_keep_out_of_each_others_way(&self) {
        let mut going = BTreeSet::new();
        for backup in self.state.backups.values().filter(|backup| backup.is_going()) {
            assert!(going.insert(backup.configuration), "two sessions of one configuration go");
            let home = self.state.configurations.contains_key(&backup.configuration);
            assert!(home, "its configuration left before it: {backup:#?}");
            // Retention may choose the session's own.
            let written = backup.snapshots.iter().filter(|_| backup.step != Step::Retaining);
            for listed in written {
                let there = self.state.snapshots.contains_key(&listed.uid);
                assert!(there, "a snapshot left while it is written: {backup:#?}");
            }
        }
        for restore in self.state.restores.values().filter(|restore| restore.is_going()) {
            let read = restore.snapshot.and_then(|uid| self.state.snapshots.get(&uid));
            assert!(read.is_some(), "a snapshot left while it is read: {restore:#?}");
        }
        for (kind, key) in self.state.names.keys().filter(|(kind, _)| *kind == StreamKind::Backup) {
            let named =
                self.state.uid_of(*kind, key).map(|uid| self.state.backups.contains_key(&uid));
            assert_eq!(named, Some(true), "a name without an object: {key}");
        }
    }

    fn run_of(&self, session: Uid) -> &Run {
        let backup = self.state.backups.get(&session).map(|known| &known.run);
        let run = backup.or_else(|| self.state.restores.get(&session).map(|known| &known.run));
        run.expect("a session")
    }

    /// What must not begin does not begin.
    fn check_beginning(&self, event: &Event) {
        if let Event::Backup(backup::Event::Started { uid, .. }) = event {
            let backup = &self.state.backups[uid];
            let home = &self.state.configurations[&backup.configuration];
            assert!(!home.is_paused() && !home.deleting, "{backup:#?} of {home:#?}");
        }
        if let Event::Backup(backup::Event::Created { trigger: Trigger::Retry { of }, .. }) = event
        {
            let before = self.state.backups.get(of);
            let stopped = before.is_some_and(|known| known.cancelled.is_some());
            assert!(!stopped, "whoever stopped it does not want another try: {before:#?}");
        }
        if let Some(run::Event::AttemptStarted { uid, .. }) = event.run() {
            let run = self.run_of(*uid);
            assert!(run.cancelled.is_none(), "no work begins after a stop: {run:#?}");
            // Hooks before the work hold the first one's place, also while a limit is lowered.
            let freezes = run.hooks.tries.iter().any(|known| known.run.stage == Stage::Pre);
            if !freezes {
                self.no_limit_is_passed();
            }
        }
    }

    /// Looked at before an event is applied: what ends without a report worked since it began, and what was
    /// stopped is not to be tried again.
    fn ends_as_it_went(&self, at: Timestamp, event: &Event) {
        let Some(event) = event.run() else { return };
        if let run::Event::ComponentEnded { outcome: Outcome::Failed(failure), .. }
        | run::Event::HookEnded { outcome: Outcome::Failed(failure), .. } = event
        {
            assert!(failure.reason.as_str() != "Cancelled" || failure.permanent, "{event:?}");
        }
        if let run::Event::HooksFinished { uid, stage, outcome: Outcome::Failed(_) } = event {
            let tries = &self.run_of(*uid).hooks.tries;
            let tried = tries.iter().any(|known| known.run.stage == *stage);
            assert!(tried, "hooks that nobody ran have not failed: {event:?}");
        }
        let run::Event::ComponentEnded { uid, component, duration, reported: false, .. } = event
        else {
            return;
        };
        let known = self.run_of(*uid).component(component).expect("it was planned");
        let began = known.started_at.filter(|_| known.worker.is_some());
        if let Some(began) = began {
            assert_eq!(*duration, at.since(began), "{known:#?}");
        }
    }

    /// An effect whose answer would be refused is never answered, and never leaves the outbox.
    fn every_effect_has_somebody_who_waits_for_it(&self) {
        let is_going = |session: &Uid| {
            let backup = self.state.backups.get(session).is_some_and(|b| b.is_going());
            backup || self.state.restores.get(session).is_some_and(|r| r.is_going())
        };
        for once in self.state.outbox.values() {
            let waited_for = match once {
                Once::InitializeBackend { storage } | Once::WipeBackend { storage } => {
                    self.state.storages.contains_key(storage)
                }
                Once::InitializeRepository { repository } | Once::WipeRepository { repository } => {
                    self.state.repositories.contains_key(repository)
                }
                Once::Survey { session } | Once::RunHook { session, .. } => is_going(session),
                Once::StartWorker { attempt } => is_going(&attempt.session),
                Once::UploadMetadata { snapshot } => self.state.snapshots.contains_key(snapshot),
                Once::RemoveSnapshot { snapshot, by } => {
                    self.state.snapshots.contains_key(snapshot) && by.as_ref().is_none_or(is_going)
                }
                // A worker is stopped whatever has become of its session.
                Once::StopWorker { .. } => true,
            };
            assert!(waited_for, "nobody waits for {once:?}");
        }
    }

    /// A new leader: what its predecessor had asked for is asked for again.
    pub fn lead(&mut self) {
        let (epoch, before) = (self.state.epoch + 1, self.state.seq);
        let hooks = self.hooks_under_way(before);
        let begin = lease::Command::Begin { holder: format!("operator-{epoch}") };
        self.submit(epoch, Command::Lease(begin)).expect("a higher epoch begins");
        let jobs = hooks.into_iter().filter(|(_, is_job)| *is_job).collect::<Vec<_>>();
        assert_eq!(
            self.hooks_under_way(before),
            jobs,
            "a hook goes on where it can be found again"
        );
        for (id, once) in self.state.outbox.clone() {
            // What the beginning itself asks for is handed out with its own events.
            if id.0 <= before {
                self.hand_out(id, &once);
            }
        }
    }

    /// Hooks that were asked for up to here and have not ended, and which of them are Jobs of their own.
    fn hooks_under_way(&self, before: u64) -> Vec<(EffectId, bool)> {
        let asked = self.state.outbox.iter().filter(|(id, _)| id.0 <= before);
        let hooks = asked.filter_map(|(id, once)| match once {
            Once::RunHook { session, run } => {
                let template = self.hook_spec(*session, *run).template;
                let uid = self.state.uid_of(StreamKind::Hook, &template);
                let executor = uid.map(|uid| self.state.hooks[&uid].spec.executor);
                Some((*id, executor == Some(Executor::Function)))
            }
            _ => None,
        });
        hooks.collect()
    }

    fn hook_spec(&self, session: Uid, of: hook::Run) -> HookSpec {
        let plan = self.state.backups.get(&session).and_then(|known| known.plan.as_ref());
        let (pre, post) = match plan {
            Some(plan) => (&plan.spec.pre_hooks, &plan.spec.post_hooks),
            None => {
                let spec = &self.state.restores[&session].spec;
                (&spec.pre_hooks, &spec.post_hooks)
            }
        };
        let hooks = if of.stage == Stage::Pre { pre } else { post };
        hooks[of.index as usize].clone()
    }

    /// The operator stops and starts: its state is replayed, answers on their way are lost, and only
    /// the reports of workers, which know no operator, still arrive.
    pub fn restart(&mut self) {
        let replayed = self.replay();
        assert_eq!(replayed, self.state, "replay = live");
        self.arrivals.retain(|(_, _, command)| {
            matches!(command, Command::Run(run::Command::WorkerReported { .. }))
        });
        self.lead();
    }

    /// The state that follows from the log alone.
    pub fn replay(&self) -> State {
        let mut state = State::default();
        for recorded in &self.log {
            apply(&mut state, recorded).expect("the log can be replayed");
        }
        state
    }

    /// Lets everything happen that is due now; what stays due would be asked for without end.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            if !self.arrive() && !self.wake() {
                let left = due(&self.state, self.now, Millis(0));
                assert_eq!(left, [], "what is due and refused is due for ever");
                return;
            }
        }
        panic!("the world does not come to rest: {:?}", due(&self.state, self.now, Millis(0)));
    }

    /// Lets time pass, stopping wherever something happens.
    pub fn pass(&mut self, span: i64) {
        let end = Timestamp(self.now.0 + span);
        self.settle();
        loop {
            let arrival = self.arrivals.iter().map(|(when, _, _)| *when).min();
            let wakeup = next_wakeup(&self.state, Millis(0));
            let next = arrival.into_iter().chain(wakeup).min().unwrap_or(end);
            self.now = self.now.max(next.min(end));
            self.settle();
            if next >= end {
                return;
            }
        }
    }

    /// Lets one of the answers that are on their way arrive, whichever; its time comes with it.
    pub fn arrive_any(&mut self, pick: usize) {
        if self.arrivals.is_empty() {
            return;
        }
        let (when, _, command) = self.arrivals.remove(pick % self.arrivals.len());
        self.now = self.now.max(when);
        let _ = self.ask(command);
    }

    /// The earliest answer that has arrived.
    fn arrive(&mut self) -> bool {
        self.arrivals.sort_by_key(|(when, order, _)| (*when, *order));
        match self.arrivals.first() {
            Some((when, _, _)) if *when <= self.now => {
                let (_, _, command) = self.arrivals.remove(0);
                // A late answer may be refused; that is a law of its own.
                let _ = self.ask(command);
                true
            }
            _ => false,
        }
    }

    /// Submits what is due; false when nothing was, or nothing came of it.
    fn wake(&mut self) -> bool {
        let before = self.state.seq;
        for due in due(&self.state, self.now, Millis(0)) {
            let slot = |uid, session, version| Some(self.slot(uid, session, version));
            let Some(command) = deadline::command(due, slot) else { continue };
            let _ = self.ask(command);
        }
        self.state.seq > before
    }

    /// The calendar: slots are the multiples of the session's period.
    fn slot(&self, configuration: Uid, session: String, version: u32) -> Command {
        let period = self.periods[&(configuration, session.clone())];
        let slot = self.now.0 - self.now.0.rem_euclid(period);
        let first = self.state.schedule(configuration, &session).map(|known| known.next[0].0);
        let missed = first.map_or(0, |first| ((slot - first) / period).max(0));
        let next = (1..=3).map(|n| Timestamp(slot + n * period)).collect();
        Command::Schedule(schedule::Command::Wake {
            configuration,
            session,
            version,
            slot: Timestamp(slot),
            missed: u32::try_from(missed).expect("few slots"),
            next,
        })
    }

    /// Sessions in the order of their making, with their phases.
    pub fn sessions(&self) -> Vec<(&backup::state::Backup, Phase)> {
        let mut all: Vec<_> = self.state.backups.values().collect();
        all.sort_by_key(|backup| {
            let made = self.log.iter().position(|recorded| {
                matches!(&recorded.event,
                    Event::Backup(backup::Event::Created { uid, .. }) if *uid == backup.uid)
            });
            made.expect("every session was made")
        });
        all.into_iter().map(|backup| (backup, phase(backup))).collect()
    }
}

/// Requests put entries into the outbox, outcomes take them out, and no other event touches it.
fn outbox_follows_its_events_alone(
    before: &BTreeMap<EffectId, Once>,
    after: &BTreeMap<EffectId, Once>,
    recorded: &Recorded,
) {
    let mut expected = before.clone();
    match &recorded.event {
        Event::Outbox(outbox::Event::Requested { once }) => {
            expected.insert(EffectId(recorded.seq), once.clone());
        }
        Event::Outbox(
            outbox::Event::EffectDone { effect, .. } | outbox::Event::EffectFailed { effect, .. },
        ) => {
            assert!(expected.remove(effect).is_some(), "an outcome of what nobody asked");
        }
        _ => {}
    }
    assert_eq!(*after, expected, "{:?}", recorded.event);
}
