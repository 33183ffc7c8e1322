//! Files by device and inode, whatever they are called: hard links and bind mounts have the same.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use super::denied_paths::{RULES, fits};
use super::identity;

/// Most entries of a folder that are looked at, and how deep below it.
const ENTRIES_MAX: usize = 512;
const DEPTH_MAX: usize = 3;
/// Most files and folders in all.
const IDENTITIES_MAX: usize = 8 * 1024;
/// Most home directories.
const HOMES_MAX: usize = 64;
/// The control plane's database: its folder is a data directory.
const CONTROL_PLANE: &str = "tidegate.db";
/// A runtime's files: both lie in each state directory.
const RUNTIME: [&str; 2] = ["state.db", "lock"];

/// File systems behind a network, by the beginning of their kind. One that is gone never answers, so nothing on them is
/// looked up; files there are known by their path and their content.
const BEHIND_A_NETWORK: [&str; 9] =
    ["9p", "afs", "autofs", "ceph", "cifs", "fuse", "glusterfs", "nfs", "smb"];

/// Some files and folders.
#[derive(Clone, Debug, Default)]
pub(super) struct Identities(BTreeSet<(u64, u64)>);

impl Identities {
    /// A folder and what is in it.
    pub(super) fn of_folder(folder: &Path) -> Self {
        let mut found = Self::default();
        if let Ok(folder) = folder.canonicalize() {
            found.add(&folder, DEPTH_MAX);
        }
        found
    }

    /// What is denied by default and is there, as far as it is known where.
    pub(super) fn of_denied_paths() -> Self {
        let mut found = Self::default();
        let away = mounts_behind_a_network(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default());
        let homes: Vec<PathBuf> =
            homes().into_iter().filter(|home| !away.iter().any(|mount| home.starts_with(mount))).collect();
        for rule in RULES {
            if rule.path.starts_with('/') {
                found.add_pattern(Path::new("/"), &rule.components().collect::<Vec<_>>());
            } else if rule.path.starts_with('~') {
                for home in &homes {
                    found.add_pattern(home, &rule.components().collect::<Vec<_>>());
                }
            }
        }
        found
    }

    /// Whether it is one of them.
    pub(super) fn has(&self, metadata: &Metadata) -> bool {
        self.0.contains(&identity(metadata))
    }

    /// Whether one of them is a folder that `real` lies in, by whatever name.
    pub(super) fn has_ancestor_of(&self, real: &Path) -> bool {
        real.ancestors().skip(1).any(|folder| fs::metadata(folder).is_ok_and(|facts| self.has(&facts)))
    }

    fn add_pattern(&mut self, folder: &Path, components: &[&str]) {
        let Some((first, rest)) = components.split_first() else { return self.add(folder, DEPTH_MAX) };
        if !first.contains('*') {
            return self.add_pattern(&folder.join(first), rest);
        }
        for entry in fs::read_dir(folder).into_iter().flatten().flatten().take(ENTRIES_MAX) {
            if fits(first, entry.file_name().as_encoded_bytes()) {
                self.add_pattern(&entry.path(), rest);
            }
        }
    }

    fn add(&mut self, path: &Path, depth: usize) {
        // Links are not followed: with one in a home directory a user could have everything denied.
        let Ok(facts) = fs::symlink_metadata(path) else { return };
        if facts.is_symlink() || self.0.len() >= IDENTITIES_MAX {
            return;
        }
        self.0.insert(identity(&facts));
        if facts.is_dir() && depth > 0 {
            for entry in fs::read_dir(path).into_iter().flatten().flatten().take(ENTRIES_MAX) {
                self.add(&entry.path(), depth - 1);
            }
        }
    }
}

/// Whether the file, or the folder, belongs to a control plane's data or to a state directory of any runtime.
pub(super) fn is_in_data_directory(real: &Path) -> bool {
    real.ancestors().any(|folder| {
        let has = |name: &str| folder.join(name).is_file();
        has(CONTROL_PLANE) || RUNTIME.iter().all(|name| has(name))
    })
}

/// Where file systems behind a network are mounted (proc(5), mountinfo).
fn mounts_behind_a_network(mountinfo: &str) -> Vec<PathBuf> {
    let mount = |line: &str| {
        let (place, rest) = line.split_once(" - ")?;
        let kind = rest.split(' ').next()?;
        let is_away = BEHIND_A_NETWORK.iter().any(|name| kind.starts_with(name));
        is_away
            .then(|| place.split(' ').nth(4).map(|point| PathBuf::from(point.replace("\\040", " "))))
            .flatten()
    };
    mountinfo.lines().filter_map(mount).collect()
}

/// The home directories of this machine's own users (passwd(5)).
fn homes() -> Vec<PathBuf> {
    let list = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let homes = list.lines().filter_map(|line| line.split(':').nth(5)).filter(|home| home.len() > 1);
    let homes: BTreeSet<PathBuf> = homes.map(PathBuf::from).collect();
    homes.into_iter().take(HOMES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_behind_a_network_are_left_alone() {
        let text = "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
                    30 27 0:40 / /home rw - nfs4 nas:/home rw\n\
                    31 27 0:41 / /srv/a\\040b rw - cifs //nas/x rw\n\
                    32 27 0:42 / /net rw - autofs systemd-1 rw\nbroken line\n";
        assert_eq!(mounts_behind_a_network(text), ["/home", "/srv/a b", "/net"].map(PathBuf::from));
    }
}
