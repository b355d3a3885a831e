//! What operating systems and their appliances leave in directories without being asked. It is no object, it says
//! nothing of whether a place is empty, and nobody looks into it: much of it may only be read by root.

/// Names as they are.
const NAMES: [&str; 22] = [
    "lost+found",
    ".snapshot",
    ".snapshots",
    "~snapshot",
    ".zfs",
    "System Volume Information",
    "$RECYCLE.BIN",
    "RECYCLER",
    "@eaDir",
    "#recycle",
    "#snapshot",
    "@Recycle",
    "@Recently-Snapshot",
    ".Trashes",
    ".Spotlight-V100",
    ".fseventsd",
    ".TemporaryItems",
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    "aquota.user",
    "aquota.group",
];

/// Beginnings of names: a trash of each user, files that are open on NFS or FUSE and have no name any more, what
/// another system keeps of a file beside it.
const BEGINNINGS: [&str; 4] = [".Trash-", ".nfs", ".fuse_hidden", "._"];

/// Whether a name is one of those.
pub(super) fn is_of_the_system(name: &str) -> bool {
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
        || BEGINNINGS.iter().any(|known| name.starts_with(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k15_what_a_system_leaves_is_known_and_nothing_of_a_repository_is() {
        for name in
            ["lost+found", ".Trash-1000", ".nfs0000000a", "@eaDir", "system volume information"]
        {
            assert!(is_of_the_system(name), "{name}");
        }
        for name in ["config", "keys", "packs", "meta", "intents", "reports", "mirror", "tmp", "0a"]
        {
            assert!(!is_of_the_system(name), "{name}");
        }
    }
}
