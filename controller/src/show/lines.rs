//! Lines on standard output, for listings that may be long. Whoever reads only the first ones has closed
//! the pipe: that is no error, and nothing more is looked up for them. Whatever a line says, no terminal obeys it.

use std::fmt::Display;
use std::io::{BufWriter, ErrorKind, Result, StdoutLock, Write as _};

use super::style::{Style, sealed};

/// Standard output, line by line.
pub struct Lines {
    out: BufWriter<StdoutLock<'static>>,
    broken: Option<std::io::Error>,
    style: Style,
}

impl Lines {
    /// Takes standard output over.
    #[must_use]
    pub fn new() -> Self {
        let out = BufWriter::new(std::io::stdout().lock());
        Self { out, broken: None, style: Style::detect() }
    }

    /// Writes a line; returns whether anybody still reads.
    pub fn line(&mut self, text: impl Display) -> bool {
        if self.broken.is_none() {
            let text = text.to_string();
            self.broken = writeln!(self.out, "{}", sealed(&text, self.style)).err();
        }
        self.broken.is_none()
    }

    /// Ends the listing.
    ///
    /// # Errors
    /// When the lines could not be written, for another reason than that nobody reads them.
    pub fn finish(mut self) -> Result<()> {
        match self.broken.take().or_else(|| self.out.flush().err()) {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}

/// Prints one text. That nobody reads it is no error.
///
/// # Errors
/// When it cannot be written, for another reason.
pub fn print(text: impl Display) -> Result<()> {
    let mut lines = Lines::new();
    lines.line(text);
    lines.finish()
}
