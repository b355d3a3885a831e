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
