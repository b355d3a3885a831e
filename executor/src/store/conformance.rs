//! What every store has to do, as one suite that runs over all of them and over every wrapper. It is there for
//! tests of other packages too, which have servers.
#![allow(clippy::unwrap_used)] // whoever runs it is a test

use super::{PutOutcome, Store, StoreError};

/// Runs the whole suite over an empty store.
///
/// # Panics
/// Where the store does not do what a store has to.
pub fn check(store: &dyn Store) {
    puts_never_replace(store);
    staged_objects_are_like_others(store);
    reads_are_exact_or_say_so(store);
    listings_are_complete_and_in_order(store);
    names_outside_the_store_are_refused(store);
    deletion_may_be_repeated(store);
    of_many_puts_at_once_one_creates(store);
}

fn puts_never_replace(store: &dyn Store) {
    assert_eq!(store.put_new("config", b"first").unwrap(), PutOutcome::Created);
    assert_eq!(store.put_new("config", b"second").unwrap(), PutOutcome::Exists);
    assert_eq!(store.get("config", 5).unwrap(), b"first");
}

fn staged_objects_are_like_others(store: &dyn Store) {
    let mut staged = store.stage().unwrap();
    staged.write(b"in two ").unwrap();
    staged.write(b"parts").unwrap();
    assert_eq!(staged.len(), 12);
    assert_eq!(store.list("").unwrap().len(), 1, "what is staged is no object");
    assert_eq!(store.put_staged("packs/0a/one", &mut staged).unwrap(), PutOutcome::Created);
    assert_eq!(store.get("packs/0a/one", 100).unwrap(), b"in two parts");
    let mut twin = store.stage().unwrap();
    twin.write(b"other").unwrap();
    assert_eq!(store.put_staged("packs/0a/one", &mut twin).unwrap(), PutOutcome::Exists);
    drop(twin);
    drop(store.stage().unwrap());
    assert_eq!(store.leftovers().unwrap(), []);
    assert_eq!(store.get("packs/0a/one", 100).unwrap(), b"in two parts");
}

fn reads_are_exact_or_say_so(store: &dyn Store) {
    assert_eq!(store.get_range("config", 1, 3).unwrap(), b"irs");
    assert_eq!(store.get_range("config", 5, 0).unwrap(), b"");
    for (offset, len) in [(3, 3), (9, 1), (u64::MAX, 2)] {
        let read = store.get_range("config", offset, len);
        assert!(matches!(read, Err(StoreError::BeyondEnd { size: 5, .. })), "{offset} {len}");
    }
    let large = store.get("config", 4);
    assert!(matches!(large, Err(StoreError::TooLarge { size: 5, limit: 4, .. })));
    for absent in ["nothing", "packs/0a/two"] {
        let fine = |error: StoreError| error.is_not_found();
        assert!(store.get(absent, 9).is_err_and(fine), "{absent}");
        assert!(store.get_range(absent, 0, 1).is_err_and(fine), "{absent}");
        assert!(store.stat(absent).is_err_and(fine), "{absent}");
    }
    assert_eq!(store.stat("config").unwrap().size, 5);
}

fn listings_are_complete_and_in_order(store: &dyn Store) {
    for name in ["b", "a", "c"] {
        store.put_new(&format!("packs/ff/{name}"), name.as_bytes()).unwrap();
    }
    let keys = |prefix: &str| {
        let rows = store.list(prefix).unwrap();
        rows.into_iter().map(|row| row.key).collect::<Vec<_>>()
    };
    assert_eq!(keys("packs/"), ["packs/0a/one", "packs/ff/a", "packs/ff/b", "packs/ff/c"]);
    assert_eq!(keys("").len(), 5);
    assert_eq!(keys("absent/"), [""; 0]);
    assert_eq!(store.list("packs/0a/").unwrap()[0].size, 12);
    let (some, more) = store.list_some("packs/", 2).unwrap();
    assert_eq!((some.len(), more), (2, true));
    assert_eq!(store.list_some("packs/", 4).unwrap(), (store.list("packs/").unwrap(), false));
}

fn names_outside_the_store_are_refused(store: &dyn Store) {
    for key in ["", "..", "../x", "/etc/x", "a//b", "a/./b", "a/../b", "a b", "a\0b", "ä"] {
        assert!(matches!(store.put_new(key, b"x"), Err(StoreError::Invalid { .. })), "{key:?}");
    }
}

fn deletion_may_be_repeated(store: &dyn Store) {
    store.delete("packs/ff/b").unwrap();
    store.delete("packs/ff/b").unwrap();
    store.delete("never/was").unwrap();
    assert!(store.get("packs/ff/b", 9).unwrap_err().is_not_found());
    assert_eq!(store.put_new("packs/ff/b", b"again").unwrap(), PutOutcome::Created);
}

fn of_many_puts_at_once_one_creates(store: &dyn Store) {
    for round in 0..8 {
        let key = format!("snapshots/{round}");
        let put = |content: u8| (content, store.put_new(&key, &[content; 64]).unwrap());
        let puts: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|content| scope.spawn(move || put(content))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let created: Vec<u8> = puts
            .iter()
            .filter(|(_, outcome)| *outcome == PutOutcome::Created)
            .map(|(content, _)| *content)
            .collect();
        assert_eq!(created.len(), 1);
        assert_eq!(store.get(&key, 64).unwrap(), [created[0]; 64]);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::check;
    use crate::store::object::{ObjectPlace, ObjectStore};
    use crate::store::*;

    fn file_store() -> (tempfile::TempDir, SharedStore) {
        let dir = tempfile::tempdir().unwrap();
        let store = FileStore::new(dir.path().join("some/where")).unwrap();
        (dir, Arc::new(store))
    }

    #[test]
    fn memory() {
        check(&MemoryStore::new());
    }

    #[test]
    fn file() {
        let (_dir, store) = file_store();
        check(&*store);
    }

    #[test]
    fn k15_file_systems_without_calls_for_new_names() {
        for way in [file::Way::Links, file::Way::Claims] {
            let dir = tempfile::tempdir().unwrap();
            let store = FileStore::new(dir.path().join("repo")).unwrap().with_way(way);
            check(&store);
            assert_eq!(store.notices().len(), usize::from(way == file::Way::Claims));
        }
    }

    #[test]
    fn file_by_url() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("file://{}/a%20b", dir.path().display());
        check(&*open_url(&url, &Access::default()).unwrap());
        assert!(dir.path().join("a b/config").is_file());
    }

    #[test]
    fn wrappers_over_both() {
        let wrap: [fn(SharedStore) -> SharedStore; 4] = [
            |inner| Arc::new(Retry::new(inner, RetryPolicy::default())),
            |inner| Arc::new(Throttle::new(inner, 1 << 30, 1 << 30)),
            |inner| Arc::new(Record::new(inner)),
            |inner| Arc::new(Faulty::seeded(inner, 1, 0)),
        ];
        for wrap in wrap {
            check(&*wrap(Arc::new(MemoryStore::new())));
            let (_dir, store) = file_store();
            check(&*wrap(store));
        }
    }

    /// A store that fails one call in five is as good as any, behind retries.
    #[test]
    fn retries_over_faults() {
        for seed in 0..50 {
            let memory: SharedStore = Arc::new(MemoryStore::new());
            let faulty = Arc::new(Faulty::seeded(memory, seed, 200));
            check(
                &Retry::new(faulty, RetryPolicy::default()).with_sleep(Arc::new(|_: Duration| {})),
            );
        }
    }

    #[test]
    fn what_a_killed_writer_leaves_is_counted_and_harmless() {
        let (_dir, store) = file_store();
        let mut staged = store.stage().unwrap();
        staged.write(b"half").unwrap();
        staged.abandon();
        assert_eq!(store.list("").unwrap(), []);
        let left = store.leftovers().unwrap();
        assert_eq!((left.len(), left[0].size), (1, 4));
        check_after_leftover(&*store);
    }

    fn check_after_leftover(store: &dyn Store) {
        assert_eq!(store.put_new("config", b"x").unwrap(), PutOutcome::Created);
        assert_eq!(store.list("").unwrap().len(), 1);
    }

    /// An object store without its server.
    #[test]
    fn objects() {
        for url in ["s3://bucket", "s3://bucket/some/where", "s3://bucket/p?conditional=no"] {
            let place = ObjectPlace::parse(url).unwrap();
            let below = Arc::new(object_store::memory::InMemory::new());
            check(&ObjectStore::new(below, &place));
        }
    }
}
