//! `${name}` in strings, with the shell-like operations of the documents (behaviour reference, 10).
//!
//! | Form | Result |
//! |---|---|
//! | `${v}` | the value; an error when `v` is not set |
//! | `${v=d}` `${v:=d}` `${v:-d}` | `d` when `v` is not set; an empty value is a value |
//! | `${#v}` | number of characters |
//! | `${v#p}` `${v##p}` `${v%p}` `${v%%p}` | without the shortest, longest begin or end that matches `p` |
//! | `${v/p/r}` `${v//p/r}` | first, every occurrence of `p` replaced by `r` |
//! | `${v^}` `${v^^}` `${v,}` `${v,,}` | first character, all of it in upper, lower case |
//! | `${v:pos}` `${v:pos:len}` | part of it, in characters; a negative `pos` counts from the end |
//!
//! Patterns know `*` and `?`. `$${` writes `${`; any other `$` is itself. Operands may hold variables.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Values by name.
pub type Values = BTreeMap<String, String>;

/// Operands within operands; nobody writes three, and every level is a level of the call stack.
const MAX_DEPTH: u32 = 8;
/// A record of the log holds 64 KiB; a resolved string longer than that could not be recorded.
const MAX_RESULT_BYTES: usize = 64 * 1024;

/// Why a string could not be resolved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// It has no value and no default.
    #[error("variable {name} has no value and no default; give it as a parameter")]
    Unset {
        /// The variable.
        name: String,
    },
    /// `${` without `}`.
    #[error(
        "the expression at character {at} is not closed; write ${{name}}, or $${{ for the text itself"
    )]
    Open {
        /// Where the expression begins, in characters.
        at: usize,
    },
    /// What follows the name is none of the operations.
    #[error("{expression}: unknown operation")]
    Operation {
        /// The expression.
        expression: String,
    },
    /// A position or length that is no number.
    #[error("{expression}: position and length are numbers")]
    Number {
        /// The expression.
        expression: String,
    },
    /// Operands within operands.
    #[error("expressions within expressions more than {MAX_DEPTH} deep")]
    Deep,
    /// The result cannot be recorded.
    #[error("the text becomes longer than {MAX_RESULT_BYTES} bytes")]
    Long,
}

/// Replaces every expression of `text`.
///
/// # Errors
/// [`VariableError`] for a variable without value or default, and for what is no expression.
pub fn resolve(text: &str, values: &Values) -> Result<String, VariableError> {
    let text: Vec<char> = text.chars().collect();
    resolve_chars(&text, values, 0)
}

fn resolve_chars(text: &[char], values: &Values, depth: u32) -> Result<String, VariableError> {
    if depth > MAX_DEPTH {
        return Err(VariableError::Deep);
    }
    let mut result = String::new();
    let mut at = 0;
    while let Some(&c) = text.get(at) {
        match (c, text.get(at + 1), text.get(at + 2)) {
            ('$', Some('$'), Some('{')) => {
                result.push_str("${");
                at += 3;
            }
            ('$', Some('{'), _) => {
                let end = closing(text, at + 2).ok_or(VariableError::Open { at })?;
                result.push_str(&evaluate(&text[at + 2..end], values, depth)?);
                at = end + 1;
            }
            _ => {
                result.push(c);
                at += 1;
            }
        }
        if result.len() > MAX_RESULT_BYTES {
            return Err(VariableError::Long);
        }
    }
    Ok(result)
}

/// Where the expression whose inside begins at `from` is closed.
fn closing(text: &[char], from: usize) -> Option<usize> {
    let mut open = 1u32;
    let mut at = from;
    while let Some(&c) = text.get(at) {
        match c {
            '$' if text.get(at + 1) == Some(&'{') => {
                open += 1;
                at += 1;
            }
            '}' => {
                open -= 1;
                if open == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn evaluate(inside: &[char], values: &Values, depth: u32) -> Result<String, VariableError> {
    let expression = || inside.iter().collect::<String>();
    let (length, body) = match inside.split_first() {
        Some(('#', rest)) => (true, rest),
        _ => (false, inside),
    };
    let end =
        body.iter().position(|c| !(c.is_ascii_alphanumeric() || *c == '_')).unwrap_or(body.len());
    let (name, operation) = body.split_at(end);
    if name.is_empty() {
        return Err(VariableError::Operation { expression: expression() });
    }
    let name: String = name.iter().collect();
    let value = values.get(&name);
    let operand = |from: usize| resolve_chars(&operation[from..], values, depth + 1);
    if let Some(default) = match operation {
        ['=', ..] => Some(1),
        [':', '=' | '-', ..] => Some(2),
        _ => None,
    } {
        return value.map_or_else(|| operand(default), |value| Ok(value.clone()));
    }
    let value = value.ok_or(VariableError::Unset { name })?;
    if length {
        return match operation {
            [] => Ok(value.chars().count().to_string()),
            _ => Err(VariableError::Operation { expression: expression() }),
        };
    }
    Ok(match operation {
        [] => value.clone(),
        ['#', '#', ..] => trim(value, &operand(2)?, Side::Begin, Match::Longest),
        ['#', ..] => trim(value, &operand(1)?, Side::Begin, Match::Shortest),
        ['%', '%', ..] => trim(value, &operand(2)?, Side::End, Match::Longest),
        ['%', ..] => trim(value, &operand(1)?, Side::End, Match::Shortest),
        ['/', '/', ..] => replace(value, &operand(2)?, true)?,
        ['/', ..] => replace(value, &operand(1)?, false)?,
        ['^', '^'] => value.to_uppercase(),
        [',', ','] => value.to_lowercase(),
        ['^'] => first(value, |c| c.to_uppercase().collect()),
        [','] => first(value, |c| c.to_lowercase().collect()),
        [':', ..] => part(value, &operand(1)?)
            .ok_or_else(|| VariableError::Number { expression: expression() })?,
        _ => return Err(VariableError::Operation { expression: expression() }),
    })
}

fn first(value: &str, change: impl Fn(char) -> String) -> String {
    let mut rest = value.chars();
    rest.next().map_or_else(String::new, |c| change(c) + rest.as_str())
}

/// `pos` or `pos:len` in characters; absent when they are no numbers.
fn part(value: &str, operand: &str) -> Option<String> {
    let (position, length) = match operand.split_once(':') {
        Some((position, length)) => (position, Some(length.trim().parse::<usize>().ok()?)),
        None => (operand, None),
    };
    let position: i64 = position.trim().parse().ok()?;
    let start = if position < 0 {
        let back = usize::try_from(position.unsigned_abs()).unwrap_or(usize::MAX);
        value.chars().count().saturating_sub(back)
    } else {
        usize::try_from(position).unwrap_or(usize::MAX)
    };
    Some(value.chars().skip(start).take(length.unwrap_or(usize::MAX)).collect())
}

fn replace(value: &str, operand: &str, all: bool) -> Result<String, VariableError> {
    let (pattern, replacement) = operand.split_once('/').unwrap_or((operand, ""));
    if pattern.is_empty() {
        return Ok(value.to_string());
    }
    let count = if all { value.matches(pattern).count() } else { 1 };
    if value.len() + count.saturating_mul(replacement.len()) > MAX_RESULT_BYTES {
        return Err(VariableError::Long);
    }
    Ok(if all {
        value.replace(pattern, replacement)
    } else {
        value.replacen(pattern, replacement, 1)
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Begin,
    End,
}

#[derive(Clone, Copy, PartialEq)]
enum Match {
    Shortest,
    Longest,
}

/// `value` without the begin or end that matches `pattern`.
fn trim(value: &str, pattern: &str, side: Side, wanted: Match) -> String {
    let value: Vec<char> = value.chars().collect();
    let pattern: Vec<char> = pattern.chars().collect();
    let cut = |length: usize| match side {
        Side::Begin => value.split_at(length),
        Side::End => {
            let (rest, removed) = value.split_at(value.len() - length);
            (removed, rest)
        }
    };
    let mut lengths = 0..=value.len();
    let fits = |length: &usize| matches(cut(*length).0, &pattern);
    let found = match wanted {
        Match::Shortest => lengths.find(fits),
        Match::Longest => lengths.rev().find(fits),
    };
    found.map_or(value.as_slice(), |length| cut(length).1).iter().collect()
}

/// Whether the whole text matches; on a mismatch only the last `*` takes one character more.
fn matches(text: &[char], pattern: &[char]) -> bool {
    let (mut t, mut p) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values() -> Values {
        [
            ("v", "value"),
            ("empty", ""),
            ("path", "/a/b/c.tar.gz"),
            ("U", "äöÜ"),
            ("n", "2"),
            ("d", "none"),
        ]
        .into_iter()
        .map(|(k, v)| (k.into(), v.into()))
        .collect()
    }

    #[test]
    fn operations() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("a ${v} b ${v}", "a value b value"),
            ("$v $ $$ }", "$v $ $$ }"),
            ("$${v}", "${v}"),
            ("${empty}", ""),
            ("${none=d}", "d"),
            ("${none:=d}", "d"),
            ("${none:-d}", "d"),
            ("${none:-}", ""),
            ("${v=d}${v:=d}${v:-d}", "valuevaluevalue"),
            ("${empty:-d}", ""),
            ("${none:-${v}-${none:=x}}", "value-x"),
            ("${#v} ${#U} ${#empty}", "5 3 0"),
            ("${path#*/}", "a/b/c.tar.gz"),
            ("${path##*/}", "c.tar.gz"),
            ("${path%.*}", "/a/b/c.tar"),
            ("${path%%.*}", "/a/b/c"),
            ("${v#x}", "value"),
            ("${v%?}", "valu"),
            ("${v#${v}}", ""),
            ("${path/\\//x}", "/a/b/c.tar.gz"),
            ("${v/a/A}", "vAlue"),
            ("${path//a/A}", "/A/b/c.tAr.gz"),
            ("${v/a}", "vlue"),
            ("${v//}", "value"),
            ("${v^} ${v^^} ${U,} ${U,,}", "Value VALUE äöÜ äöü"),
            ("${empty^}", ""),
            ("${v:1} ${v:1:2} ${v:9} ${v: -2} ${v:${n}}", "alue al  ue lue"),
        ] {
            assert_eq!(resolve(text, &values()).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let operation = |e: &str| VariableError::Operation { expression: e.into() };
        for (text, error) in [
            ("${none}", VariableError::Unset { name: "none".into() }),
            ("${none#x}", VariableError::Unset { name: "none".into() }),
            ("ä${v", VariableError::Open { at: 1 }),
            ("${", VariableError::Open { at: 0 }),
            ("${}", operation("")),
            ("${#}", operation("#")),
            ("${v?x}", operation("v?x")),
            ("${v^^^}", operation("v^^^")),
            ("${#v#x}", operation("#v#x")),
            ("${v:x}", VariableError::Number { expression: "v:x".into() }),
            ("${v:1:-1}", VariableError::Number { expression: "v:1:-1".into() }),
        ] {
            assert_eq!(resolve(text, &values()), Err(error), "{text}");
        }
    }

    #[test]
    fn bounds_hold() {
        let deep = "${x:-".repeat(40) + &"}".repeat(40);
        assert_eq!(resolve(&deep, &values()), Err(VariableError::Deep));
        let mut values = values();
        values.insert("big".into(), "a".repeat(MAX_RESULT_BYTES));
        assert_eq!(resolve("${big}${big}", &values), Err(VariableError::Long));
        assert_eq!(resolve("${big//a/aaaa}", &values), Err(VariableError::Long));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,60}") {
            let _ = resolve(&text, &values());
        }

        #[test]
        fn nearly_right_texts_do_not_panic(text in "[$${}#%/^,:=v*?1n -]{0,40}") {
            let _ = resolve(&text, &values());
        }

        #[test]
        fn text_without_dollar_is_itself(text in "[^$]{0,60}") {
            prop_assert_eq!(resolve(&text, &values()), Ok(text));
        }

        #[test]
        fn a_set_variable_is_its_value_whatever_the_default(value in "\\PC{0,20}", default in "[a-z]{0,8}") {
            let values = Values::from([("x".into(), value.clone())]);
            for operation in ["", "=", ":=", ":-"] {
                let default = if operation.is_empty() { "" } else { &default };
                let text = alloc::format!("${{x{operation}{default}}}");
                prop_assert_eq!(resolve(&text, &values), Ok(value.clone()));
            }
        }
    }
}
