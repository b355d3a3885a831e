//! Objects in an object store. What is asynchronous in the crate below ends in this folder: callers are
//! threads that block, as with every other store.

mod access;
mod answer;
mod bid;
mod client;
mod identity;
mod place;

use std::future::Future;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, GetResult, ObjectStore as Below, ObjectStoreExt as _, PutMode,
    PutOptions, PutPayload,
};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use super::{
    Habits, ObjectMeta, PutOutcome, RetryPolicy, Staged, Store, StoreError, check_key, check_range,
};
use crate::{limits, threads};

pub use access::Access;
pub(super) use place::{ObjectPlace, Writes};

/// Threads that drive sockets and TLS for all object stores of the process.
const DRIVERS: usize = 2;

/// Reads that hide the way to a store in another region, and that a server takes from one client.
const READS_IN_FLIGHT: usize = 16;

/// Packs on their way: each is held in memory until it has arrived.
const PUTS_IN_FLIGHT: usize = 4;

/// A bucket, or what lies below a prefix of one.
pub struct ObjectStore {
    below: Arc<dyn Below>,
    /// Empty, or without a slash at either end.
    prefix: String,
    writes: Writes,
    connections: Semaphore,
    connections_max: usize,
}

impl ObjectStore {
    /// What lies below `prefix` of a bucket.
    pub(super) fn new(below: Arc<dyn Below>, place: &ObjectPlace) -> Self {
        Self {
            below,
            prefix: place.prefix.clone(),
            writes: place.writes,
            connections: Semaphore::new(place.connections_max),
            connections_max: place.connections_max,
        }
    }

    fn path(&self, key: &str) -> Path {
        match self.prefix.as_str() {
            "" => Path::from(key),
            prefix => Path::from(format!("{prefix}/{key}")),
        }
    }

    fn checked(&self, key: &str) -> Result<Path, StoreError> {
        check_key(key)?;
        Ok(self.path(key))
    }

    /// Waits for an answer, on the calling thread, with one of the connections.
    fn wait<T>(
        &self,
        verb: &'static str,
        key: &str,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<object_store::Result<T>, StoreError> {
        Ok(runtime(verb, key)?.block_on(async {
            // It is never closed, so there is nothing to say if it were.
            let _one = self.connections.acquire().await;
            request.await
        }))
    }

    /// The same for requests to which a name that is taken is no answer.
    fn ask<T>(
        &self,
        verb: &'static str,
        key: &str,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, StoreError> {
        self.wait(verb, key, request)?.map_err(|error| answer::sort(verb, key, &error))
    }

    fn put(&self, key: &str, bytes: Bytes, mode: PutMode) -> Result<PutOutcome, StoreError> {
        let path = self.checked(key)?;
        let options = PutOptions { mode, ..PutOptions::default() };
        let size = bytes.len() as u64;
        let put = self.below.put_opts(&path, PutPayload::from(bytes), options);
        match self.wait("put", key, put)? {
            Ok(_) => Ok(PutOutcome::Created),
            Err(error) if answer::is_taken(&error) => Ok(PutOutcome::Exists),
            // A store that keeps no tags says so, and so does whatever answers any request with a page of its own.
            Err(error) if answer::is_taken_untagged(&error) => match self.stat(key) {
                Ok(found) if found.size == size => Ok(PutOutcome::Created),
                Err(error) if !error.permanent() => Err(error),
                _ => Err(answer::nonsense(key.to_owned())),
            },
            Err(error) => Err(answer::sort("put", key, &error)),
        }
    }

    /// Puts if nothing has that name, the way the server can.
    fn put_bytes(&self, key: &str, bytes: Bytes) -> Result<PutOutcome, StoreError> {
        match self.writes {
            Writes::Conditional => self.put(key, bytes, PutMode::Create),
            Writes::ByBids => bid::put(self, key, bytes),
        }
    }

    /// Puts a document, whatever has that name.
    pub(super) fn replace(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.put(key, Bytes::copy_from_slice(bytes), PutMode::Overwrite).map(drop)
    }

    /// Keys of at most so many objects below a folder, bids included, and whether there are more.
    pub(super) fn everything_below(
        &self,
        folder: &str,
        most: usize,
    ) -> Result<(Vec<String>, bool), StoreError> {
        check_key(folder)?;
        let (rows, more) = self.first_rows(folder, most)?;
        Ok((rows.into_iter().map(|row| row.key).collect(), more))
    }

    /// Removes one object; one that is absent is no error.
    pub(super) fn remove(&self, key: &str) -> Result<(), StoreError> {
        let path = self.checked(key)?;
        match self.ask("delete", key, self.below.delete(&path)) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    fn exists(&self, key: &str) -> Result<bool, StoreError> {
        match self.stat(key) {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn row(&self, meta: &object_store::ObjectMeta) -> ObjectMeta {
        let key = meta.location.as_ref();
        let own = key.strip_prefix(self.prefix.as_str()).unwrap_or(key);
        ObjectMeta {
            key: own.trim_start_matches('/').to_owned(),
            size: meta.size,
            modified_ms: meta.last_modified.timestamp_millis(),
        }
    }

    /// Everything below a prefix, bids included.
    fn rows(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        let limit = limits::LISTING_MAX_OBJECTS;
        match self.first_rows(prefix, limit)? {
            (rows, false) => Ok(rows),
            (_, true) => {
                Err(StoreError::Endless { prefix: prefix.to_owned(), limit: limit as u64 })
            }
        }
    }

    /// At most so many of them, and whether there are more: a server decides how long its listing is.
    fn first_rows(&self, prefix: &str, most: usize) -> Result<(Vec<ObjectMeta>, bool), StoreError> {
        let at = self.path(prefix.trim_end_matches('/'));
        let mut listing = self.below.list((!at.as_ref().is_empty()).then_some(&at));
        let (mut rows, more) = self.ask("list", prefix, async {
            let mut rows = Vec::new();
            while let Some(meta) = listing.try_next().await? {
                if rows.len() >= most {
                    return Ok((rows, true));
                }
                rows.push(self.row(&meta));
            }
            Ok((rows, false))
        })?;
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        Ok((rows, more))
    }
}

impl Store for ObjectStore {
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<PutOutcome, StoreError> {
        self.put_bytes(key, Bytes::copy_from_slice(bytes))
    }

    fn put_staged(&self, key: &str, staged: &mut Staged) -> Result<PutOutcome, StoreError> {
        let Staged::Memory(buffer) = staged else {
            return Err(StoreError::Invalid {
                key: key.to_owned(),
                reason: "was staged by another store",
            });
        };
        // A pack is not copied for each try: the buffer is lent, and taken back.
        let bytes = Bytes::from(std::mem::take(buffer));
        let outcome = self.put_bytes(key, bytes.clone());
        *buffer = Vec::from(bytes);
        outcome
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreError> {
        let path = self.checked(key)?;
        let (size, bytes) = self.ask("get", key, async {
            let found = self.below.get(&path).await?;
            let size = found.meta.size;
            let bytes = if size > limit { Vec::new() } else { content(found, size).await? };
            Ok((size, bytes))
        })?;
        if size > limit {
            return Err(StoreError::TooLarge { key: key.to_owned(), size, limit });
        }
        whole(key, 0, size, bytes)
    }

    fn get_range(&self, key: &str, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        let path = self.checked(key)?;
        let end = offset.saturating_add(len as u64);
        if len == 0 {
            // No range of a request is empty.
            check_range(key, self.stat(key)?.size, offset, len)?;
            return Ok(Vec::new());
        }
        let options =
            GetOptions { range: Some(GetRange::Bounded(offset..end)), ..GetOptions::default() };
        let read = self.ask("get", key, async {
            let found = self.below.get_opts(&path, options).await?;
            Ok((found.meta.size, content(found, len as u64).await?))
        });
        match read {
            Ok((size, bytes)) => {
                check_range(key, size, offset, len)?;
                whole(key, offset, len as u64, bytes)
            }
            Err(error) if error.is_not_found() => Err(error),
            Err(error) => {
                // What begins beyond the end is refused in as many words as there are servers.
                check_range(key, self.stat(key)?.size, offset, len)?;
                Err(error)
            }
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        let mut rows = self.rows(prefix)?;
        rows.retain(|row| !bid::is_one(&row.key));
        Ok(rows)
    }

    fn list_some(&self, prefix: &str, most: usize) -> Result<(Vec<ObjectMeta>, bool), StoreError> {
        let (mut rows, more) = self.first_rows(prefix, most)?;
        rows.retain(|row| !bid::is_one(&row.key));
        Ok((rows, more))
    }

    fn stat(&self, key: &str) -> Result<ObjectMeta, StoreError> {
        let path = self.checked(key)?;
        Ok(self.row(&self.ask("stat", key, self.below.head(&path))?))
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        if self.writes == Writes::ByBids {
            bid::withdraw(self, key)?;
        }
        self.remove(key)
    }

    fn habits(&self) -> Habits {
        Habits {
            pack_target_bytes: limits::PACK_OBJECT_TARGET_BYTES,
            reads_in_flight: READS_IN_FLIGHT.min(self.connections_max),
            read_join_bytes: limits::READ_MERGE_MAX_BYTES,
            puts_in_flight: PUTS_IN_FLIGHT.min(self.connections_max),
            patience: RetryPolicy::default(),
        }
    }
}

/// What comes, up to one byte more than was promised: a server may send for ever.
async fn content(found: GetResult, promised: u64) -> object_store::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut parts = found.into_stream();
    while bytes.len() as u64 <= promised
        && let Some(part) = parts.try_next().await?
    {
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

/// All bytes that were promised, or the error that says how many came.
fn whole(key: &str, offset: u64, wanted: u64, bytes: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    let got = bytes.len() as u64;
    if got == wanted {
        return Ok(bytes);
    }
    if got > wanted {
        return Err(answer::nonsense(key.to_owned()));
    }
    Err(StoreError::ShortRead { key: key.to_owned(), offset, wanted, got })
}

/// The one runtime of all object stores; it lives as long as the process.
fn runtime(verb: &'static str, key: &str) -> Result<&'static Runtime, StoreError> {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    let made = RUNTIME.get_or_init(|| {
        threads::can_start(DRIVERS)?;
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(DRIVERS)
            .thread_name("object-store")
            .enable_all()
            .build()
    });
    made.as_ref().map_err(|error| StoreError::Unavailable {
        verb,
        key: key.to_owned(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};

    use object_store::memory::InMemory;

    use super::*;

    fn place(prefix: &str, writes: Writes) -> ObjectPlace {
        let mut place = ObjectPlace::parse(&format!("s3://bucket/{prefix}")).unwrap();
        place.writes = writes;
        place
    }

    #[test]
    fn what_lies_beside_the_prefix_is_not_seen() {
        let below: Arc<dyn Below> = Arc::new(InMemory::new());
        let ours = ObjectStore::new(below.clone(), &place("a/b", Writes::Conditional));
        let beside = ObjectStore::new(below.clone(), &place("a/bc", Writes::Conditional));
        let above = ObjectStore::new(below, &place("", Writes::Conditional));
        ours.put_new("config", b"ours").unwrap();
        beside.put_new("config", b"beside").unwrap();
        let keys = |store: &ObjectStore| -> Vec<String> {
            store.list("").unwrap().into_iter().map(|row| row.key).collect()
        };
        assert_eq!(keys(&ours), ["config"]);
        assert_eq!(keys(&beside), ["config"]);
        assert_eq!(keys(&above), ["a/b/config", "a/bc/config"]);
        assert_eq!(ours.get("config", 10).unwrap(), b"ours");
    }

    #[test]
    fn no_more_requests_run_at_once_than_the_url_allows() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let mut place = place("", Writes::Conditional);
        place.connections_max = 3;
        let store = ObjectStore::new(Arc::new(InMemory::new()), &place);
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        // Each ends when three are there.
        let three = tokio::sync::Barrier::new(3);
        std::thread::scope(|scope| {
            for _ in 0..12 {
                let request = async {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    three.wait().await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                };
                scope.spawn(|| store.ask("get", "config", request).unwrap());
            }
        });
        assert_eq!(most.into_inner(), 3);
        assert_eq!((store.habits().reads_in_flight, store.habits().puts_in_flight), (3, 3));
    }

    #[test]
    fn a_pack_that_was_put_is_still_there_to_be_put_again() {
        let below: Arc<dyn Below> = Arc::new(InMemory::new());
        let store = ObjectStore::new(below, &place("", Writes::Conditional));
        let mut staged = store.stage().unwrap();
        staged.write(&[7; 1000]).unwrap();
        assert_eq!(store.put_staged("packs/00/a", &mut staged).unwrap(), PutOutcome::Created);
        assert_eq!(staged.len(), 1000);
        assert_eq!(store.put_staged("packs/00/a", &mut staged).unwrap(), PutOutcome::Exists);
    }

    /// Answers each request for an object of a server on this machine: `length` is what it says of one's size.
    fn untagged(length: usize) -> String {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let (mut head, mut size) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    stream.read_line(&mut line).unwrap();
                    if let Some(given) = line.to_lowercase().strip_prefix("content-length:") {
                        size = given.trim().parse().unwrap();
                    }
                    head += &line;
                    if line.trim().is_empty() {
                        break;
                    }
                }
                stream.read_exact(&mut vec![0; size]).unwrap();
                let length = if head.starts_with("HEAD") { length } else { 0 };
                let date = "Last-Modified: Mon, 30 Nov 2026 00:00:00 GMT\r\nConnection: close";
                let answer =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{date}\r\n\r\n");
                stream.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        });
        endpoint
    }

    #[test]
    fn k15_a_put_without_a_tag_is_done_if_the_object_is_there() {
        let store = |length| {
            let url = format!("s3://bucket/p?endpoint={}", untagged(length));
            let keys = [("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s")];
            let keys = keys.map(|(name, value)| (name.to_owned(), value.to_owned()));
            crate::store::open_url(&url, &crate::store::Access::of(keys)).unwrap()
        };
        assert_eq!(store(4).put_new("config", b"ours").unwrap(), PutOutcome::Created);
        let error = store(9).put_new("config", b"ours").unwrap_err();
        assert!(error.permanent(), "{error:?}");
    }
}
