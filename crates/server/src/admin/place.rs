//! Places that no command writes a file to: a data directory, where any name may be the live database, its log or its
//! lock.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::bail;
use tidegate_core::obstacle::{Obstacle, Obstructed};

/// The files by which a directory is known as a data directory.
const MARKS: [&str; 2] = ["tidegate.db", "lock"];

/// Refuses the place of a file that the option `option` names if it is in `data` or in another data directory, by
/// whatever path, link or mount. A place that cannot be found is left to whatever writes the file.
///
/// # Errors
///
/// [`Obstacle::FileNotWritten`].
pub(super) fn check(file: &Path, data: Option<&Path>, option: &str) -> anyhow::Result<()> {
    let Some(directory) = data_directory_around(file, data) else { return Ok(()) };
    bail!(Obstructed::new(
        Obstacle::FileNotWritten,
        format!(
            "`{}` is in the data directory `{}`, whose database and lock it could replace",
            file.display(),
            directory.display()
        ),
        format!("name with {option} a file outside every data directory; nothing was changed"),
    ))
}

/// The data directory that `file` is in, or is a file of by another name: `data`, or any that looks like one.
pub(super) fn data_directory_around(file: &Path, data: Option<&Path>) -> Option<PathBuf> {
    let known = data.and_then(|data| fs::metadata(data).ok());
    let is_known = |place: &Path| {
        let known = known.as_ref()?;
        fs::metadata(place).ok().filter(|found| is_same(found, known)).map(drop)
    };
    let is_like_one = |place: &Path| MARKS.iter().all(|mark| place.join(mark).is_file());
    for place in places(file) {
        let around = place.ancestors().find(|place| is_known(place).is_some() || is_like_one(place));
        if let Some(around) = around {
            return Some(around.to_owned());
        }
    }
    // A hard link to one of its files, or a mount of one elsewhere.
    let data = data.filter(|data| holds_file(data, file).unwrap_or(false))?;
    Some(data.to_owned())
}

/// The directory of the file, and the one that a link in its place leads into, both without links.
fn places(file: &Path) -> Vec<PathBuf> {
    let directory = directory_of(file);
    let linked = fs::read_link(file).map(|target| directory_of(&directory.join(target)));
    let named = [Some(directory), linked.ok()].into_iter().flatten();
    let target = fs::canonicalize(file).ok();
    named.filter_map(|directory| fs::canonicalize(directory).ok()).chain(target).collect()
}

fn holds_file(data: &Path, file: &Path) -> io::Result<bool> {
    let target = fs::metadata(file)?;
    for entry in fs::read_dir(data)? {
        if fs::metadata(entry?.path()).is_ok_and(|found| is_same(&found, &target)) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

// Paths without links are compared on other systems, by their files' marks.
#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    false
}

/// The directory that holds the name `file`.
pub(super) fn directory_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A data directory as it is while served, in a folder of its own.
    fn data() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::create_dir_all(data.join("within")).unwrap();
        for name in ["tidegate.db", "tidegate.db-wal", "lock"] {
            fs::write(data.join(name), name).unwrap();
        }
        (folder, data)
    }

    #[test]
    fn every_name_in_a_data_directory_is_refused_by_whatever_path() {
        let (folder, data) = data();
        let (link, beside) = (folder.path().join("link"), folder.path().join("beside"));
        symlink(&data, &link).unwrap();
        fs::create_dir(&beside).unwrap();
        symlink(data.join("tidegate.db"), beside.join("to-database")).unwrap();
        symlink(data.join("new"), beside.join("to-nothing-yet")).unwrap();
        fs::hard_link(data.join("tidegate.db"), beside.join("hard-link")).unwrap();
        for file in [
            data.join("tidegate.db"),
            data.join("lock"),
            data.join("backup.db"),
            data.join("within/backup.db"),
            link.join("tidegate.db-wal"),
            beside.join("../data/tidegate.db"),
            beside.join("to-database"),
            beside.join("to-nothing-yet"),
            beside.join("hard-link"),
        ] {
            let refused = check(&file, Some(&data), "--out").unwrap_err();
            let told = refused.downcast_ref::<Obstructed>().unwrap();
            assert_eq!(told.obstacle, Obstacle::FileNotWritten, "{}", file.display());
        }
        for file in [folder.path().join("backup.db"), beside.join("tidegate.db"), "/no/such/backup".into()] {
            check(&file, Some(&data), "--out").unwrap();
        }
    }

    #[test]
    fn another_data_directory_is_refused_also_where_none_was_named() {
        let (_folder, data) = data();
        check(&data.join("answer.json"), None, "--answer").unwrap_err();
        let (_other_folder, other) = self::data();
        check(&data.join("tidegate.db"), Some(&other), "--out").unwrap_err();
    }
}
