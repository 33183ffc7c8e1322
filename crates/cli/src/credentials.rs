//! The file that `login` leaves: one control plane and one token, readable by its owner only.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What `login` stored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Credentials {
    /// The control plane.
    pub url: String,
    /// The API token. It goes to `url` and nowhere else.
    pub token: String,
    /// The certificate authority to trust besides the platform's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

/// `$XDG_CONFIG_HOME/tidegate/credentials.json`, else under `~/.config` or `%APPDATA%`; `None` where none of
/// them is set.
pub(crate) fn path() -> Option<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = from("XDG_CONFIG_HOME")
        .or_else(|| from("HOME").map(|home| home.join(".config")))
        .or_else(|| from("APPDATA"))?;
    Some(home.join("tidegate").join("credentials.json"))
}

/// Reads the file at `path`; `None` where there is none.
///
/// # Errors
///
/// The error of the read, or [`io::ErrorKind::InvalidData`] where the file is not what [`store`] writes.
pub(crate) fn load(path: &Path) -> io::Result<Option<Credentials>> {
    match fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not written by `tidegate login`")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces the file at `path` in one move. It is made with mode 0600, so nobody else ever can open it.
///
/// # Errors
///
/// The error of the write; what was there before is then still there.
pub(crate) fn store(path: &Path, credentials: &Credentials) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(serde_json::to_string_pretty(credentials)?.as_bytes())?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|failed| failed.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_login_stored_is_read_back_and_is_nobody_elses() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("tidegate").join("credentials.json");
        assert!(load(&path).unwrap().is_none());

        let credentials =
            Credentials { url: "https://tg.example".into(), token: "tgt_secret".into(), ca: None };
        store(&path, &credentials).unwrap();
        store(&path, &credentials).unwrap();
        assert!(load(&path).unwrap() == Some(credentials));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }

        fs::write(&path, "{").unwrap();
        assert_eq!(load(&path).err().map(|error| error.kind()), Some(io::ErrorKind::InvalidData));
    }
}
