//! Control groups (v2) of steps: `…/tidegate-<state id>/step-<guard's process id>`.
//!
//! No controller is used and no limit set; a group only says which processes are a step's, and ends them in
//! one write. Nothing here touches a group whose path does not have a directory of our name in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::tree;

/// How deep and how widely the sweep looks for groups; hosts have some hundreds, rarely 10 deep.
const DEPTH_MAX: usize = 16;
const DIRECTORIES_MAX: usize = 20_000;

/// One group and all below it.
#[derive(Debug)]
pub(super) struct Group {
    directory: PathBuf,
}

impl Group {
    /// The group of the step that the guard `guard` watches.
    pub(super) fn of_step(groups: &Path, guard: Pid) -> Self {
        Self { directory: groups.join(format!("step-{}", guard.as_raw_pid())) }
    }

    /// Makes it, with the one around it.
    pub(super) fn create(&self) -> io::Result<()> {
        fs::create_dir_all(&self.directory)
    }

    /// The file by which a process joins.
    pub(super) fn entrance(&self) -> PathBuf {
        self.directory.join("cgroup.procs")
    }

    /// Sends `SIGKILL` to every process in it; atomic from Linux 5.14, otherwise frozen first where that is
    /// possible, and to be repeated until nothing is [populated](Self::is_populated).
    pub(super) fn kill(&self) {
        if fs::write(self.directory.join("cgroup.kill"), "1").is_ok() {
            return;
        }
        let _ = fs::write(self.directory.join("cgroup.freeze"), "1");
        for process in self.processes() {
            let _ = rustix::process::kill_process(process, Signal::KILL);
        }
        let _ = fs::write(self.directory.join("cgroup.freeze"), "0");
    }

    /// Whether a living process is in it. A group that is not there is not populated.
    pub(super) fn is_populated(&self) -> bool {
        fs::read_to_string(self.directory.join("cgroup.events"))
            .is_ok_and(|events| events.lines().any(|line| line == "populated 1"))
    }

    /// The living processes in it and below.
    pub(super) fn processes(&self) -> Vec<Pid> {
        let mut found = Vec::new();
        for directory in below(&self.directory) {
            let list = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
            let numbers = list.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?));
            found.extend(numbers.filter(|process| tree::is_alive(*process)));
        }
        found
    }

    /// Kills until it is empty or `patience` has passed, then removes it; true when it is gone.
    pub(super) fn end(&self, patience: Duration) -> bool {
        let start = Instant::now();
        while self.is_populated() {
            self.kill();
            if start.elapsed() > patience {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.remove();
        !self.directory.exists()
    }

    /// Removes it, what the step made below it, and the one around it where that was the last. An occupied
    /// group stays: the kernel refuses.
    pub(super) fn remove(&self) {
        let mut directories = below(&self.directory);
        directories.sort_by_key(|directory| std::cmp::Reverse(directory.components().count()));
        for directory in directories {
            let _ = fs::remove_dir(directory);
        }
        if let Some(groups) = self.directory.parent().filter(|parent| is_ours(parent)) {
            let _ = fs::remove_dir(groups);
        }
    }
}

/// The directory for the groups of `state_id`, where this process may make some; `None` without a writable
/// v2 hierarchy.
pub(super) fn home(state_id: &str) -> Option<PathBuf> {
    let mount = Mount::find(&fs::read_to_string("/proc/self/mountinfo").ok()?)?;
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = mount.directory_of(own.lines().find_map(|line| line.strip_prefix("0::"))?)?;
    let home = own.join(name(state_id));
    let trial = Group { directory: home.join("trial") };
    let writable = trial.create().is_ok();
    trial.remove();
    writable.then_some(home)
}

/// The groups of `state_id` anywhere in the v2 hierarchy: an earlier runtime may have been started
/// from another group than this one.
pub(super) fn leftovers(state_id: &str) -> Vec<Group> {
    let Some(mount) = fs::read_to_string("/proc/self/mountinfo").ok().and_then(|text| Mount::find(&text))
    else {
        return Vec::new();
    };
    let name = name(state_id);
    let found = below(&mount.point).into_iter();
    found
        .filter(|directory| directory.file_name().is_some_and(|its| *its == *name))
        .map(|directory| Group { directory })
        .collect()
}

fn name(state_id: &str) -> String {
    format!("tidegate-{state_id}")
}

fn is_ours(directory: &Path) -> bool {
    directory.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("tidegate-"))
}

/// `root` and the directories below it, within bounds.
fn below(root: &Path) -> Vec<PathBuf> {
    let mut found = vec![(root.to_path_buf(), 0)];
    let mut next = 0;
    while let Some((directory, depth)) = found.get(next).cloned() {
        next += 1;
        if depth == DEPTH_MAX || found.len() >= DIRECTORIES_MAX {
            continue;
        }
        let Ok(entries) = fs::read_dir(directory) else { continue };
        let directories = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        found.extend(directories.map(|entry| (entry.path(), depth + 1)));
    }
    found.into_iter().map(|(directory, _)| directory).collect()
}

/// Where the v2 hierarchy is mounted; beside v1 ones on a hybrid system.
#[derive(Debug, PartialEq)]
struct Mount {
    /// The part of the hierarchy that is mounted: `/`, or a container's own.
    root: String,
    point: PathBuf,
}

impl Mount {
    /// Reads `/proc/self/mountinfo` (proc(5)): fields 4 and 5, the file system type after ` - `.
    fn find(mountinfo: &str) -> Option<Self> {
        mountinfo.lines().find_map(|line| {
            let (fields, system) = line.split_once(" - ")?;
            let mut fields = fields.split(' ').skip(3);
            let (root, point) = (fields.next()?, fields.next()?);
            system.starts_with("cgroup2 ").then(|| Self { root: plain(root), point: plain(point).into() })
        })
    }

    /// The directory of a group as `/proc/self/cgroup` names it; `None` where it lies outside the mount.
    fn directory_of(&self, group: &str) -> Option<PathBuf> {
        let below = group.strip_prefix(self.root.trim_end_matches('/'))?;
        if below.split('/').any(|part| part == "..") || !(below.is_empty() || below.starts_with('/')) {
            return None;
        }
        Some(self.point.join(below.trim_start_matches('/')))
    }
}

/// Undoes the octal escapes of proc(5): space, tab, newline and backslash.
fn plain(field: &str) -> String {
    field.replace(r"\040", " ").replace(r"\011", "\t").replace(r"\012", "\n").replace(r"\134", r"\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hybrid_mount_is_found_beside_the_old_hierarchies() {
        let mountinfo = "38 31 0:35 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio\n\
            41 31 0:38 / /sys/fs/cgroup/all\\040groups rw,relatime shared:9 - cgroup2 cgroup2 rw\n";
        let mount = Mount::find(mountinfo).unwrap();
        assert_eq!(mount, Mount { root: "/".into(), point: "/sys/fs/cgroup/all groups".into() });
        let unit = mount.directory_of("/system.slice/tidegate.service");
        assert_eq!(unit, Some("/sys/fs/cgroup/all groups/system.slice/tidegate.service".into()));
        assert_eq!(mount.directory_of("/../elsewhere"), None);
    }

    #[test]
    fn a_container_sees_only_its_own_part() {
        let mount = Mount { root: "/docker/1".into(), point: "/sys/fs/cgroup".into() };
        assert_eq!(mount.directory_of("/docker/1/app"), Some("/sys/fs/cgroup/app".into()));
        assert_eq!(mount.directory_of("/docker/12"), None);
        assert_eq!(mount.directory_of("/other"), None);
    }
}
