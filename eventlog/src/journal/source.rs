//! Where the bytes of a log are read from: its directory, an export, or memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_engine::Hash;

use crate::error::Error;

/// The bytes of a log, wherever they lie. Nothing here changes them.
pub(crate) trait Source: Send + Sync {
    /// The file HEAD.
    fn head(&self) -> Result<Option<Vec<u8>>, Error>;
    /// The file BASE.
    fn base(&self) -> Result<Option<Vec<u8>>, Error>;
    /// Numbers of the segments there are, ascending.
    fn segments(&self) -> Result<Vec<u32>, Error>;
    /// A segment; shorter than it was made when its zeros were left out.
    fn segment(&self, number: u32) -> Result<Option<Arc<Vec<u8>>>, Error>;
    /// Sequence numbers of the checkpoints there are, ascending.
    fn checkpoints(&self) -> Result<Vec<u64>, Error>;
    /// The file of a checkpoint.
    fn checkpoint(&self, seq: u64) -> Result<Option<Vec<u8>>, Error>;
    /// Names of the attachments there are.
    fn attachments(&self) -> Result<Vec<Hash>, Error>;
    /// An attachment, its name not yet checked.
    fn attachment(&self, hash: &Hash) -> Result<Option<Vec<u8>>, Error>;
}

/// A log in memory: an export file that was read, or a copy to be damaged in a test.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) head: Option<Vec<u8>>,
    pub(crate) base: Option<Vec<u8>>,
    pub(crate) segments: BTreeMap<u32, Arc<Vec<u8>>>,
    pub(crate) checkpoints: BTreeMap<u64, Vec<u8>>,
    pub(crate) attachments: BTreeMap<Hash, Vec<u8>>,
}

impl Source for Memory {
    fn head(&self) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.head.clone())
    }

    fn base(&self) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.base.clone())
    }

    fn segments(&self) -> Result<Vec<u32>, Error> {
        Ok(self.segments.keys().copied().collect())
    }

    fn segment(&self, number: u32) -> Result<Option<Arc<Vec<u8>>>, Error> {
        Ok(self.segments.get(&number).cloned())
    }

    fn checkpoints(&self) -> Result<Vec<u64>, Error> {
        Ok(self.checkpoints.keys().copied().collect())
    }

    fn checkpoint(&self, seq: u64) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.checkpoints.get(&seq).cloned())
    }

    fn attachments(&self) -> Result<Vec<Hash>, Error> {
        Ok(self.attachments.keys().copied().collect())
    }

    fn attachment(&self, hash: &Hash) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.attachments.get(hash).cloned())
    }
}

/// A log whose archived segments are read from an export.
pub(crate) struct Behind {
    pub(crate) front: Box<dyn Source>,
    pub(crate) export: Box<dyn Source>,
}

impl Source for Behind {
    fn head(&self) -> Result<Option<Vec<u8>>, Error> {
        self.front.head()
    }

    /// With the export behind it the log begins where the export does.
    fn base(&self) -> Result<Option<Vec<u8>>, Error> {
        self.export.base()
    }

    fn segments(&self) -> Result<Vec<u32>, Error> {
        union(self.front.segments()?, self.export.segments()?)
    }

    fn segment(&self, number: u32) -> Result<Option<Arc<Vec<u8>>>, Error> {
        match self.front.segment(number)? {
            None => self.export.segment(number),
            found => Ok(found),
        }
    }

    fn checkpoints(&self) -> Result<Vec<u64>, Error> {
        union(self.front.checkpoints()?, self.export.checkpoints()?)
    }

    fn checkpoint(&self, seq: u64) -> Result<Option<Vec<u8>>, Error> {
        match self.front.checkpoint(seq)? {
            None => self.export.checkpoint(seq),
            found => Ok(found),
        }
    }

    fn attachments(&self) -> Result<Vec<Hash>, Error> {
        union(self.front.attachments()?, self.export.attachments()?)
    }

    fn attachment(&self, hash: &Hash) -> Result<Option<Vec<u8>>, Error> {
        match self.front.attachment(hash)? {
            None => self.export.attachment(hash),
            found => Ok(found),
        }
    }
}

fn union<T: Ord>(mut left: Vec<T>, right: Vec<T>) -> Result<Vec<T>, Error> {
    left.extend(right);
    left.sort_unstable();
    left.dedup();
    Ok(left)
}
