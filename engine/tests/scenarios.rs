//! Stories as text: each file in `scenarios/` is one. `scenarios/README.md` has the language.

mod language;
mod world;

use std::collections::BTreeSet;
use std::path::Path;

/// One test a story, and one that no story is forgotten.
macro_rules! stories {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            language::tell(include_str!(concat!("scenarios/", stringify!($name), ".txt")));
        })*

        #[test]
        fn every_file_is_a_story() {
            let told: BTreeSet<String> = [$(stringify!($name)),*].map(String::from).into();
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
            let found: BTreeSet<String> = folder
                .read_dir()
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
                .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
                .collect();
            assert_eq!(found, told);
        }
    };
}

stories! {
    cancel,
    cross_namespace_secret,
    default_storage,
    deletion_policies,
    empty_source,
    first_backup,
    forbid_and_replace,
    history_limit,
    hook_after,
    hook_before,
    hook_of_a_former_leader,
    missed_slots,
    partial,
    pause,
    policies,
    queue,
    removed_meanwhile,
    restart,
    restore,
    restore_cancelled,
    restore_frees_deletion,
    restore_hook_unanswered,
    restore_then_first_backup,
    restore_timeout,
    restore_waits,
    retention_applied,
    retention_fails,
    retry,
    retry_of_the_deleted,
    secret_changes,
    skip_while_running,
    storage_refused,
    timeout,
    two_sessions,
    vanished_worker,
    wrong_password,
}
