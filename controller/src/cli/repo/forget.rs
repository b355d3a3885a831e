//! `holdfast repo forget`.

use clap::Args;

use super::location::Location;
use super::output::Output;
use crate::exit::Exit;

/// Arguments of `holdfast repo forget`.
#[derive(Debug, Args)]
pub struct Forget {
    /// Ids, or unique prefixes of them. `latest` is not taken: a script that forgets should say what.
    #[arg(required = true)]
    snapshots: Vec<String>,
}

impl Forget {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        anyhow::ensure!(
            !self.snapshots.iter().any(|name| name == "latest"),
            "forget: name snapshots by their ids, not by `latest`"
        );
        let repository = location.open()?;
        // All names are looked up before the first is removed, so that a mistyped one removes nothing.
        let mut names = Vec::new();
        for name in &self.snapshots {
            names.push(repository.find_snapshot(name, None)?.0);
        }
        for name in &names {
            repository.forget(name)?;
            output.say(format_args!("forgot {name}; its data waits to be reclaimed"));
        }
        if output.json {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            println!("{}", serde_json::json!({ "forgotten": names }));
        }
        Ok(Exit::Done)
    }
}
