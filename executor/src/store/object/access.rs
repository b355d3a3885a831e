//! What opens a store beside its URL: variables as the tools of its vendor name them. They are given: no library
//! looks for them in its process, whose owner may be somebody else.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Variables (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, …). Never shown. A job carries them
/// as a map.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Access {
    variables: BTreeMap<String, String>,
}

impl fmt::Debug for Access {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Access of {} variables", self.variables.len())
    }
}

impl Access {
    /// Just these variables. An empty one is none.
    #[must_use]
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { variables: variables.into_iter().filter(|(_, value)| !value.is_empty()).collect() }
    }

    /// Whether nothing is given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty()
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    pub(super) fn has(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.variables.contains_key(*name))
    }

    /// Those of these names that are there.
    pub(super) fn among<'a>(
        &'a self,
        names: &'a [&'a str],
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        names.iter().filter_map(|name| Some((*name, self.get(name)?)))
    }
}
