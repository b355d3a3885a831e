//! Values of options: what a parser takes, and what it says of all else.

use holdfast_executor::digest::RepoId;
use holdfast_executor::error::Error;
use holdfast_executor::limits::SLOT_LABEL_MAX_BYTES;
use holdfast_executor::source::{Globs, check_marker};
use holdfast_executor::store::{check_url, shown_url};

use super::Misuse;

/// The URL that a text means: a URL, or a path that begins with `/`, `./` or `../`. A parser of arguments would
/// repeat the text, and with it whatever credentials somebody has written into it.
///
/// # Errors
/// What would be right.
pub fn place(text: &str) -> Result<String, Misuse> {
    let is_path = ["/", "./", "../"].iter().any(|begin| text.starts_with(begin));
    let refused = |reason: &str| Misuse::new(format!("--url {}: {reason}", shown_url(text)));
    let url = match is_path || text == "." || text == ".." {
        true => std::path::absolute(text)
            .map(|path| {
                format!(
                    "file://{}",
                    path.display().to_string().replace('%', "%25").replace('?', "%3F")
                )
            })
            .map_err(|error| refused(&format!("is no path here: {error}")))?,
        false => text.to_owned(),
    };
    check_url(&url).map(|()| url).map_err(|reason| match text.strip_prefix("s3:") {
        // As restic writes it: s3:https://server/bucket/prefix, or s3:server/bucket.
        Some(rest) if !rest.starts_with("//") => {
            refused("write s3://bucket/prefix?endpoint=https://server")
        }
        _ => refused(&reason),
    })
}

/// A glob, as backups and restores take them.
///
/// # Errors
/// What is wrong with it.
pub fn glob(text: &str) -> Result<String, String> {
    match Globs::new("glob", &[text.to_owned()]) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => {
            let text = reason(&error);
            Err(text
                .split_once(" cannot be used: ")
                .map_or(text.clone(), |(_, why)| why.to_owned()))
        }
    }
}

/// The same, or one that takes back what others leave out.
///
/// # Errors
/// What is wrong with it.
pub fn exclude_glob(text: &str) -> Result<String, String> {
    glob(text.strip_prefix('!').unwrap_or(text)).map(|_| text.to_owned())
}

/// A name of a directory's entry that leaves out the rest.
///
/// # Errors
/// What is wrong with it.
pub fn marker(text: &str) -> Result<String, String> {
    check_marker(text).map(|()| text.to_owned()).map_err(|error| reason(&error))
}

fn reason(error: &Error) -> String {
    match error {
        Error::Invalid { reason, .. } => reason.clone(),
        other => other.to_string(),
    }
}

/// Tags of a snapshot, divided by commas.
///
/// # Errors
/// When one of them is empty.
pub fn tags(text: &str) -> Result<Vec<String>, String> {
    let tags: Vec<String> = text.split(',').map(|tag| tag.trim().to_owned()).collect();
    match tags.iter().any(String::is_empty) {
        true => Err("a tag is empty: give one, or several with commas between them".to_owned()),
        false => Ok(tags),
    }
}

/// Tags that snapshots are chosen by: an empty text stands for having none.
///
/// # Errors
/// When one of several is empty.
pub fn choosing_tags(text: &str) -> Result<Vec<String>, String> {
    match text.trim().is_empty() {
        true => Ok(vec![String::new()]),
        false => tags(text),
    }
}

/// The id of a repository.
///
/// # Errors
/// When it is none.
pub fn repository_id(text: &str) -> Result<RepoId, String> {
    RepoId::from_hex(text)
        .ok_or_else(|| "give the 32 hexadecimal digits that `init` and `key list` print".to_owned())
}

/// What standard input is stored as.
///
/// # Errors
/// When it is no path beneath the root.
pub fn stream_name(text: &str) -> Result<String, String> {
    let name = text.trim_start_matches('/');
    let fine =
        |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0') && part.len() < 256;
    match name.split('/').all(fine) {
        true => Ok(format!("/{name}")),
        false => Err("give a name such as dump.sql, or a path such as /db/dump.sql".to_owned()),
    }
}

/// What a key slot is called.
///
/// # Errors
/// When it is empty or too long.
pub fn label(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("give at least one character".to_owned()),
        len if len > SLOT_LABEL_MAX_BYTES => {
            Err(format!("has {len} bytes, at most {SLOT_LABEL_MAX_BYTES} are kept"))
        }
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_have_commas_between_them() {
        assert_eq!(tags("a, b").unwrap(), ["a", "b"]);
        for text in ["", " ", ",", "a,", "a,,b"] {
            assert!(tags(text).is_err(), "{text:?}");
        }
        assert_eq!(choosing_tags("").unwrap(), [""]);
        assert_eq!(choosing_tags("a,b").unwrap(), ["a", "b"]);
        assert!(choosing_tags("a,").is_err());
    }

    #[test]
    fn what_is_refused_says_what_would_be_right() {
        type Parser = fn(&str) -> Result<String, String>;
        let id: Parser = |text| repository_id(text).map(|id| id.to_string());
        let url: Parser = |text| place(text).map_err(|misuse| misuse.to_string());
        let cases: [(Parser, &str, &str); 16] = [
            (url, "srv/backup", "is no URL"),
            (url, "s3:https://server/bucket", "write s3://bucket/prefix?endpoint"),
            (url, "gs://bucket/x", "no store of that kind"),
            (url, "s3://bucket/?colour=red", "known are endpoint"),
            (url, "file://srv", "three slashes"),
            (url, "file:///a%zz", "%25"),
            (glob, "[a", "unclosed character class"),
            (glob, "", "names nothing"),
            (marker, "a/b", "a/b"),
            (stream_name, "", "dump.sql"),
            (stream_name, "a/../b", "dump.sql"),
            (stream_name, "a/", "dump.sql"),
            (label, "", "at least one"),
            (label, "x".repeat(256).leak(), "256 bytes"),
            (id, "feed", "32 hexadecimal"),
            (id, "", "key list"),
        ];
        for (parse, text, words) in cases {
            let said = parse(text).unwrap_err();
            assert!(said.contains(words), "{text:?}: {said}");
        }
        assert_eq!(stream_name("//a/b").unwrap(), "/a/b");
        let said = url("s3://user:marker@bucket/x").unwrap_err();
        assert!(!said.contains("marker"), "{said}");
        assert_eq!(url("/srv/50% full/").unwrap(), "file:///srv/50%25 full/");
        assert_eq!(url("/srv/a?b").unwrap(), "file:///srv/a%3Fb");
        let here = std::env::current_dir().unwrap();
        assert_eq!(url("./backup").unwrap(), format!("file://{}/backup", here.display()));
    }
}
