//! An index in memory: what the ledger goes on with when the one on disk is in doubt, and what that
//! one is compared with.

use std::collections::BTreeMap;

use holdfast_engine::CommandId;

use crate::index::{CommandPlace, Doubt, FramePlace, Index, commands, streams};
use crate::record::{Header, StreamKey};

/// Ordered maps, lost at the end.
#[derive(Debug, Default)]
pub(crate) struct MemoryIndex {
    commands: BTreeMap<CommandId, CommandPlace>,
    streams: BTreeMap<StreamKey, Vec<FramePlace>>,
    projections: BTreeMap<(String, Vec<u8>), Vec<u8>>,
}

impl Index for MemoryIndex {
    fn note(&mut self, frame: FramePlace, headers: &[Header]) -> Result<(), Doubt> {
        self.commands.extend(commands(headers));
        for stream in streams(headers).into_keys() {
            self.streams.entry(stream).or_default().push(frame);
        }
        Ok(())
    }

    fn command(&self, id: CommandId) -> Result<Option<CommandPlace>, Doubt> {
        Ok(self.commands.get(&id).copied())
    }

    fn stream(&self, key: StreamKey) -> Result<Vec<FramePlace>, Doubt> {
        Ok(self.streams.get(&key).cloned().unwrap_or_default())
    }

    fn projection(&self, name: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Doubt> {
        Ok(self.projections.get(&(name.to_owned(), key.to_vec())).cloned())
    }

    fn project(&mut self, name: &str, key: &[u8], value: Option<&[u8]>) -> Result<(), Doubt> {
        let key = (name.to_owned(), key.to_vec());
        match value {
            Some(value) => self.projections.insert(key, value.to_vec()),
            None => self.projections.remove(&key),
        };
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), Doubt> {
        Ok(())
    }
}
