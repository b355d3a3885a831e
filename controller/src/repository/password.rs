//! Where passwords come from: a file, a command, the environment, or somebody at a terminal.

use std::fs::File;
use std::io::{BufRead as _, BufReader, IsTerminal, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use holdfast_executor::job::Passphrase;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::Misuse;

/// The terminal, whatever standard input is.
const TERMINAL: &str = "/dev/tty";

/// Bytes of a file or an output in which the first line must end.
const LINE_MAX_BYTES: u64 = 64 * 1024;

/// The ways to give one password.
#[derive(Debug, Default)]
pub struct Sources<'a> {
    /// A file, whose first line it is.
    pub file: Option<&'a Path>,
    /// A command, the first line of whose output it is.
    pub command: Option<&'a str>,
    /// An environment variable. Two others with `_FILE` and `_COMMAND` behind their names stand for the ways
    /// above, where none of them was given.
    pub variable: &'a str,
    /// What a terminal is asked.
    pub prompt: &'a str,
    /// Whether somebody who types it must type it twice.
    pub twice: bool,
    /// The options to name when there is no password.
    pub hint: &'a str,
}

impl Sources<'_> {
    /// The password.
    ///
    /// # Errors
    /// When there is none, with the ways to give it; when the file or the command fails.
    pub fn read(&self) -> anyhow::Result<Passphrase> {
        let variable = |end: &str| {
            std::env::var_os(format!("{}{end}", self.variable)).filter(|value| !value.is_empty())
        };
        if let Some(file) = self.file {
            return from_file(file);
        }
        if let Some(command) = self.command {
            return from_command(command);
        }
        if let Some(file) = variable("_FILE") {
            return from_file(Path::new(&file)).with_context(|| format!("{}_FILE", self.variable));
        }
        if let Some(command) = variable("_COMMAND") {
            let name = format!("{}_COMMAND", self.variable);
            let command = command.to_str().with_context(|| format!("{name} is no text"))?;
            return from_command(command).context(name);
        }
        match variable("") {
            Some(text) => {
                let bytes = Zeroizing::new(text.into_encoded_bytes());
                first_line(&bytes).with_context(|| self.variable.to_owned())
            }
            None => self.typed(),
        }
    }

    fn typed(&self) -> anyhow::Result<Passphrase> {
        if !std::io::stderr().is_terminal() {
            let text = format!("no password: set {}, or give {}", self.variable, self.hint);
            return Err(Misuse::new(text).into());
        }
        let first = ask(self.prompt)?;
        if self.twice {
            let second = ask("the same again: ")?;
            anyhow::ensure!(first == second, "the two passwords differ: nothing was done");
        }
        first_line(first.as_bytes())
    }
}

/// The password in the first line; what stands behind it is left to notes.
fn first_line(bytes: &[u8]) -> anyhow::Result<Passphrase> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    anyhow::ensure!(!line.is_empty(), "the password is empty: it must stand in the first line");
    let text = std::str::from_utf8(line)
        .context("the password is no UTF-8: write it in that encoding, or make another one")?;
    Ok(Passphrase::new(text.to_owned()))
}

fn from_file(file: &Path) -> anyhow::Result<Passphrase> {
    let read = || {
        let mut bytes = Zeroizing::new(Vec::new());
        let opened = File::open(file).map_err(|error| Misuse::new(error.to_string()))?;
        opened.take(LINE_MAX_BYTES).read_to_end(&mut bytes)?;
        // Some editors begin a text with the mark of its encoding, which nobody types.
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        first_line(text)
    };
    read().with_context(|| format!("password file {}", file.display()))
}

/// Runs a command without a shell.
fn from_command(line: &str) -> anyhow::Result<Passphrase> {
    // Not a word of it is repeated: a password may be among them, or be all of them.
    let words = words(line).map_err(|why| Misuse::new(format!("the password command: {why}")))?;
    let Some((program, arguments)) = words.split_first() else {
        return Err(Misuse::new("the password command is empty").into());
    };
    let mut command = Command::new(program);
    let output = command
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .context("the password command cannot be run: does its first word name a program?")?;
    let text = Zeroizing::new(output.stdout);
    let status = output.status;
    anyhow::ensure!(status.success(), "the password command failed: {status}");
    first_line(&text).context("what the password command wrote")
}

/// Words as a shell divides them, with quotes and backslashes and nothing else of a shell.
fn words(line: &str) -> anyhow::Result<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, ' ' | '\t' | '\n') => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => {
                let next = chars.next().context("it ends with a backslash")?;
                word.get_or_insert_default().push(next);
            }
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    anyhow::ensure!(quote.is_none(), "a quote is not closed");
    words.extend(word);
    Ok(words)
}

/// Shows echo again, whatever happens.
struct Silence<'t> {
    terminal: &'t File,
    before: Termios,
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        // Nothing can be done for a terminal that has gone away.
        let _ = tcsetattr(self.terminal, OptionalActions::Drain, &self.before);
        let _ = writeln!(&mut &*self.terminal);
    }
}

fn ask(prompt: &str) -> anyhow::Result<Zeroizing<String>> {
    let terminal = File::options().read(true).write(true).open(TERMINAL).context(TERMINAL)?;
    let before = tcgetattr(&terminal).context(TERMINAL)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    let silence = Silence { terminal: &terminal, before };
    // Silent before it asks: what is typed at once is neither shown nor lost.
    tcsetattr(&terminal, OptionalActions::Drain, &silent).context(TERMINAL)?;
    write!(&terminal, "{prompt}")?;
    let mut line = Zeroizing::new(String::new());
    BufReader::new(silence.terminal).read_line(&mut line)?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_the_first_line_and_nothing_of_its_end() {
        let password = |bytes: &[u8]| first_line(bytes).map(|found| found.as_bytes().to_vec());
        for text in ["a b", "a b\n", "a b\r\n", "a b\r", "a b\nnotes\n", "a b\r\nnotes"] {
            assert_eq!(password(text.as_bytes()).unwrap(), b"a b", "{text:?}");
        }
        assert_eq!(password(b" a \t\n").unwrap(), b" a \t", "spaces belong to it");
        for (bytes, words) in [
            (&b""[..], "is empty"),
            (b"\n", "is empty"),
            (b"\r\n", "is empty"),
            (b"\na", "is empty"),
            (b"\xff\xfe", "is no UTF-8"),
        ] {
            let said = format!("{:#}", password(bytes).unwrap_err());
            assert!(said.contains(words), "{bytes:?}: {said}");
        }
        assert_eq!(password(b"a\n\xff").unwrap(), b"a", "notes may be anything");
    }

    #[test]
    fn words_are_divided_as_a_shell_does() {
        let table: [(&str, &[&str]); 7] = [
            ("pass show backup", &["pass", "show", "backup"]),
            ("  a\t b ", &["a", "b"]),
            ("'a b' \"c d\"", &["a b", "c d"]),
            (r#"a\ b "c\"d" 'e\f'"#, &["a b", "c\"d", r"e\f"]),
            ("a''b ''", &["ab", ""]),
            ("$HOME `x`", &["$HOME", "`x`"]),
            ("", &[]),
        ];
        for (line, wanted) in table {
            assert_eq!(words(line).unwrap(), wanted, "{line}");
        }
        for line in ["'a", "\"", "a\\"] {
            assert!(words(line).is_err(), "{line}");
        }
    }
}
