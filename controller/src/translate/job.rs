//! A planned component becomes a job of the executor. The only place where the two words meet.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component as Part, Path, PathBuf};

use holdfast_engine::backup::Component;
use holdfast_engine::plan::{BackupWork, RestoreWork};
use holdfast_engine::survey::Volume;
use holdfast_engine::{Attempt, Failure, Uid};
use holdfast_executor::job::{
    Backup, Job, Passphrase, Repository, Resources, Restore, RestoreOptions, Selection, Source,
    Target, Work,
};
use holdfast_executor::store::Access;
use zeroize::Zeroizing;

/// The label of a snapshot that says whose it is.
const CONFIGURATION: &str = "configuration";

/// A repository that a job reads or writes.
pub struct Place {
    /// Its uid; the report names it by this.
    pub uid: Uid,
    /// Where it lies.
    pub url: String,
    /// What opens its store.
    pub access: Access,
    /// What opens one of its key slots.
    pub passphrase: Zeroizing<Vec<u8>>,
    /// The identity that the log remembers.
    pub id: Option<Uid>,
}

/// A volume and the directory that stands for it.
pub struct Mounted {
    /// The volume.
    pub volume: Volume,
    /// The directory.
    pub directory: PathBuf,
}

/// What a backup needs besides its plan.
pub struct BackupOrder<'a> {
    /// The plan.
    pub plan: &'a BackupWork,
    /// When it starts, nanoseconds since 1970.
    pub at: i64,
    /// Where the data goes.
    pub places: Vec<Place>,
    /// Where the data is.
    pub mounted: Vec<Mounted>,
}

/// The job of a backup.
///
/// # Errors
/// When a path lies in no volume, or a passphrase is no text.
pub fn backup(order: BackupOrder<'_>) -> Result<Job, Failure> {
    let plan = order.plan;
    let component = &plan.component;
    let paths = paths(component);
    if paths.is_empty() {
        return Err(invalid(format!("{} has no volume to back up", describe(component))));
    }
    let sources = paths
        .iter()
        .map(|path| {
            let directory = locate(path, &order.mounted)
                .ok_or_else(|| no_volume(component, path, &order.mounted))?;
            Ok(Source::Directory { path: directory, stored_as: clean(path) })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    Ok(Job {
        attempt: attempt_name(&plan.attempt),
        at: order.at,
        work: Work::Backup(Backup {
            repositories: order.places.into_iter().map(repository).collect::<Result<_, _>>()?,
            sources,
            selection: Selection {
                exclude: list(param(component, "exclude")),
                ..Selection::default()
            },
            tags: [
                format!("configuration={}", plan.configuration.name),
                format!("session={}", plan.session),
            ]
            .into(),
            host: component.pod.clone(),
            session: plan.session_name.clone(),
            component: component.name.clone(),
            attempt_number: plan.attempt.number,
            parent: None,
            allow_partial: plan.allow_partial,
            had_files_before: None,
            // Another one with pods and paths of the same names may share the repository.
            labels: BTreeMap::from([(CONFIGURATION.to_owned(), plan.configuration.to_string())]),
            reading: Default::default(),
        }),
        resources: Resources::default(),
    })
}

/// The paths that a backup of a component reads: as written, else everything that it mounts. One that is
/// written twice is read once.
#[must_use]
pub fn paths(component: &Component) -> Vec<String> {
    let written = list(param(component, "paths"));
    if written.is_empty() {
        return component.volumes.iter().map(|volume| volume.mount_path.clone()).collect();
    }
    let mut seen = BTreeSet::new();
    written.into_iter().filter(|path| seen.insert(clean(path))).collect()
}

/// What a restore needs besides its plan.
pub struct RestoreOrder<'a> {
    /// The plan.
    pub plan: &'a RestoreWork,
    /// When it starts, nanoseconds since 1970.
    pub at: i64,
    /// Where the data comes from.
    pub place: Place,
    /// Where the data goes.
    pub mounted: Vec<Mounted>,
}

/// The job of a restore.
///
/// # Errors
/// When nothing of the snapshot belongs into a volume of the target.
pub fn restore(order: RestoreOrder<'_>) -> Result<Job, Failure> {
    let plan = order.plan;
    let component = &plan.component;
    let targets = targets(&plan.paths, &order.mounted);
    if targets.is_empty() {
        let volumes = mounts_of(&order.mounted);
        return Err(invalid(format!(
            "{} holds {}, and its target mounts {volumes}: nothing would be restored; name the mounts in targetVolumes",
            describe(component),
            plan.paths.join(", "),
        )));
    }
    Ok(Job {
        attempt: attempt_name(&plan.attempt),
        at: order.at,
        work: Work::Restore(Restore {
            repository: repository(order.place)?,
            snapshot: plan.commit.clone(),
            component: None,
            targets,
            options: RestoreOptions {
                include: list(param(component, "include")),
                exclude: list(param(component, "exclude")),
                ..RestoreOptions::default()
            },
        }),
        resources: Resources::default(),
    })
}

/// Which logical directory goes into which directory of this machine: a backed-up path below a mount goes to
/// its place in the volume, a mount below a backed-up path gets its part of the snapshot.
fn targets(paths: &[String], mounted: &[Mounted]) -> Vec<Target> {
    let mut targets = Vec::new();
    for path in paths.iter().map(|path| clean(path)) {
        if let Some(to) = locate(&path, mounted) {
            targets.push(Target { from: path, to });
            continue;
        }
        for mount in mounted {
            let mount_path = clean(&mount.volume.mount_path);
            if Path::new(&mount_path).starts_with(&path) {
                targets.push(Target { from: mount_path, to: mount.directory.clone() });
            }
        }
    }
    targets.dedup();
    targets
}

/// The directory that stands for a path inside the pod, by the innermost mount.
fn locate(path: &str, mounted: &[Mounted]) -> Option<PathBuf> {
    let path = clean(path);
    mounted
        .iter()
        .filter_map(|m| {
            let mount = clean(&m.volume.mount_path);
            let rest = Path::new(&path).strip_prefix(&mount).ok()?;
            Some((mount.len(), m.directory.join(rest)))
        })
        .max_by_key(|(length, _)| *length)
        // Joining an empty rest leaves a slash at the end.
        .map(|(_, directory)| directory.components().collect())
}

/// An absolute path without `.`, `..` and doubled or trailing slashes.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in Path::new(path).components() {
        match part {
            Part::Normal(name) => parts.extend(name.to_str()),
            Part::ParentDir => {
                parts.pop();
            }
            Part::CurDir | Part::RootDir | Part::Prefix(_) => {}
        }
    }
    format!("/{}", parts.join("/"))
}

fn repository(place: Place) -> Result<Repository, Failure> {
    Ok(Repository {
        name: place.uid.to_string(),
        url: place.url,
        access: place.access,
        passphrase: Passphrase::new(text(place.passphrase)?),
        expected_id: place.id.map(hex),
        create_if_missing: false,
    })
}

/// A passphrase as text, without the line end that `echo` leaves in a Secret: a passphrase that is read from a file
/// or typed has none either, and what an operator has written must open by hand.
///
/// # Errors
/// When it is none.
pub fn text(passphrase: Zeroizing<Vec<u8>>) -> Result<String, Failure> {
    let bad = |what: &str| invalid(format!("RESTIC_PASSWORD of the encryption Secret is {what}"));
    let text = std::str::from_utf8(&passphrase).map_err(|_| bad("not UTF-8"))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(bad("empty")),
        text => Ok(text.to_owned()),
    }
}

/// The 16 bytes of an id as the executor writes them.
#[must_use]
pub fn hex(id: Uid) -> String {
    id.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How an attempt is called in jobs, reports and directories.
#[must_use]
pub fn attempt_name(attempt: &Attempt) -> String {
    format!("{}-{}-{}", attempt.session, attempt.component, attempt.number)
}

fn param<'a>(component: &'a Component, name: &str) -> Option<&'a str> {
    component.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn list(value: Option<&str>) -> Vec<String> {
    value
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

fn describe(component: &Component) -> String {
    if component.pod.is_empty() {
        format!("component {}", component.name)
    } else {
        format!("component {} (pod {})", component.name, component.pod)
    }
}

fn mounts_of(mounted: &[Mounted]) -> String {
    if mounted.is_empty() {
        return "nothing".into();
    }
    mounted.iter().map(|m| m.volume.mount_path.as_str()).collect::<Vec<_>>().join(", ")
}

fn no_volume(component: &Component, path: &str, mounted: &[Mounted]) -> Failure {
    invalid(format!(
        "path {path} of {} lies in none of its volumes, which are mounted at {}",
        describe(component),
        mounts_of(mounted)
    ))
}

fn invalid(message: String) -> Failure {
    Failure { reason: "InvalidJob".into(), message, permanent: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_engine::Key;
    use holdfast_engine::dependency::Driver;

    fn mounted(list: &[(&str, &str)]) -> Vec<Mounted> {
        list.iter()
            .map(|(mount, directory)| Mounted {
                volume: Volume {
                    name: "v".into(),
                    claim: None,
                    mount_path: (*mount).into(),
                    ..Volume::default()
                },
                directory: PathBuf::from(directory),
            })
            .collect()
    }

    #[test]
    fn a_line_end_is_no_part_of_a_passphrase() {
        let read = |bytes: &[u8]| text(Zeroizing::new(bytes.to_vec())).map_err(|f| f.message);
        let same = [&b"pass word"[..], b"pass word\n", b"pass word\r\n"];
        assert!(same.into_iter().all(|bytes| read(bytes).as_deref() == Ok("pass word")));
        assert_eq!(read(b" a\nb \n").as_deref(), Ok(" a\nb "));
        let refused = |bytes| read(bytes).unwrap_err();
        assert_eq!(refused(b"\n"), "RESTIC_PASSWORD of the encryption Secret is empty");
        assert_eq!(refused(b"\xff"), "RESTIC_PASSWORD of the encryption Secret is not UTF-8");
    }

    fn component(params: &[(&str, &str)]) -> Component {
        Component {
            name: "pod-0".into(),
            driver: Driver::Restic,
            task: "logical-backup".into(),
            params: params.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            pod: "sts-0".into(),
            node: "local".into(),
            surroundings: holdfast_engine::survey::Surroundings::default(),
            volumes: Vec::new(),
        }
    }

    fn backup_of(component: &Component, mounts: &[(&str, &str)]) -> Result<Job, Failure> {
        let plan = BackupWork {
            attempt: attempt(),
            component: component.clone(),
            session_name: "sample-1700000000".into(),
            session: "demo-session".into(),
            configuration: Key::new(holdfast_engine::Group::KubeStash, "demo", "sample"),
            allow_partial: false,
            target: None,
            repositories: Vec::new(),
        };
        let place = Place {
            uid: Uid([1; 16]),
            url: "file:///r".into(),
            access: Access::default(),
            passphrase: Zeroizing::new(b"p".to_vec()),
            id: Some(Uid([2; 16])),
        };
        let (places, mounted) = (vec![place], mounted(mounts));
        backup(BackupOrder { plan: &plan, at: 1, places, mounted })
    }

    fn attempt() -> Attempt {
        Attempt { session: Uid([9; 16]), component: "pod-0".into(), number: 1 }
    }

    #[test]
    fn paths_are_found_in_the_innermost_volume() {
        let component = component(&[
            ("paths", "/source/data, /source/data/db/"),
            ("exclude", "/source/data/lost+found"),
        ]);
        let mounts = [("/source/data", "/srv/a"), ("/source/data/db", "/srv/b")];
        let job = backup_of(&component, &mounts).unwrap();
        let Work::Backup(job) = job.work else { panic!("a backup") };
        let places: Vec<_> = job
            .sources
            .iter()
            .map(|s| match s {
                Source::Directory { path, stored_as } => {
                    (path.to_str().unwrap(), stored_as.as_str())
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(places, [("/srv/a", "/source/data"), ("/srv/b", "/source/data/db")]);
        assert_eq!(job.selection.exclude, ["/source/data/lost+found"]);
        assert_eq!(job.repositories[0].expected_id.as_deref(), Some("02".repeat(16).as_str()));
    }

    #[test]
    fn without_paths_all_volumes_are_taken_and_without_volumes_nothing_is_green() {
        let mut component = component(&[]);
        assert!(backup_of(&component, &[]).is_err());
        component.volumes = mounted(&[("/a", "")]).into_iter().map(|m| m.volume).collect();
        let job = backup_of(&component, &[("/a", "/srv/a")]).unwrap();
        let Work::Backup(job) = job.work else { panic!("a backup") };
        assert_eq!(job.sources.len(), 1);
    }

    #[test]
    fn a_path_that_is_written_twice_is_read_once() {
        let component = component(&[("paths", "/data/a, /data/b,/data//a/ ,/data/a")]);
        assert_eq!(paths(&component), ["/data/a", "/data/b"]);
        let job = backup_of(&component, &[("/data", "/srv")]).unwrap();
        let Work::Backup(job) = job.work else { panic!("a backup") };
        assert_eq!(job.sources.len(), 2);
    }

    #[test]
    fn a_path_outside_of_all_volumes_is_refused_with_the_volumes() {
        let component = component(&[("paths", "/etc")]);
        let error = backup_of(&component, &[("/data", "/srv/a")]).unwrap_err();
        assert!(
            error.message.contains("/etc") && error.message.contains("/data") && error.permanent
        );
        let escape = component_escape();
        assert!(backup_of(&escape, &[("/data", "/srv/a")]).is_err());
    }

    fn component_escape() -> Component {
        component(&[("paths", "/data/../etc")])
    }

    #[test]
    fn a_restore_puts_each_part_where_the_target_mounts_it() {
        let target = |paths: &[&str], mounts: &[(&str, &str)]| {
            let paths: Vec<String> = paths.iter().map(|p| (*p).to_owned()).collect();
            targets(&paths, &mounted(mounts))
                .into_iter()
                .map(|t| (t.from, t.to.to_str().unwrap().to_owned()))
                .collect::<Vec<_>>()
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(target(&["/a"], &[("/a", "/srv/a")]), [pair("/a", "/srv/a")]);
        assert_eq!(target(&["/a/b"], &[("/a", "/srv/a")]), [pair("/a/b", "/srv/a/b")]);
        assert_eq!(target(&["/a"], &[("/a/b", "/srv/b")]), [pair("/a/b", "/srv/b")]);
        assert_eq!(target(&["/a"], &[("/ab", "/srv/b")]), []);
    }
}
