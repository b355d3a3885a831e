//! What a local operator says: one line for each phase that an object reaches.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_api::Kind;
use holdfast_engine::units::format_size;
use holdfast_engine::{StreamKind, Uid};
use holdfast_executor::report::without_credentials;
use serde_json::json;

use crate::operator::progress::Heard;
use crate::operator::publisher::Readers;
use crate::show::style::{Style, sealed};
use crate::translate::kubestash::object::Published;

/// How the engine says that a backend's check is still to come.
const NOT_CHECKED: &str = "has not been checked yet";

/// How the lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// Text for people.
    Text,
    /// One JSON object a line.
    Json,
    /// Nothing but problems.
    Quiet,
}

/// The phases that objects reached while this process ran.
#[derive(Clone, Debug, Default)]
pub struct Phases(Arc<Mutex<BTreeMap<Uid, Reached>>>);

/// The phase of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Its kind.
    pub kind: Kind,
    /// Namespace and name.
    pub name: String,
    /// `status.phase`.
    pub phase: String,
    /// Why, when something is wrong.
    pub reason: String,
    /// It reached this phase in this process.
    pub now: bool,
}

impl Phases {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<Reached> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// Tells what happens on standard output, and problems on standard error.
#[derive(Clone)]
pub struct Narrator {
    voice: Voice,
    phases: Phases,
    /// Objects are only noted until the operator has begun: what was so before is no news.
    begun: Arc<std::sync::atomic::AtomicBool>,
}

impl Narrator {
    /// A narrator with this voice.
    #[must_use]
    pub fn new(voice: Voice) -> Self {
        Self { voice, phases: Phases::default(), begun: Arc::default() }
    }

    /// The phases that were reached.
    #[must_use]
    pub fn phases(&self) -> Phases {
        self.phases.clone()
    }

    /// From now on phases are news.
    pub fn begin(&self) {
        self.begun.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    /// Something is wrong that no status shows.
    pub fn problem(&self, text: &str) {
        let text = crate::show::style::safe(&without_credentials(text));
        match self.voice {
            Voice::Json => self.line(&json!({"problem": text}).to_string()),
            Voice::Text | Voice::Quiet => {
                // Nobody may be listening on standard error.
                let _ = writeln!(std::io::stderr(), "holdfast: {text}");
            }
        }
    }

    /// Something that is good to know.
    pub fn notice(&self, text: &str) {
        let text = crate::show::style::safe(text);
        match self.voice {
            Voice::Quiet => {}
            Voice::Json => self.line(&json!({"notice": text}).to_string()),
            Voice::Text => self.line(&text),
        }
    }

    /// Tells how far long jobs have come, where somebody watches.
    #[must_use]
    pub fn progress(&self) -> Heard {
        let watched = self.voice == Voice::Text && std::io::stdout().is_terminal();
        let narrator = self.clone();
        Arc::new(move |attempt, update| {
            if watched {
                let done = format_size(update.bytes);
                let (component, files) = (&attempt.component, update.files);
                let text = format!("{:<9} {component}: {files} files, {done}", "");
                narrator.line(&text);
            }
        })
    }

    fn line(&self, text: &str) {
        // A pipe whose reader went away must not end a backup.
        let _ = writeln!(std::io::stdout(), "{}", sealed(text, Style::detect()));
    }

    fn tell(&self, reached: &Reached) {
        let Reached { kind, name, phase, reason, .. } = reached;
        match self.voice {
            Voice::Quiet => {}
            Voice::Json => {
                let mut line = json!({"kind": kind.name(), "name": name, "phase": phase});
                if !reason.is_empty() {
                    line["reason"] = reason.clone().into();
                }
                self.line(&line.to_string());
            }
            Voice::Text => {
                let style = crate::show::style::Style::detect();
                let painted =
                    style.paint(crate::show::style::tone_of(phase), &format!("{phase:<9}"));
                let why = if reason.is_empty() {
                    String::new()
                } else {
                    format!("  {}", crate::show::style::safe(reason))
                };
                self.line(&format!("{painted} {:<19} {name}{why}", kind.name()));
            }
        }
    }
}

impl Readers for Narrator {
    fn published(&mut self, _: StreamKind, uid: Uid, published: &Published) {
        let phase = published.object["status"]["phase"].as_str().unwrap_or_default().to_owned();
        let begun = self.begun.load(std::sync::atomic::Ordering::Relaxed);
        let bad = matches!(phase.as_str(), "Failed" | "Invalid" | "NotReady" | "Skipped");
        let waits = published.kind == Kind::RestoreSession && phase == "Pending";
        let mut reached = Reached {
            kind: published.kind,
            name: published.key.to_string(),
            reason: published.reason.clone().filter(|_| bad || waits).unwrap_or_default(),
            phase,
            now: begun,
        };
        let mut phases = self.phases.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = phases.get(&uid)
            && before.phase == reached.phase
        {
            reached.now = before.now || begun && before.reason != reached.reason;
            if before.reason == reached.reason {
                phases.insert(uid, reached);
                return;
            }
        }
        phases.insert(uid, reached.clone());
        drop(phases);
        // What has not been looked at yet is no problem yet.
        let early = reached.phase == "NotReady"
            && (reached.reason.is_empty() || reached.reason.ends_with(NOT_CHECKED));
        if begun && !early {
            self.tell(&reached);
        }
    }
}
