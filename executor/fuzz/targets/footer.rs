//! The footer of a pack: blocks lie in the pack, and their blobs add up.
#![no_main]

use holdfast_executor::limits;
use holdfast_executor::pack::Footer;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    if let Ok(footer) = Footer::parse(body, limits::PACK_MAX_BYTES) {
        let plain: u64 = footer.blocks.iter().map(|block| u64::from(block.plain_len)).sum();
        let blobs: u64 = footer.blobs.iter().map(|(_, len)| u64::from(*len)).sum();
        assert_eq!(plain, blobs);
    }
});
