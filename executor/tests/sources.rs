//! What each source of a job came to.

#![allow(clippy::unwrap_used)] // functions of a test file that are no tests themselves

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use holdfast_executor::job::{Document, Source};
use holdfast_executor::report::{BackupFigures, Entries, SourceFigures};
use support::{Bench, noise, settle};

fn directory(path: &Path, stored_as: &str) -> Source {
    Source::Directory { path: path.to_owned(), stored_as: stored_as.to_owned() }
}

/// A tree, a single file with a name of the tree's, documents, and a directory with nothing in it.
fn several(bench: &Bench) -> (PathBuf, Vec<Source>) {
    let tree = bench.dir("tree");
    fs::create_dir_all(tree.join("deep/er")).unwrap();
    fs::write(tree.join("small"), noise(1_000, 1)).unwrap();
    fs::write(tree.join("deep/large"), noise(10 * 1024 * 1024, 2)).unwrap();
    std::os::unix::fs::symlink("small", tree.join("link")).unwrap();
    support::fifo(&tree.join("deep/er/pipe"));
    let single = bench.dir("single").join("one");
    fs::create_dir_all(bench.dir("single")).unwrap();
    fs::create_dir_all(bench.dir("empty")).unwrap();
    fs::hard_link(tree.join("small"), &single).unwrap();
    let document = |stored_as: &str| Document { stored_as: stored_as.into(), content: "{}".into() };
    let documents = vec![document("/manifests/a"), document("/manifests/b")];
    let sources = vec![
        directory(&tree, "/z/tree"),
        directory(&single, "/z/one"),
        Source::Documents { documents },
        directory(&bench.dir("empty"), "/a"),
    ];
    (tree, sources)
}

fn entries(of: &SourceFigures) -> (u64, u64, u64, u64, u64) {
    let Entries { files, directories, symlinks, hard_links, special } = of.entries;
    (files, directories, symlinks, hard_links, special)
}

/// The whole is the sum of its parts.
fn check_sums(figures: &BackupFigures) {
    let sources = &figures.sources;
    let sum = |of: fn(&SourceFigures) -> u64| sources.iter().map(of).sum::<u64>();
    let all = sources.iter().fold(Entries::default(), |sum, source| sum.plus(source.entries));
    assert_eq!(all, figures.entries);
    assert_eq!(sum(|source| source.bytes_processed), figures.bytes_processed);
    assert_eq!(sum(|source| source.bytes_added), figures.bytes_added);
    // Directories that only lead to sources are nobody's.
    assert!(sum(|source| source.bytes_new) <= figures.bytes_new, "{figures:?}");
}

#[test]
fn every_source_has_figures_of_its_own() {
    let bench = Bench::new();
    let (_, sources) = several(&bench);
    settle();
    let mut seen = Vec::new();
    for workers in [1, 2, 7] {
        let bench = bench.another_repository().with_workers(workers).with_sources(sources.clone());
        let figures = bench.backup().succeeded();
        check_sums(&figures);
        seen.push(figures.sources.iter().map(entries).collect::<Vec<_>>());
        let [tree, single, documents, empty] = &figures.sources[..] else { panic!("{figures:?}") };
        assert_eq!(tree.bytes_processed, 10 * 1024 * 1024 + 1_000);
        assert_eq!((single.bytes_processed, documents.bytes_processed), (1_000, 4));
        assert!(tree.bytes_new > 10 * 1024 * 1024 && tree.bytes_added > 10 * 1024 * 1024);
        assert_eq!((empty.bytes_processed, documents.bytes_new), (0, 2));
    }
    // Files, directories, links, further names of hard links, special files. The file that stands alone is
    // seen first: /z/one comes before /z/tree.
    let expected = [(2, 3, 1, 1, 1), (1, 0, 0, 0, 0), (2, 0, 0, 0, 0), (0, 1, 0, 0, 0)];
    for seen in seen {
        assert_eq!(seen, expected);
    }
}

#[test]
fn only_what_is_new_is_put_down_to_a_source() {
    let bench = Bench::new();
    let (tree, sources) = several(&bench);
    let bench = bench.with_sources(sources);
    settle();
    bench.backup().succeeded();
    let again = bench.backup().succeeded();
    check_sums(&again);
    assert!(again.sources.iter().all(|source| source.bytes_new == 0), "{again:?}");
    fs::write(tree.join("deep/new"), noise(300_000, 3)).unwrap();
    settle();
    let third = bench.backup().succeeded();
    check_sums(&third);
    let new: Vec<_> = third.sources.iter().map(|source| source.bytes_new).collect();
    assert!(new[0] > 300_000 && new[1..] == [0, 0, 0], "{new:?}");
    let added: Vec<_> = third.sources.iter().map(|source| source.bytes_added).collect();
    assert_eq!(added, [third.bytes_added, 0, 0, 0]);
}

#[test]
fn a_source_that_is_the_root_accounts_for_every_new_byte() {
    let bench = Bench::new();
    let (tree, _) = several(&bench);
    support::set_attribute(&tree.join("small"), "user.large", &noise(3_000, 4));
    // More than one list of chunks.
    fs::write(tree.join("lists"), noise(40 * 1024 * 1024, 5)).unwrap();
    settle();
    let bench = bench.with_sources(vec![directory(&tree, "/")]);
    let figures = bench.backup().succeeded();
    check_sums(&figures);
    assert_eq!(figures.sources[0].bytes_new, figures.bytes_new);
}
