//! An index object, with the footers in it: it is read as it was written.
#![no_main]

use holdfast_executor::index::IndexObject;
use holdfast_executor::pack::Footer;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(object) = IndexObject::decode(bytes) {
        let mut again = Vec::new();
        object.encode(&mut again);
        assert_eq!(again, bytes);
        for pack in &object.packs {
            let _ = Footer::parse(&pack.body, pack.size);
        }
    }
});
