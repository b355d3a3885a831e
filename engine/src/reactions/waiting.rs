//! Reactions that wait while a command is decided.
//!
//! What waits is a queue for each stage ([`super::stage`]); a later stage waits until the earlier ones are
//! empty. Within a stage it is first come, first served, and what waits already is not added again.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::command::Command;
use crate::draft::{Draft, Witness};
use crate::event::Event;
use crate::reaction::Reaction;
use crate::reactions::{Cause, ROWS, Row, STAGES, stage};

/// The next reaction.
pub(crate) struct Next {
    /// The number that it waited under in the state; absent where it is of this step.
    pub number: Option<u64>,
    /// What is to be decided.
    pub reaction: Reaction,
}

/// The queues, and the rows that fill them.
pub(crate) struct Waiting {
    rows: Vec<&'static Row>,
    queues: RefCell<[VecDeque<Next>; STAGES]>,
}

impl Waiting {
    /// Nothing waits. With a seed the rows are asked in another order.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let mut rows: Vec<&Row> = ROWS.iter().collect();
        if let Some(mut seed) = seed {
            for last in (1..rows.len()).rev() {
                // Knuth's MMIX constants; any spread does.
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let pick = usize::try_from(seed >> 33).unwrap_or_default() % (last + 1);
                rows.swap(last, pick);
            }
        }
        Self { rows, queues: RefCell::default() }
    }

    /// A command was decided.
    pub(crate) fn heard_command(&self, draft: &Draft, command: &Command) {
        self.look_up(draft, &Cause::Command(command));
    }

    /// Takes up what earlier steps were too full for.
    pub(crate) fn go_on_with(&self, draft: &Draft) {
        for (number, reaction) in draft.waiting() {
            let number = Some(number);
            self.push(Next { number, reaction: reaction.clone() });
        }
    }

    /// Has a reaction wait behind the others of its stage.
    pub(crate) fn add(&self, reaction: Reaction) {
        self.push(Next { number: None, reaction });
    }

    /// The next one, which waits no more.
    pub(crate) fn take(&self) -> Option<Next> {
        self.queues.borrow_mut().iter_mut().find_map(VecDeque::pop_front)
    }

    /// What is left of this step, in order.
    pub(crate) fn left(&self) -> Vec<Reaction> {
        let queues = self.queues.take().into_iter().flatten();
        queues.filter(|next| next.number.is_none()).map(|next| next.reaction).collect()
    }

    fn look_up(&self, draft: &Draft, cause: &Cause) {
        for row in &self.rows {
            for reaction in (row.reacts)(draft, cause) {
                #[cfg(test)]
                tests::row_says_so(row, cause, &reaction);
                self.add(reaction);
            }
        }
    }

    fn push(&self, next: Next) {
        let mut queues = self.queues.borrow_mut();
        let Some(queue) = queues.get_mut(stage(&next.reaction)) else { return };
        if next.number.is_some() || queue.iter().all(|known| known.reaction != next.reaction) {
            queue.push_back(next);
        }
    }
}

impl Witness for Waiting {
    fn heard(&self, draft: &Draft, event: &Event) {
        self.look_up(draft, &Cause::Event(event));
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec;

    use super::*;
    use crate::ids::Uid;
    use crate::testing::world::named;

    /// In every test of every aggregate: a row does what its words say.
    pub(super) fn row_says_so(row: &Row, cause: &Cause, reaction: &Reaction) {
        let (asked, what) = match cause {
            Cause::Event(event) => ("", format!("{event:?}")),
            Cause::Command(command) => ("asked: ", format!("{command:?}")),
        };
        let (aggregate, what) = what.split_once('(').unwrap();
        let what = what.split([' ', ')']).next().unwrap();
        let aggregate = format!("{asked}{} ", aggregate.to_lowercase());
        let causes = row.cause.strip_prefix(aggregate.as_str());
        let named = causes.is_some_and(|causes| causes.split(", ").any(|cause| cause == what));
        assert!(named, "{}: {aggregate}{what}", row.name);
        let kind: String = format!("{reaction:?}").split(' ').next().unwrap().into();
        assert_eq!(kind, row.reaction, "{}", row.name);
    }

    fn advance(name: &str) -> Reaction {
        Reaction::Advance { session: named(name) }
    }

    fn finish(configuration: Uid) -> Reaction {
        Reaction::FinishConfiguration { configuration }
    }

    fn all(waiting: &Waiting) -> vec::Vec<Reaction> {
        core::iter::from_fn(|| waiting.take()).map(|next| next.reaction).collect()
    }

    #[test]
    fn first_come_first_served_within_a_stage_and_none_twice() {
        let waiting = Waiting::new(None);
        for reaction in [finish(named("c")), advance("b"), advance("a"), advance("b")] {
            waiting.add(reaction);
        }
        assert_eq!(all(&waiting), [advance("b"), advance("a"), finish(named("c"))]);
        waiting.add(advance("b"));
        assert_eq!(all(&waiting), [advance("b")], "it does not wait any more");
    }

    #[test]
    fn what_is_left_are_the_reactions_of_this_step() {
        let waiting = Waiting::new(None);
        waiting.push(Next { number: Some(7), reaction: advance("a") });
        waiting.add(finish(named("c")));
        waiting.add(advance("b"));
        waiting.add(advance("a"));
        assert_eq!(waiting.left(), [advance("b"), finish(named("c"))]);
    }

    #[test]
    fn a_seed_puts_the_rows_into_another_order_and_loses_none() {
        let names = |seed| {
            let waiting = Waiting::new(seed);
            waiting.rows.iter().map(|row| row.name).collect::<vec::Vec<_>>()
        };
        let (written, other) = (names(None), names(Some(3)));
        assert_ne!(written, other);
        assert_ne!(other, names(Some(4)));
        let sorted = |mut names: vec::Vec<_>| {
            names.sort_unstable();
            names
        };
        assert_eq!(sorted(written), sorted(other));
    }
}
