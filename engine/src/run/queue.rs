//! Whose turn it is: sessions that wait for places of workers, those that hold some, and the order between
//! them (design D21).
//!
//! | Question | Answer |
//! |---|---|
//! | what a worker needs | one place in the cluster, in its session's namespace, on its node, and at each storage |
//! | whose turn it is | the namespace that holds the fewest places; of equals the one whose last turn is longest ago |
//! | who of a namespace | the earliest minute, then the hash of the session's uid, then the component |
//! | who waits | whoever finds a limit reached; nobody waits for a place that is free |
//!
//! [`Queue`] is one of the sets that `apply` keeps beside the state. [`Line`] is what a decision makes of it
//! together with the sessions that it has changed so far.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use crate::hook::Stage;
use crate::ids::{Key, Uid};
use crate::run::limit::{Lack, Limits};
use crate::run::phase::Step;
use crate::run::state::Run;
use crate::time::Timestamp;

/// Slots of one minute are of one age: their order is that of their sessions' uids, which no one chooses.
const MINUTE: i64 = 60_000;

/// Where a worker needs places besides those in its cluster and namespace. What has no limit is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lane {
    /// Empty: on none in particular.
    node: String,
    storages: Vec<Key>,
}

/// A component that waits, in the order of its namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket {
    minute: i64,
    spread: Uid,
    /// The session.
    pub session: Uid,
    /// Number of the component in its plan.
    pub component: usize,
}

/// What one session holds and waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    namespace: String,
    /// When it came to a place last.
    turn_at: Option<Timestamp>,
    holds: Vec<Lane>,
    waits: BTreeMap<Ticket, Lane>,
}

/// What of a session decides how it stands.
pub(crate) struct Waiter<'s> {
    /// Its uid.
    pub uid: Uid,
    /// Its namespace.
    pub namespace: &'s str,
    /// When it was due, or asked for: what is older has its turn first.
    pub due_at: Timestamp,
    /// It has hooks before the work.
    pub freezes: bool,
    /// Its run.
    pub run: &'s Run,
}

impl Standing {
    /// Of a session as it is.
    pub fn of(waiter: &Waiter<'_>, limits: &Limits) -> Self {
        let Waiter { run, uid, .. } = *waiter;
        let storages = || match limits.storage {
            Some(_) => run.storages.clone(),
            None => Vec::new(),
        };
        let lane = |number: usize| {
            let node = run.components.get(number).filter(|_| limits.node.is_some());
            let node = node.map(|known| known.component.node.clone()).unwrap_or_default();
            Lane { node, storages: storages() }
        };
        let ticket = |component: usize| {
            let minute = waiter.due_at.0.div_euclid(MINUTE);
            Ticket { minute, spread: uid.derive("turn"), session: uid, component }
        };
        let (holds, waits) = places(waiter);
        Self {
            namespace: waiter.namespace.into(),
            turn_at: run.turn_at,
            holds: holds.into_iter().map(lane).collect(),
            waits: waits.into_iter().map(|number| (ticket(number), lane(number))).collect(),
        }
    }

    /// Where the first of its components that wait has to find places.
    pub fn first(&self) -> Option<&Lane> {
        self.waits.values().next()
    }

    /// There is nothing to remember of it.
    fn is_nothing(&self) -> bool {
        self.turn_at.is_none() && self.holds.is_empty() && self.waits.is_empty()
    }
}

/// Numbers of the components that hold a place, and of those that want one.
///
/// Hooks before the work hold the place of the first component: what they freeze is not to wait frozen.
fn places(waiter: &Waiter<'_>) -> (Vec<usize>, Vec<usize>) {
    let run = waiter.run;
    let all = || run.components.iter().enumerate();
    let running = all().filter(|(_, known)| known.is_running()).map(|(number, _)| number);
    let wanted = all().filter(|(_, known)| known.attempt == 0 && known.outcome.is_none());
    let wanted = wanted.map(|(number, _)| number);
    match run.step {
        Step::Planning => {
            let begun = run.hooks.tries.iter().any(|known| known.run.stage == Stage::Pre);
            let first = || wanted.clone().take(1).collect();
            match (waiter.freezes, begun) {
                (false, _) => (Vec::new(), wanted.collect()),
                (true, false) => (Vec::new(), first()),
                (true, true) => (first(), Vec::new()),
            }
        }
        Step::Working => (running.collect(), wanted.collect()),
        _ => (running.collect(), Vec::new()),
    }
}

/// Places that are held, or how many more than before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Held {
    cluster: i64,
    nodes: BTreeMap<String, i64>,
    storages: BTreeMap<Key, i64>,
}

impl Held {
    fn add(&mut self, lane: &Lane, count: i64) {
        self.cluster += count;
        if !lane.node.is_empty() {
            bump(&mut self.nodes, &lane.node, count);
        }
        for storage in &lane.storages {
            bump(&mut self.storages, storage, count);
        }
    }
}

fn bump<K: Ord + Clone>(counts: &mut BTreeMap<K, i64>, key: &K, by: i64) {
    let count = counts.entry(key.clone()).or_default();
    *count += by;
    if *count == 0 {
        counts.remove(key);
    }
}

/// One namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tenant {
    held: i64,
    turns: BTreeSet<(Timestamp, Uid)>,
    waits: BTreeMap<Lane, BTreeSet<Ticket>>,
}

impl Tenant {
    fn last_turn(&self) -> Option<Timestamp> {
        self.turns.last().map(|(at, _)| *at)
    }
}

/// The first of a namespace in a lane, in the order of turns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    held: i64,
    last_turn: Option<Timestamp>,
    ticket: Ticket,
    namespace: String,
}

/// All that hold and all that wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Queue {
    standings: BTreeMap<Uid, Standing>,
    tenants: BTreeMap<String, Tenant>,
    lanes: BTreeMap<Lane, BTreeSet<Rank>>,
    held: Held,
}

impl Queue {
    /// A session stands like this now; one that is gone like nothing.
    pub fn set(&mut self, session: Uid, now: Standing) {
        let before = self.standings.remove(&session);
        if before.as_ref() == Some(&now) {
            self.standings.insert(session, now);
            return;
        }
        let before = before.unwrap_or_default();
        let namespaces = BTreeSet::from([before.namespace.clone(), now.namespace.clone()]);
        for namespace in &namespaces {
            self.rank(namespace, false);
        }
        self.count(session, &before, -1);
        self.count(session, &now, 1);
        self.wait(&before, &now);
        if !now.is_nothing() {
            self.standings.insert(session, now);
        }
        for namespace in &namespaces {
            self.rank(namespace, true);
            if self.tenants.get(namespace).is_some_and(|known| *known == Tenant::default()) {
                self.tenants.remove(namespace);
            }
        }
    }

    fn count(&mut self, session: Uid, standing: &Standing, by: i64) {
        let tenant = self.tenants.entry(standing.namespace.clone()).or_default();
        for lane in &standing.holds {
            self.held.add(lane, by);
            tenant.held += by;
        }
        if let Some(at) = standing.turn_at {
            if by > 0 {
                tenant.turns.insert((at, session));
            } else {
                tenant.turns.remove(&(at, session));
            }
        }
    }

    /// A session stays in its namespace; one that is gone, or was not there, waits nowhere.
    fn wait(&mut self, before: &Standing, now: &Standing) {
        let tenant = self.tenants.entry(before.namespace.clone()).or_default();
        for (ticket, lane) in &before.waits {
            if now.waits.get(ticket) == Some(lane) {
                continue;
            }
            if let Some(all) = tenant.waits.get_mut(lane) {
                all.remove(ticket);
                if all.is_empty() {
                    tenant.waits.remove(lane);
                }
            }
        }
        let tenant = self.tenants.entry(now.namespace.clone()).or_default();
        for (ticket, lane) in &now.waits {
            if before.waits.get(ticket) != Some(lane) {
                tenant.waits.entry(lane.clone()).or_default().insert(*ticket);
            }
        }
    }

    /// Puts a namespace into the order of its lanes, or takes it out.
    fn rank(&mut self, namespace: &str, put: bool) {
        let Some(tenant) = self.tenants.get(namespace) else { return };
        let (held, last_turn) = (tenant.held, tenant.last_turn());
        for (lane, tickets) in &tenant.waits {
            let Some(ticket) = tickets.first().copied() else { continue };
            let rank = Rank { held, last_turn, ticket, namespace: namespace.into() };
            if put {
                self.lanes.entry(lane.clone()).or_default().insert(rank);
            } else if let Some(ranks) = self.lanes.get_mut(lane) {
                ranks.remove(&rank);
                if ranks.is_empty() {
                    self.lanes.remove(lane);
                }
            }
        }
    }
}

/// The queue as a decision has left it so far.
pub(crate) struct Line<'q> {
    queue: &'q Queue,
    limits: Limits,
    changed: BTreeMap<Uid, Standing>,
    /// What changed sessions hold beyond what they held before, in all and by namespace.
    more: Held,
    tenants: BTreeMap<String, i64>,
}

impl<'q> Line<'q> {
    /// The queue as it is recorded.
    pub fn new(queue: &'q Queue, limits: Limits) -> Self {
        let (changed, more, tenants) = Default::default();
        Self { queue, limits, changed, more, tenants }
    }

    /// A session stands like this now; one that is gone like nothing.
    pub fn change(&mut self, session: Uid, now: Standing) {
        let recorded = || self.queue.standings.get(&session).cloned();
        let before = self.changed.remove(&session).or_else(recorded).unwrap_or_default();
        for (standing, by) in [(&before, -1), (&now, 1)] {
            let of_tenant = self.tenants.entry(standing.namespace.clone()).or_default();
            for lane in &standing.holds {
                self.more.add(lane, by);
                *of_tenant += by;
            }
        }
        self.changed.insert(session, now);
    }

    /// Sessions that were changed and wait.
    pub fn waiting(&self) -> impl Iterator<Item = (Uid, &Standing)> {
        self.changed.iter().filter(|(_, now)| !now.waits.is_empty()).map(|(uid, now)| (*uid, now))
    }

    /// Whose turn it is; none when nobody waits who would find all places free.
    pub fn next(&self) -> Option<Ticket> {
        if self.is_full(&Lack::Cluster, "") {
            return None;
        }
        let open = |lane: &&Lane| self.closed(lane).is_none();
        let recorded = self.queue.lanes.iter().filter(|(lane, _)| open(lane));
        let untouched = recorded.filter_map(|(_, ranks)| {
            let mut others =
                ranks.iter().filter(|rank| !self.tenants.contains_key(&rank.namespace));
            // They are in the order of what they hold: behind one that has reached its limit all have.
            others.next().filter(|rank| !self.is_full(&Lack::Namespace, &rank.namespace)).cloned()
        });
        let touched = self.tenants.keys().filter_map(|namespace| self.first_of(namespace));
        untouched.chain(touched).min().map(|rank| rank.ticket)
    }

    /// The first of a namespace with changed sessions that would find places.
    fn first_of(&self, namespace: &str) -> Option<Rank> {
        if self.is_full(&Lack::Namespace, namespace) {
            return None;
        }
        let tenant = self.queue.tenants.get(namespace);
        let recorded = tenant.into_iter().flat_map(|known| &known.waits);
        let recorded = recorded.filter(|(lane, _)| self.closed(lane).is_none());
        let recorded = recorded.filter_map(|(_, tickets)| {
            tickets.iter().find(|ticket| !self.changed.contains_key(&ticket.session)).copied()
        });
        let mine = || self.changed.iter().filter(|(_, now)| now.namespace == namespace);
        let waits = mine().flat_map(|(_, now)| &now.waits);
        let waits =
            waits.filter(|(_, lane)| self.closed(lane).is_none()).map(|(ticket, _)| *ticket);
        let ticket = recorded.chain(waits).min()?;
        let turns = tenant.into_iter().flat_map(|known| known.turns.iter().rev());
        let before =
            turns.filter(|(_, uid)| !self.changed.contains_key(uid)).map(|(at, _)| *at).next();
        let last_turn = mine().filter_map(|(_, now)| now.turn_at).chain(before).max();
        Some(Rank { held: self.held_by(namespace), last_turn, ticket, namespace: namespace.into() })
    }

    /// Which limit keeps a session of this namespace out of this lane, and how high it is.
    pub fn lack(&self, namespace: &str, lane: &Lane) -> Option<(Lack, u32)> {
        let general =
            [(Lack::Cluster, self.limits.cluster), (Lack::Namespace, self.limits.namespace)];
        let reached = general.into_iter().filter(|(lack, _)| self.is_full(lack, namespace));
        let mut reached = reached.filter_map(|(lack, limit)| Some((lack, limit?)));
        reached.next().or_else(|| self.closed(lane))
    }

    /// The same for what is special about a lane.
    fn closed(&self, lane: &Lane) -> Option<(Lack, u32)> {
        let node = Some(&lane.node).filter(|name| !name.is_empty());
        let node = node.map(|name| (Lack::Node { name: name.clone() }, self.limits.node));
        let storages = lane.storages.iter();
        let storages =
            storages.map(|key| (Lack::Storage { key: key.clone() }, self.limits.storage));
        let mut reached =
            node.into_iter().chain(storages).filter(|(lack, _)| self.is_full(lack, ""));
        reached.find_map(|(lack, limit)| Some((lack, limit?)))
    }

    fn is_full(&self, what: &Lack, namespace: &str) -> bool {
        let Self { limits, more, queue, .. } = self;
        let of = |counts: Option<&i64>, more: Option<&i64>| {
            counts.copied().unwrap_or(0) + more.copied().unwrap_or(0)
        };
        let (limit, held) = match what {
            Lack::Cluster => (limits.cluster, queue.held.cluster + more.cluster),
            Lack::Namespace => (limits.namespace, self.held_by(namespace)),
            Lack::Node { name } => {
                (limits.node, of(queue.held.nodes.get(name), more.nodes.get(name)))
            }
            Lack::Storage { key } => {
                (limits.storage, of(queue.held.storages.get(key), more.storages.get(key)))
            }
        };
        limit.is_some_and(|limit| held >= i64::from(limit))
    }

    fn held_by(&self, namespace: &str) -> i64 {
        let recorded = self.queue.tenants.get(namespace).map_or(0, |known| known.held);
        recorded + self.tenants.get(namespace).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;
    use crate::dependency::Driver;
    use crate::outcome::Outcome;
    use crate::restore::apply::blank;
    use crate::restore::state::Restore;
    use crate::run::Component;
    use crate::run::component::ComponentState;
    use crate::testing::world::named;

    /// What stands in the queue: a session of a namespace, its minute, and each component as its node and
    /// whether it works (`Some(true)`), waits (`None`) or has ended.
    type Sketch = (usize, i64, Vec<(usize, Option<bool>)>, usize, Option<i64>);

    const NAMES: [&str; 3] = ["a", "b", "c"];

    fn session(number: usize, (namespace, minute, components, storages, turn): &Sketch) -> Restore {
        let mut restore = blank(named(&format!("{number}")), Timestamp(minute * MINUTE + 7));
        restore.key = Key::core(NAMES[*namespace], format!("s{number}"));
        let run = &mut restore.run;
        run.step = Step::Working;
        run.turn_at = turn.map(Timestamp);
        run.storages = NAMES[..*storages].iter().map(|name| Key::core("stores", *name)).collect();
        for (node, works) in components {
            let component = Component {
                name: format!("pod-{}", run.components.len()),
                driver: Driver::Restic,
                task: String::new(),
                params: vec![],
                pod: String::new(),
                node: NAMES[*node].into(),
                volumes: vec![],
                surroundings: Default::default(),
            };
            let mut known = ComponentState::planned(component.name.clone(), component);
            known.attempt = u32::from(works.is_some());
            known.outcome = (*works == Some(false)).then_some(Outcome::Succeeded);
            run.components.push(known);
        }
        restore
    }

    /// Whose turn it is, found by looking at everybody.
    fn look(all: &[Restore], limits: &Limits) -> Option<Ticket> {
        let running = |known: &&ComponentState| known.is_running();
        let of = |restore: &Restore| restore.run.components.iter().filter(running).count();
        let full =
            |limit: Option<u32>, held: usize| limit.is_some_and(|limit| held >= limit as usize);
        let held = |namespace: &str| -> usize {
            all.iter().filter(|one| one.key.namespace == namespace).map(of).sum()
        };
        let on = |node: &str| -> usize {
            let components = all.iter().flat_map(|one| &one.run.components).filter(running);
            components.filter(|known| known.component.node == node).count()
        };
        let at = |storage: &Key| -> usize {
            all.iter().filter(|one| one.run.storages.contains(storage)).map(of).sum()
        };
        let last = |namespace: &str| {
            let mine = all.iter().filter(|one| one.key.namespace == namespace);
            mine.filter_map(|one| one.run.turn_at).max()
        };
        if full(limits.cluster, all.iter().map(of).sum()) {
            return None;
        }
        let waits = all.iter().flat_map(|one| {
            let waits = one.run.components.iter().zip(0..).filter(|(known, _)| known.attempt == 0);
            waits.map(move |(known, number)| (one, known, number))
        });
        let free = waits.filter(|(one, known, _)| {
            !full(limits.namespace, held(&one.key.namespace))
                && !full(limits.node, on(&known.component.node))
                && !one.run.storages.iter().any(|storage| full(limits.storage, at(storage)))
        });
        let ranked = free.map(|(one, _, component)| {
            let minute = one.created_at.0.div_euclid(MINUTE);
            let spread = one.uid.derive("turn");
            let ticket = Ticket { minute, spread, session: one.uid, component };
            (held(&one.key.namespace), last(&one.key.namespace), ticket)
        });
        ranked.min().map(|(_, _, ticket)| ticket)
    }

    fn limits() -> impl Strategy<Value = Limits> {
        let limit = || prop::option::of(1_u32..5);
        (limit(), limit(), limit(), limit()).prop_map(|(cluster, namespace, node, storage)| {
            Limits { cluster, namespace, node, storage }
        })
    }

    fn sketch() -> impl Strategy<Value = Sketch> {
        let component = (0_usize..3, prop::option::of(any::<bool>()));
        let components = prop::collection::vec(component, 0..4);
        (0_usize..3, 0_i64..3, components, 0_usize..3, prop::option::of(0_i64..4))
    }

    fn queue(all: &[Restore], limits: &Limits) -> Queue {
        let mut queue = Queue::default();
        for one in all {
            queue.set(one.uid, Standing::of(&one.waiter(), limits));
        }
        queue
    }

    proptest! {
        /// The sets find what a look at everybody finds, whatever part of it a decision has changed; and
        /// they are the same however they came about.
        #[test]
        fn whose_turn_it_is(
            before in prop::collection::vec(sketch(), 0..12),
            after in prop::collection::vec(sketch(), 0..12),
            changed in prop::collection::vec(any::<bool>(), 12),
            limits in limits(),
        ) {
            let of = |all: &[Sketch]| -> Vec<Restore> {
                let all = all.iter().cloned().enumerate();
                let stays = |(number, one): (usize, Sketch)| session(number, &(number % 3, one.1, one.2, one.3, one.4));
                all.map(stays).collect()
            };
            let (before, after) = (of(&before), of(&after));
            let recorded = queue(&before, &limits);
            prop_assert_eq!(Line::new(&recorded, limits).next(), look(&before, &limits));

            let mut now = before.clone();
            let (mut line, mut followed) = (Line::new(&recorded, limits), recorded.clone());
            for number in (0..12).filter(|number| changed[*number]) {
                let uid = named(&format!("{number}"));
                now.retain(|one| one.uid != uid);
                let found = after.get(number);
                now.extend(found.cloned());
                let standing = found.map(|one| Standing::of(&one.waiter(), &limits)).unwrap_or_default();
                line.change(uid, standing.clone());
                followed.set(uid, standing);
            }
            let next = look(&now, &limits);
            prop_assert_eq!(line.next(), next);
            prop_assert_eq!(Line::new(&followed, limits).next(), next);
            now.reverse();
            prop_assert_eq!(queue(&now, &limits), followed, "in any order");
        }
    }

    #[test]
    fn a_lack_says_which_limit_was_reached() {
        let all = [session(0, &(0, 0, vec![(1, Some(true)), (1, None)], 1, None))];
        let key = || Key::core("stores", "a");
        for (limits, lack, said) in [
            (Limits { cluster: Some(1), ..Limits::default() }, Lack::Cluster, "of the cluster"),
            (
                Limits { namespace: Some(1), ..Limits::default() },
                Lack::Namespace,
                "of its namespace",
            ),
            (
                Limits { node: Some(1), ..Limits::default() },
                Lack::Node { name: "b".into() },
                "of node b",
            ),
            (
                Limits { storage: Some(1), ..Limits::default() },
                Lack::Storage { key: key() },
                "of BackupStorage stores/a",
            ),
        ] {
            let (queue, standing) = (queue(&all, &limits), Standing::of(&all[0].waiter(), &limits));
            let found = Line::new(&queue, limits).lack("a", standing.first().unwrap());
            assert_eq!(found, Some((lack.clone(), 1)));
            assert_eq!(
                lack.sentence(1),
                format!("It waits for a worker: the limit {said} (1) is reached.")
            );
        }
        let none = Limits::default();
        let (queue, standing) = (queue(&all, &none), Standing::of(&all[0].waiter(), &none));
        assert_eq!(Line::new(&queue, none).lack("a", standing.first().unwrap()), None);
    }

    #[test]
    fn a_namespace_with_one_session_does_not_wait_for_one_with_a_thousand() {
        let limits = Limits { cluster: Some(2), ..Limits::default() };
        let mut all: Vec<Restore> =
            (0..1000).map(|n| session(n, &(0, 0, vec![(0, None)], 0, None))).collect();
        all[0].run.components[0].attempt = 1;
        all[1].run.components[0].attempt = 1;
        all.push(session(1000, &(1, 2, vec![(0, None)], 0, None)));
        let mut queue = queue(&all, &limits);
        assert_eq!(Line::new(&queue, limits).next(), None, "two work");
        all[0].run.components[0].outcome = Some(Outcome::Succeeded);
        queue.set(all[0].uid, Standing::of(&all[0].waiter(), &limits));
        let next = Line::new(&queue, limits).next().unwrap();
        assert_eq!(next.session, all[1000].uid, "it is younger, and its namespace holds nothing");
    }
}
