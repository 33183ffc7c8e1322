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
/// The control plane's database: what lies beside it is its data directory.
const CONTROL_PLANE: &str = "tidegate.db";
/// A runtime's files: both lie in each state directory.
const RUNTIME: [&str; 2] = ["state.db", "lock"];

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
        let homes = homes();
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

/// The home directories of this machine's own users (passwd(5)).
fn homes() -> Vec<PathBuf> {
    let list = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let homes = list.lines().filter_map(|line| line.split(':').nth(5)).filter(|home| home.len() > 1);
    let homes: BTreeSet<PathBuf> = homes.map(PathBuf::from).collect();
    homes.into_iter().take(HOMES_MAX).collect()
}
