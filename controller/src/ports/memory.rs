//! The only file that asks and says how much memory this process may take.
//!
//! A container that takes more than its limit is killed in the middle of its work. On a node with many processors
//! a worker for each of them would do that to itself.

use std::io;

use holdfast_executor::job::Resources;
use rustix::process::{Resource, Rlimit};

/// What a process takes besides the buffers of its workers: deriving a key takes 64 MiB, an index and a walk less.
const RESERVED_BYTES: u64 = 80 * 1024 * 1024;

/// Limits the memory that this process may write to, to what it has now and so many bytes more. What does not fit fails
/// in this process, and not in a neighbour that shares its container. Addresses that are only reserved, as allocators do
/// for each thread, count for nothing.
///
/// # Errors
/// What the system says.
pub fn limit_growth(bytes: u64) -> io::Result<()> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages: Option<u64> = pages.and_then(|text| text.split(' ').nth(5)?.trim().parse().ok());
    // Without /proc nobody knows what there is.
    let Some(pages) = pages else { return Ok(()) };
    let now = pages.saturating_mul(rustix::param::page_size() as u64);
    let most = now.saturating_add(bytes);
    let held = rustix::process::getrlimit(Resource::Data);
    let current = held.maximum.map_or(most, |maximum| maximum.min(most));
    Ok(rustix::process::setrlimit(Resource::Data, Rlimit { current: Some(current), ..held })?)
}

/// What a job may use of this machine. What was asked for stays; where nothing was (zeros), the limit of this process
/// decides how many workers there is room for. There is always one.
#[must_use]
pub fn within_limit(asked: Resources) -> Resources {
    if asked != Resources::default() {
        return asked;
    }
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limit = limit(&groups, &|path| std::fs::read_to_string(path).ok());
    let room = |limit: u64| limit.saturating_sub(RESERVED_BYTES).max(1);
    Resources { memory_bytes: limit.map_or(0, room), ..asked }
}

/// The least limit of the control groups that this process is in (cgroups(7)), of either version. A limit of a
/// group holds for those within it.
fn limit(groups: &str, read: &dyn Fn(&str) -> Option<String>) -> Option<u64> {
    let of_group = |line: &str| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|one| one == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return None,
        };
        // In a container the path may be one of the host, and its own group what is mounted at the root.
        let ancestors = path.match_indices('/').map(|(end, _)| &path[..end]);
        ancestors
            .chain([path.trim_end_matches('/')])
            .filter_map(|group| read(&format!("{root}{group}/{file}"))?.trim().parse::<u64>().ok())
            .min()
    };
    groups.lines().filter_map(of_group).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(groups: &str, files: &[(&str, &str)]) -> Option<u64> {
        limit(groups, &|path| {
            files.iter().find(|(name, _)| *name == path).map(|(_, text)| format!("{text}\n"))
        })
    }

    #[test]
    fn the_least_limit_of_all_groups_above_counts() {
        let (root, pod) = ("/sys/fs/cgroup", "/sys/fs/cgroup/kubepods/pod");
        let files = [
            (&*format!("{root}/memory.max"), "max"),
            (&*format!("{root}/kubepods/memory.max"), "4000"),
            (&*format!("{pod}/memory.max"), "1000"),
            (&*format!("{pod}/container/memory.max"), "2000"),
        ];
        assert_eq!(found("0::/kubepods/pod/container", &files), Some(1000));
        assert_eq!(found("0::/kubepods", &files), Some(4000));
        assert_eq!(found("0::/", &files), None);
        assert_eq!(found("0::/elsewhere", &files), None);
    }

    #[test]
    fn a_container_sees_its_own_group_at_the_root() {
        let files = [("/sys/fs/cgroup/memory/memory.limit_in_bytes", "134217728")];
        let groups = "5:cpu,cpuacct:/kubepods/x\n4:memory:/kubepods/x\n0::/";
        assert_eq!(found(groups, &files), Some(128 << 20));
        assert_eq!(found("0::/", &[("/sys/fs/cgroup/memory.max", "134217728")]), Some(128 << 20));
        assert_eq!(found("", &files), None);
    }

    #[test]
    fn who_asks_for_workers_gets_them() {
        let asked = || Resources { workers: 7, memory_bytes: 0 };
        assert_eq!(within_limit(asked()), asked());
    }
}
