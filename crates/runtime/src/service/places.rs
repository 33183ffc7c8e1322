//! Where an installation lies.

use std::path::{Path, PathBuf};

use super::ServiceError;
use super::unit;

/// Where the program goes: in every administrator's `PATH`, and in a folder whose files a service may execute also
/// under SELinux, which `/usr/local/lib` is not.
const PROGRAM: &str = "/usr/local/bin/tidegate-runtime";
/// Where the service's variables come from; shared by all services of this program.
pub(super) const ENVIRONMENT: &str = "/etc/tidegate/runtime.env";
/// Where units of the administrator lie.
const UNITS: &str = "/etc/systemd/system";
/// Where others put units; a unit of ours would take the place of one of the same name.
const UNITS_OF_OTHERS: [&str; 4] = [
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
/// Longest name of a service; systemd takes 255 bytes with the ending.
const NAME_BYTES_MAX: usize = 100;

/// The places of one service below one root.
#[derive(Clone, Debug)]
pub(super) struct Places {
    root: PathBuf,
    name: String,
}

impl Places {
    /// The places of the service `name`, with or without `.service`, below `root`; `/` for this machine.
    pub(super) fn new(root: &Path, name: &str) -> Result<Self, ServiceError> {
        let name = name.strip_suffix(".service").unwrap_or(name);
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_name = !name.is_empty()
            && name.len() <= NAME_BYTES_MAX
            && !name.starts_with(['.', '-'])
            && name.bytes().all(is_allowed);
        if !is_name {
            return Err(ServiceError::Name(name.chars().take(NAME_BYTES_MAX).collect()));
        }
        Ok(Self { root: root.to_owned(), name: name.to_owned() })
    }

    /// The service's name, without `.service`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The unit's whole name.
    pub(super) fn unit_name(&self) -> String {
        format!("{}.service", self.name)
    }

    /// Whether this is the machine that runs, and not an image.
    pub(super) fn is_this_machine(&self) -> bool {
        self.root == Path::new("/")
    }

    /// The program, as the service sees it.
    pub(super) fn program(&self) -> &'static Path {
        Path::new(PROGRAM)
    }

    /// The file of variables, as the service sees it.
    pub(super) fn environment(&self) -> &'static Path {
        Path::new(ENVIRONMENT)
    }

    /// The unit's file, as the service sees it.
    pub(super) fn unit(&self) -> PathBuf {
        Path::new(UNITS).join(self.unit_name())
    }

    /// The link that starts the service with the machine, as systemd makes it.
    pub(super) fn wanted(&self) -> PathBuf {
        Path::new(UNITS).join("multi-user.target.wants").join(self.unit_name())
    }

    /// `place` below the root.
    pub(super) fn below_root(&self, place: &Path) -> PathBuf {
        self.root.join(place.strip_prefix("/").unwrap_or(place))
    }

    /// The unit's text; `None`: there is none.
    pub(super) fn unit_text(&self) -> Result<Option<String>, ServiceError> {
        let file = self.below_root(&self.unit());
        match std::fs::read_to_string(&file) {
            Ok(text) if unit::is_ours(&text) => Ok(Some(text)),
            Ok(_) => Err(ServiceError::Foreign(file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ServiceError::Unreadable { file, source }),
        }
    }

    /// Refuses a name that a unit of somebody else has.
    pub(super) fn check_name_is_free(&self) -> Result<(), ServiceError> {
        let others = UNITS_OF_OTHERS.map(|folder| self.below_root(&Path::new(folder).join(self.unit_name())));
        match others.into_iter().find(|file| file.exists()) {
            Some(file) => Err(ServiceError::Foreign(file)),
            None => self.unit_text().map(|_| ()),
        }
    }

    /// Whether another service of this program is installed: it needs the program and the file of variables too.
    pub(super) fn has_siblings(&self) -> bool {
        let own = self.below_root(&self.unit());
        let entries = std::fs::read_dir(self.below_root(Path::new(UNITS))).into_iter().flatten().flatten();
        let others = entries
            .map(|entry| entry.path())
            .filter(|file| *file != own && file.extension().is_some_and(|extension| extension == "service"));
        others.filter_map(|file| std::fs::read_to_string(file).ok()).any(|text| unit::is_ours(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_leave_the_folder_of_units_is_refused() {
        for bad in ["", ".", "..", "../x", "a/b", "a b", "a@b", "-x", "x\n", ".service", &"a".repeat(101)] {
            assert!(matches!(Places::new(Path::new("/"), bad), Err(ServiceError::Name(_))), "{bad:?}");
        }
        let places = Places::new(Path::new("/"), "tidegate-line_3.service").unwrap();
        assert_eq!(places.unit_name(), "tidegate-line_3.service");
    }

    #[test]
    fn a_unit_of_somebody_else_is_never_replaced() {
        let root = tempfile::tempdir().unwrap();
        let places = Places::new(root.path(), "ssh").unwrap();
        places.check_name_is_free().unwrap();
        let folder = root.path().join("usr/lib/systemd/system");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("ssh.service"), "[Unit]\n").unwrap();
        assert!(matches!(places.check_name_is_free(), Err(ServiceError::Foreign(_))));
    }
}
