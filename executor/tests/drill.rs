//! The drill: a tree changes and is backed up again and again, snapshots are forgotten in between, by rules
//! and by name, and each that remains is restored and compared with what was there.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod gate;
mod shelf;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::PathBuf;

use gate::{Dice, soak};
use holdfast_executor::repo::{CheckOptions, Trees};
use shelf::{Shelf, noise};
use support::{facts, set_attribute, set_mtime, settle};

/// Backups of one drill.
const ROUNDS: usize = 50;

/// Snapshots of one drill that are compared: every so many-th, which no rule forgets.
const KEPT_EVERY: usize = 4;

struct Drill {
    shelf: Shelf,
    dice: Dice,
    next: u64,
}

impl Drill {
    fn path(&mut self) -> PathBuf {
        let dir = *self.dice.one_of(&["", "a", "a/b", "c", "c/d/e"]);
        let name = *self.dice.one_of(&["one", "two", "three", "\u{e9}t\u{e9}", "with space\n"]);
        let dir = self.shelf.path(dir);
        let _ = fs::create_dir_all(&dir);
        dir.join(name)
    }

    fn content(&mut self) -> Vec<u8> {
        self.next += 1;
        let len = match self.dice.below(8) {
            0 => 0,
            1 => 300_000 + self.dice.below(900_000),
            _ => self.dice.below(20_000),
        };
        noise(len, self.next)
    }

    fn existing(&mut self) -> Option<PathBuf> {
        let mut all = Vec::new();
        let mut ahead = vec![self.shelf.path("")];
        while let Some(dir) = ahead.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    ahead.push(entry.path());
                }
                all.push(entry.path());
            }
        }
        all.sort();
        (!all.is_empty()).then(|| self.dice.one_of(&all).clone())
    }

    /// One change of some kind; one that cannot be made changes nothing.
    fn change(&mut self) {
        let (path, content) = (self.path(), self.content());
        let Some(other) = self.existing() else { return fs::write(path, content).unwrap() };
        let is_file = fs::symlink_metadata(&other).is_ok_and(|meta| meta.is_file());
        let is_link = fs::symlink_metadata(&other).is_ok_and(|meta| meta.is_symlink());
        match self.dice.below(12) {
            0..=3 if !path.is_symlink() && !path.is_dir() => drop(fs::write(path, content)),
            4 if is_file => {
                let file = fs::File::options().write(true).open(&other).unwrap();
                file.write_all_at(b"changed in the middle", self.dice.below(9_000) as u64).unwrap();
            }
            5 if is_file => drop(fs::hard_link(&other, path)),
            6 => drop(symlink(other.file_name().unwrap(), path)),
            7 if !is_link => {
                let mode = 0o700 | self.dice.below(0o100) as u32;
                fs::set_permissions(&other, fs::Permissions::from_mode(mode)).unwrap();
            }
            8 if !is_link => {
                let len = *self.dice.one_of(&[5, 1_500]);
                set_attribute(&other, "user.drill", &noise(len, self.next));
            }
            9 => set_mtime(&other, self.dice.below(2_000_000_000) as i64, 12_345),
            10 => {
                let _ = fs::remove_file(&other);
                let _ = fs::remove_dir_all(&other);
            }
            11 => {
                if let Ok(file) = fs::File::create_new(path) {
                    file.set_len(4_000_000).unwrap();
                    file.write_all_at(b"island", 1_000_000).unwrap();
                }
            }
            _ => drop(fs::rename(&other, path)),
        }
    }
}

fn drill(seed: u64) {
    let mut drill = Drill { shelf: Shelf::new(), dice: Dice::new(seed), next: seed << 32 };
    drill.shelf.file("always", b"a source that had files may not be empty");
    let mut compared: BTreeMap<usize, BTreeMap<String, String>> = BTreeMap::new();
    for round in 0..ROUNDS {
        for _ in 0..1 + drill.dice.below(9) {
            drill.change();
        }
        settle();
        drill.shelf.backup();
        if round.is_multiple_of(KEPT_EVERY) {
            compared.insert(round, facts(&drill.shelf.path("")));
        } else if drill.dice.below(2) == 0 {
            // By name: one that is not compared, if it is there.
            let victim = drill.dice.below(round + 1);
            if !victim.is_multiple_of(KEPT_EVERY) {
                drill.shelf.repo.forget(&drill.shelf.taken[victim].0).unwrap();
            }
        } else if round > 12 {
            // By a rule: of those that are not compared only the last ten stay.
            for old in (0..round - 10).filter(|old| !old.is_multiple_of(KEPT_EVERY)) {
                drill.shelf.repo.forget(&drill.shelf.taken[old].0).unwrap();
            }
        }
    }
    let shelf = &drill.shelf;
    let names = shelf.repo.snapshot_names().unwrap();
    assert!(names.len() < ROUNDS, "some were forgotten");
    let dir = tempfile::tempdir().unwrap();
    for (round, right) in &compared {
        let (name, snapshot) = &shelf.taken[*round];
        assert_eq!(shelf.repo.load_snapshot(name).unwrap(), *snapshot);
        let to = dir.path().join(format!("round {round}"));
        let figures = shelf.restore_from(&shelf.repo, snapshot, &to).unwrap();
        assert_eq!(figures.failed.count, 0, "seed {seed}, round {round}: {:?}", figures.failed);
        assert_eq!(facts(&to), *right, "seed {seed}, round {round}");
        fs::remove_dir_all(&to).unwrap();
    }
    let options = CheckOptions { read_data: true, now_ms: 0 };
    let report = shelf.repo.check(options, Some(&Trees)).unwrap();
    assert!(report.is_clean() && report.single_copies.is_empty(), "seed {seed}: {report:?}");
    assert_eq!(report.snapshots, names.len() as u64);
}

#[test]
fn r17_fifty_backups_of_a_changing_tree_come_back_exactly() {
    (0..soak(1)).for_each(drill);
}
