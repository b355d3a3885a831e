//! Whose turn it is to have a worker, found by looking at everybody, without the sets that decisions go by.

use std::collections::BTreeMap;

use holdfast_engine::backup::Trigger;
use holdfast_engine::condition::Type;
use holdfast_engine::hook::Stage;
use holdfast_engine::ids::Key;
use holdfast_engine::run::limit::{Lack, Limits};
use holdfast_engine::run::phase::Step;
use holdfast_engine::run::state::Run;
use holdfast_engine::{Due, Event, Millis, State, Timestamp, Uid, due, run};

use super::World;

/// Slots of one minute are of one age.
const MINUTE: i64 = 60_000;

/// When each session came to a place last, as its events say.
pub type Turns = BTreeMap<Uid, Timestamp>;

/// A session, as far as it decides whose turn it is.
struct Standing<'s> {
    uid: Uid,
    namespace: &'s str,
    due_at: Timestamp,
    freezes: bool,
    run: &'s Run,
}

impl Standing<'_> {
    /// Its hooks before the work have begun, and the work has not: they hold the place of the first component.
    fn is_frozen(&self) -> bool {
        let tries = &self.run.hooks.tries;
        let begun = tries.iter().any(|known| known.run.stage == Stage::Pre);
        self.run.step == Step::Planning && self.freezes && begun
    }

    /// Numbers of the components that hold a place.
    fn holds(&self) -> Vec<usize> {
        let all = self.run.components.iter().enumerate();
        let frozen = self.is_frozen();
        let holds = all.filter(|(number, known)| known.is_running() || frozen && *number == 0);
        holds.map(|(number, _)| number).collect()
    }

    /// Numbers of the components that want one.
    fn waits(&self) -> Vec<usize> {
        let all = self.run.components.iter().enumerate();
        let wanted = all.filter(|(_, known)| known.attempt == 0 && known.outcome.is_none());
        let wanted = wanted.map(|(number, _)| number);
        match self.run.step {
            Step::Planning if self.is_frozen() => vec![],
            Step::Planning if self.freezes => wanted.take(1).collect(),
            Step::Planning | Step::Working => wanted.collect(),
            _ => vec![],
        }
    }

    fn node(&self, number: usize) -> &str {
        &self.run.components[number].component.node
    }
}

fn standings(state: &State) -> Vec<Standing<'_>> {
    let backups = state.backups.values().map(|known| Standing {
        uid: known.uid,
        namespace: &known.key.namespace,
        due_at: match known.trigger {
            Trigger::Slot { slot } => slot,
            _ => known.created_at,
        },
        freezes: known.plan.as_ref().is_some_and(|plan| !plan.spec.pre_hooks.is_empty()),
        run: &known.run,
    });
    let restores = state.restores.values().map(|known| Standing {
        uid: known.uid,
        namespace: &known.key.namespace,
        due_at: known.created_at,
        freezes: !known.spec.pre_hooks.is_empty(),
        run: &known.run,
    });
    backups.chain(restores).collect()
}

/// Places that are held.
#[derive(Default)]
struct Held<'s> {
    cluster: usize,
    namespaces: BTreeMap<&'s str, usize>,
    nodes: BTreeMap<&'s str, usize>,
    storages: BTreeMap<&'s Key, usize>,
}

impl<'s> Held<'s> {
    fn of(all: &[Standing<'s>]) -> Self {
        let mut held = Self::default();
        for one in all {
            let run = one.run;
            for number in one.holds() {
                held.cluster += 1;
                *held.namespaces.entry(one.namespace).or_default() += 1;
                *held.nodes.entry(&run.components[number].component.node).or_default() += 1;
                run.storages.iter().for_each(|key| *held.storages.entry(key).or_default() += 1);
            }
        }
        held
    }

    /// The first limit that keeps a component from beginning, and how high it is.
    fn lack(&self, limits: &Limits, one: &Standing, number: usize) -> Option<(Lack, u32)> {
        let reached = |limit: Option<u32>, held: Option<&usize>| {
            limit.filter(|limit| held.copied().unwrap_or(0) >= *limit as usize)
        };
        if let Some(limit) = reached(limits.cluster, Some(&self.cluster)) {
            return Some((Lack::Cluster, limit));
        }
        if let Some(limit) = reached(limits.namespace, self.namespaces.get(one.namespace)) {
            return Some((Lack::Namespace, limit));
        }
        let node = one.node(number);
        if let Some(limit) = reached(limits.node, self.nodes.get(node)).filter(|_| !node.is_empty())
        {
            return Some((Lack::Node { name: node.into() }, limit));
        }
        one.run.storages.iter().find_map(|key| {
            let limit = reached(limits.storage, self.storages.get(key))?;
            Some((Lack::Storage { key: key.clone() }, limit))
        })
    }
}

/// Whose turn it is: session and number of its component.
pub fn next(state: &State, turns: &Turns) -> Option<(Uid, usize)> {
    let all = standings(state);
    let held = Held::of(&all);
    let last = |namespace: &str| {
        let mine = all.iter().filter(|one| one.namespace == namespace);
        mine.filter_map(|one| turns.get(&one.uid)).max()
    };
    let free = all.iter().flat_map(|one| {
        let waits = one.waits().into_iter();
        waits.map(move |number| (one, number))
    });
    let free = free.filter(|(one, number)| held.lack(&state.limits, one, *number).is_none());
    let ranked = free.map(|(one, number)| {
        let places = held.namespaces.get(one.namespace).copied().unwrap_or(0);
        let minute = one.due_at.0.div_euclid(MINUTE);
        let ticket = (minute, one.uid.derive("turn"), one.uid, number);
        (places, last(one.namespace), ticket)
    });
    ranked.min().map(|(_, _, (_, _, uid, number))| (uid, number))
}

impl World {
    /// Looked at before an event is applied: whoever begins is the one whose turn it is, and whoever waits says why.
    pub fn begins_in_turn(&mut self, at: Timestamp, event: &Event) {
        let Some(event) = event.run() else { return };
        let uid = event.uid();
        let all = standings(&self.state);
        let Some(one) = all.iter().find(|one| one.uid == uid) else { return };
        match event {
            run::Event::AttemptStarted { component, .. } if !one.is_frozen() => {
                let name = |number: usize| one.run.components[number].component.name.clone();
                let turn = next(&self.state, &self.turns);
                let turn = turn.map(|(uid, number)| {
                    (uid, if uid == one.uid { name(number) } else { String::new() })
                });
                assert_eq!(
                    turn,
                    Some((uid, component.clone())),
                    "whose turn it is, and who begins"
                );
            }
            run::Event::AttemptStarted { .. } => {}
            run::Event::HookStarted { run, .. } if run.stage == Stage::Pre => {
                let first = !one.is_frozen();
                let turn = first.then(|| next(&self.state, &self.turns)).flatten();
                assert_eq!(turn.is_some(), first, "hooks begin when there is a place");
                assert!(turn.is_none_or(|(turn, _)| turn == uid), "{turn:?} and not {uid}");
            }
            run::Event::QueuedForWorker { lack, limit, .. } => {
                let first = one.waits().first().copied().expect("whoever waits wants a place");
                let is = Held::of(&all).lack(&self.state.limits, one, first);
                assert_eq!(is, Some((lack.clone(), *limit)));
                return;
            }
            _ => return,
        }
        self.turns.insert(uid, at);
    }

    /// Whoever could begin has begun, or is due; whoever cannot says that it waits, and nobody else does.
    pub fn nobody_waits_for_a_place_that_is_free(&self) {
        let wakes = due(&self.state, self.now, Millis(0)).contains(&Due::BeginWaiting);
        let turn = next(&self.state, &self.turns);
        assert_eq!(wakes, turn.is_some(), "{turn:?}, {:?}", self.state.limits);
        for one in standings(&self.state) {
            let run = one.run;
            let (waits, queued) = (!one.waits().is_empty(), run.queued.is_some());
            let late = run.deadline.is_some_and(|deadline| deadline <= self.state.last_at);
            assert!(queued || !waits || wakes || late, "{run:#?}");
            assert!(waits || !queued, "{run:#?}");
            let holds = !one.holds().is_empty();
            if let Some(queued) = run.queued {
                assert!(run.is_going() && run.conditions.has(Type::Queued), "{run:#?}");
                assert_eq!(queued.since.is_none(), holds, "time stands still: {run:#?}");
                assert!(holds || run.deadline.is_none(), "time stands still: {run:#?}");
            }
        }
    }
}
