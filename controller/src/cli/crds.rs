//! `holdfast crds`.

use std::io::{ErrorKind, Write as _};

use clap::Args;
use holdfast_api::Kind;

use crate::exit::Exit;

/// Arguments of `holdfast crds`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  holdfast crds | kubectl apply --server-side -f -
  holdfast crds BackupStorage snapshots")]
pub struct Crds {
    /// Kinds or plurals, such as `BackupBatch` or `backupbatches`; all without one.
    #[arg(value_name = "KIND", value_parser = kind)]
    kinds: Vec<Kind>,
}

/// The kind that a name or a plural means, in any case and with its group or without, as kubectl takes them.
fn kind(word: &str) -> Result<Kind, String> {
    let means = |kind: &Kind| {
        let (plural, group) = (kind.plural(), kind.group());
        [kind.name(), &plural, &format!("{plural}.{group}")]
            .iter()
            .any(|name| name.eq_ignore_ascii_case(word))
    };
    Kind::ALL.into_iter().find(means).ok_or_else(|| {
        let names = Kind::ALL.map(Kind::name).join(", ");
        format!("no kind has this name or plural; there are {names}")
    })
}

impl Crds {
    /// Prints the definitions in the order of [`Kind::ALL`], each once.
    ///
    /// # Errors
    /// When they cannot be written, for another reason than that nobody reads them.
    pub fn run(&self) -> anyhow::Result<Exit> {
        let chosen = |kind: &Kind| self.kinds.is_empty() || self.kinds.contains(kind);
        let mut text = String::new();
        for kind in Kind::ALL.into_iter().filter(chosen) {
            // Through JSON, so that the fields come in the order of their names, as in `deploy/crds`.
            let definition = serde_json::to_value(holdfast_api::crds::crd(kind))?;
            text += "---\n";
            text += &serde_saphyr::to_string(&definition)?;
        }
        let mut out = std::io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(Exit::Done),
        }
    }
}
