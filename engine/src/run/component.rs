//! Work at components, the same for backups and restores: which attempt is under way, who works at it,
//! what came of it.
//!
//! | Component | Event | then |
//! |---|---|---|
//! | planned | AttemptStarted | running, without a worker |
//! | running | WorkerObserved, of the current attempt | running, with its worker |
//! | running | ComponentEnded | ended, for good |

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::effect::Once;
use crate::ids::{Attempt, Key, Uid};
use crate::outcome::Outcome;
use crate::rejection::Rejection;
use crate::run::{Component, Worker};
use crate::time::{Millis, Timestamp};

/// A component of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentState {
    /// The name that was asked for; a backup asks by the component's own.
    pub asked: String,
    /// As planned; a restore's has the name that it has in the snapshot.
    pub component: Component,
    /// Current attempt; zero before the first.
    pub attempt: u32,
    /// Who works at it.
    pub worker: Option<Worker>,
    /// When the attempt began.
    pub started_at: Option<Timestamp>,
    /// What came of it.
    pub outcome: Option<Outcome>,
    /// How long it worked.
    pub duration: Millis,
    /// Its worker said what came of it; otherwise it stayed unfinished.
    pub reported: bool,
}

/// What cannot happen to a component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misfit {
    /// It was never planned.
    #[error("no component {name:?}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// Its attempt is not the current one.
    #[error("attempt {number} of {name:?} is superseded")]
    Superseded {
        /// The name.
        name: String,
        /// The attempt that was named.
        number: u32,
    },
    /// It ends once.
    #[error("component {name:?} has ended before")]
    Ended {
        /// The name.
        name: String,
    },
}

impl ComponentState {
    /// A component at which nobody has begun.
    #[must_use]
    pub fn planned(asked: String, component: Component) -> Self {
        Self {
            asked,
            component,
            attempt: 0,
            worker: None,
            started_at: None,
            outcome: None,
            duration: Millis(0),
            reported: false,
        }
    }

    /// An attempt is under way; its worker may exist even where nobody has seen it yet.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.attempt > 0 && self.outcome.is_none()
    }

    /// How long the current attempt has been under way.
    #[must_use]
    pub fn worked(&self, now: Timestamp) -> Millis {
        self.started_at.map_or(Millis(0), |start| now.since(start))
    }

    fn attempt_of(&self, session: Uid) -> Attempt {
        Attempt { session, component: self.component.name.clone(), number: self.attempt }
    }
}

/// The component of this name.
#[must_use]
pub fn find<'c>(components: &'c [ComponentState], name: &str) -> Option<&'c ComponentState> {
    components.iter().find(|known| known.component.name == name)
}

fn get<'c>(
    components: &'c mut [ComponentState],
    name: &str,
) -> Result<&'c mut ComponentState, Misfit> {
    let known = components.iter_mut().find(|known| known.component.name == name);
    known.ok_or_else(|| Misfit::Unknown { name: name.into() })
}

/// An attempt began.
pub(crate) fn begin(
    components: &mut [ComponentState],
    at: Timestamp,
    name: &str,
    number: u32,
) -> Result<(), Misfit> {
    let known = get(components, name)?;
    known.attempt = number;
    known.worker = None;
    known.started_at = Some(at);
    Ok(())
}

/// The attempt has a worker.
pub(crate) fn observe(
    components: &mut [ComponentState],
    name: &str,
    number: u32,
    worker: Worker,
) -> Result<(), Misfit> {
    let known = get(components, name)?;
    if known.attempt != number {
        return Err(Misfit::Superseded { name: name.into(), number });
    }
    known.worker = Some(worker);
    Ok(())
}

/// The component ended.
pub(crate) fn end(
    components: &mut [ComponentState],
    name: &str,
    outcome: &Outcome,
    duration: Millis,
    reported: bool,
) -> Result<(), Misfit> {
    let known = get(components, name)?;
    if known.outcome.is_some() {
        return Err(Misfit::Ended { name: name.into() });
    }
    known.outcome = Some(outcome.clone());
    known.duration = duration;
    known.reported = reported;
    Ok(())
}

/// Every component has a worker, or has had one.
#[must_use]
pub fn all_have_workers(components: &[ComponentState]) -> bool {
    components.iter().all(|known| known.worker.is_some())
}

/// The attempts that are under way, with the time that each has had.
#[must_use]
pub fn running(
    session: Uid,
    components: &[ComponentState],
    now: Timestamp,
) -> Vec<(Attempt, Millis)> {
    let running = components.iter().filter(|known| known.is_running());
    running.map(|known| (known.attempt_of(session), known.worked(now))).collect()
}

/// The effects that stop every worker of a session.
pub(crate) fn stops(session: Uid, components: &[ComponentState]) -> Vec<Once> {
    let running = components.iter().filter(|known| known.is_running());
    running.map(|known| Once::StopWorker { attempt: known.attempt_of(session) }).collect()
}

/// The component of an attempt, while the attempt is the current one; `key` is the session's.
pub(crate) fn current<'c>(
    key: &Key,
    components: &'c [ComponentState],
    attempt: &Attempt,
) -> Result<&'c ComponentState, Rejection> {
    let (name, number) = (&attempt.component, attempt.number);
    let known = find(components, name)
        .ok_or_else(|| Rejection::conflict(key, format!("no component {name:?}")))?;
    if known.attempt != number {
        let reason = format!("attempt {number} at {name} is not attempt {}", known.attempt);
        return Err(Rejection::conflict(key, reason));
    }
    if known.outcome.is_some() {
        return Err(Rejection::conflict(key, format!("component {name} has ended")));
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;
    use crate::group::Group;
    use crate::testing::world::{attempt, broken, named, worker};

    fn component(name: &str) -> ComponentState {
        let component = Component {
            name: name.into(),
            driver: crate::dependency::Driver::Restic,
            task: String::new(),
            params: vec![],
            pod: String::new(),
            node: String::new(),
            surroundings: crate::survey::Surroundings::default(),
            volumes: vec![],
        };
        ComponentState::planned(name.into(), component)
    }

    fn three() -> Vec<ComponentState> {
        ["a", "b", "c"].map(component).to_vec()
    }

    #[test]
    fn a_component_goes_from_planned_to_running_to_ended() {
        let mut all = three();
        assert!(!all[1].is_running());
        begin(&mut all, Timestamp(10), "b", 1).unwrap();
        assert!(all[1].is_running() && !all_have_workers(&all));
        assert_eq!(all[1].worked(Timestamp(17)), Millis(7));
        observe(&mut all, "b", 1, worker()).unwrap();
        assert_eq!(all[1].worker, Some(worker()));
        end(&mut all, "b", &Outcome::Succeeded, Millis(5), true).unwrap();
        assert!(!all[1].is_running());
        let expected = ComponentState {
            attempt: 1,
            worker: Some(worker()),
            started_at: Some(Timestamp(10)),
            outcome: Some(Outcome::Succeeded),
            duration: Millis(5),
            reported: true,
            ..component("b")
        };
        assert_eq!(all, [component("a"), expected, component("c")]);
    }

    #[test]
    fn another_attempt_forgets_the_worker_of_the_one_before() {
        let mut all = three();
        begin(&mut all, Timestamp(1), "a", 1).unwrap();
        observe(&mut all, "a", 1, worker()).unwrap();
        begin(&mut all, Timestamp(2), "a", 2).unwrap();
        assert_eq!((all[0].worker, all[0].started_at), (None, Some(Timestamp(2))));
        let late = observe(&mut all, "a", 1, worker()).unwrap_err();
        assert_eq!(late.to_string(), "attempt 1 of \"a\" is superseded");
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut all = three();
        begin(&mut all, Timestamp(1), "a", 1).unwrap();
        end(&mut all, "a", &broken("Evicted"), Millis(1), true).unwrap();
        let before = all.clone();
        let unknown = Misfit::Unknown { name: "x".into() };
        assert_eq!(begin(&mut all, Timestamp(1), "x", 1), Err(unknown.clone()));
        assert_eq!(observe(&mut all, "x", 1, worker()), Err(unknown.clone()));
        assert_eq!(end(&mut all, "x", &Outcome::Succeeded, Millis(1), true), Err(unknown.clone()));
        let twice = end(&mut all, "a", &Outcome::Succeeded, Millis(2), true);
        assert_eq!(twice, Err(Misfit::Ended { name: "a".into() }));
        assert_eq!(all, before);
        assert_eq!(unknown.to_string(), "no component \"x\"");
        assert_eq!(twice.unwrap_err().to_string(), "component \"a\" has ended before");
    }

    #[test]
    fn only_what_is_under_way_is_stopped() {
        let session = named("session");
        let mut all = three();
        begin(&mut all, Timestamp(1), "a", 1).unwrap();
        end(&mut all, "a", &Outcome::Succeeded, Millis(1), true).unwrap();
        begin(&mut all, Timestamp(5), "b", 1).unwrap();
        let under_way = attempt(session, "b");
        assert_eq!(running(session, &all, Timestamp(9)), [(under_way.clone(), Millis(4))]);
        assert_eq!(stops(session, &all), [Once::StopWorker { attempt: under_way }]);
        assert_eq!(stops(session, &[]), []);
    }

    #[test]
    fn every_component_must_have_had_a_worker() {
        let mut all = three();
        for name in ["a", "b", "c"] {
            assert!(!all_have_workers(&all));
            begin(&mut all, Timestamp(1), name, 1).unwrap();
            observe(&mut all, name, 1, worker()).unwrap();
        }
        end(&mut all, "a", &broken("Evicted"), Millis(1), true).unwrap();
        assert!(all_have_workers(&all));
        assert!(all_have_workers(&[]), "of nothing, all");
    }

    #[test]
    fn the_current_attempt_is_one_that_runs_under_its_number() {
        let session = named("session");
        let key = Key::new(Group::KubeStash, "demo", "s");
        let mut all = three();
        begin(&mut all, Timestamp(1), "a", 2).unwrap();
        let with = |name: &str, number| Attempt { number, ..attempt(session, name) };
        assert_eq!(current(&key, &all, &with("a", 2)).map(|c| c.attempt), Ok(2));
        for (attempt, reason) in [
            (with("x", 1), "no component \"x\""),
            (with("a", 1), "attempt 1 at a is not attempt 2"),
            (with("a", 3), "attempt 3 at a is not attempt 2"),
            (with("b", 1), "attempt 1 at b is not attempt 0"),
        ] {
            let refused = current(&key, &all, &attempt).unwrap_err();
            assert_eq!(refused, Rejection::conflict("demo/s", reason));
        }
        end(&mut all, "a", &Outcome::Succeeded, Millis(1), true).unwrap();
        let over = current(&key, &all, &with("a", 2)).unwrap_err();
        assert_eq!(over, Rejection::conflict("demo/s", "component a has ended"));
    }
}
