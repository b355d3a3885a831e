//! Colours, only where somebody sees them: a terminal, without `NO_COLOR` (no-color.org).

use std::io::IsTerminal;

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
    text.chars()
        .map(|c| {
            let hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if c.is_control() || hidden { c.escape_default().to_string() } else { c.to_string() }
        })
        .collect()
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
}
