//! A snapshot: it is read as it was written.
#![no_main]

use holdfast_executor::snapshot::Snapshot;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(snapshot) = Snapshot::decode(bytes) {
        let mut again = Vec::new();
        snapshot.encode(&mut again);
        assert_eq!(again, bytes);
    }
});
