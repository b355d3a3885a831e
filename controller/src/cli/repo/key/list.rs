//! `holdfast repo key list`.

use super::super::location::Location;
use super::super::output::Output;
use crate::exit::Exit;
use crate::show::lines;
use crate::show::repository::{failure, slots};
use crate::show::style::Style;

pub fn run(location: &Location, output: Output) -> anyhow::Result<Exit> {
    let passphrase = location.passphrase()?;
    let repository = location.open_with(&passphrase, false)?;
    let current = repository.slot_of(passphrase.as_bytes())?;
    let (all, epochs) = (repository.slots()?, repository.keys().newest_epoch());
    for foreign in repository.foreign_slots()? {
        failure::warn(&slots::foreign(&foreign), output.json);
    }
    if output.json {
        lines::print(slots::json(repository.id(), &all, current, epochs))?;
    } else {
        lines::print(slots::table(&all, current).render(Style::detect()).trim_end())?;
        output.say(format_args!(
            "* opened repository {} now; epochs of secrets: {epochs}",
            repository.id()
        ));
    }
    Ok(Exit::Done)
}
