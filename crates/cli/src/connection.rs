//! Which control plane a command talks to, and as whom.

use std::fs;
use std::path::PathBuf;

use reqwest::Url;
use tidegate_core::obstacle::Obstacle;

use crate::credentials::{self, Credentials};
use crate::failure::Failure;

/// Flags of every command that talks to a control plane.
///
/// There is no flag for the token itself: a command line is visible to every process of the computer.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// The control plane, such as https://tidegate.example
    #[arg(long, global = true, env = "TIDEGATE_URL", hide_env_values = true, value_name = "URL")]
    pub url: Option<String>,
    /// File with the API token alone in it [env: TIDEGATE_TOKEN holds the token itself]
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Certificate authority (PEM) to trust besides the platform's
    #[arg(long, global = true, env = "TIDEGATE_CA", hide_env_values = true, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Send the token over plain HTTP to another computer, where the path is protected otherwise (a VPN)
    #[arg(long, global = true, env = "TIDEGATE_ALLOW_HTTP", hide_env_values = true)]
    pub allow_http: bool,
}

/// A control plane and what to show it.
#[derive(Clone)]
pub(crate) struct Target {
    /// Where it is; ends with a slash.
    pub base: Url,
    /// What to authenticate with; `None` only for signing in.
    pub token: Option<String>,
    /// PEM certificates to trust besides the platform's.
    pub ca: Option<Vec<u8>>,
}

impl Connection {
    /// The control plane and token to use, in this order: flags, environment, what `login` stored.
    ///
    /// A stored token goes only to the control plane it was stored for.
    ///
    /// # Errors
    ///
    /// A usage [`Failure`] that says which of them is missing or does not read.
    pub(crate) fn target(&self) -> Result<Target, Failure> {
        let stored = self.stored()?;
        let token_from_environment = std::env::var("TIDEGATE_TOKEN").ok().filter(|token| !token.is_empty());
        self.resolve(stored, token_from_environment)
    }

    /// The control plane at `url` without a token, for signing in.
    ///
    /// # Errors
    ///
    /// A usage [`Failure`] where `url` or the file of the authority does not read.
    pub(crate) fn target_to_sign_in(&self, url: &str) -> Result<Target, Failure> {
        let base = parse_base(url)?;
        self.check_path(&base)?;
        Ok(Target { base, token: None, ca: self.read_ca(self.ca.clone())? })
    }

    fn resolve(
        &self,
        stored: Option<Credentials>,
        token_from_environment: Option<String>,
    ) -> Result<Target, Failure> {
        let url = self.url.clone().or_else(|| stored.as_ref().map(|stored| stored.url.clone()));
        let Some(url) = url else {
            return Err(Failure::usage("no control plane is named")
                .of(Obstacle::NoControlPlane)
                .next("set TIDEGATE_URL and TIDEGATE_TOKEN, or sign in once with:\n  tidegate login LINK"));
        };
        let base = parse_base(&url)?;
        let stored = stored.filter(|stored| parse_base(&stored.url).is_ok_and(|url| url == base));
        let token = match &self.token_file {
            Some(file) => Some(read_token(file)?),
            None => token_from_environment.or_else(|| stored.as_ref().map(|stored| stored.token.clone())),
        };
        let Some(token) = token else {
            return Err(Failure::usage(format!("no token for {base}"))
                .of(Obstacle::NoToken)
                .because("neither --token-file nor TIDEGATE_TOKEN is set, and no `login` stored one for it")
                .next("on the control plane's machine:\n  tidegate admin token --data DIR --email YOU"));
        };
        let ca = self.ca.clone().or_else(|| stored.and_then(|stored| stored.ca));
        self.check_path(&base)?;
        Ok(Target { base, token: Some(token), ca: self.read_ca(ca)? })
    }

    /// Refuses to send a secret over a connection without TLS.
    fn check_path(&self, base: &Url) -> Result<(), Failure> {
        if self.allow_http || base.scheme() == "https" || is_loopback(base) {
            return Ok(());
        }
        Err(Failure::usage(format!("{base} is plain HTTP to another computer"))
            .of(Obstacle::HttpNotAllowed)
            .because("the token could be read on the way, so nothing was sent")
            .next("use https://; where the path is protected otherwise (a VPN), --allow-http"))
    }

    fn stored(&self) -> Result<Option<Credentials>, Failure> {
        let Some(path) = credentials::path() else { return Ok(None) };
        credentials::load(&path).map_err(|error| {
            Failure::usage(format!("failed to read `{}`", path.display()))
                .of(Obstacle::FileUnreadable)
                .caused_by(&error)
                .next("sign in again with: tidegate login LINK")
        })
    }

    fn read_ca(&self, file: Option<PathBuf>) -> Result<Option<Vec<u8>>, Failure> {
        file.map(|file| {
            fs::read(&file).map_err(|error| {
                Failure::usage(format!("failed to read the authority `{}`", file.display()))
                    .of(Obstacle::FileUnreadable)
                    .caused_by(&error)
                    .next("name with --ca or TIDEGATE_CA a PEM file that you may read")
            })
        })
        .transpose()
    }
}

impl Target {
    /// Whether the control plane is this computer.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.base)
    }
}

fn is_loopback(base: &Url) -> bool {
    let host = base.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Reads the URL of a control plane; it may have a path in front of `/api`.
///
/// # Errors
///
/// A usage [`Failure`] for anything but http and https, and for user names in the URL.
pub(crate) fn parse_base(text: &str) -> Result<Url, Failure> {
    let wrong = |why: &str| {
        Failure::usage(format!("`{text}` is not the URL of a control plane"))
            .of(Obstacle::InvalidUrl)
            .because(why)
            .next("one looks like https://tidegate.example or http://127.0.0.1:8080")
    };
    let mut url = Url::parse(text.trim()).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong("it does not begin with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it holds a user name or password, which would end up in logs"));
    }
    url.set_query(None);
    url.set_fragment(None);
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

fn read_token(file: &PathBuf) -> Result<String, Failure> {
    let text = fs::read_to_string(file).map_err(|error| {
        unreadable_token(format!("failed to read the token file `{}`", file.display())).caused_by(&error)
    })?;
    // `admin token` puts the token alone on its last line: its whole output may be the file.
    match text.lines().map(str::trim).rfind(|line| !line.is_empty()) {
        Some(token) => Ok(token.to_owned()),
        None => Err(unreadable_token(format!("the token file `{}` is empty", file.display()))),
    }
}

fn unreadable_token(what: String) -> Failure {
    Failure::usage(what)
        .of(Obstacle::FileUnreadable)
        .next("write a token into it that only you can read; one is made on the control plane's machine:\n  tidegate admin token --data DIR --email YOU")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_come_before_the_environment_before_what_login_stored() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        fs::write(&file, "made a token\n\ntgt_from_file\n").unwrap();
        let named = Connection { url: Some("https://tg.example".into()), ..Connection::default() };
        let with_file = Connection { token_file: Some(file), ..named.clone() };
        let environment = Some("tgt_environment".to_owned());

        let token = |target: Result<Target, Failure>| target.ok().and_then(|target| target.token);
        assert_eq!(token(with_file.resolve(stored(), environment.clone())).as_deref(), Some("tgt_from_file"));
        assert_eq!(token(named.resolve(stored(), environment)).as_deref(), Some("tgt_environment"));
        assert_eq!(token(named.resolve(stored(), None)).as_deref(), Some("tgt_stored"));
        assert_eq!(token(Connection::default().resolve(stored(), None)).as_deref(), Some("tgt_stored"));
    }

    #[test]
    fn a_stored_token_goes_to_no_other_control_plane() {
        let other = Connection { url: Some("https://other.example".into()), ..Connection::default() };
        let failure = other.resolve(stored(), None).err().unwrap();
        assert_eq!(failure.what, "no token for https://other.example/");
    }

    #[test]
    fn a_url_that_could_leak_or_misdirect_is_refused() {
        for wrong in ["tg.example", "ftp://tg.example", "https://me:secret@tg.example", "https://", ""] {
            assert!(parse_base(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_base("https://tg.example/a").unwrap().as_str(), "https://tg.example/a/");
    }

    #[test]
    fn no_token_travels_over_plain_http_to_another_computer_unasked() {
        let target = |url: &str, allow_http| {
            let connection = Connection { url: Some(url.to_owned()), allow_http, ..Connection::default() };
            connection
                .resolve(None, Some("tgt_environment".to_owned()))
                .and(connection.target_to_sign_in(url))
        };
        for url in ["http://10.0.0.1:8080", "http://tidegate.example", "http://localhost.evil.example"] {
            let refused = target(url, false).err().unwrap();
            assert!(refused.what.contains("plain HTTP"), "{}", refused.what);
            assert!(target(url, true).is_ok());
        }
        for url in ["http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost:1", "https://10.0.0.1"] {
            assert!(target(url, false).is_ok(), "{url}");
        }
    }

    fn stored() -> Option<Credentials> {
        Some(Credentials { url: "https://tg.example/".into(), token: "tgt_stored".into(), ca: None })
    }
}
