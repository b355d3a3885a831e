//! What a rule says about one place.

use std::fmt;

/// One broken rule at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Name of the rule, as it stands in the list of exceptions.
    pub rule: &'static str,
    /// Path from the root of the tree.
    pub path: String,
    /// Line, counted from one.
    pub line: usize,
    /// What broke it: a word, a function's name, `file`. With rule and path it names an exception.
    pub what: String,
    /// How much of it: lines for lengths, one otherwise. Exceptions allow an amount, never more.
    pub amount: usize,
    /// Why that is not allowed and what to do.
    pub reason: String,
}

impl Finding {
    /// A finding of amount one.
    pub fn new(
        rule: &'static str,
        path: &str,
        line: usize,
        what: &str,
        reason: impl Into<String>,
    ) -> Self {
        let (path, what, reason) = (path.to_owned(), what.to_owned(), reason.into());
        Self { rule, path, line, what, amount: 1, reason }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}: {}", self.path, self.line, self.rule, self.reason)
    }
}
