//! Where directories lie. Each knows its own name and what it lies in, and a path is put together when somebody needs
//! it: four thousand levels of long names take no more memory than the names.

use std::sync::Arc;

use crate::beneath::{extend, join};

/// A directory beneath a root, and the one of a snapshot that it stands for.
#[derive(Debug)]
pub(crate) struct Trail {
    above: Option<Arc<Trail>>,
    /// Of the topmost one: its logical path.
    name: Vec<u8>,
}

impl Trail {
    /// The topmost directory, given its logical path.
    pub(crate) fn top(logical: &[u8]) -> Arc<Self> {
        Arc::new(Self { above: None, name: logical.to_vec() })
    }

    /// One that lies in this one.
    pub(crate) fn beneath(above: &Arc<Self>, name: &[u8]) -> Arc<Self> {
        Arc::new(Self { above: Some(above.clone()), name: name.to_vec() })
    }

    /// Whether it is the topmost one.
    pub(crate) fn is_top(&self) -> bool {
        self.above.is_none()
    }

    /// The path from the topmost directory.
    pub(crate) fn relative(&self) -> Vec<u8> {
        self.below(Vec::new())
    }

    /// The path in the snapshot.
    pub(crate) fn logical(&self) -> Vec<u8> {
        let top = self.chain().last().map(|top| top.name.clone()).unwrap_or_default();
        self.below(top)
    }

    /// The path in the snapshot of something in it.
    pub(crate) fn join(&self, name: &[u8]) -> Vec<u8> {
        join(&self.logical(), name)
    }

    fn below(&self, mut path: Vec<u8>) -> Vec<u8> {
        self.names().for_each(|name| extend(&mut path, name));
        path
    }

    /// This one and all above it.
    fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |at| at.above.as_deref())
    }

    /// Names from the topmost directory, which has none, down to this one.
    fn names(&self) -> impl Iterator<Item = &[u8]> {
        let mut names: Vec<&[u8]> =
            self.chain().filter(|at| at.above.is_some()).map(|at| &at.name[..]).collect();
        names.reverse();
        names.into_iter()
    }
}

/// Level by level: as many calls within each other as there are levels would need as much stack.
impl Drop for Trail {
    fn drop(&mut self) {
        let mut above = self.above.take();
        while let Some(mut last) = above.and_then(Arc::into_inner) {
            above = last.above.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_names() {
        let top = Trail::top(b"/data");
        assert_eq!((top.relative(), top.logical()), (b"".to_vec(), b"/data".to_vec()));
        let inner = Trail::beneath(&Trail::beneath(&top, b"a"), b"b");
        assert_eq!((inner.relative(), inner.logical()), (b"a/b".to_vec(), b"/data/a/b".to_vec()));
        assert_eq!(inner.join(b"c"), b"/data/a/b/c");
        let whole = Trail::beneath(&Trail::top(b"/"), b"etc");
        assert_eq!((whole.relative(), whole.logical()), (b"etc".to_vec(), b"/etc".to_vec()));
    }

    #[test]
    fn s02_a_hundred_thousand_levels_come_and_go() {
        let mut at = Trail::top(b"/");
        for _ in 0..100_000 {
            at = Trail::beneath(&at, b"d");
        }
        assert_eq!(at.relative().len(), 2 * 100_000 - 1);
    }
}
