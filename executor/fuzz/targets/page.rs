//! A page of a tree: sorted names that are path components, and read as it was written.
#![no_main]

use holdfast_executor::tree::{Page, check_name, decode_page, encode_leaf, encode_parent};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| match decode_page(bytes) {
    Ok(Page::Leaf(nodes)) => {
        assert!(nodes.is_sorted_by(|a, b| a.name < b.name));
        assert!(nodes.iter().all(|node| check_name(&node.name).is_ok()));
        assert_eq!(encode_leaf(&nodes), bytes);
    }
    Ok(Page::Parent(children)) => {
        assert!(children.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(encode_parent(&children), bytes);
    }
    Err(_) => {}
});
