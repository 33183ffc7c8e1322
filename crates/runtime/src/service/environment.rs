//! The file of variables that a service starts with: a service has none of the shell that installed it.

use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::path::PathBuf;

use anyhow::Context as _;

use super::file::NewFile;
use super::places::{ENVIRONMENT, Places};

/// What of the installing shell matters to the runtime: which proxy, and whether bytes cost money.
const CARRIED: [&str; 7] =
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "TIDEGATE_METERED"];
/// Those of them that say which proxy.
pub(crate) const PROXY_VARIABLES: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"];
/// Longest file of variables that is read.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Longest value that is carried; an address with credentials has some hundred bytes.
const VALUE_BYTES_MAX: usize = 4_096;
const HEADER: &str = "# Variables of the service tidegate-runtime, read at its start; systemd.exec(5), EnvironmentFile=\n\
    # May hold a password: keep it readable for root alone.\n";

/// What became of the variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Carried {
    /// There was such a file already; it was left as it is.
    Kept,
    /// These were written into a new one.
    Written(Vec<&'static str>),
    /// The shell had none, and no file was made.
    None,
}

impl Carried {
    /// For the report; no value is told, as it may hold a password.
    pub(super) fn text(&self, file: &str) -> String {
        match self {
            Self::Kept => format!("{file} was there and was left as it is"),
            Self::Written(names) => format!("{} of this shell went into {file}", names.join(", ")),
            Self::None => {
                format!(
                    "no proxy: this shell names none (sudo drops it). If one is needed: HTTPS_PROXY=… in {file}"
                )
            }
        }
    }
}

/// Writes what `variable` knows of the carried ones, unless there is a file already: it may have been edited.
///
/// # Errors
///
/// When a value cannot be a variable's, or the file cannot be written.
pub(super) fn carry(places: &Places, variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Carried> {
    let file = places.below_root(places.environment());
    match fs::metadata(&file) {
        Ok(_) => return Ok(Carried::Kept),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("failed to look at `{}`", file.display())),
    }
    let mut text = HEADER.to_owned();
    let mut names = Vec::new();
    for name in CARRIED {
        let Some(value) = variable(name).filter(|value| !value.is_empty()) else { continue };
        anyhow::ensure!(
            value.len() <= VALUE_BYTES_MAX && !value.chars().any(char::is_control),
            "the variable {name} of this shell is not an address: unset or correct it, then repeat"
        );
        text.push_str(&format!("{name}={}\n", quoted(&value)));
        names.push(name);
    }
    if names.is_empty() {
        return Ok(Carried::None);
    }
    NewFile::write(&file, 0o600, &mut text.as_bytes())?.put_in_place()?;
    Ok(Carried::Written(names))
}

/// A value in double quotes (systemd.exec(5), `EnvironmentFile=`): nothing in there is expanded, four characters are
/// escaped.
fn quoted(value: &str) -> String {
    let mut quoted = String::from("\"");
    for character in value.chars() {
        if matches!(character, '"' | '\\' | '`' | '$') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted + "\""
}

/// The file of variables of this machine's services, and what it says of the carried ones; empty without a file.
///
/// # Errors
///
/// When it is there and cannot be read: it is root's.
pub(crate) fn variables() -> anyhow::Result<(PathBuf, Vec<(&'static str, String)>)> {
    let file = PathBuf::from(ENVIRONMENT);
    let failed = || format!("failed to read `{}`", file.display());
    let text = match fs::File::open(&file) {
        Ok(open) => io::read_to_string(open.take(FILE_BYTES_MAX)).with_context(failed)?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((file, Vec::new())),
        Err(error) => return Err(error).with_context(failed),
    };
    Ok((file, parse(&text)))
}

/// The carried variables of a file (systemd.exec(5), `EnvironmentFile=`); later lines win, as they do for systemd.
fn parse(text: &str) -> Vec<(&'static str, String)> {
    let assignments = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    assignments
        .filter_map(|line| {
            let (name, value) = line.split_once('=')?;
            let name = CARRIED.into_iter().find(|carried| *carried == name.trim())?;
            Some((name, unquoted(value.trim())))
        })
        .collect()
}

fn unquoted(value: &str) -> String {
    if let Some(inner) = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return inner.to_owned();
    }
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    let mut plain = String::new();
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.extend(characters.next()),
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_proxy_of_the_shell_is_written_once_for_root_alone_and_never_told() {
        let root = tempfile::tempdir().unwrap();
        let places = Places::new(root.path(), "tidegate-runtime").unwrap();
        assert_eq!(carry(&places, |_| None).unwrap(), Carried::None);
        assert!(!root.path().join("etc").exists(), "nothing to carry makes no file");

        let shell =
            |name: &str| (name == "HTTPS_PROXY").then(|| r#"http://me:s"e$c\r@proxy:3128"#.to_owned());
        let carried = carry(&places, shell).unwrap();
        assert_eq!(carried, Carried::Written(vec!["HTTPS_PROXY"]));
        assert!(!carried.text("file").contains("proxy:3128"));
        let file = root.path().join("etc/tidegate/runtime.env");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(parse(&text), [("HTTPS_PROXY", r#"http://me:s"e$c\r@proxy:3128"#.to_owned())]);
        assert!(text.ends_with("\nHTTPS_PROXY=\"http://me:s\\\"e\\$c\\\\r@proxy:3128\"\n"), "{text}");

        assert_eq!(carry(&places, |_| Some("http://other".into())).unwrap(), Carried::Kept);
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }

    #[test]
    fn a_file_that_a_person_wrote_reads_too() {
        let text =
            "; proxy\nhttps_proxy = http://a:1\nNO_PROXY='a, b'\nPATH=/x\nno line\nALL_PROXY=http://b\\ c\n";
        let expected = [("https_proxy", "http://a:1"), ("NO_PROXY", "a, b"), ("ALL_PROXY", "http://b c")];
        assert_eq!(parse(text), expected.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn a_value_of_several_lines_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let places = Places::new(root.path(), "tidegate-runtime").unwrap();
        assert!(carry(&places, |_| Some("http://a\nLD_PRELOAD=/tmp/x".into())).is_err());
        assert!(!root.path().join(Path::new("etc/tidegate/runtime.env")).exists());
    }
}
