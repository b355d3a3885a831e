//! Colours, only where somebody sees them: a terminal, without `NO_COLOR` (no-color.org).

use std::borrow::Cow;
use std::io::IsTerminal;

use holdfast_executor::report::is_hidden;

/// Decides once whether colours are used.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    colour: bool,
}

/// What a text says at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words are the meaning")]
pub enum Tone {
    Good,
    Bad,
    Warn,
    Active,
    Dim,
    Strong,
    Plain,
}

impl Style {
    /// Colours if standard output is a terminal that wants them.
    #[must_use]
    pub fn detect() -> Self {
        Self { colour: is_coloured(std::io::stdout().is_terminal()) }
    }

    /// The same for standard error.
    #[must_use]
    pub fn of_errors() -> Self {
        Self { colour: is_coloured(std::io::stderr().is_terminal()) }
    }

    /// Never colours.
    #[must_use]
    #[cfg(test)]
    pub fn plain() -> Self {
        Self { colour: false }
    }

    /// Always colours.
    #[must_use]
    #[cfg(test)]
    pub fn coloured() -> Self {
        Self { colour: true }
    }

    /// The text in the tone's colour.
    #[must_use]
    pub fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.into(),
            _ if !self.colour => return text.into(),
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Warn => "33",
            Tone::Active => "36",
            Tone::Dim => "2",
            Tone::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// A terminal that calls itself dumb shows escapes as they are.
fn is_coloured(terminal: bool) -> bool {
    let is = |name: &str, value: &str| std::env::var_os(name).is_some_and(|found| found == value);
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    wanted && (is("CLICOLOR_FORCE", "1") || (terminal && !is("TERM", "dumb")))
}

/// The tone of a phase or an outcome word.
#[must_use]
pub fn tone_of(word: &str) -> Tone {
    match word {
        "Succeeded" | "Ready" | "Applied" | "True" | "clean" | "ok" => Tone::Good,
        "Failed" | "Invalid" | "FailedToApply" | "False" | "damaged" => Tone::Bad,
        "Skipped" | "NotReady" | "Unknown" | "Partial" => Tone::Warn,
        "Running" | "Pending" => Tone::Active,
        _ => Tone::Plain,
    }
}

/// The text with control characters as visible escapes: names come from files and objects of others,
/// and a terminal obeys what it is sent.
#[must_use]
pub fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// The same at the last moment before a text leaves, whoever made it: with lines, and with our own colours where
/// there are any. The escapes are those of JSON, so that a document stays the same document.
#[must_use]
pub fn sealed(text: &str, style: Style) -> Cow<'_, str> {
    let is_fine = |c: char| !is_hidden(c) || matches!(c, '\n' | '\t');
    if text.chars().all(is_fine) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let len = match if style.colour { colour(rest) } else { None } {
            Some(code) => {
                out.push_str(code);
                code.len()
            }
            None if is_fine(c) => {
                out.push(c);
                c.len_utf8()
            }
            None => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
                c.len_utf8()
            }
        };
        rest = &rest[len..];
    }
    Cow::Owned(out)
}

/// One of our own colours at the beginning of a text.
fn colour(text: &str) -> Option<&str> {
    const OURS: [&str; 7] =
        ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m"];
    OURS.into_iter().find(|code| text.starts_with(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_stays_plain() {
        assert_eq!(Style::plain().paint(Tone::Bad, "Failed"), "Failed");
        assert_eq!(Style::coloured().paint(Tone::Bad, "x"), "\x1b[31mx\x1b[0m");
    }

    #[test]
    fn names_cannot_drive_the_terminal() {
        assert_eq!(safe("a\x1b[2Jb\u{202e}"), "a\\u{1b}[2Jb\\u{202e}");
        assert_eq!(safe("größe"), "größe");
    }

    #[test]
    fn s03_nothing_leaves_that_a_terminal_obeys_or_nobody_sees() {
        let hostile = "a\x1b]0;x\x07\r\u{9b}31m\u{202e}\u{61c}\u{2028}\u{7f}\u{e0041}b\n\tc";
        let plain =
            "a\\u001b]0;x\\u0007\\u000d\\u009b31m\\u202e\\u061c\\u2028\\u007f\\udb40\\udc41b\n\tc";
        assert_eq!(sealed(hostile, Style::plain()), plain);
        assert_eq!(sealed(hostile, Style::coloured()), plain);
        let painted = Style::coloured().paint(Tone::Bad, "x");
        assert_eq!(sealed(&painted, Style::coloured()), painted);
        assert_eq!(sealed(&painted, Style::plain()), "\\u001b[31mx\\u001b[0m");
        assert_eq!(sealed("größe\n", Style::plain()), "größe\n");
    }

    #[test]
    fn s03_a_document_says_the_same_when_it_has_left() {
        let value = serde_json::json!({ "a\u{9b}": "\x1b\u{7f}\u{202e}\u{e0041}\n" });
        let left: serde_json::Value =
            serde_json::from_str(&sealed(&value.to_string(), Style::plain())).unwrap();
        assert_eq!(left, value);
    }
}
