//! What `holdfast repo` says and how it ends when a repository is not as it should be. Every state is made of
//! real bytes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod shelf;

use std::fs;
use std::path::Path;

use holdfast_executor::config::Features;
use holdfast_executor::repo::{Open, Repo, Unlock};
use holdfast_executor::store::{Access, open_url};
use serde_json::Value;
use shelf::{PASSWORD, Shelf};

/// A repository with one snapshot.
fn filled() -> Shelf {
    let shelf = Shelf::new();
    shelf.file("x", "x");
    shelf.backup(&[]);
    shelf
}

fn remove(shelf: &Shelf, key: &str) {
    let path = shelf.path("repository").join(key);
    if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
}

/// Every verb that opens the repository says the same.
fn refused(shelf: &Shelf, code: i32, words: &[&str]) {
    let source = shelf.arg("source");
    for args in [
        &["snapshots"][..],
        &["check"],
        &["key", "list"],
        &["backup", &source],
        &["backup", &source, "--dry-run"],
        &["restore", "latest", "--target", &shelf.arg("out")],
    ] {
        let said = shelf.fails(args, code);
        assert!(said.starts_with("error: "), "{args:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{args:?}: {word:?} is not in {said}");
        }
    }
}

/// What works although something is damaged, and says so.
fn warned(shelf: &Shelf, words: &str) {
    let source = shelf.arg("source");
    for args in [&["snapshots"][..], &["key", "list"], &["backup", &source], &["ls", "latest"]] {
        let said = shelf.fails(args, 0);
        assert!(said.starts_with("warning: ") && said.contains(words), "{args:?}: {said}");
        let said = shelf.fails(&[args, &["--json"]].concat(), 0);
        let line: Value = serde_json::from_str(said.trim_end()).unwrap();
        assert!(line["warning"].as_str().unwrap().contains(words), "{line}");
    }
}

#[test]
fn one_copy_of_the_config_is_enough_and_the_other_is_put_back() {
    for damage in ["damaged", "missing"] {
        let shelf = filled();
        let intact = fs::read(shelf.path("repository/config")).unwrap();
        let (finds, done) = match damage {
            "damaged" => {
                shelf.flip("config", 40);
                (22, "config: was damaged, replaced by its other copy")
            }
            _ => {
                remove(&shelf, "config");
                (0, "config: was missing, put back from its other copy")
            }
        };
        warned(&shelf, &format!("config is {damage}"));
        let found = shelf.run(&["check"], finds).stdout;
        assert!(String::from_utf8(found).unwrap().contains("`repair copies`"));
        shelf.run(&["repair", "copies", "--dry-run"], 0);
        let changed = fs::read(shelf.path("repository/config")).ok();
        assert_ne!(changed, Some(intact.clone()), "a rehearsal has repaired");
        let said = String::from_utf8(shelf.run(&["repair", "copies"], 0).stdout).unwrap();
        assert!(said.contains(done), "{said}");
        assert_eq!(fs::read(shelf.path("repository/config")).unwrap(), intact);
        assert!(shelf.ok(&["repair", "copies"]).contains("nothing to do"));
        shelf.ok(&["check"]);
    }
}

#[test]
fn a_config_that_is_damaged_twice_or_lost_opens_nothing_and_is_never_made_again() {
    let shelf = filled();
    let last = fs::metadata(shelf.path("repository/config")).unwrap().len() as usize - 1;
    for byte in [40, last] {
        for key in ["config", "mirror/config"] {
            shelf.flip(key, byte);
        }
        refused(&shelf, 22, &["config is damaged", "copy of the repository", "change nothing"]);
        for key in ["config", "mirror/config"] {
            shelf.flip(key, byte);
        }
    }
    remove(&shelf, "config");
    remove(&shelf, "mirror/config");
    refused(&shelf, 22, &["config and its copy are missing", "bring back config"]);
    for args in [&["init"][..], &["backup", &shelf.arg("source"), "--init"]] {
        let said = shelf.fails(args, 22);
        assert!(said.contains("never initialised again"), "{said}");
    }
}

#[test]
fn a_place_without_a_repository_is_told_from_one_that_cannot_be_looked_at() {
    let shelf = Shelf::bare();
    shelf.file("x", "x");
    refused(&shelf, 10, &[&shelf.url(), "no repository here", "`holdfast repo init`"]);
    assert!(!shelf.path("repository").exists(), "looking has made something");
    let foreign = format!("file://{}", shelf.path("source").display());
    let said = shelf.fails(&["snapshots", "--url", &foreign], 10);
    assert!(said.contains("no repository here"), "{said}");
    for args in [&["init"][..], &["backup", &shelf.arg("source"), "--init"]] {
        let said = shelf.fails(&[args, &["--url", &foreign]].concat(), 1);
        assert!(said.contains("not empty: it holds \"x\""), "{said}");
    }
    let file = format!("file://{}", shelf.path("source/x").display());
    let said = shelf.fails(&["snapshots", "--url", &file], 1);
    assert!(said.contains("a file lies where a directory should be"), "{said}");
    // A link to itself answers nothing, whoever asks.
    std::os::unix::fs::symlink(shelf.path("loop"), shelf.path("loop")).unwrap();
    let unreachable = format!("file://{}/repository", shelf.path("loop").display());
    let said = shelf.fails(&["snapshots", "--url", &unreachable], 25);
    assert!(said.contains(&unreachable) && said.contains("try again"), "{said}");
    let said = shelf.fails(&["init", "--url", "file:///sys/kernel/holdfast"], 24);
    assert!(said.contains("denies"), "{said}");
}

#[test]
fn a_wrong_password_is_no_damage() {
    let shelf = filled();
    let mut command = shelf.command(&["snapshots", "--json"]);
    let output = command.env("HOLDFAST_PASSWORD", "wrong").output().unwrap();
    assert_eq!(output.status.code(), Some(12));
    let line: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(line["message"], "error");
    assert_eq!((&line["code"], &line["kind"]), (&12.into(), &"wrongPassphrase".into()));
    assert!(line["hint"].as_str().unwrap().contains("--password-file"), "{line}");
}

#[test]
fn another_repository_in_its_place_is_refused_where_one_is_expected() {
    let shelf = filled();
    let listed = shelf.json(&["key", "list"]);
    let id = listed[0]["repository"].as_str().unwrap().to_owned();
    shelf.ok(&["snapshots", "--expect-repository", &id]);
    fs::remove_dir_all(shelf.path("repository")).unwrap();
    let gone = ["backup", &shelf.arg("source"), "--expect-repository", &id];
    shelf.fails(&gone, 10);
    shelf.fails(&[&gone[..], &["--init"]].concat(), 2);
    shelf.fails(&["init", "--expect-repository", &id], 2);
    assert!(!shelf.path("repository").exists());
    shelf.ok(&["init"]);
    let out = shelf.arg("out");
    for args in [&["snapshots"][..], &["check"], &["restore", "latest", "-t", &out], &gone[..2]] {
        let said = shelf.fails(&[args, &["--expect-repository", &id]].concat(), 21);
        assert!(said.contains(&id) && said.contains("nothing was written"), "{args:?}: {said}");
    }
    let mut command = shelf.command(&["snapshots"]);
    let output = command.env("HOLDFAST_EXPECT_REPOSITORY", &id).output().unwrap();
    assert_eq!(output.status.code(), Some(21));
    assert_eq!(shelf.ids(&[]), [""; 0]);
    shelf.fails(&["snapshots", "--expect-repository", "feed"], 2);
}

#[test]
fn key_slots_that_are_damaged_changed_or_gone() {
    let shelf = filled();
    let slot = shelf.objects("keys").remove(0);
    let intact = fs::read(shelf.path("repository/keys").join(&slot)).unwrap();
    shelf.flip(&format!("keys/{slot}"), 100);
    assert_eq!(shelf.ids(&[]).len(), 1, "its copy opens");
    shelf.run(&["check"], 22);
    shelf.flip(&format!("mirror/keys/{slot}"), 100);
    refused(&shelf, 22, &[&slot, "damaged, and so is its copy", "another password"]);
    // A store that changes a slot can give it the name that fits.
    let mut changed = intact.clone();
    *changed.last_mut().unwrap() ^= 1;
    let name = blake3::hash(&changed).to_string();
    for folder in ["keys", "mirror/keys"] {
        remove(&shelf, &format!("{folder}/{slot}"));
        fs::write(shelf.path("repository").join(folder).join(&name), &changed).unwrap();
    }
    refused(&shelf, 22, &[&name, "tampered", "the password is right"]);
    for folder in ["keys", "mirror/keys"] {
        remove(&shelf, &format!("{folder}/{name}"));
    }
    refused(&shelf, 22, &["no key slot is left"]);
    fs::write(shelf.path("repository/keys").join(&slot), intact).unwrap();
    let said = String::from_utf8(shelf.run(&["repair", "copies"], 0).stdout).unwrap();
    assert!(said.contains(&format!("mirror/keys/{slot}: was missing")), "{said}");
    shelf.ok(&["check"]);
}

#[test]
fn a_newer_format_is_refused_with_the_version_that_it_needs() {
    let shelf = filled();
    let mut bytes = fs::read(shelf.path("repository/config")).unwrap();
    // Only magic, format and needed version are where they are, in any format.
    bytes[4..6].copy_from_slice(&0x0105u16.to_le_bytes());
    bytes[6] = 5;
    bytes[7..12].copy_from_slice(b"9.8.7");
    for key in ["config", "mirror/config"] {
        fs::write(shelf.path("repository").join(key), &bytes).unwrap();
    }
    refused(&shelf, 27, &["repository format 1.5", "9.8.7", "take a newer holdfast"]);
    shelf.fails(&["init"], 27);
}

fn open(shelf: &Shelf) -> Repo<Open> {
    let store = open_url(&shelf.url(), &Access::default()).unwrap();
    Repo::at(store).open(PASSWORD.as_bytes(), Unlock::default()).unwrap()
}

#[test]
fn an_unknown_feature_forbids_what_it_is_needed_for_and_nothing_else() {
    let shelf = filled();
    let repository = open(&shelf);
    let set = |features: Features| {
        let mut config = repository.config().clone();
        (config.features, config.needs) = (features, "9.8.7".to_owned());
        for key in ["config", "mirror/config"] {
            let bytes = config.encode(repository.keys());
            fs::write(shelf.path("repository").join(key), bytes).unwrap();
        }
    };
    let (source, out) = (shelf.arg("source"), shelf.arg("out"));
    let id = shelf.ids(&[]).remove(0);
    let reads: [&[&str]; 7] = [
        &["snapshots"],
        &["ls", "latest"],
        &["check", "--read-data"],
        &["restore", "latest", "--target", &out],
        &["key", "list"],
        &["forget", "--keep-last", "1", "--dry-run"],
        &["repair", "index", "--dry-run"],
    ];
    let writes: [&[&str]; 5] = [
        &["backup", &source],
        &["forget", &id],
        &["key", "add", "--new-password-command", "echo new"],
        &["repair", "index"],
        &["repair", "copies"],
    ];
    set(Features { write: 1 << 7, ..Features::default() });
    reads.iter().for_each(|args| drop(shelf.ok(args)));
    for args in writes {
        let said = shelf.fails(args, 27);
        assert!(
            said.contains("feature 7 that is needed to write") && said.contains("9.8.7"),
            "{said}"
        );
    }
    assert_eq!(shelf.ids(&[]), [&*id]);
    set(Features { collect: 1 << 63, ..Features::default() });
    reads.iter().chain([&writes[0]]).for_each(|args| drop(shelf.ok(args)));
    set(Features { read: 1, ..Features::default() });
    for args in reads {
        let said = shelf.fails(args, 27);
        assert!(said.contains("feature 0 that is needed to read"), "{said}");
    }
}

fn move_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::rename(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_key_slot_from_before_a_rotation_says_that_it_is_one() {
    let shelf = Shelf::new();
    shelf.file("x", "x");
    for folder in ["keys", "mirror/keys"] {
        let (now, kept) = (shelf.path("repository").join(folder), shelf.path("kept").join(folder));
        fs::create_dir_all(&kept).unwrap();
        for entry in fs::read_dir(now).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), kept.join(entry.file_name())).unwrap();
        }
    }
    shelf.ok(&["key", "rotate"]);
    let id = shelf.backup(&[]);
    for folder in ["keys", "mirror/keys"] {
        fs::remove_dir_all(shelf.path("repository").join(folder)).unwrap();
        move_all(&shelf.path("kept").join(folder), &shelf.path("repository").join(folder));
    }
    for args in [&["ls", &*id][..], &["restore", &id, "--target", &shelf.arg("out")]] {
        let said = shelf.fails(args, 22);
        assert!(said.contains("epoch 2") && said.contains("before the rotation"), "{said}");
    }
    let said = shelf.fails(&["snapshots"], 22);
    assert!(said.contains("epoch 2"), "{said}");
}

#[test]
fn bytes_that_are_authentic_in_the_wrong_place_are_noticed() {
    let shelf = Shelf::new();
    // Of one size and without a pattern: blocks of the same length at the same place.
    let content = |seed: &[u8]| {
        let mut out = vec![0; 40_000];
        blake3::Hasher::new().update(seed).finalize_xof().fill(&mut out);
        out
    };
    let packs = |shelf: &Shelf| -> Vec<String> {
        let folders = shelf.objects("packs").into_iter();
        folders
            .flat_map(|folder| {
                let names = shelf.objects(&format!("packs/{folder}")).into_iter();
                names.map(|name| format!("packs/{folder}/{name}")).collect::<Vec<_>>()
            })
            .filter(|key| !shelf.path("repository/mirror").join(key).exists())
            .collect()
    };
    shelf.file("x", content(b"one"));
    shelf.backup(&[]);
    let first = packs(&shelf).remove(0);
    shelf.file("x", content(b"two"));
    shelf.backup(&[]);
    let second = packs(&shelf).into_iter().find(|key| *key != first).unwrap();
    fs::copy(shelf.path("repository").join(&first), shelf.path("repository").join(&second))
        .unwrap();
    let file = shelf.arg("source/x");
    let said = shelf.fails(&["dump", "latest", &file], 22);
    assert!(said.contains(&second) && said.contains("authentic"), "{said}");
    let output = shelf.run(&["restore", "latest", "--target", &shelf.arg("out")], 3);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("1 could not be restored") && said.contains(&file), "{said}");
    let found = String::from_utf8(shelf.run(&["check", "--read-data"], 22).stdout).unwrap();
    assert!(
        found.contains(&second)
            && found.contains(&format!("cannot be restored: {}", shelf.ids(&[])[1])),
        "{found}"
    );
    assert!(found.contains("next: bring the damaged objects back"), "{found}");
}

#[test]
fn tree_packs_have_copies_that_can_be_put_back() {
    let shelf = filled();
    let folders = shelf.objects("mirror/packs");
    let name = shelf.objects(&format!("mirror/packs/{}", folders[0])).remove(0);
    let key = format!("packs/{}/{name}", folders[0]);
    let intact = fs::read(shelf.path("repository").join(&key)).unwrap();
    shelf.flip(&key, 10);
    shelf.ok(&["check"]);
    shelf.run(&["check", "--read-data"], 22);
    assert!(shelf.ok(&["repair", "copies"]).contains("nothing to do"));
    let done = &shelf.json(&["repair", "copies", "--read-data"])[0];
    assert_eq!(done["replaced"], serde_json::json!([key]));
    assert_eq!(fs::read(shelf.path("repository").join(&key)).unwrap(), intact);
    // With both of them damaged nothing is known to be right, and nothing is touched.
    shelf.flip(&key, 10);
    shelf.flip(&format!("mirror/{key}"), 11);
    let before = fs::read(shelf.path("repository").join(&key)).unwrap();
    let said = shelf.fails(&["repair", "copies", "--read-data"], 22);
    assert!(said.contains("no intact copy"), "{said}");
    assert_eq!(fs::read(shelf.path("repository").join(&key)).unwrap(), before);
}
