//! An opened block: its header, and what zstd makes of its payload.
#![no_main]

use holdfast_executor::block::unpack;
use holdfast_executor::compress::{Codec, Compression};
use holdfast_executor::limits;

libfuzzer_sys::fuzz_target!(|message: &[u8]| {
    let Ok(mut codec) = Codec::new(Compression::None) else { return };
    let mut plain = Vec::new();
    if let Ok(block) = unpack(message, &mut codec, &mut plain) {
        let blobs: usize = block.blobs().map(<[u8]>::len).sum();
        assert!(blobs == block.plain().len() && blobs <= limits::BLOB_MAX_BYTES);
    }
});
