//! A session is wanted by an object or a person.

use alloc::format;
use alloc::string::String;

use crate::StreamKind;
use crate::backup::decide::open::{Request, open};
use crate::backup::{Command, Trigger};
use crate::draft::Draft;
use crate::ids::Key;
use crate::rejection::Rejection;
use crate::schedule;

pub(crate) fn decide(draft: &mut Draft, command: &Command) -> Result<(), Rejection> {
    let Command::Create { uid, key, configuration, session, retry_left, timeout, slot } = command
    else {
        return Ok(());
    };
    if draft.backup(*uid).is_some() {
        return Ok(());
    }
    let invoker = Key::new(key.namespace.clone(), configuration.clone());
    let found =
        draft.uid_of(StreamKind::Configuration, &invoker).and_then(|uid| draft.configuration(uid));
    let Some(found) = found else {
        return Err(Rejection::retry(key, format!("BackupConfiguration {invoker} not found")));
    };
    if found.deleting {
        return Err(Rejection::never(key, format!("{invoker} is being deleted")));
    }
    if found.session(session).is_none() {
        return Err(Rejection::retry(key, format!("{invoker} has no session {session:?}")));
    }
    let configuration = found.uid;
    let name = if key.name.is_empty() {
        schedule::decide::free_name(draft, &invoker, session, slot.unwrap_or(draft.at()))
    } else {
        key.name.clone()
    };
    let key = Key::new(key.namespace.clone(), name);
    if draft.uid_of(StreamKind::Backup, &key).is_some() {
        return Err(Rejection::never(key, "a session of this name exists; choose another name"));
    }
    let late: Option<String> =
        slot.and_then(|slot| schedule::decide::take(draft, configuration, session, slot));
    let request = Request {
        uid: *uid,
        key,
        configuration,
        session: session.clone(),
        trigger: slot.map_or(Trigger::Manual, |slot| Trigger::Slot { slot }),
        // A CronJob's call cannot know the spec; what it leaves open the session's spec fills.
        retry_left: slot.is_none().then_some(*retry_left).or(positive(*retry_left)),
        timeout: *timeout,
    };
    open(draft, request, late);
    Ok(())
}

fn positive(number: u32) -> Option<u32> {
    (number > 0).then_some(number)
}
