//! `holdfast repo forget`.

use std::collections::BTreeSet;

use clap::Args;
use holdfast_executor::digest::SnapshotName;
use holdfast_executor::error::Error;
use holdfast_executor::repo::{Open, Repo, describe, usage};
use holdfast_executor::report::SnapshotInfo;

use super::choose::Choose;
use super::habits::Compact;
use super::keep::Keep;
use super::location::Location;
use super::output::Output;
use crate::exit::Exit;
use crate::keep::{Choice, Group, plan};
use crate::ports::clock;
use crate::repository::Misuse;
use crate::show::lines;
use crate::show::repository::{counted, failure, forget as show, snapshots::report_damaged};
use crate::show::style::Style;

/// Arguments of `holdfast repo forget`.
#[derive(Debug, Args)]
pub struct Forget {
    /// Ids, or unique prefixes of them, instead of rules. `latest` is not taken: a script that forgets should
    /// say what.
    snapshots: Vec<String>,
    #[command(flatten)]
    choose: Choose,
    /// Remove nothing: say what would be removed, and what would become reclaimable.
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    compact: Compact,
    #[command(flatten)]
    keep: Keep,
}

impl Forget {
    pub(super) fn run(self, location: &Location, output: Output) -> anyhow::Result<Exit> {
        let choice = self.keep.choice(&self.choose);
        self.agree(&choice)?;
        let repository = location.open_with(&location.passphrase()?, !self.dry_run)?;
        if !self.snapshots.is_empty() {
            // All names are looked up before the first is removed, so that a mistyped one removes nothing.
            let (infos, damaged) = self.named(&repository)?;
            if damaged.is_empty() || !infos.is_empty() || output.json {
                self.carry_out(&repository, &Group::named(infos), output)?;
            }
            self.remove_damaged(&repository, &damaged, output)?;
            return Ok(Exit::Done);
        }
        let chosen = repository.choose(&[], &self.choose.filter())?;
        let groups = plan(&choice, &chosen.infos, clock::now().0)?;
        output.say(format_args!("rules: {}", choice.rules));
        self.carry_out(&repository, &groups, output)?;
        let doubts: Vec<String> = groups.iter().filter_map(show::doubt).collect();
        doubts.iter().for_each(|text| failure::warn(text, output.json));
        let exit = report_damaged(&chosen.damaged, output.json);
        Ok(if exit == Exit::Done && !doubts.is_empty() { Exit::Unreadable } else { exit })
    }

    /// Refuses what contradicts itself before anything is opened.
    fn agree(&self, choice: &Choice) -> anyhow::Result<()> {
        let is_named = !self.snapshots.is_empty();
        if self.snapshots.iter().any(|name| name == "latest") {
            return Err(Misuse::new("name snapshots by their ids, not by `latest`").into());
        }
        if is_named && (!choice.rules.is_empty() || choice.filtered) {
            return Err(
                Misuse::new("name snapshots, or give rules and conditions, not both").into()
            );
        }
        if !is_named {
            choice.check()?;
        }
        Ok(())
    }

    /// The snapshots that are named: those that can be read, and those that are damaged for good.
    fn named(
        &self,
        repository: &Repo<Open>,
    ) -> anyhow::Result<(Vec<SnapshotInfo>, Vec<SnapshotName>)> {
        let (mut readable, mut damaged) = (Vec::new(), Vec::new());
        for name in repository.names_of(&self.snapshots)? {
            match repository.load_snapshot(&name) {
                Err(Error::Damaged { .. } | Error::Binding { .. }) => damaged.push(name),
                loaded => readable.push(describe(&name, &loaded?)),
            }
        }
        readable.sort_by_key(|info: &SnapshotInfo| info.at);
        Ok((readable, damaged))
    }

    /// Nothing can be restored from these, and nobody but who names them knows that they may go.
    fn remove_damaged(
        &self,
        repository: &Repo<Open>,
        names: &[SnapshotName],
        output: Output,
    ) -> anyhow::Result<()> {
        for name in names {
            let word = if self.dry_run { "would be removed" } else { "is removed" };
            failure::warn(&format!("snapshot {name} is damaged, and {word}"), output.json);
        }
        if !self.dry_run {
            repository.forget_all(names)?;
        }
        Ok(())
    }

    fn carry_out(
        &self,
        repository: &Repo<Open>,
        groups: &[Group],
        output: Output,
    ) -> anyhow::Result<()> {
        let gone = groups.iter().flat_map(Group::removed);
        let names: Vec<SnapshotName> =
            gone.filter_map(|info| SnapshotName::from_hex(&info.id)).collect();
        let usage = match self.dry_run {
            true => {
                let all = repository.snapshots()?.found;
                Some(usage(repository, &all, &names.iter().copied().collect::<BTreeSet<_>>())?)
            }
            false => None,
        };
        for group in groups.iter().filter(|_| !output.json) {
            output.say(show::text(group, usage.as_ref(), Style::detect()));
        }
        match &usage {
            Some(usage) => output.say(show::rehearsed(names.len(), usage)),
            None => {
                repository.forget_all(&names)?;
                output.say(format_args!(
                    "forgot {}; their data waits to be reclaimed",
                    counted(names.len() as u64, "snapshot")
                ));
            }
        }
        if output.json {
            lines::print(show::json(groups, usage.as_ref()))?;
        }
        Ok(())
    }
}
