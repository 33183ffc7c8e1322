//! squid: open, asking for Basic, asking for NTLM.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;

use super::peer::Peer;
use crate::harness::free_port;

const PROGRAM: &str = "/usr/sbin/squid";
/// Where Debian keeps squid's helpers.
const HELPERS: &str = "/usr/lib/squid";

/// A running squid.
pub(super) struct Squid {
    pub(super) peer: Peer,
    directory: PathBuf,
}

/// Who may pass.
#[derive(Clone, Copy)]
pub(super) enum Admits {
    Everybody,
    /// `plant`, whose password is `s3cret`.
    Basic,
    Ntlm,
}

impl Squid {
    pub(super) fn start(parent: &Path, name: &str, admits: Admits) -> anyhow::Result<Self> {
        let directory = parent.join(name);
        std::fs::create_dir_all(&directory)?;
        // squid gives root up before it opens its logs.
        std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o777))?;
        let (port, folder) = (free_port()?, directory.display());
        let rules = match admits {
            Admits::Everybody => "http_access allow all\n".to_owned(),
            Admits::Basic => {
                let passwords = directory.join("passwords");
                std::fs::write(&passwords, format!("plant:{}\n", hashed("s3cret")?))?;
                let helper = format!("{HELPERS}/basic_ncsa_auth {}", passwords.display());
                format!(
                    "auth_param basic program {helper}\nacl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all\n"
                )
            }
            Admits::Ntlm => format!(
                "auth_param ntlm program {HELPERS}/ntlm_fake_auth\nacl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all\n"
            ),
        };
        let configuration = directory.join("squid.conf");
        std::fs::write(
            &configuration,
            format!(
                "http_port 127.0.0.1:{port}\npid_filename none\nvisible_hostname proxy.plant\ncache deny all\n\
                 cache_mem 8 MB\nmax_filedescriptors 1024\nshutdown_lifetime 0 seconds\ncoredump_dir {folder}\n\
                 access_log stdio:{folder}/access.log\ncache_log {folder}/cache.log\n{rules}"
            ),
        )?;
        let mut command = Command::new(PROGRAM);
        command.arg("-N").arg("-f").arg(&configuration);
        Ok(Self { peer: Peer::start(command, port, &directory)?, directory })
    }

    /// How many requests it refused with 407, and how many tunnels ended well, so far.
    pub(super) fn counted(&self) -> anyhow::Result<(usize, usize)> {
        let log = std::fs::read_to_string(self.directory.join("access.log")).unwrap_or_default();
        let count = |word: &str| log.lines().filter(|line| line.contains(word)).count();
        Ok((count("TCP_DENIED/407"), count("TCP_TUNNEL/200")))
    }
}

fn hashed(password: &str) -> anyhow::Result<String> {
    let output = Command::new("openssl").args(["passwd", "-apr1", password]).output()?;
    ensure!(output.status.success(), "openssl hashes the password");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
