//! Damage to the files of a log: it opens with everything acknowledged, or it does not open for writing and
//! names the place. Nothing in between. (Every single bit: `src/journal/bits.rs`.)
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use holdfast_engine::{State, Timestamp};
use holdfast_eventlog::audit::audit;
use holdfast_eventlog::{Archivable, Damage, Error, Export, Ledger, Proven, Reader, Until};

use support::{Chance, copy, filled, options, term};

const TERMS: u64 = 200;
const TRIALS: u64 = 40;
const ALL: Archivable = Archivable { exported: TERMS, before: Timestamp(i64::MAX) };

/// A kind of damage to one file.
type Hurt = fn(&mut Vec<u8>, &mut Chance);

const KINDS: [(&str, Hurt); 6] = [
    ("one bit", |bytes, chance| {
        let bit = chance.below(bytes.len() as u64 * 8);
        bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
    }),
    ("512 bytes zeroed", |bytes, chance| zero(bytes, chance, 512)),
    ("4 KiB zeroed", |bytes, chance| zero(bytes, chance, 4096)),
    ("cut somewhere", |bytes, chance| {
        let length = chance.below(bytes.len() as u64);
        bytes.truncate(length as usize);
    }),
    ("last bytes cut", |bytes, chance| {
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) as u64;
        bytes.truncate(used.saturating_sub(chance.below(3000)) as usize);
    }),
    ("two blocks swapped", |bytes, chance| {
        let blocks = bytes.len() as u64 / 512;
        let (left, right) =
            (chance.below(blocks) as usize * 512, chance.below(blocks) as usize * 512);
        for at in 0..512 {
            bytes.swap(left + at, right + at);
        }
    }),
];

fn zero(bytes: &mut [u8], chance: &mut Chance, count: u64) {
    let start = chance.below(bytes.len() as u64) as usize;
    let end = bytes.len().min(start + count as usize);
    bytes[start..end].fill(0);
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("journal")).unwrap();
    let mut all: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "seg"))
        .collect();
    all.sort();
    all
}

struct Fixture {
    _root: tempfile::TempDir,
    good: PathBuf,
    work: PathBuf,
    state: State,
}

fn fixture() -> Fixture {
    let root = tempfile::tempdir().unwrap();
    let (good, work) = (root.path().join("good"), root.path().join("work"));
    let ledger = filled(&good, TERMS);
    let state = ledger.state().clone();
    ledger.close().unwrap();
    Fixture { _root: root, good, work, state }
}

impl Fixture {
    fn fresh(&self) {
        if self.work.exists() {
            fs::remove_dir_all(&self.work).unwrap();
        }
        copy(&self.good, &self.work);
    }

    /// Opens the damaged log. True: nothing was lost.
    fn judge(&self, what: &str) -> bool {
        match Ledger::open(&self.work, options()) {
            Ok(mut ledger) => {
                assert_eq!(ledger.state(), &self.state, "{what}: silent loss");
                match ledger.prove() {
                    Proven::Whole => return true,
                    Proven::Damaged(damage) => {
                        self.read_only(&mut ledger, what);
                        drop(ledger);
                        self.read_up_to(&damage, what);
                    }
                    Proven::Behind => panic!("{what}: the proof did not end"),
                }
            }
            Err(Error::Damaged(damage)) => self.read_up_to(&damage, what),
            Err(other) => panic!("{what}: {other}"),
        }
        false
    }

    /// Damage that lies before the checkpoint: nothing is decided, everything is shown.
    fn read_only(&self, ledger: &mut Ledger, what: &str) {
        let head = ledger.head();
        for _ in 0..2 {
            let asked = ledger.submit(&[term(TERMS + 1, "me")]);
            assert!(matches!(asked, Err(Error::Damaged(_))), "{what}");
        }
        assert!(matches!(ledger.archive(ALL), Err(Error::Damaged(_))), "{what}");
        assert_eq!((ledger.state(), ledger.head()), (&self.state, head), "{what}");
    }

    fn read_up_to(&self, damage: &Damage, what: &str) {
        assert!(damage.after <= TERMS, "{what}: {damage}");
        let Ok(reader) = Reader::open(&self.work, None) else { return };
        let report = audit(&reader).unwrap();
        assert!(!report.is_clean(), "{what}: the audit sees nothing of {damage}");
        // What is not first was found by a start that had no need of what lies before.
        let first = report.findings.iter().map(|finding| finding.seq).min().unwrap();
        let readable = reader.range(1, first).unwrap_or_default();
        assert_eq!(readable.len() as u64, first, "{what}: {damage}");
    }
}

#[test]
fn a_damaged_segment_is_named_or_harmless() {
    let fixture = fixture();
    let mut chance = Chance(1);
    for (kind, hurt) in KINDS {
        let mut noticed = 0;
        for trial in 0..TRIALS {
            fixture.fresh();
            let all = segments(&fixture.work);
            assert!(all.len() > 2);
            let path = &all[chance.below(all.len() as u64) as usize];
            let mut bytes = fs::read(path).unwrap();
            hurt(&mut bytes, &mut chance);
            fs::write(path, bytes).unwrap();
            if !fixture.judge(&format!("{kind}, trial {trial}, {}", path.display())) {
                noticed += 1;
            }
        }
        assert!(noticed > 0, "{kind}: no trial hit a frame");
    }
}

#[test]
fn a_lost_segment_is_named() {
    let fixture = fixture();
    for index in 0..segments(&fixture.good).len() {
        fixture.fresh();
        fs::remove_file(&segments(&fixture.work)[index]).unwrap();
        assert!(!fixture.judge(&format!("segment {index} removed")));
    }
}

#[test]
fn swapped_segments_are_named() {
    let fixture = fixture();
    fixture.fresh();
    let all = segments(&fixture.work);
    let aside = fixture.work.join("aside");
    fs::rename(&all[0], &aside).unwrap();
    fs::rename(&all[1], &all[0]).unwrap();
    fs::rename(&aside, &all[1]).unwrap();
    assert!(!fixture.judge("segments swapped"));
}

#[test]
fn without_head_the_log_is_read_but_not_written() {
    let fixture = fixture();
    fixture.fresh();
    fs::remove_file(fixture.work.join("HEAD")).unwrap();
    assert!(!fixture.judge("HEAD removed"));
    let reader = Reader::open(&fixture.work, None).unwrap();
    assert!(reader.head_lost().is_some());
    assert_eq!(reader.state_at(Until::End).unwrap(), fixture.state);
}

#[test]
fn an_older_copy_does_not_fit_the_anchor() {
    let fixture = fixture();
    fixture.fresh();
    let mut ledger = Ledger::open(&fixture.work, options()).unwrap();
    ledger.submit(&[term(TERMS + 1, "later")]).unwrap();
    let anchor = ledger.head().into();
    drop(ledger);
    let with_anchor = || holdfast_eventlog::Options { anchor: Some(anchor), ..options() };
    drop(Ledger::open(&fixture.work, with_anchor()).unwrap());
    fixture.fresh();
    match Ledger::open(&fixture.work, with_anchor()) {
        Err(Error::BehindAnchor { have, anchored }) => {
            assert_eq!((have, anchored), (TERMS, TERMS + 1));
        }
        _ => panic!("a rolled back log was opened"),
    }
    let mut ledger = Ledger::open(&fixture.work, options()).unwrap();
    ledger.submit(&[term(TERMS + 1, "another history")]).unwrap();
    drop(ledger);
    assert!(matches!(
        Ledger::open(&fixture.work, with_anchor()),
        Err(Error::Forked { seq }) if seq == TERMS + 1
    ));
}

#[test]
fn index_and_checkpoints_are_never_trusted() {
    let fixture = fixture();
    let mut chance = Chance(2);
    let mut files = Vec::new();
    for folder in ["index", "checkpoints", "positions"] {
        let entries = fs::read_dir(fixture.good.join(folder)).unwrap();
        let entries = entries.map(|entry| entry.unwrap()).filter(|entry| entry.path().is_file());
        files.extend(entries.map(|entry| Path::new(folder).join(entry.file_name())));
    }
    assert!(files.len() > 3);
    for (kind, hurt) in KINDS {
        for file in &files {
            fixture.fresh();
            let path = fixture.work.join(file);
            let mut bytes = fs::read(&path).unwrap();
            if bytes.len() < 1024 && kind.contains("swapped") {
                continue;
            }
            hurt(&mut bytes, &mut chance);
            fs::write(&path, bytes).unwrap();
            assert!(fixture.judge(&format!("{kind}, {}", file.display())));
            let mut ledger = Ledger::open(&fixture.work, options()).unwrap();
            let again = ledger.submit(&[term(3, "me")]).unwrap();
            assert_eq!(again.answers.len(), 1);
            assert!(again.recorded.is_empty(), "{kind}, {}: a command twice", file.display());
        }
    }
}

#[test]
fn a_damaged_export_is_not_imported() {
    let fixture = fixture();
    let file = fixture.good.join("export");
    let reader = Reader::open(&fixture.good, None).unwrap();
    Export::of(&reader).unwrap().write_file(&file).unwrap();
    let whole = fs::read(&file).unwrap();
    let mut chance = Chance(3);
    for (kind, hurt) in KINDS {
        for _ in 0..TRIALS {
            let mut bytes = whole.clone();
            hurt(&mut bytes, &mut chance);
            if bytes == whole {
                continue;
            }
            fs::write(&file, &bytes).unwrap();
            let imported = Export::read(&file);
            assert!(matches!(imported, Err(Error::Mismatch { .. })), "{kind}");
        }
    }
}
