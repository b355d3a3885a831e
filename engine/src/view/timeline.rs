//! A session as spans of time: what ran when, what came of it, and which events say so.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::backup::repository_name;
use super::fold::SessionFold;
use crate::event::Event;
use crate::hook::{HookSpec, Run, Stage};
use crate::ids::Uid;
use crate::outcome::Outcome;
use crate::state::State;
use crate::time::Timestamp;
use crate::{backup, restore, run, snapshot};

/// The spans of a session, in order of their begin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// The session itself first.
    pub spans: Vec<Span>,
}

/// Something that took time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// What it is.
    pub kind: SpanKind,
    /// Its name, for people.
    pub name: String,
    /// When it began.
    pub begin: Timestamp,
    /// When it ended; absent while it goes on.
    pub end: Option<Timestamp>,
    /// What came of it; absent while it goes on, and for what can only end.
    pub outcome: Option<Outcome>,
    /// Sequence numbers of the events that say so.
    pub events: Vec<u64>,
}

/// Kinds of spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SpanKind {
    /// The whole session.
    Session,
    /// It waited for another one, or for workers.
    Queue,
    /// The target's hosts were asked for.
    Survey,
    /// One try of a hook.
    Hook,
    /// One attempt at a component.
    Component,
    /// A component's data in one repository.
    Upload,
    /// Retention of one repository.
    Retention,
}

/// What tells spans of one session apart.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Session,
    Queue,
    Workers,
    Survey,
    Hook(Run),
    Component(String),
    Upload(Uid, String),
    Retention(Uid),
}

/// The spans of a session.
#[must_use]
pub fn timeline(fold: &SessionFold) -> Timeline {
    let mut spans =
        Spans { state: fold.state(), open: BTreeMap::new(), order: Vec::new(), left: 0 };
    for recorded in fold.events() {
        let (at, seq) = (recorded.at, recorded.seq);
        match &recorded.event {
            Event::Backup(event) => spans.backup(at, seq, event, fold),
            Event::Restore(event) => spans.restore(at, seq, event, fold),
            Event::Snapshot(event) => spans.snapshot(at, seq, event),
            _ => {}
        }
    }
    let mut all: Vec<(Span, usize)> = spans.order.into_iter().zip(0..).collect();
    all.sort_by_key(|(span, index)| (span.kind != SpanKind::Session, span.begin, *index));
    Timeline { spans: all.into_iter().map(|(span, _)| span).collect() }
}

struct Spans<'a> {
    state: &'a State,
    open: BTreeMap<Place, usize>,
    order: Vec<Span>,
    /// Components that have not begun.
    left: usize,
}

impl Spans<'_> {
    fn begin(&mut self, place: Place, kind: SpanKind, name: String, at: Timestamp, seq: u64) {
        self.open.insert(place, self.order.len());
        let events = Vec::from([seq]);
        self.order.push(Span { kind, name, begin: at, end: None, outcome: None, events });
    }

    /// Without a begin there is nothing to end: that part of the stream is missing.
    fn end(&mut self, place: &Place, outcome: Option<Outcome>, at: Timestamp, seq: u64) {
        if let Some(span) = self.open.remove(place).and_then(|index| self.order.get_mut(index)) {
            span.end = Some(at);
            span.outcome = outcome;
            span.events.push(seq);
        }
    }

    fn note(&mut self, place: &Place, seq: u64) {
        if let Some(span) = self.open.get(place).and_then(|index| self.order.get_mut(*index)) {
            span.events.push(seq);
        }
    }

    fn hook(&mut self, run: Run, name: Option<&str>, at: Timestamp, seq: u64) {
        let stage = if run.stage == Stage::Pre { "before" } else { "after" };
        let number = (run.index + 1).to_string();
        let name = name.unwrap_or(&number);
        let tries = if run.number > 1 { format!(", try {}", run.number) } else { String::new() };
        let name = format!("hook {stage}: {name}{tries}");
        self.begin(Place::Hook(run), SpanKind::Hook, name, at, seq);
    }

    fn component(&mut self, component: &str, number: u32, at: Timestamp, seq: u64) {
        let name =
            if number > 1 { format!("{component}, attempt {number}") } else { component.into() };
        self.begin(Place::Component(component.into()), SpanKind::Component, name, at, seq);
    }

    fn backup(&mut self, at: Timestamp, seq: u64, event: &backup::Event, fold: &SessionFold) {
        use backup::Event as E;
        match event {
            E::Created { key, .. } => {
                self.begin(Place::Session, SpanKind::Session, key.name.clone(), at, seq);
            }
            E::Queued { .. } => {
                self.begin(Place::Queue, SpanKind::Queue, "waiting for its turn".into(), at, seq);
            }
            E::Skipped { .. } => {
                self.end(&Place::Queue, None, at, seq);
                self.end(&Place::Session, None, at, seq);
            }
            E::Started { .. } => {
                self.end(&Place::Queue, None, at, seq);
                self.note(&Place::Session, seq);
                self.begin(Place::Survey, SpanKind::Survey, "survey".into(), at, seq);
            }
            E::Run { event } => {
                let plan = fold.backup().and_then(|backup| backup.plan.as_ref());
                let hooks = plan.map(|plan| (&plan.spec.pre_hooks[..], &plan.spec.post_hooks[..]));
                self.run(at, seq, event, hooks.unwrap_or_default());
            }
            E::RetentionStarted { repository, .. } => {
                let name = format!("retention of {}", repository_name(self.state, *repository));
                self.begin(Place::Retention(*repository), SpanKind::Retention, name, at, seq);
            }
            E::RetentionApplied { repository, .. } => {
                self.end(&Place::Retention(*repository), Some(Outcome::Succeeded), at, seq);
            }
            E::RetentionFailed { repository, message, .. } => {
                let outcome = failed("RetentionFailed", message);
                self.end(&Place::Retention(*repository), Some(outcome), at, seq);
            }
            E::MetricsPushed { .. } => {
                let problem = fold.backup().filter(|b| phase_is_failed(b));
                let problem = problem.and_then(super::phases::backup_error);
                self.finish(problem, at, seq);
            }
            _ => self.note(&Place::Session, seq),
        }
    }

    fn restore(&mut self, at: Timestamp, seq: u64, event: &restore::Event, fold: &SessionFold) {
        use restore::Event as E;
        match event {
            E::Declared { key, .. } if self.order.is_empty() => {
                self.begin(Place::Session, SpanKind::Session, key.name.clone(), at, seq);
            }
            E::Started { .. } => {
                self.note(&Place::Session, seq);
                self.begin(Place::Survey, SpanKind::Survey, "survey".into(), at, seq);
            }
            E::Run { event } => {
                let spec = fold.restore().map(|restore| &restore.spec);
                let hooks = spec.map(|spec| (&spec.pre_hooks[..], &spec.post_hooks[..]));
                self.run(at, seq, event, hooks.unwrap_or_default());
            }
            E::MetricsPushed { .. } => {
                let problem = fold.restore().and_then(super::phases::restore_error);
                self.finish(problem, at, seq);
            }
            _ => self.note(&Place::Session, seq),
        }
    }

    /// `hooks` are those before and those after the work.
    fn run(
        &mut self,
        at: Timestamp,
        seq: u64,
        event: &run::Event,
        hooks: (&[HookSpec], &[HookSpec]),
    ) {
        use run::Event as E;
        match event {
            E::Surveyed { .. } => self.end(&Place::Survey, Some(Outcome::Succeeded), at, seq),
            E::ComponentPlanned { .. } => {
                self.left += 1;
                self.note(&Place::Session, seq);
            }
            E::QueuedForWorker { .. } => {
                let name = "waiting for a worker".into();
                self.begin(Place::Workers, SpanKind::Queue, name, at, seq);
            }
            E::DeadlineExceeded { .. } | E::Cancelled { .. } => {
                self.end(&Place::Workers, None, at, seq);
                self.note(&Place::Session, seq);
            }
            E::HookStarted { run, .. } => {
                if run.stage == Stage::Pre {
                    self.end(&Place::Workers, None, at, seq);
                }
                let hooks = if run.stage == Stage::Pre { hooks.0 } else { hooks.1 };
                let hook = usize::try_from(run.index).ok().and_then(|index| hooks.get(index));
                self.hook(*run, hook.map(|hook| hook.name.as_str()), at, seq);
            }
            E::HookEnded { run, outcome, .. } => {
                self.end(&Place::Hook(*run), Some(outcome.clone()), at, seq);
            }
            E::AttemptStarted { component, number, .. } => {
                self.left = self.left.saturating_sub(1);
                if self.left == 0 {
                    self.end(&Place::Workers, None, at, seq);
                }
                self.component(component, *number, at, seq);
            }
            E::WorkerObserved { component, .. } => {
                self.note(&Place::Component(component.clone()), seq)
            }
            E::ComponentEnded { component, outcome, .. } => {
                self.end(&Place::Component(component.clone()), Some(outcome.clone()), at, seq);
            }
            _ => self.note(&Place::Session, seq),
        }
    }

    fn snapshot(&mut self, at: Timestamp, seq: u64, event: &snapshot::Event) {
        use snapshot::Event as E;
        let uid = event.uid();
        match event {
            E::ComponentStarted { component, .. } => {
                let known = self.state.snapshots.get(&uid).map(|known| known.repository);
                let repository = known.map(|known| repository_name(self.state, known));
                let name = format!("{component} to {}", repository.unwrap_or_default());
                let place = Place::Upload(uid, component.clone());
                self.begin(place, SpanKind::Upload, name, at, seq);
            }
            E::ComponentEnded { component, outcome, .. } => {
                let place = Place::Upload(uid, component.clone());
                self.end(&place, Some(outcome.clone()), at, seq);
            }
            _ => self.note(&Place::Session, seq),
        }
    }

    /// With the session ends whatever nobody ended.
    fn finish(&mut self, problem: Option<String>, at: Timestamp, seq: u64) {
        let outcome = problem.map_or(Outcome::Succeeded, |message| failed("Failed", &message));
        self.end(&Place::Session, Some(outcome), at, seq);
        let left: Vec<Place> = self.open.keys().cloned().collect();
        for place in left {
            let outcome = failed("Unfinished", "the session ended before it did");
            self.end(&place, Some(outcome), at, seq);
        }
    }
}

fn phase_is_failed(backup: &backup::state::Backup) -> bool {
    backup::phase::phase(backup) == backup::phase::Phase::Failed
}

fn failed(reason: &str, message: &str) -> Outcome {
    Outcome::Failed(crate::outcome::Failure {
        reason: reason.into(),
        message: message.into(),
        permanent: true,
    })
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::hook::Executor;
    use crate::testing::given;
    use crate::testing::world::{BACK, MINUTE, World, broken};

    /// Kind, name, minutes from the session's begin to the span's begin and end, and how it ended.
    fn spans(world: &World, session: Uid) -> Vec<String> {
        let mut fold = SessionFold::new(session);
        world.log.iter().for_each(|recorded| fold.record(recorded));
        let all = timeline(&fold).spans;
        let first = all[0].begin;
        let minutes = |at: Timestamp| at.since(first).0 / MINUTE;
        all.iter()
            .map(|span| {
                let end = span.end.map_or("-".to_string(), |end| minutes(end).to_string());
                let outcome = match &span.outcome {
                    None => String::new(),
                    Some(Outcome::Succeeded) => " ok".into(),
                    Some(Outcome::Failed(failure)) => format!(" {}", failure.reason),
                };
                format!("{:?} {} {}..{end}{outcome}", span.kind, span.name, minutes(span.begin))
            })
            .collect()
    }

    #[test]
    fn a_backup_is_its_survey_hooks_components_uploads_and_retention() {
        let mut session = given::session("nightly");
        session.pre_hooks = vec![given::hook("freeze")];
        let mut world = World::with(vec![session]);
        world.declare_hook("freeze", Executor::Pod);
        let (session, _) = world.create("nightly");
        world.pass(MINUTE);
        world.surveyed(session, 1);
        world.pass(MINUTE);
        world.hook_ended(session, Outcome::Succeeded);
        world.pass(MINUTE);
        world.reported(session, "pod-0");
        world.pass(MINUTE);
        let open = spans(&world, session);
        assert_eq!(open[0], "Session app-nightly-1700438400 0..-");
        world.described();
        assert_eq!(
            spans(&world, session),
            [
                "Session app-nightly-1700438400 0..4 ok",
                "Survey survey 0..1 ok",
                "Hook hook before: freeze 1..2 ok",
                "Upload pod-0 to one 2..3 ok",
                "Component pod-0 2..3 ok",
                "Retention retention of one 4..4 ok",
            ]
        );
    }

    #[test]
    fn what_nobody_ended_ends_with_the_session() {
        let mut world = World::ready();
        let session = world.working(1);
        world.pass(MINUTE);
        world.vanished(session, "pod-0");
        world.described();
        let all = spans(&world, session);
        assert_eq!(all[0], "Session app-nightly-1700438400 0..1 Failed");
        assert!(all.contains(&"Component pod-0 0..1 Evicted".to_string()), "{all:#?}");
        assert!(all.iter().all(|span| !span.contains("..-")), "{all:#?}");
    }

    #[test]
    fn a_session_that_waited_shows_for_how_long() {
        let mut world = World::with(vec![given::session("nightly"), given::session("weekly")]);
        let goes = world.working(1);
        let (waits, _) = world.create("weekly");
        world.pass(5 * MINUTE);
        world.reported(goes, "pod-0");
        world.closed();
        world.ask(backup::Command::Resume { session: waits });
        let all = spans(&world, waits);
        assert_eq!(all[1], "Queue waiting for its turn 0..5");
    }

    #[test]
    fn a_restore_has_its_tries_of_hooks_and_its_components() {
        let mut world = World::restorable();
        world.declare_hook("freeze", Executor::Pod);
        let mut spec = given::restore(&["pod-0"]);
        let retried = crate::hook::HookSpec { max_retry: 1, ..given::hook("freeze") };
        spec.pre_hooks = vec![retried];
        world.restoring(spec);
        world.pass(MINUTE);
        world.hook_ended(BACK, broken("ExitCode"));
        world.hook_ended(BACK, Outcome::Succeeded);
        world.pass(MINUTE);
        world.reported(BACK, "pod-0");
        let all = spans(&world, BACK);
        assert_eq!(all[0], "Session back 0..2 ok");
        let hooks: Vec<&String> = all.iter().filter(|span| span.starts_with("Hook")).collect();
        assert_eq!(hooks.len(), 2, "{all:#?}");
        assert!(hooks[0].ends_with("0..1 ExitCode") && hooks[1].ends_with("1..1 ok"), "{all:#?}");
        assert!(all.contains(&"Component pod-0 1..2 ok".to_string()), "{all:#?}");
    }

    #[test]
    fn every_span_names_its_events() {
        let mut world = World::ready();
        let session = world.succeed();
        let mut fold = SessionFold::new(session);
        world.log.iter().for_each(|recorded| fold.record(recorded));
        for span in timeline(&fold).spans {
            assert!(!span.events.is_empty() && span.events.is_sorted(), "{span:?}");
        }
    }
}
