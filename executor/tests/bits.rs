//! Every bit of a whole small repository, made from real files: each change of it is noticed, the object and
//! everything that it costs are named, and what is read is exact or a named error.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod gate;
mod shelf;
mod site;
mod support;

use std::collections::BTreeSet;

use gate::{Dice, flip, soak};
use site::{Lost, Padded, Site};

/// Puts other bytes in the place of some objects, looks, and puts the right ones back.
fn trial(
    site: &Site,
    changed: &[(&str, Option<Vec<u8>>)],
    what: &dyn Fn() -> String,
) -> BTreeSet<Lost> {
    for (key, bytes) in changed {
        site.store.tamper(key, bytes.clone());
    }
    let report = site.check();
    for (key, _) in changed {
        let found = report.findings.iter().any(|finding| finding.object == *key);
        let single = report.single_copies.iter().any(|single| single == key);
        assert!(found || single, "{} of {key} is not named: {report:?}", what());
    }
    let lost = site.survey();
    let named = site.named(&report);
    assert_eq!(named, lost, "{}: {report:?}", what());
    for (key, _) in changed {
        site.store.tamper(key, Some(site.right[*key].clone()));
    }
    lost
}

/// Only packs of data are stored once and have nothing that takes their place.
fn alone(keys: &[&str]) -> bool {
    keys.iter().any(|key| key.starts_with("packs/"))
}

/// Both halves of the work at once, each on a copy of its own.
fn halves(site: &Site, work: impl Fn(&Site, usize) + Sync) {
    let copies = [site.fork(), site.fork()];
    std::thread::scope(|scope| {
        for (half, copy) in copies.iter().enumerate() {
            let work = &work;
            scope.spawn(move || work(copy, half));
        }
    });
}

#[test]
fn r5_every_bit_of_every_object_is_noticed_and_what_it_costs_is_named() {
    let site = Site::new(Padded::No);
    let bytes: usize = site.right.values().map(Vec::len).sum();
    assert!(bytes <= 64 * 1024, "{bytes} bytes are too many to look at each bit");
    halves(&site, |site, half| {
        for (key, right) in &site.right {
            for bit in (half..right.len() * 8).step_by(2) {
                let what = || format!("bit {bit}");
                let lost = trial(site, &[(key, Some(flip(right, bit)))], &what);
                assert!(lost.is_empty() || alone(&[key]), "{key} has a copy: {lost:?}");
            }
        }
    });
}

#[test]
fn r5_every_length_of_every_object_and_its_absence() {
    let site = Site::new(Padded::No);
    halves(&site, |site, half| {
        for (key, right) in &site.right {
            for keep in (half..right.len()).step_by(2) {
                let cut = right[..keep].to_vec();
                trial(site, &[(key, Some(cut))], &|| format!("a cut after {keep} bytes"));
            }
            if half == 0 {
                trial(site, &[(key, Some([&right[..], &[0]].concat()))], &|| "a byte more".into());
                trial(site, &[(key, None)], &|| "deletion".into());
            }
        }
    });
}

#[test]
fn r5_every_two_objects_change_places() {
    let site = Site::new(Padded::No);
    halves(&site, |site, half| {
        let all: Vec<_> = site.right.iter().collect();
        for (at, (a, bytes_a)) in all.iter().enumerate().filter(|(at, _)| at % 2 == half) {
            for (b, bytes_b) in all[at + 1..].iter().filter(|(_, bytes)| bytes != bytes_a) {
                let swapped =
                    [(a.as_str(), Some(bytes_b.to_vec())), (b.as_str(), Some(bytes_a.to_vec()))];
                trial(site, &swapped, &|| format!("{a} and {b}, swapped"));
            }
        }
    });
}

/// Each object a second time, under another name of its folder: it is seen, and it changes nothing.
#[test]
fn r5_a_second_object_with_the_bytes_of_another_is_never_trusted() {
    let site = Site::new(Padded::No);
    let before = site.check();
    for (key, right) in &site.right {
        let (folder, name) = key.rsplit_once('/').unwrap_or(("", key));
        if name.len() < 32 {
            continue; // the config has no other name
        }
        let other = match name.starts_with('0') {
            true => format!("1{}", &name[1..]),
            false => format!("0{}", &name[1..]),
        };
        let folder = match folder.strip_suffix(&name[..2]) {
            Some(packs) if folder.contains("packs") => format!("{packs}{}", &other[..2]),
            _ => folder.to_owned(),
        };
        let other = format!("{folder}/{other}");
        site.store.tamper(&other, Some(right.clone()));
        let report = site.check();
        let named = report.findings.iter().any(|finding| finding.object == other);
        let counted = report.reclaimable != before.reclaimable;
        // A copy of a pack that no first object has is nobody's: like any pack that no index names.
        assert!(named || counted || other.starts_with("mirror/packs/"), "{other}: {report:?}");
        assert_eq!(site.survey(), BTreeSet::new(), "{other}");
        site.store.tamper(&other, None);
    }
}

/// Of trees and lists both copies: the directory and the names in it, or the files, are what is lost.
#[test]
fn r5_both_copies_of_a_pack_cost_what_is_named_and_no_more() {
    let site = Site::new(Padded::No);
    let copies: Vec<_> = site.right.keys().filter(|key| key.starts_with("mirror/packs/")).collect();
    assert!(copies.len() >= 3, "trees of two snapshots and a list");
    let mut ranges = 0;
    for copy in copies {
        let first = copy.strip_prefix("mirror/").unwrap();
        let right = &site.right[copy];
        for bit in (0..right.len() * 8).step_by(29) {
            let flipped =
                [(copy.as_str(), Some(flip(right, bit))), (first, Some(flip(right, bit)))];
            let lost = trial(&site, &flipped, &|| format!("bit {bit} of both copies"));
            ranges += lost.iter().filter(|lost| lost.is_part_of_a_directory()).count();
        }
        let gone = [(copy.as_str(), None), (first, None)];
        let lost = trial(&site, &gone, &|| "deletion of both copies".into());
        assert!(!lost.is_empty());
    }
    assert!(ranges > 0, "a page of several was lost");
}

/// The same through the whole of a restore: what fails is what `check` has named, and the rest is exact.
#[test]
fn r5_a_restore_is_exact_or_says_what_failed() {
    let site = Site::new(Padded::No);
    let mut dice = Dice::new(5);
    for (key, right) in &site.right {
        let mut damage = vec![None];
        damage.extend((0..soak(2)).map(|_| Some(flip(right, dice.below(right.len() * 8)))));
        for bytes in damage {
            site.store.tamper(key, bytes);
            site.restores_what_is_not_named();
            site.store.tamper(key, Some(right.clone()));
        }
    }
}

#[test]
fn r5_samples_of_a_padded_repository() {
    let site = Site::new(Padded::Yes);
    let keys: Vec<_> = site.right.keys().collect();
    let count = soak(10_000);
    halves(&site, |site, half| {
        let mut dice = Dice::new(half as u64);
        for _ in 0..count / 2 {
            let key = dice.one_of(&keys).as_str();
            let right = &site.right[key];
            let bytes = match dice.below(8) {
                0 => Some(right[..dice.below(right.len())].to_vec()),
                _ => Some(flip(right, dice.below(right.len() * 8))),
            };
            trial(site, &[(key, bytes)], &|| "a sample".into());
        }
    });
}

/// Padding is left out by a handle that asks for it and by nothing else, and readers do not care.
#[test]
fn r5_only_who_asks_for_it_writes_packs_without_padding() {
    let (bare, padded) = (Site::new(Padded::No), Site::new(Padded::Yes));
    let sizes = |site: &Site| {
        let packs = site.right.iter().filter(|(key, _)| key.contains("packs/"));
        packs.map(|(_, bytes)| bytes.len()).collect::<Vec<_>>()
    };
    assert!(sizes(&bare).iter().all(|size| *size < 64 * 1024));
    assert!(sizes(&padded).iter().all(|size| *size == 64 * 1024));
    assert_eq!(sizes(&bare).len(), sizes(&padded).len());
    // Every byte of a bare pack belongs to something.
    let index = bare.repo.index_for_reading().unwrap();
    for (number, pack) in index.index().packs().iter().enumerate() {
        let blocks: u32 = index.index().blocks_of(number as u32).map(|(_, b)| b.sealed_len).sum();
        let rest = pack.size - u64::from(blocks);
        assert!(rest < 16 + 40 + 16 + 40 * 40, "{rest} bytes beside the blocks");
    }
}

#[test]
fn r5_a_check_of_what_is_intact_has_read_every_byte_of_every_pack() {
    let site = Site::new(Padded::No);
    let report = site.check();
    let packs = site.right.iter().filter(|(key, _)| key.contains("packs/"));
    assert_eq!(report.bytes_read, packs.map(|(_, bytes)| bytes.len() as u64).sum::<u64>());
    assert!(report.is_clean() && report.single_copies.is_empty(), "{report:?}");
}
