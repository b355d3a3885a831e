//! An index in memory: what the ledger goes on with when the one on disk is in doubt, and what that
//! one is compared with.

use std::collections::BTreeMap;

use holdfast_engine::CommandId;

use crate::index::{CommandPlace, Doubt, FramePlace, Index, StreamPlace, commands, streams};
use crate::record::{Header, StreamKey};

/// Ordered maps, lost at the end.
#[derive(Debug, Default)]
pub(crate) struct MemoryIndex {
    commands: BTreeMap<CommandId, CommandPlace>,
    streams: BTreeMap<StreamKey, Vec<StreamPlace>>,
    projections: BTreeMap<(String, Vec<u8>), Vec<u8>>,
}

impl Index for MemoryIndex {
    fn note(&mut self, frame: FramePlace, headers: &[Header]) -> Result<(), Doubt> {
        self.commands.extend(commands(headers));
        for (stream, (_, last)) in streams(headers) {
            self.streams.entry(stream).or_default().push(StreamPlace { frame, last });
        }
        Ok(())
    }

    fn command(&self, id: CommandId) -> Result<Option<CommandPlace>, Doubt> {
        Ok(self.commands.get(&id).copied())
    }

    fn stream(&self, key: StreamKey) -> Result<Vec<FramePlace>, Doubt> {
        let places = self.streams.get(&key).map(Vec::as_slice).unwrap_or_default();
        Ok(places.iter().map(|place| place.frame).collect())
    }

    fn version(&self, key: StreamKey) -> Result<Option<u32>, Doubt> {
        Ok(self.streams.get(&key).and_then(|places| places.last()).map(|place| place.last))
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

    fn forget(&mut self) -> Result<(), Doubt> {
        self.commands.clear();
        self.streams.clear();
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), Doubt> {
        Ok(())
    }
}
