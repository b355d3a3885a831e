//! A list of the pieces of a large file.
#![no_main]

use holdfast_executor::tree::decode_list;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(pieces) = decode_list(bytes) {
        assert!(pieces.iter().all(|piece| !piece.is_empty()));
    }
});
