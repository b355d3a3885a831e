//! A Rust file as the rules see it: comments blanked, strings masked, tests and functions located.
//!
//! This is no parser. It knows exactly as much of the language as is needed to never take a word in
//! a comment for code, and to find where a brace closes.

use std::ops::RangeInclusive;

/// One Rust file. All offsets are the same in `text` and `code`.
pub struct Source {
    /// The file as it is.
    pub text: String,
    /// The same bytes with comments blanked and the insides of literals replaced by `_`.
    pub code: String,
    /// Lines of items under `#[test]` or `#[cfg(test)]`.
    tests: Vec<RangeInclusive<usize>>,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Line of the word `fn`.
    pub line: usize,
    /// Lines of its body that hold code: neither blank nor only a comment.
    pub length: usize,
}

impl Source {
    /// Masks `text` and finds its tests.
    pub fn new(text: &str) -> Self {
        let code = mask(text);
        let tests = tests(&code);
        Self { text: text.to_owned(), code, tests }
    }

    /// Line of a byte offset, counted from one.
    pub fn line(&self, offset: usize) -> usize {
        line_at(&self.code, offset)
    }

    /// Whether a line belongs to a test.
    pub fn tested(&self, line: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&line))
    }

    /// Offsets of every whole-word occurrence of `word` in the code.
    pub fn words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        words(&self.code, word)
    }

    /// All functions with a body.
    pub fn functions(&self) -> Vec<Function> {
        let mut found = Vec::new();
        for at in words(&self.code, "fn") {
            let name = identifier(self.code[at + 2..].trim_start());
            let Some(open) = body(&self.code, at) else { continue };
            if name.is_empty() {
                continue;
            }
            let inside = &self.code[open + 1..close(&self.code, open)];
            let length = inside.lines().filter(|line| !line.trim().is_empty()).count();
            found.push(Function { name: name.to_owned(), line: self.line(at), length });
        }
        found
    }
}

/// Offsets of every occurrence of `word` in `text` that is not part of a longer identifier.
pub fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part)
    })
}

/// The identifier at the start of `text`, or nothing.
pub fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// Line of a byte offset, counted from one.
pub fn line_at(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count()
}

/// Offset of the brace that closes the one at `open`, or the end of the file.
pub fn close(code: &str, open: usize) -> usize {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// Offset of the brace that opens the item starting at `at`, unless it ends in a semicolon.
fn body(code: &str, at: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(at) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b';' if depth == 0 => return None,
            b'{' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

/// Whether an attribute such as `#[cfg(test)]` starts at the beginning of `code`.
pub fn is_test_attribute(code: &str) -> bool {
    let Some(inside) = code.strip_prefix("#[") else { return false };
    let inside = inside.split(']').next().unwrap_or_default();
    inside == "test"
        || (inside.starts_with("cfg(")
            && !inside.contains("not(test")
            && words(inside, "test").next().is_some())
}

fn tests(code: &str) -> Vec<RangeInclusive<usize>> {
    let attributes = code.match_indices("#[").filter(|(at, _)| is_test_attribute(&code[*at..]));
    attributes
        .filter_map(|(at, _)| {
            let open = body(code, at)?;
            Some(line_at(code, at)..=line_at(code, close(code, open)))
        })
        .collect()
}

/// Blanks comments and replaces what stands inside literals, byte for byte.
fn mask(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text.as_bytes()[at..];
        let end = at + literal(rest, at > 0 && is_word(bytes[at - 1])).unwrap_or(0);
        if rest.starts_with(b"//") {
            let end = at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            fill(&mut out[at..end], b' ');
            at = end;
        } else if rest.starts_with(b"/*") {
            let end = at + block_comment(rest);
            fill(&mut out[at..end], b' ');
            at = end;
        } else if end > at {
            let open = at + rest.iter().position(|byte| matches!(byte, b'"' | b'\'')).unwrap_or(0);
            if end > open + 2 {
                fill(&mut out[open + 1..end - 1], b'_');
            }
            at = end;
        } else {
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn fill(bytes: &mut [u8], with: u8) {
    bytes.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = with);
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Length of a comment that may hold further ones.
fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

/// Length of the string or character literal at the start of `rest`, if there is one.
fn literal(rest: &[u8], in_word: bool) -> Option<usize> {
    let prefix = match rest {
        [b'b' | b'c', b'r', b'"' | b'#', ..] if !in_word => 2,
        [b'r', b'"' | b'#', ..] if !in_word => 1,
        [b'b' | b'c', b'"' | b'\'', ..] if !in_word => 1,
        [b'"' | b'\'', ..] => 0,
        _ => return None,
    };
    let body = &rest[prefix..];
    let hashes = body.iter().take_while(|byte| **byte == b'#').count();
    let length = match body.get(hashes)? {
        b'"' if prefix > 0 && rest[prefix - 1] == b'r' => {
            let mut fence = vec![b'"'];
            fence.extend(std::iter::repeat_n(b'#', hashes));
            let found = body[hashes + 1..].windows(fence.len()).position(|at| at == fence)?;
            hashes + 1 + found + fence.len()
        }
        b'"' if hashes == 0 => quoted(body, b'"')?,
        // A lifetime has no closing quote behind its first character.
        b'\'' if hashes == 0 && is_character(body) => quoted(body, b'\'')?,
        _ => return None,
    };
    Some(prefix + length)
}

fn is_character(body: &[u8]) -> bool {
    match body {
        [_, b'\\', ..] => true,
        [_, first, ..] if first.is_ascii() => body.get(2) == Some(&b'\''),
        _ => body.iter().skip(2).take(4).any(|byte| *byte == b'\''),
    }
}

fn quoted(body: &[u8], quote: u8) -> Option<usize> {
    let mut at = 1;
    while at < body.len() {
        match body[at] {
            b'\\' => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_masked_in_place() {
        let cases = [
            ("a // sled", "a        "),
            ("/* a /* b */ c */ d", "                  d"),
            (r#"f("sled \" x", 1)"#, r#"f("_________", 1)"#),
            (r###"r#"a " b"# + c"###, r###"r#"______# + c"###),
            ("'{' + b'}'", "'_' + b'_'"),
            ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
            ("'ä' '\\''", "'__' '__'"),
        ];
        for (text, code) in cases {
            assert_eq!(mask(text), code, "{text}");
            assert_eq!(text.len(), mask(text).len(), "{text}");
        }
    }

    #[test]
    fn tests_are_found_with_their_attributes() {
        let source =
            Source::new("fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n");
        let tested: Vec<_> = (1..=6).filter(|line| source.tested(*line)).collect();
        assert_eq!(tested, [2, 3, 4, 5]);
        assert!(!Source::new("#[cfg(not(test))]\nfn a() {}").tested(2));
    }

    #[test]
    fn a_function_is_measured_without_blanks_and_comments() {
        let source = Source::new(
            "fn f(a: [u8; 2]) -> u8 {\n  // why\n\n  let s = \"}\n  x\";\n  1\n}\nfn g();",
        );
        assert_eq!(source.functions(), [Function { name: "f".into(), line: 1, length: 3 }]);
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(words("sled sleds _sled sled::x", "sled").count(), 2);
    }
}
