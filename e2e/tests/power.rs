//! Power cuts: what was acknowledged is on the disk, and what the disk holds can be opened.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use holdfast_e2e::appender::{Appender, Said, last_acked};
use holdfast_e2e::chance::Chance;
use holdfast_e2e::found::proven;
use holdfast_e2e::mounted::Mounted;
use holdfast_e2e::privilege::is_root;

/// Each cut is followed by a start on what the one before has left.
const CUTS: usize = 20;
/// Enough for an ext4 with a journal of its own, the log of a whole run and its index.
const IMAGE_BYTES: u64 = 128 * 1024 * 1024;
/// Small, so that cuts fall around the end of segments as well.
const SEGMENT_BYTES: u32 = 64 * 1024;
/// Within this time after opening it appends up to some hundreds of batches.
const RUN: Duration = Duration::from_millis(300);

#[test]
fn a_cut_takes_what_was_not_synced_and_nothing_else() {
    if !is_root("the power cut's own test") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let [image, copy, disk, after] =
        ["image", "copy", "disk", "after"].map(|at| dir.path().join(at));
    let disk = Mounted::new_ext4(&image, IMAGE_BYTES, &disk).unwrap();

    let mut synced = fs::File::create(disk.path().join("synced")).unwrap();
    synced.write_all(b"kept").unwrap();
    synced.sync_all().unwrap();
    fs::File::open(disk.path()).unwrap().sync_all().unwrap();
    synced.write_all(b" and more").unwrap();
    fs::write(disk.path().join("unsynced"), b"lost").unwrap();

    let after = Mounted::after_power_cut(&image, &copy, &after).unwrap();
    assert_eq!(fs::read(after.path().join("synced")).unwrap(), b"kept");
    assert!(!after.path().join("unsynced").exists(), "the harness must be able to lose something");
}

#[test]
fn what_was_acknowledged_survives_twenty_power_cuts() {
    if !is_root("power cuts") {
        return;
    }
    let program = Path::new(env!("CARGO_BIN_EXE_appender"));
    let dir = tempfile::tempdir().unwrap();
    let mut chance = Chance::new();
    let generation = |count: usize| dir.path().join(format!("image-{count}"));
    let at = |count: usize| dir.path().join(format!("disk-{count}"));
    let mut disk = Mounted::new_ext4(&generation(0), IMAGE_BYTES, &at(0)).unwrap();
    let mut acked = 0;
    for cut in 0..CUTS {
        let mut child = Appender::start(program, &disk.path().join("log"), SEGMENT_BYTES).unwrap();
        let opened = |said: &Said| matches!(said, Said::Opened(_));
        let mut said = child.listen_until(opened).unwrap();
        assert!(matches!(said[0], Said::Opened(at) if at >= acked), "{acked} acked, {:?}", said[0]);
        said.append(&mut child.listen(chance.span_below(RUN)).unwrap());

        child.stop().unwrap();
        said.append(&mut child.heard().unwrap());
        acked = last_acked(&said, acked);
        let next = Mounted::after_power_cut(&generation(cut), &generation(cut + 1), &at(cut + 1));
        // What happens on the old disk from here on never happened.
        child.kill().unwrap();
        disk = next.unwrap();
        fs::remove_file(generation(cut)).unwrap();
    }
    let head = proven(&disk.path().join("log"), acked).unwrap();
    println!("{CUTS} power cuts, {head} events, {acked} of them acknowledged");
    assert!(acked > 1, "nothing was appended, so nothing was shown");
}
