//! Bounds of the domain, each with its reason. Lists go one item a record, and a record of the log is
//! at most 64 KiB, so what lies within one record is bounded here.

use crate::time::Millis;

/// Sessions of one configuration: each becomes a record and a schedule.
pub const SESSIONS: usize = 64;
/// Backends of one configuration: all of them lie in one record.
pub const BACKENDS: usize = 32;
/// Repositories of one session: one worker writes to all of them at once.
pub const REPOSITORIES_A_SESSION: usize = 16;
/// Tasks of one session: each is planned for every host.
pub const TASKS_A_SESSION: usize = 16;
/// Hooks of one stage: they run one after another.
pub const HOOKS_A_STAGE: usize = 32;
/// Further tries of one hook: beyond this it is a loop, not a retry.
pub const HOOK_RETRIES: u32 = 100;
/// Characters of all strings of one session, so that its record stays below 64 KiB in any encoding.
pub const SESSION_TEXT_BYTES: usize = 40 * 1024;
/// Hosts of one target: each becomes a component with a worker of its own.
pub const COMPONENTS_A_SESSION: usize = 1024;
/// Events of one step: a frame is written and synced as a whole, and nobody else is answered meanwhile. A
/// step that has come to so many stops between two reactions.
pub const EVENTS_A_STEP: usize = 512;
/// Events after which a reaction that concerns many objects lets others go first: a step must not pass its
/// own bound by much.
pub const EVENTS_A_REACTION: usize = 64;
/// Objects after which it does, events or not: each of them is looked at whole.
pub const OBJECTS_A_REACTION: usize = 16;
/// Volumes of one host: a pod with more keeps data in a way that wants several configurations.
pub const VOLUMES_A_HOST: usize = 128;
/// Tolerations of one pod: controllers add half a dozen, people a few more.
pub const TOLERATIONS_A_POD: usize = 64;
/// Supplemental groups of one pod: what a kernel's task has by default at most of any use.
pub const SUPPLEMENTAL_GROUPS: usize = 256;
/// Terms of one volume's node affinity: drivers write one, or one for each zone.
pub const AFFINITY_TERMS: usize = 64;
/// Requirements of one such term: a zone, a host, a driver's own label.
pub const AFFINITY_REQUIREMENTS: usize = 32;
/// Characters of what a host's tolerations and volumes say, which lie in the record of its component: with the
/// task's parameters it stays below 64 KiB.
pub const HOST_TEXT_BYTES: usize = 16 * 1024;
/// Components of one snapshot that is adopted from a repository.
pub const ADOPTED_COMPONENTS: usize = 1024;
/// How long descriptions, retention and hooks after the work may take once the work is over, besides
/// the hooks' own timeouts: a lost answer must not keep a session open.
pub const CLOSING_MILLIS: Millis = Millis(15 * 60 * 1000);
/// The same of a session that has passed its deadline and has no hooks after the work: it ends within a minute,
/// whatever does not answer.
pub const LATE_CLOSING_MILLIS: Millis = Millis(60 * 1000);
/// How long a hook without a timeout of its own is waited for after the work.
pub const HOOK_DEFAULT_MILLIS: Millis = Millis(60 * 60 * 1000);
/// How many seconds a session's name may move on when it is taken: more than one a second for a minute
/// is a loop somewhere.
pub const NAME_SHIFT_SECONDS: i64 = 60;
/// Unreadable paths that a message names; the report has them all.
pub const UNREADABLE_NAMED: usize = 3;
/// How long a session may do nothing but wait for a worker: what found no place in a day stands behind something that
/// does not end, and keeps the next slot of its name from being taken.
pub const WORKER_WAIT_MILLIS: Millis = Millis(24 * 60 * 60 * 1000);
/// Workers and hooks that one step begins at most: each is some twenty events with sixteen repositories, and a step has to
/// be short; the next one follows at once.
pub const STARTS_A_STEP: usize = 64;
/// Slots that a schedule keeps ahead (design 4.2).
pub const SLOTS_AHEAD: usize = 3;
/// Folds that the search for causes may try: below a second for a person who waits, also unoptimised.
pub const EXPLAIN_FOLDS: u32 = 20_000;
/// Causes that are listed: nobody reads more alternatives.
pub const EXPLAIN_CAUSES: usize = 32;

/// After the first failure of something outside that may recover by itself (a directory that is not mounted,
/// a wipe that is refused) it is tried again after this: soon enough for somebody who watches.
pub const RETRY_FIRST_MILLIS: Millis = Millis(30_000);

/// The wait doubles with each failure up to this: seldom enough for a backend that is gone for days.
pub const RETRY_LAST_MILLIS: Millis = Millis(600_000);

/// The wait after so many failures in a row.
#[must_use]
pub fn retry_after(failures: u32) -> Millis {
    let doubled = RETRY_FIRST_MILLIS.0.checked_shl(failures.saturating_sub(1));
    let capped = failures.saturating_sub(1) >= 10;
    let last = RETRY_LAST_MILLIS.0;
    Millis(if capped { last } else { doubled.map_or(last, |wait| wait.min(last)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_limit() {
        let seconds = [1, 2, 3, 4, 5, 6, 7, 63, 64, u32::MAX].map(|n| retry_after(n).0 / 1_000);
        assert_eq!(seconds, [30, 60, 120, 240, 480, 600, 600, 600, 600, 600]);
    }
}
