//! What restic's users type that is not taken here, and what to do instead.
//!
//! An answer is for a word that the parser does not know; `docs/repository.md` has the same table, and a test holds
//! both against the list of all that restic 0.19 takes.

use clap::Args;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};

/// Options of restic that ask for what is so anyway. They are taken, so that scripts keep working.
#[derive(Debug, Args)]
#[allow(dead_code, reason = "whatever they say, it is so")]
pub struct Granted {
    /// There are no locks.
    #[arg(long, global = true, hide = true)]
    no_lock: bool,
    /// Nobody waits for a lock.
    #[arg(long, global = true, hide = true, value_name = "DURATION")]
    retry_lock: Option<String>,
    /// There is no cache on this machine.
    #[arg(long, global = true, hide = true)]
    no_cache: bool,
    /// The same.
    #[arg(long, global = true, hide = true)]
    cleanup_cache: bool,
}

/// The same of verbs that print tables.
#[derive(Debug, Args)]
#[allow(dead_code, reason = "every table is compact")]
pub struct Compact {
    /// Tables are always compact.
    #[arg(long, short = 'c', hide = true)]
    compact: bool,
}

/// The same of `backup`.
#[derive(Debug, Args)]
#[allow(dead_code, reason = "nothing is scanned ahead")]
pub struct NoScan {
    /// Nothing is scanned ahead.
    #[arg(long, hide = true)]
    no_scan: bool,
}

/// Words of restic, and the answer to each.
const HABITS: &[(&[&str], &str)] = &[
    (
        &["prune", "--prune", "--max-unused", "--max-repack-size", "--repack-uncompressed"],
        "nothing gives space back to the store: `forget --dry-run` says what would be reclaimable",
    ),
    (
        &[
            "--repack-cacheable-only",
            "--repack-smaller-than",
            "--repack-small",
            "--unsafe-recover-no-free-space",
        ],
        "nothing gives space back to the store: `forget --dry-run` says what would be reclaimable",
    ),
    (
        &["cache", "--cache-dir", "--with-cache"],
        "there is no cache on this machine, so nothing to look after",
    ),
    (
        &["tag", "rewrite", "--set", "--forget"],
        "a snapshot is written once: give it its tags by `backup --tag`, and leave out by `backup --exclude`",
    ),
    (
        &["--new-host", "--new-time", "--time"],
        "a snapshot says when and where it was made, and nothing else",
    ),
    (
        &["copy", "--from-repo", "--from-key-hint"],
        "copy the whole repository with `rsync` or the store's own tool: all its objects are written once",
    ),
    (
        &[
            "--from-password-file",
            "--from-password-command",
            "--from-repository-file",
            "--from-insecure-no-password",
        ],
        "snapshots are not copied between repositories",
    ),
    (
        &["--copy-chunker-params", "--repository-version"],
        "every repository has parameters of its own, and there is one version",
    ),
    (
        &["mount", "--allow-other", "--no-default-permissions", "--owner-root"],
        "nothing is mounted: look with `ls` and `find`, take with `dump` and `restore`",
    ),
    (
        &["--path-template", "--time-template", "--snapshot-template"],
        "nothing is mounted: look with `ls` and `find`, take with `dump` and `restore`",
    ),
    (&["version"], "write `holdfast --version`"),
    (
        &["recover"],
        "`snapshots` lists every commit that is there: there are no trees without one but those of runs that were killed",
    ),
    (
        &["cat", "list"],
        "`snapshots --json`, `ls --json`, `key list --json` and `check --json` say what is there",
    ),
    (&["migrate"], "there is one version of the format, so nothing to migrate"),
    (
        &["check --host", "check --tag", "check --path"],
        "a check looks at what all snapshots need: what they share is read once",
    ),
    (&["key --host"], "a slot has a label: `key add --label`"),
    (
        &["backup --group-by", "-g"],
        "the parent is the newest complete snapshot of the same host, paths and rules; `--parent` names another one",
    ),
    (
        &["repair snapshots"],
        "nothing is written anew: `check` names the snapshots that are damaged, `forget ID` removes one",
    ),
    (
        &["repair packs", "rebuild-index", "--read-all-packs"],
        "`repair index` reads what each pack says of itself, and `repair copies` puts back what has a copy",
    ),
    (
        &["self-update", "generate"],
        "`holdfast completions` and `holdfast man` make completions and manual pages; a new release is a new binary",
    ),
    (
        &[
            "features",
            "options",
            "--option",
            "-o",
            "--http-user-agent",
            "--tls-client-cert",
            "--stuck-request-timeout",
        ],
        "what a store needs stands in the URL: docs/repository.md, \"Where it lies\"",
    ),
    (&["--cacert"], "write it into the URL: s3://bucket/prefix?ca-file=PATH"),
    (&["--insecure-tls"], "write it into the URL: s3://bucket/prefix?insecure-tls=yes"),
    (
        &["--limit-upload", "--limit-download"],
        "write it into the URL: s3://bucket/prefix?upload-rate=10MiB&download-rate=10MiB",
    ),
    (
        &["--compression", "--pack-size", "--no-extra-verify"],
        "level and size are fixed, and what is written is always opened and compared before it is sent",
    ),
    (&["--insecure-no-password"], "every repository has a password"),
    (
        &["--key-hint", "--user", "--new-insecure-no-password"],
        "`key list` says which slots there are, and `key add --label` names one",
    ),
    (&["--host-id", "--with-atime"], "access times are neither read nor kept"),
    (&["--read-concurrency"], "write `--workers N`"),
    (
        &["--skip-if-unchanged"],
        "every run makes a snapshot, which says when the tree was looked at",
    ),
    (
        &["--overwrite"],
        "a restore leaves alone what is equal and replaces the rest: look first with `--dry-run`",
    ),
    (&["--sparse"], "holes are always restored as holes"),
    (&["--ownership-by-name"], "owners are numbers: `--privileged` restores them"),
    (&["--archive", "-a"], "a directory is written as tar"),
    (&["--mode"], "`stats` says all of it at once"),
    (
        &["--recursive", "--sort", "--reverse", "--ncdu", "--human-readable"],
        "`ls` lists everything beneath, level by level and each by name; `--json` is for what sorts otherwise",
    ),
    (
        &["--blob", "--tree", "--pack", "--show-pack-id"],
        "`find` looks for names; `check --json` names the objects that a damaged file needs",
    ),
];

/// The answer to a word of restic's, behind a verb that is taken or as a verb of its own.
#[must_use]
pub fn habit(verb: Option<&str>, word: &str) -> Option<&'static str> {
    let word = word.split_once('=').map_or(word, |(option, _)| option);
    let both = verb.map(|verb| format!("{verb} {word}"));
    let found = |wanted: &str| HABITS.iter().find(|(words, _)| words.contains(&wanted));
    both.as_deref().and_then(found).or_else(|| found(word)).map(|(_, answer)| *answer)
}

/// All words and answers, in the order in which documents list them.
pub fn habits() -> impl Iterator<Item = (&'static [&'static str], &'static str)> {
    HABITS.iter().copied()
}

/// Puts the answer in the place of a parser's guess, where it has one. `verb` is what the line asked for.
pub fn answer(error: &mut clap::Error, verb: Option<&str>) {
    let word =
        [ContextKind::InvalidArg, ContextKind::InvalidSubcommand].into_iter().find_map(|kind| {
            match error.get(kind) {
                Some(ContextValue::String(word)) => Some(word.clone()),
                _ => None,
            }
        });
    let Some(answer) = word.as_deref().and_then(|word| habit(verb, word)) else { return };
    error.remove(ContextKind::SuggestedArg);
    error.remove(ContextKind::SuggestedSubcommand);
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(answer)]));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_word_has_one_answer() {
        let mut seen = BTreeSet::new();
        for (words, answer) in habits() {
            assert!(!answer.ends_with('.'), "{answer}");
            for word in words {
                assert!(seen.insert(*word), "{word} has two answers");
                assert_eq!(habit(None, word), Some(answer));
            }
        }
        assert_eq!(habit(None, "--overwrite=never"), habit(Some("restore"), "--overwrite"));
        assert_eq!(habit(Some("check"), "--host"), habit(None, "check --host"));
        assert_eq!(habit(Some("snapshots"), "--host"), None);
    }
}
