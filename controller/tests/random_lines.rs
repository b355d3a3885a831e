//! Random command lines, made from the command line as the program itself describes it. Whatever somebody types,
//! nothing panics, every refusal says what is wrong, and nothing outside its directory is touched.
//!
//! A line follows from its number alone. `HOLDFAST_SOAK=100000` tries so many, `HOLDFAST_LINE=4711` begins there.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use clap::{Arg, Command as Tree};

/// Lines that are parsed.
const LINES: u64 = 10_000;

/// One line in so many is run, if it is right.
const RUN_EVERY: u64 = 13;

/// Of those that are wrong, or that end before their verb begins, one in so many.
const DULL_EVERY: u64 = 7;

/// Runs after which the repository is made anew, as some lines change its password or empty it.
const RUNS_TOGETHER: usize = 30;

const PASSWORD: &str = "correct horse battery staple";

/// Exit codes of docs/operations.md.
const CODES: [i32; 15] = [0, 1, 2, 3, 10, 12, 21, 22, 23, 24, 25, 26, 27, 28, 130];

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// Numbers that follow from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }
}

/// A verb that is not divided any further, with the words that lead to it.
struct Leaf<'a> {
    words: Vec<&'a str>,
    arguments: Vec<&'a Arg>,
}

fn leaves<'a>(tree: &'a Tree, words: &[&'a str], found: &mut Vec<Leaf<'a>>) {
    let verbs: Vec<&Tree> =
        tree.get_subcommands().filter(|verb| verb.get_name() != "help").collect();
    if verbs.is_empty() {
        found.push(Leaf { words: words.to_vec(), arguments: tree.get_arguments().collect() });
    }
    for verb in verbs {
        leaves(verb, &[words, &[verb.get_name()]].concat(), found);
    }
}

/// Values that mean something to some option, and values that should mean nothing to any. None of them names a
/// place outside the directory in which lines are run, nor a program.
const VALUES: &[&str] = &[
    "latest",
    "latest:",
    "latest:/",
    "latest:/source",
    "latest:source/a",
    ":",
    "feed",
    "0",
    "1",
    "-1",
    "7",
    "00",
    "256",
    "257",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "99999999999999999999999",
    "1e9",
    "0x10",
    "1.5",
    "unlimited",
    "100M",
    "1k",
    "9T",
    "99999999999T",
    "16777216T",
    "1Ki",
    "k",
    "30d12h",
    "1y6m",
    "1w",
    "0h",
    "999999999999y",
    "1y1y",
    "-5d",
    "2026-11-21",
    "2026-11-21T03:00:00Z",
    "2026-13-45",
    "-9999-01-01",
    "+999999-12-31T23:59:60Z",
    "1970-01-01T00:00:00+25:00",
    "yesterday",
    "UTC",
    "Europe/Berlin",
    "Mars/Olympus",
    "host",
    "host,paths",
    "host,host",
    "paths,",
    ",",
    "hots",
    "a",
    "a,b",
    "a,,b",
    " ",
    "\t",
    "\n",
    "\u{1b}[2J\u{7}",
    "\u{202e}gnp",
    "\u{feff}",
    "gr\u{f6}\u{df}e",
    "\u{1f980}",
    "%s%n",
    "$(x)",
    "`x`",
    "~",
    ".",
    "*",
    "**",
    "**/a",
    "[a",
    "[!a]",
    "[z-a]",
    "{a,b",
    "{a,{b,c}}",
    "a\\",
    "\\",
    "!x",
    "?",
    "source",
    "source/a",
    "source/b/c",
    "source/missing",
    "out",
    "out/deeper/still",
    "words",
    "missing/words",
    "a/b",
    "s3://bucket/x",
    "http://u:p@h/",
    "file://",
    "file://relative",
    "repository",
    "file:///%zz",
    "file:///%00",
    "CACHEDIR.TAG:x",
    "--",
    "-",
    "---",
    "-x",
    "--json",
    "--help",
    "bash",
    "first",
    "x=y",
    "=",
    "",
];

fn value(dice: &mut Dice, arg: &Arg, dir: &Path) -> OsString {
    let possible: Vec<String> =
        arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    match dice.roll(12) {
        0 => OsString::from_vec(vec![b'a', 0xff, 0xfe, b'/', 0xc3]),
        1 => "x".repeat(5_000).into(),
        2 | 3 if !possible.is_empty() => dice.pick(&possible).into(),
        4 => format!("file://{}/repository", dir.display()).into(),
        5 => format!("file://{}/other", dir.display()).into(),
        6 => dir.join(dice.pick(&["source", "out", "words", "missing"])).into(),
        _ => (*dice.pick(VALUES)).into(),
    }
}

/// An option, written in one of the ways in which options are written.
fn option(dice: &mut Dice, arg: &Arg, dir: &Path, line: &mut Vec<OsString>) {
    let takes = arg.get_action().takes_values();
    let name = match (arg.get_long(), arg.get_short()) {
        (Some(long), None) => format!("--{long}"),
        (None, Some(short)) => format!("-{short}"),
        (Some(long), Some(short)) => match dice.roll(2) {
            0 => format!("--{long}"),
            _ => format!("-{short}"),
        },
        (None, None) => return line.push(value(dice, arg, dir)),
    };
    match (takes, dice.roll(8)) {
        (true, 0) => line.push(name.into()),
        (true, 1 | 2) => {
            let mut word = OsString::from(name);
            word.push("=");
            word.push(value(dice, arg, dir));
            line.push(word);
        }
        (true, _) => line.extend([name.into(), value(dice, arg, dir)]),
        (false, 0) => line.push(format!("{name}=x").into()),
        (false, _) => line.push(name.into()),
    }
}

/// The line of a number.
fn line(number: u64, leaves: &[Leaf<'_>], dir: &Path) -> Vec<OsString> {
    let mut dice = Dice(number.wrapping_mul(0x5851_F42D_4C95_7F2D));
    let leaf = dice.pick(leaves);
    let mut line: Vec<OsString> = vec!["holdfast".into()];
    line.extend(leaf.words.iter().map(OsString::from));
    let wanted: Vec<&&Arg> = leaf.arguments.iter().filter(|arg| arg.is_required_set()).collect();
    if dice.roll(5) > 0 {
        for arg in wanted {
            option(&mut dice, arg, dir, &mut line);
        }
    }
    for _ in 0..dice.roll(5) {
        let arg = *dice.pick(&leaf.arguments);
        // What only prints would leave nothing of most lines.
        if matches!(arg.get_id().as_str(), "help" | "version") && dice.roll(8) > 0 {
            continue;
        }
        option(&mut dice, arg, dir, &mut line);
    }
    match dice.roll(20) {
        0 => line.push(value(&mut dice, leaf.arguments[0], dir)),
        1 => drop(line.remove(1 + dice.roll(line.len() - 1))),
        2 => {
            let at = 1 + dice.roll(line.len());
            line.insert(at.min(line.len()), "--".into());
        }
        _ => {}
    }
    line
}

/// All below a directory, with what it holds.
fn all(root: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let content = if path.is_dir() { None } else { Some(fs::read(&path).unwrap()) };
            folders.extend(content.is_none().then(|| path.clone()));
            found.insert(path, content);
        }
    }
    found
}

/// The directory in which lines are run, and one beside it that none may touch.
struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(world.inside().join("source/b")).unwrap();
        fs::create_dir_all(world.outside().join("out")).unwrap();
        for file in
            ["inside/source/a", "inside/source/b/c", "inside/words", "outside/a", "outside/out/a"]
        {
            fs::write(world.0.path().join(file), PASSWORD).unwrap();
        }
        for words in
            [&["init"][..], &["backup", "source", "--tag", "a"], &["backup", "source", "words"]]
        {
            let line = words.iter().map(OsString::from);
            let output = world.run(
                &["holdfast".into(), "repo".into()].into_iter().chain(line).collect::<Vec<_>>(),
            );
            assert!(output.status.success(), "{output:?}");
        }
        world
    }

    fn inside(&self) -> PathBuf {
        self.0.path().join("inside")
    }

    fn outside(&self) -> PathBuf {
        self.0.path().join("outside")
    }

    fn run(&self, line: &[OsString]) -> Output {
        Command::new(assert_cmd::cargo::cargo_bin!("holdfast"))
            .args(&line[1..])
            .current_dir(self.inside())
            .env_clear()
            // No program is found by its name: a password command runs nothing.
            .env("PATH", self.inside().join("missing"))
            .env("HOME", self.inside())
            .env("HOLDFAST_REPOSITORY", format!("file://{}/repository", self.inside().display()))
            .env("HOLDFAST_PASSWORD", PASSWORD)
            .env("HOLDFAST_NEW_PASSWORD", PASSWORD)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

#[test]
fn no_line_panics_and_what_is_refused_says_why() {
    let mut tree = holdfast::command();
    tree.build();
    let (mut found, mut command) = (Vec::new(), tree.clone());
    leaves(&tree, &[], &mut found);
    assert!(found.len() > 30, "{}", found.len());
    let (mut right, mut kinds) = (0, BTreeMap::<String, u64>::new());
    let first = number("HOLDFAST_LINE", 0);
    for number in first..first + number("HOLDFAST_SOAK", LINES) {
        let line = line(number, &found, Path::new("/inside"));
        let told = catch_unwind(AssertUnwindSafe(|| holdfast::understand(&mut command, &line)));
        let Ok(told) = told else { panic!("line {number} panics: {line:?}") };
        let Err(error) = told else {
            right += 1;
            continue;
        };
        *kinds.entry(format!("{:?}", error.kind())).or_default() += 1;
        let (code, text) = (error.exit_code(), error.to_string());
        if !error.use_stderr() {
            assert_eq!(code, 0, "line {number}: {line:?}");
            continue;
        }
        assert_eq!(code, 2, "line {number}: {line:?}");
        let says = text.starts_with("error: ") && text.contains("--help");
        let shows_help = text.contains("Usage: ");
        assert!(says || shows_help, "line {number}: {line:?} only says: {text}");
    }
    println!("{right} lines are right; the others: {kinds:?}");
    // A generator whose lines are all wrong, or all right, would show nothing.
    assert!(first > 0 || (right > 500 && kinds.len() > 5), "{right} {kinds:?}");
}

/// Whether a line ends most likely before its verb begins: without a log, or without a password.
fn says_little(line: &[OsString]) -> bool {
    let is_password = |word: &OsString| {
        let word = word.to_string_lossy();
        word.starts_with("-p")
            || word.starts_with("--password")
            || word.starts_with("--new-password")
    };
    line[1] != "repo" || line.iter().any(is_password)
}

/// Whether a line may be run: it ends by itself, and what it writes lies where it is run.
fn may_run(line: &[OsString]) -> bool {
    let verb = line.get(1).and_then(|word| word.to_str()).unwrap_or_default();
    matches!(verb, "repo" | "crds" | "completions" | "man" | "retention" | "session")
}

fn is_right(line: &[OsString], output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    let Some(code) = output.status.code() else { panic!("{line:?} ended by {}", output.status) };
    assert!(CODES.contains(&code), "{line:?} ended with {code}: {said}");
    assert!(!said.contains("panicked"), "{line:?}: {said}");
    let controls = said.chars().filter(|c| c.is_control() && *c != '\n').count();
    assert_eq!(controls, 0, "{line:?} says {said:?}");
    if matches!(code, 0 | 3) {
        return;
    }
    // A check or a repair that finds something says it as its result.
    let told = said.contains("error: ") || said.contains("\"message\":\"error\"");
    let has_result = code == 22 && !output.stdout.is_empty();
    assert!(
        told || has_result || said.contains("Usage: "),
        "{line:?} ended with {code} and said {said:?}"
    );
}

#[test]
fn lines_that_are_run_stay_in_their_directory_and_harm_no_repository() {
    let mut tree = holdfast::command();
    tree.build();
    let (mut found, mut command) = (Vec::new(), tree.clone());
    leaves(&tree, &[], &mut found);
    let first = number("HOLDFAST_LINE", 0);
    let numbers = (first..first + number("HOLDFAST_SOAK", LINES)).step_by(RUN_EVERY as usize);
    let (mut world, mut runs, mut codes) = (World::new(), 0, BTreeMap::<i32, u64>::new());
    let beside = all(&world.outside());
    let relative = |found: BTreeMap<PathBuf, Option<Vec<u8>>>, root: &Path| -> Vec<_> {
        let strip =
            |(path, content): (PathBuf, _)| (path.strip_prefix(root).unwrap().to_owned(), content);
        found.into_iter().map(strip).collect()
    };
    let beside = relative(beside, &world.outside());
    for number in numbers {
        let line = line(number, &found, &world.inside());
        let has_nul = line.iter().any(|word| word.as_bytes().contains(&0));
        let is_dull = holdfast::understand(&mut command, &line).is_err() || says_little(&line);
        if !may_run(&line) || has_nul || (is_dull && number % DULL_EVERY > 0) {
            continue;
        }
        let output = world.run(&line);
        let said = String::from_utf8_lossy(&output.stderr);
        println!(
            "{number}: {:?} {}",
            output.status.code(),
            said.lines().next().unwrap_or_default()
        );
        is_right(&line, &output);
        *codes.entry(output.status.code().unwrap_or(-1)).or_default() += 1;
        runs += 1;
        if runs % RUNS_TOGETHER == 0 {
            harmless(&world, &line);
            assert_eq!(
                relative(all(&world.outside()), &world.outside()),
                beside,
                "line {number}: {line:?}"
            );
            let rows: Vec<OsString> =
                fs::read_dir(world.0.path()).unwrap().map(|row| row.unwrap().file_name()).collect();
            assert_eq!(rows.len(), 2, "line {number}: {line:?} made one of {rows:?}");
            world = World::new();
        }
    }
    harmless(&world, &[]);
    println!("{runs} lines were run: {codes:?}");
    let seen = |code: &i32| codes.contains_key(code);
    assert!(first > 0 || [0, 1, 2, 28].iter().all(seen), "{codes:?}");
}

/// What lines have done to the repository is no damage.
fn harmless(world: &World, last: &[OsString]) {
    let words =
        ["holdfast", "repo", "check", "--read-data"].map(|word| OsStr::new(word).to_owned());
    let output = world.run(&words);
    assert_eq!(output.status.code(), Some(0), "after {last:?}: {output:?}");
}
