//! What a verb says that did not do what it should, on standard error.

use std::io::Write as _;

use holdfast_executor::error::Error;
use holdfast_executor::failure_of;
use holdfast_executor::report::{FailureKind, without_credentials};
use serde_json::json;

use crate::exit::Exit;
use crate::repository::advice;
use crate::show::style::{Style, Tone, safe, sealed};

/// What advice depends on.
#[derive(Clone, Copy, Debug)]
pub struct Class {
    /// The class of the failure.
    pub kind: FailureKind,
    /// Whether the repository could be opened.
    pub is_open: bool,
    /// What is looked for is a key slot, and no path of a snapshot.
    pub is_slot: bool,
}

impl Class {
    /// That of an error of an open repository.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        let is_slot = matches!(error, Error::NoSuch { what: "key slot", .. });
        Self { kind: failure_of(error).kind, is_open: true, is_slot }
    }

    fn advice(self) -> Option<&'static str> {
        match self.is_slot {
            true => Some("`holdfast repo key list` lists them"),
            false => advice(self.kind, self.is_open),
        }
    }
}

/// The repository that could not be opened.
#[derive(Clone, Debug)]
pub struct Unopened {
    /// Where it should lie.
    pub url: String,
}

impl std::fmt::Display for Unopened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.url)
    }
}

/// An error with its causes, and what to do about it.
pub fn print(error: &anyhow::Error, json: bool) -> Exit {
    let exit = Exit::of_chain(error);
    let of_executor = error.chain().find_map(|cause| cause.downcast_ref::<Error>());
    let is_open = !error.is::<Unopened>();
    let class = of_executor.map(|error| Class { is_open, ..Class::of(error) });
    print_text(&format!("{error:#}"), class, exit, json);
    exit
}

/// The same of a failure whose words are known.
pub fn print_text(text: &str, class: Option<Class>, exit: Exit, json: bool) {
    if json {
        return print_json(text, class, exit);
    }
    let style = Style::of_errors();
    line(format_args!("{}: {}", style.paint(Tone::Bad, "error"), safe(text)));
    if let Some(advice) = class.and_then(Class::advice) {
        line(format_args!("{}: {advice}", style.paint(Tone::Strong, "hint")));
    }
}

/// One line for programs.
pub fn print_json(text: &str, class: Option<Class>, exit: Exit) {
    let (kind, hint) = (class.map(|class| class.kind), class.and_then(Class::advice));
    let code = exit as u8;
    line(json!({ "message": "error", "code": code, "kind": kind, "error": text, "hint": hint }));
}

/// Something that did not end the verb.
pub fn warn(text: &str, json: bool) {
    if json {
        line(json!({ "message": "warning", "warning": text }));
    } else {
        line(format_args!("{}: {}", Style::of_errors().paint(Tone::Warn, "warning"), safe(text)));
    }
}

/// Where nobody listens any more the exit code still says it.
fn line(text: impl std::fmt::Display) {
    let text = text.to_string();
    let text = without_credentials(&text);
    let _ = writeln!(std::io::stderr(), "{}", sealed(&text, Style::of_errors()));
}
