//! Which attributes a restore sets and removes, and what access lists say about a mode.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::{Error, Result};
use crate::report::Skipped;

/// The access list of an entry.
pub(crate) const ACCESS_LIST: &[u8] = b"system.posix_acl_access";

/// The access list that a directory hands on to what is made in it.
pub(crate) const DEFAULT_LIST: &[u8] = b"system.posix_acl_default";

/// Rights of a program beyond those of whoever starts it.
pub(super) const CAPABILITY: &[u8] = b"security.capability";

/// Entries of an access list as the kernel writes them: the tags of the owning group and of the mask.
const TAG_GROUP: u16 = 0x04;
const TAG_MASK: u16 = 0x10;
/// A version of four bytes, then entries of eight: tag, rights, id.
const LIST_HEADER_BYTES: usize = 4;
const LIST_ENTRY_BYTES: usize = 8;

/// Whether an attribute is one of the two access lists.
pub(super) fn is_list(name: &[u8]) -> bool {
    name == ACCESS_LIST || name == DEFAULT_LIST
}

/// Which attributes a restore is about. The others stay as the target has them.
pub(super) struct Chosen {
    include: Option<GlobSet>,
    exclude: Option<GlobSet>,
}

impl Chosen {
    /// Compiles the patterns, which are matched against whole names.
    ///
    /// # Errors
    /// Names the first pattern that cannot be understood, or that there are both kinds.
    pub(super) fn new(include: &[String], exclude: &[String]) -> Result<Self> {
        const INCLUDE: &str = "includeAttributes";
        if !include.is_empty() && !exclude.is_empty() {
            let reason =
                "attributes are either included or excluded: leave one list out".to_owned();
            return Err(Error::Invalid { field: INCLUDE, reason });
        }
        Ok(Self {
            include: compiled(INCLUDE, include)?,
            exclude: compiled("excludeAttributes", exclude)?,
        })
    }

    pub(super) fn holds(&self, name: &[u8]) -> bool {
        use std::os::unix::ffi::OsStrExt;
        let name = std::ffi::OsStr::from_bytes(name);
        self.include.as_ref().is_none_or(|set| set.is_match(name))
            && !self.exclude.as_ref().is_some_and(|set| set.is_match(name))
    }
}

fn compiled(field: &'static str, patterns: &[String]) -> Result<Option<GlobSet>> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let mut set = GlobSetBuilder::new();
    for text in patterns {
        let invalid = |reason: &dyn std::fmt::Display| Error::Invalid {
            field,
            reason: format!("pattern {text:?} cannot be used: {reason}"),
        };
        if text.is_empty() {
            return Err(invalid(&"it names nothing"));
        }
        let glob = GlobBuilder::new(text).backslash_escape(true).build();
        set.add(glob.map_err(|error| invalid(&error.kind()))?);
    }
    let built = set.build();
    Ok(Some(built.map_err(|error| Error::Invalid { field, reason: error.to_string() })?))
}

/// Whether anybody may set this attribute; counts it when not.
pub(super) fn may_set(name: &[u8], skipped: &mut Skipped) -> bool {
    if name == CAPABILITY {
        skipped.capabilities += 1;
        return false;
    }
    if is_system(name) && !is_list(name) {
        skipped.system_attributes += 1;
        return false;
    }
    true
}

/// Counts an attribute that was to be set and was refused.
pub(super) fn count_refused(name: &[u8], is_unknown: bool, skipped: &mut Skipped) {
    if is_unknown {
        skipped.unsupported_attributes += 1;
    } else if name == CAPABILITY {
        skipped.capabilities += 1;
    } else if is_system(name) {
        skipped.system_attributes += 1;
    }
}

/// Whether an attribute that the snapshot does not have goes away. Labels of the target's own policy and
/// whatever its file system invents stay: they were never the snapshot's to say.
pub(super) fn is_foreign(name: &[u8], privileged: bool) -> bool {
    name.starts_with(b"user.")
        || name == CAPABILITY
        || (privileged && name.starts_with(b"trusted."))
}

/// Names that belong to the system: setting them needs rights.
fn is_system(name: &[u8]) -> bool {
    [&b"security."[..], b"trusted.", b"system."].iter().any(|prefix| name.starts_with(prefix))
}

/// A mode whose bits of the group are what an access list gives the owning group. With a list they are the
/// most that anybody named in it has: without the list they would give that to the owning group.
pub(crate) fn without_list(mode: u32, list: &[u8]) -> u32 {
    let (mut group, mut mask) = (0, 7);
    for entry in list.get(LIST_HEADER_BYTES..).unwrap_or_default().chunks_exact(LIST_ENTRY_BYTES) {
        let number = |at: usize| u16::from_le_bytes([entry[at], entry[at + 1]]);
        match number(0) {
            TAG_GROUP => group = u32::from(number(2)),
            TAG_MASK => mask = u32::from(number(2)),
            _ => {}
        }
    }
    // Never more than the mode of the snapshot says.
    mode & (!0o070 | ((group & mask & 7) << 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_attributes_are_matched_by_whole_names() {
        let list = |patterns: &[&str]| patterns.iter().map(|text| (*text).to_owned()).collect();
        let (none, some): (Vec<String>, Vec<String>) = (Vec::new(), list(&["user.x*", "system.*"]));
        let all = Chosen::new(&none, &none).unwrap();
        let included = Chosen::new(&some, &none).unwrap();
        let excluded = Chosen::new(&none, &some).unwrap();
        for (name, fits) in [
            (&b"user.x"[..], true),
            (b"user.xdg.origin/url", true),
            (b"user.y", false),
            (b"xuser.x", false),
            (ACCESS_LIST, true),
            (b"user.x\xff", true),
        ] {
            assert!(all.holds(name));
            assert_eq!((included.holds(name), excluded.holds(name)), (fits, !fits), "{name:?}");
        }
        assert!(Chosen::new(&some, &some).is_err());
        assert!(Chosen::new(&list(&["user.["]), &none).is_err());
        assert!(Chosen::new(&list(&[""]), &none).is_err());
    }

    /// An access list of these tags and rights.
    fn access(entries: &[(u16, u16)]) -> Vec<u8> {
        let mut list = 2u32.to_le_bytes().to_vec();
        for (tag, rights) in entries {
            list.extend(tag.to_le_bytes());
            list.extend(rights.to_le_bytes());
            list.extend(u32::MAX.to_le_bytes());
        }
        list
    }

    #[test]
    fn a_mode_without_its_list_gives_nobody_more() {
        let named = access(&[(1, 6), (2, 6), (4, 0), (0x10, 6), (0x20, 0)]);
        assert_eq!(without_list(0o660, &named), 0o600, "the mask was that of somebody named");
        let masked = access(&[(1, 7), (4, 7), (0x10, 5), (0x20, 1)]);
        assert_eq!(without_list(0o2751, &masked), 0o2751);
        assert_eq!(without_list(0o751, &access(&[(4, 7)])), 0o751, "not more than the mode");
        for nonsense in [&b""[..], b"\x02", &masked[..9]] {
            assert_eq!(without_list(0o777, nonsense), 0o707);
        }
    }

    #[test]
    fn what_is_removed_was_the_snapshots_to_say() {
        for (name, anybody, privileged) in [
            (&b"user.a"[..], true, true),
            (b"security.capability", true, true),
            (b"trusted.a", false, true),
            (b"security.selinux", false, false),
            (b"security.ima", false, false),
            (b"system.nfs4_acl", false, false),
            (b"btrfs.compression", false, false),
        ] {
            assert_eq!((is_foreign(name, false), is_foreign(name, true)), (anybody, privileged));
        }
    }
}
