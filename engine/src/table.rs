//! Objects of one kind by uid.
//!
//! A copy shares its objects with the original until one of the two changes them: the copy that a checkpoint is
//! written from costs a pointer an object, whatever is known of it.

use alloc::collections::{BTreeMap, btree_map};
use alloc::sync::Arc;
use core::iter;
use core::ops::{Index, RangeBounds};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::Uid;

/// Objects of one kind, in order of their uids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table<T>(BTreeMap<Uid, Arc<T>>);

impl<T> Table<T> {
    /// The object of this uid.
    #[must_use]
    pub fn get(&self, uid: &Uid) -> Option<&T> {
        self.0.get(uid).map(AsRef::as_ref)
    }

    /// Whether there is an object of this uid.
    #[must_use]
    pub fn contains_key(&self, uid: &Uid) -> bool {
        self.0.contains_key(uid)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Uids and objects.
    pub fn iter(&self) -> Iter<'_, T> {
        self.into_iter()
    }

    /// The uids.
    pub fn keys(&self) -> btree_map::Keys<'_, Uid, Arc<T>> {
        self.0.keys()
    }

    /// The objects.
    pub fn values(&self) -> Values<'_, T> {
        self.0.values().map(AsRef::as_ref)
    }

    /// Those between two uids.
    pub fn range(&self, bounds: impl RangeBounds<Uid>) -> impl Iterator<Item = (&Uid, &T)> {
        self.0.range(bounds).map(|(uid, object)| (uid, object.as_ref()))
    }

    /// Keeps those that are to be kept.
    pub fn retain(&mut self, mut keep: impl FnMut(&Uid, &T) -> bool) {
        self.0.retain(|uid, object| keep(uid, object));
    }

    /// Adds an object, or puts it in another's place.
    pub fn insert(&mut self, uid: Uid, object: T) {
        self.0.insert(uid, Arc::new(object));
    }
}

impl<T: Clone> Table<T> {
    /// The object of this uid, to be changed: copies of the table keep it as it was.
    pub fn get_mut(&mut self, uid: &Uid) -> Option<&mut T> {
        self.0.get_mut(uid).map(Arc::make_mut)
    }

    /// The same, of an object that is made where there is none.
    pub fn get_or_insert_with(&mut self, uid: Uid, make: impl FnOnce() -> T) -> &mut T {
        Arc::make_mut(self.0.entry(uid).or_insert_with(|| Arc::new(make())))
    }

    /// Takes an object away.
    pub fn remove(&mut self, uid: &Uid) -> Option<T> {
        self.0.remove(uid).map(Arc::unwrap_or_clone)
    }
}

impl<T> Table<T> {
    /// Has an object of another table in this one as well.
    pub(crate) fn share(&mut self, uid: Uid, other: &Self) {
        if let Some(object) = other.0.get(&uid) {
            self.0.entry(uid).or_insert_with(|| Arc::clone(object));
        }
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> FromIterator<(Uid, T)> for Table<T> {
    fn from_iter<I: IntoIterator<Item = (Uid, T)>>(objects: I) -> Self {
        Self(objects.into_iter().map(|(uid, object)| (uid, Arc::new(object))).collect())
    }
}

/// The objects of a table.
pub type Values<'a, T> = iter::Map<btree_map::Values<'a, Uid, Arc<T>>, fn(&Arc<T>) -> &T>;

/// Uids and objects of a table.
#[derive(Clone, Debug)]
pub struct Iter<'a, T>(btree_map::Iter<'a, Uid, Arc<T>>);

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = (&'a Uid, &'a T);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(uid, object)| (uid, object.as_ref()))
    }
}

impl<'a, T> IntoIterator for &'a Table<T> {
    type Item = (&'a Uid, &'a T);
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        Iter(self.0.iter())
    }
}

impl<T> Index<&Uid> for Table<T> {
    type Output = T;

    fn index(&self, uid: &Uid) -> &T {
        &self.0[uid]
    }
}

impl<T: Serialize> Serialize for Table<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(BTreeMap::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::world::named;

    #[test]
    fn a_copy_keeps_what_the_original_changes() {
        let (one, other) = (named("one"), named("other"));
        let mut table: Table<u64> = [(one, 1), (other, 2)].into_iter().collect();
        let copy = table.clone();
        *table.get_mut(&one).unwrap() = 3;
        assert_eq!((table.remove(&other), table.remove(&other)), (Some(2), None));
        assert_eq!((table[&one], copy[&one], copy.get(&other)), (3, 1, Some(&2)));
        let again = copy.clone();
        assert!(core::ptr::eq(&raw const copy[&other], &raw const again[&other]), "shared");
    }
}
