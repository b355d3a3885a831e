//! What is let through, with the reason. The list only shrinks.
//!
//! A line is `rule path what amount reason…`. It lets through findings of that rule, path and kind up
//! to that amount. A line that lets through more than there is must be lowered or taken out, and the
//! number of lines must equal [`LINES`], so that a new one is a decision that a reviewer sees.

use std::collections::BTreeMap;

use crate::finding::Finding;
use crate::tree::Tree;

/// Where the list lies.
const LIST: &str = ".ci/tidy/exceptions.txt";
/// How many exceptions there are. Lower it with every one that goes; it is never raised.
const LINES: usize = 0;

/// Takes out what is excepted and adds what is wrong with the list itself.
pub fn apply(tree: &Tree, found: Vec<Finding>) -> Vec<Finding> {
    let text = tree.files.get(LIST).map_or("", String::as_str);
    judge(text, LINES, found)
}

fn judge(list: &str, lines: usize, found: Vec<Finding>) -> Vec<Finding> {
    let mut groups: BTreeMap<[String; 3], Vec<Finding>> = BTreeMap::new();
    for finding in found {
        let key = [finding.rule.to_owned(), finding.path.clone(), finding.what.clone()];
        groups.entry(key).or_default().push(finding);
    }
    let about =
        |line: usize, reason: String| Finding::new("exceptions", LIST, line, "list", reason);
    let mut complaints = Vec::new();
    let mut count = 0;
    for (at, line) in list.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        count += 1;
        let words: Vec<_> = line.split_whitespace().collect();
        let [rule, path, what, amount, _reason, ..] = words.as_slice() else {
            complaints.push(about(at + 1, "write: rule path what amount reason".into()));
            continue;
        };
        let allowed = amount.parse::<usize>().unwrap_or(0);
        let key = [(*rule).to_owned(), (*path).to_owned(), (*what).to_owned()];
        let actual: usize = groups.get(&key).map_or(0, |all| all.iter().map(|f| f.amount).sum());
        if actual < allowed {
            let reason =
                format!("allows {allowed} where {actual} is enough: lower it or take it out");
            complaints.push(about(at + 1, reason));
        }
        if actual <= allowed {
            groups.remove(&key);
        }
    }
    if count != lines {
        let reason = format!("has {count} lines where LINES says {lines}: the list only shrinks");
        complaints.push(about(1, reason));
    }
    let mut left: Vec<_> = groups.into_values().flatten().chain(complaints).collect();
    left.sort_by(|a, b| (&a.path, a.line, a.rule).cmp(&(&b.path, b.line, b.rule)));
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(amount: usize) -> Vec<Finding> {
        let mut finding = Finding::new("length", "a.rs", 1, "file", "too long");
        finding.amount = amount;
        vec![finding]
    }

    #[test]
    fn an_exception_allows_its_amount_and_no_more() {
        let list = "# why\n\nlength a.rs file 900 a table of the documents, one row a line\n";
        assert_eq!(judge(list, 1, long(900)), []);
        assert_eq!(judge(list, 1, long(901)).len(), 1);
    }

    #[test]
    fn the_list_only_shrinks() {
        let list = "length a.rs file 900 a reason\n";
        let reasons = |left: Vec<Finding>| left.into_iter().map(|f| f.reason).collect::<Vec<_>>();
        assert!(reasons(judge(list, 1, long(850)))[0].contains("lower it"));
        assert!(reasons(judge(list, 1, vec![]))[0].contains("take it out"));
        assert!(reasons(judge(list, 0, long(900)))[0].contains("only shrinks"));
        assert!(reasons(judge("length a.rs file 900\n", 1, vec![]))[0].contains("write:"));
    }
}
