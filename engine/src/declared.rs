//! What users declare: an object as it was found, and whether that is news.

use serde::{Deserialize, Serialize};

use crate::ids::{Hash, Key, Uid};
use crate::rejection::Rejection;

/// An object of a user as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared<S> {
    /// The object's uid.
    pub uid: Uid,
    /// Its group, namespace and name.
    pub key: Key,
    /// `metadata.generation`.
    pub generation: u64,
    /// Hash of its content; equal hashes are equal specs.
    pub hash: Hash,
    /// The fields that decisions use.
    pub spec: S,
}

/// What a declaration is compared with: the object as the state has it.
pub(crate) struct Known {
    pub hash: Hash,
    /// Its deletion has begun.
    pub deleting: bool,
}

/// An object whose deletion takes no time.
impl From<Hash> for Known {
    fn from(hash: Hash) -> Self {
        Self { hash, deleting: false }
    }
}

impl<S> Declared<S> {
    /// Whether the object is new or another than the known one.
    ///
    /// # Errors
    /// The object is being deleted: nothing is declared of it any more.
    pub(crate) fn is_news(&self, known: Option<Known>) -> Result<bool, Rejection> {
        let Some(known) = known else { return Ok(true) };
        if known.deleting {
            return Err(Rejection::conflict(&self.key, "it is being deleted"));
        }
        Ok(known.hash != self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::given::{hash, key};
    use crate::testing::world::named;

    #[test]
    fn only_what_differs_is_news_and_nothing_is_while_it_is_being_deleted() {
        let (uid, key) = (named("keep"), key("keep"));
        let declared = Declared { uid, key, generation: 2, hash: hash(1), spec: () };
        let known = |number, deleting| Some(Known { hash: hash(number), deleting });
        assert_eq!(declared.is_news(None), Ok(true));
        assert_eq!(declared.is_news(known(1, false)), Ok(false));
        assert_eq!(declared.is_news(known(2, false)), Ok(true));
        let refused = Err(Rejection::conflict(&declared.key, "it is being deleted"));
        assert_eq!(declared.is_news(known(1, true)), refused);
        assert_eq!(declared.is_news(known(2, true)), refused);
    }
}
