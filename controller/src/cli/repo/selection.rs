//! What of which snapshot is meant.

use crate::repository::Misuse;

/// The paths that are meant: given behind the snapshot or on their own, but not in both ways.
pub(super) fn either<'a>(below: &'a str, paths: &'a [String]) -> Result<Vec<&'a str>, Misuse> {
    match (below, paths) {
        (below, []) => Ok(vec![below]),
        ("/", paths) => paths.iter().map(|path| inside(path)).collect(),
        _ => Err(Misuse::new("give the path once, as SNAPSHOT:PATH or after the snapshot")),
    }
}

/// `SNAPSHOT[:/sub/dir]`; ids hold no colon, so the first one divides.
pub(super) fn split(text: &str) -> Result<(&str, &str), Misuse> {
    match text.split_once(':') {
        Some((snapshot, path)) if !path.is_empty() => Ok((snapshot, inside(path)?)),
        Some((snapshot, _)) => Ok((snapshot, "/")),
        None => Ok((text, "/")),
    }
}

/// A path in a snapshot.
fn inside(path: &str) -> Result<&str, Misuse> {
    let is_odd = |part: &str| matches!(part, "." | "..");
    if path.starts_with('/') && !path.split('/').any(is_odd) {
        return Ok(path);
    }
    let text = format!("{path:?}: a path in a snapshot begins with /, and has neither . nor ..");
    Err(Misuse::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_and_a_path_in_it() {
        for (text, parts) in [
            ("latest", ("latest", "/")),
            ("ab12:/etc/ssh", ("ab12", "/etc/ssh")),
            ("ab12:", ("ab12", "/")),
            ("ab12:/a:b", ("ab12", "/a:b")),
        ] {
            assert_eq!(split(text).unwrap(), parts);
        }
        for text in ["ab12:etc", "ab12:/a/../b", "ab12:."] {
            assert!(split(text).unwrap_err().to_string().contains("begins with /"), "{text}");
        }
        assert!(either("/", &["nope".to_owned()]).is_err());
    }
}
