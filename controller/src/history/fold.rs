//! Folds a log into the engine's read models, archived sessions and forgotten snapshots included.

use holdfast_engine::view::fold::{History, SessionFold};
use holdfast_engine::{Illegal, Recorded, Uid};
use holdfast_eventlog::{Error, Machine, Reader, Until, drive};

/// Everything up to a moment.
///
/// # Errors
/// What [`drive`] says.
pub fn all(reader: &Reader, until: Until) -> Result<History, Error> {
    let mut all = All(History::default());
    drive(reader, &mut all, until)?;
    Ok(all.0)
}

/// One session up to a moment.
///
/// # Errors
/// What [`drive`] says.
pub fn one(reader: &Reader, session: Uid, until: Until) -> Result<SessionFold, Error> {
    let mut one = One(SessionFold::new(session));
    drive(reader, &mut one, until)?;
    Ok(one.0)
}

struct All(History);

impl Machine for All {
    fn record(&mut self, recorded: &Recorded) -> Result<(), Illegal> {
        self.0.record(recorded);
        Ok(())
    }
}

struct One(SessionFold);

impl Machine for One {
    fn record(&mut self, recorded: &Recorded) -> Result<(), Illegal> {
        self.0.record(recorded);
        Ok(())
    }
}
