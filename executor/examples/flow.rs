//! Backs a directory up and restores it, and prints the report: for measuring by hand.
//!
//! `flow backup SOURCE REPOSITORY SESSION [WORKERS]`, `flow restore REPOSITORY TARGET [WORKERS]`

use std::os::unix::fs::MetadataExt;

use holdfast_executor::job::{
    Backup, Job, Passphrase, Repository, Resources, Restore, RestoreOptions, Selection, Source,
    Target, Work,
};
use holdfast_executor::report::Quiet;
use holdfast_executor::run;

fn repository(path: &str) -> Repository {
    Repository {
        name: "main".to_owned(),
        url: format!("file://{path}"),
        access: Default::default(),
        passphrase: Passphrase::new("measured".to_owned()),
        expected_id: None,
        create_if_missing: true,
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let arg = |i: usize| args.get(i).map(String::as_str).ok_or("see the text at the top");
    let (work, workers) = match arg(1)? {
        "backup" => {
            let directory = Source::Directory { path: arg(2)?.into(), stored_as: "/data".into() };
            let backup = Backup {
                repositories: vec![repository(arg(3)?)],
                sources: vec![directory],
                selection: Selection::default(),
                tags: Default::default(),
                host: String::new(),
                session: arg(4)?.to_owned(),
                component: "measured".to_owned(),
                attempt_number: 0,
                parent: None,
                allow_partial: false,
                had_files_before: None,
                labels: Default::default(),
                reading: Default::default(),
            };
            (Work::Backup(backup), arg(5).unwrap_or("0"))
        }
        _ => {
            let restore = Restore {
                repository: repository(arg(2)?),
                snapshot: "latest".to_owned(),
                component: None,
                targets: vec![Target { from: "/data".to_owned(), to: arg(3)?.into() }],
                options: RestoreOptions::default(),
            };
            (Work::Restore(restore), arg(4).unwrap_or("0"))
        }
    };
    // The time of the file system: this package may not ask the clock.
    let at = std::fs::metadata("/proc/self")?;
    let at = at.ctime() * 1_000_000_000 + at.ctime_nsec();
    let resources = Resources { workers: workers.parse()?, memory_bytes: 0 };
    let job = Job { attempt: "measured".to_owned(), at, work, resources };
    println!("{}", serde_json::to_string_pretty(&run(&job, &Quiet))?);
    let status = std::fs::read_to_string("/proc/self/status")?;
    status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| println!("{line}"));
    Ok(())
}
