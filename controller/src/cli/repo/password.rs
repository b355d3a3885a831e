//! Where passwords come from: a file, a command, the environment, or somebody at a terminal.

use std::fs::File;
use std::io::{BufRead as _, BufReader, IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use holdfast_executor::job::Passphrase;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// The terminal, whatever standard input is.
const TERMINAL: &str = "/dev/tty";

/// The ways to give one password.
#[derive(Debug, Default)]
pub struct Sources<'a> {
    /// A file, whose first line it is.
    pub file: Option<&'a PathBuf>,
    /// A command, the first line of whose output it is.
    pub command: Option<&'a String>,
    /// An environment variable.
    pub variable: &'a str,
    /// What a terminal is asked; nothing if it is not asked.
    pub prompt: Option<&'a str>,
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
        let text = match (self.file, self.command, std::env::var(self.variable)) {
            (Some(file), ..) => from_file(file)?,
            (None, Some(command), _) => from_command(command)?,
            (None, None, Ok(text)) => Zeroizing::new(text),
            (None, None, Err(_)) => self.typed()?,
        };
        let line = text.lines().next().unwrap_or_default();
        anyhow::ensure!(!line.is_empty(), "the password is empty");
        Ok(Passphrase::new(line.to_owned()))
    }

    fn typed(&self) -> anyhow::Result<Zeroizing<String>> {
        let Some(prompt) = self.prompt.filter(|_| std::io::stderr().is_terminal()) else {
            anyhow::bail!("no password: set {}, or give {}", self.variable, self.hint)
        };
        let first = ask(prompt)?;
        if self.twice {
            let second = ask("the same again: ")?;
            anyhow::ensure!(first == second, "the two passwords differ");
        }
        Ok(first)
    }
}

fn from_file(file: &Path) -> anyhow::Result<Zeroizing<String>> {
    let text = std::fs::read_to_string(file);
    text.map(Zeroizing::new).with_context(|| format!("password file {}", file.display()))
}

/// Runs a command without a shell.
fn from_command(line: &str) -> anyhow::Result<Zeroizing<String>> {
    let words = words(line).with_context(|| format!("password command {line:?}"))?;
    let Some((program, arguments)) = words.split_first() else {
        anyhow::bail!("the password command is empty")
    };
    let mut command = Command::new(program);
    let output = command
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("password command {program:?}"))?;
    let text = Zeroizing::new(output.stdout);
    let status = output.status;
    anyhow::ensure!(status.success(), "password command {program:?} failed: {status}");
    let text =
        std::str::from_utf8(&text).context("the output of the password command is no text")?;
    Ok(Zeroizing::new(text.to_owned()))
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
