//! A key slot: it is read as it was written.
#![no_main]

use holdfast_executor::slot::Slot;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(slot) = Slot::decode(bytes) {
        assert_eq!(slot.encode(), bytes);
    }
});
