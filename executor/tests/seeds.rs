//! The seeds of the fuzzers: each parser has some, reads them, and reads nothing that is cut short. With
//! `HOLDFAST_SEEDS=DIRECTORY` they are written, each into the folder of its target.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

#[path = "../fuzz/seeds.rs"]
mod made;

use std::collections::BTreeSet;

use holdfast_executor::block::unpack;
use holdfast_executor::compress::{Codec, Compression};
use holdfast_executor::config::Config;
use holdfast_executor::index::IndexObject;
use holdfast_executor::limits;
use holdfast_executor::pack::Footer;
use holdfast_executor::slot::Slot;
use holdfast_executor::snapshot::Snapshot;
use holdfast_executor::tree::{Page, decode_list, decode_page};

fn reads(target: &str, bytes: &[u8]) -> bool {
    let mut codec = Codec::new(Compression::None).unwrap();
    match target {
        "block" => unpack(bytes, &mut codec, &mut Vec::new()).is_ok(),
        "config" => Config::parse("config", bytes).is_ok(),
        "footer" => Footer::parse(bytes, limits::PACK_MAX_BYTES).is_ok(),
        "index" => IndexObject::decode(bytes).is_ok(),
        "list" => decode_list(bytes).is_ok(),
        "page" => decode_page(bytes).is_ok(),
        "slot" => Slot::decode(bytes).is_ok(),
        "snapshot" => Snapshot::decode(bytes).is_ok(),
        other => panic!("{other} is fed by nobody: name its parser here"),
    }
}

#[test]
fn s1_every_parser_has_seeds_that_it_reads() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/targets");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let targets: BTreeSet<_> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let seeds = made::seeds().unwrap();
    let seeded: BTreeSet<_> = seeds.iter().map(|(target, _, _)| (*target).to_owned()).collect();
    assert_eq!(seeded, targets);
    let corpus = std::env::var_os("HOLDFAST_SEEDS").map(std::path::PathBuf::from);
    for (target, name, bytes) in &seeds {
        if let Some(corpus) = &corpus {
            let folder = corpus.join(target);
            std::fs::create_dir_all(&folder).unwrap();
            let file = format!("seed-{}", name.replace(' ', "-"));
            std::fs::write(folder.join(file), bytes).unwrap();
        }
        assert!(reads(target, bytes), "{target} does not read {name}");
        for cut in 0..bytes.len() {
            assert!(!reads(target, &bytes[..cut]), "{target} reads {cut} bytes of {name}");
        }
    }
    let pages = seeds.iter().filter(|(target, _, _)| *target == "page");
    let pages: Vec<_> = pages.map(|(_, _, bytes)| decode_page(bytes).unwrap()).collect();
    assert!(pages.iter().any(|page| matches!(page, Page::Parent(_))), "leaf and parent");
    assert!(pages.iter().any(|page| matches!(page, Page::Leaf(nodes) if nodes.len() > 10)));
}
