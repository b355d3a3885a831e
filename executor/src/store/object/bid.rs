//! Put-if-absent for servers that have no conditional writes (`conditional=no` in the URL).
//!
//! Objects that are named by their content need none: whoever writes the name again writes the same bytes.
//! For the others a writer leaves a *bid* that carries the bytes, waits longer than the server's times are
//! coarse, and looks at all bids of the name: the oldest one is the object, with the smallest name among
//! those of one time. A bid that comes later is younger than that one for everybody. Whoever sees that
//! another's bid has won puts that one's bytes in case it died, so a name that was bid for is never left
//! without its object.
//!
//! It rests on listings that show every object whose put has been answered, and on times that one clock
//! gives. Bids are a few hundred bytes each, and stay as long as their object: they are what makes a late comer
//! lose. With the object they go, else an old one would win over whoever takes the name again.

use std::time::Duration;

use bytes::Bytes;
use object_store::PutMode;

use super::ObjectStore;
use crate::limits;
use crate::store::{ObjectMeta, PutOutcome, Store as _, StoreError};

/// Where bids lie; no object of a repository does.
pub(super) const FOLDER: &str = "bids/";

/// Longer than a second, in which most servers count, and than their writes take to get a time. The one that
/// unit tests have counts in nanoseconds.
const SETTLE: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 2_500 });

/// Whether a key is a bid.
pub(super) fn is_one(key: &str) -> bool {
    key.starts_with(FOLDER)
}

/// Whether no two writers ever write different bytes under this name: it is the hash of them, or, of an intent,
/// one writer's own random number.
fn is_safe(key: &str) -> bool {
    let own = key.strip_prefix("mirror/").unwrap_or(key);
    ["packs/", "keys/", "meta/index/", "intents/"].iter().any(|folder| own.starts_with(folder))
}

fn folder(key: &str) -> String {
    format!("{FOLDER}{key}/")
}

/// Takes the bids of a name away, before its object.
pub(super) fn withdraw(store: &ObjectStore, key: &str) -> Result<(), StoreError> {
    if is_safe(key) {
        return Ok(());
    }
    store.rows(&folder(key))?.iter().try_for_each(|bid| store.remove(&bid.key))
}

/// Puts if nothing has that name.
pub(super) fn put(store: &ObjectStore, key: &str, bytes: Bytes) -> Result<PutOutcome, StoreError> {
    if store.exists(key)? {
        return Ok(PutOutcome::Exists);
    }
    if is_safe(key) {
        return store.put(key, bytes, PutMode::Overwrite);
    }
    let random = getrandom::u64().map_err(|error| StoreError::Unavailable {
        verb: "put",
        key: key.to_owned(),
        reason: error.to_string(),
    })?;
    let folder = folder(key);
    let own = format!("{folder}{random:016x}");
    store.put(&own, bytes.clone(), PutMode::Overwrite)?;
    std::thread::sleep(SETTLE);
    let bids = store.rows(&folder)?;
    let first = oldest(&bids).ok_or_else(|| StoreError::Unavailable {
        verb: "list",
        key: folder.clone(),
        reason: "an object that was just put is not listed".to_owned(),
    })?;
    if first.key != own {
        let theirs = store.get(&first.key, limits::GC_RECORD_MAX_BYTES as u64)?;
        if !store.exists(key)? {
            store.put(key, Bytes::from(theirs), PutMode::Overwrite)?;
        }
        return Ok(PutOutcome::Exists);
    }
    store.put(key, bytes, PutMode::Overwrite)
}

fn oldest(bids: &[ObjectMeta]) -> Option<&ObjectMeta> {
    bids.iter().min_by(|a, b| (a.modified_ms, &a.key).cmp(&(b.modified_ms, &b.key)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;
    use crate::store::object::{ObjectPlace, Writes};

    fn store() -> ObjectStore {
        let place = ObjectPlace::parse("s3://bucket/p?conditional=no").unwrap();
        assert_eq!(place.writes, Writes::ByBids);
        ObjectStore::new(Arc::new(InMemory::new()), &place)
    }

    #[test]
    fn a_writer_that_died_after_its_bid_has_won_all_the_same() {
        let store = store();
        let dead = Bytes::from_static(b"of the dead");
        store.put("bids/config/ffff", dead, PutMode::Overwrite).unwrap();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(store.put_new("config", b"ours").unwrap(), PutOutcome::Exists);
        assert_eq!(store.get("config", 100).unwrap(), b"of the dead");
    }

    #[test]
    fn a_name_that_was_given_up_is_free_again() {
        let store = store();
        assert_eq!(store.put_new("config", b"old").unwrap(), PutOutcome::Created);
        store.delete("config").unwrap();
        assert_eq!(store.rows(FOLDER).unwrap(), []);
        assert_eq!(store.put_new("config", b"new").unwrap(), PutOutcome::Created);
        assert_eq!(store.get("config", 100).unwrap(), b"new");
    }

    #[test]
    fn of_one_time_the_smallest_name_is_first() {
        let row = |key: &str, modified_ms| ObjectMeta { key: key.into(), size: 1, modified_ms };
        let bids = [row("a", 2), row("c", 1), row("b", 1)];
        assert_eq!(oldest(&bids).unwrap().key, "b");
    }

    #[test]
    fn what_only_one_writes_is_not_bid_for() {
        let store = store();
        for key in
            ["packs/00/a", "mirror/packs/00/a", "keys/a", "meta/index/a", "intents/a.00000000"]
        {
            assert_eq!(store.put_new(key, b"x").unwrap(), PutOutcome::Created);
            assert_eq!(store.put_new(key, b"x").unwrap(), PutOutcome::Exists);
        }
        assert_eq!(store.rows(FOLDER).unwrap(), []);
    }
}
