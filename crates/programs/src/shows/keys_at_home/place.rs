//! What there is to read: denied files with a canary in them, copies, links, mounts, and what is allowed.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::harness::Machine;
use crate::shows::full_disk::can_mount;

/// Stands in every file that may be read.
pub(super) const VISIBLE: &str = "visible-line-of-an-allowed-file";

/// A folder with all of it.
#[derive(Debug)]
pub(super) struct Place {
    root: PathBuf,
    state: PathBuf,
    /// Random, in every file that may not be read.
    pub(super) canary: String,
    denied: Vec<PathBuf>,
    visible_port: u16,
    /// Serves a private key.
    pub(super) key_port: u16,
}

impl Place {
    /// Makes it in `world`, for the state of a machine and the data of a control plane.
    pub(super) fn make(world: &Path, state: &Path, data: &Path) -> anyhow::Result<Self> {
        let random: String =
            crate::harness::random()?[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        let canary = format!("canary{random}");
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{canary}\n-----END PRIVATE KEY-----\n");
        let mut place = Self {
            root: world.join("place"),
            state: state.to_owned(),
            visible_port: serve(&format!("first\n{VISIBLE}\nlast\n"))?,
            key_port: serve(&pem)?,
            canary,
            denied: Vec::new(),
        };
        fs::create_dir_all(&place.root)?;
        place.lay_allowed()?;
        place.lay_denied_paths()?;
        place.lay_keys(&pem)?;
        place.lay_copies(data)?;
        place.lay_links(data)?;
        Ok(place)
    }

    /// A path in it.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Programs in the place of systemd's, which write down what they were started with.
    pub(super) fn programs(&self) -> PathBuf {
        self.at("programs")
    }

    /// Every denied file with a canary.
    pub(super) fn denied_files(&self) -> Vec<PathBuf> {
        self.denied.clone()
    }

    /// A page that may be read.
    pub(super) fn visible_url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.visible_port)
    }

    /// Lets the machine's program see the state, its database and denied folders under other names; false where that is
    /// not allowed here.
    pub(super) fn mount_in(&self, machine: &mut Machine) -> bool {
        if !rustix::process::geteuid().is_root() || !can_mount() {
            return false;
        }
        let script = "set -e; mount --bind \"$1\" \"$2/mounted-state\"; mount --bind \"$1/state.db\" \"$2/mounted-file\"; \
                      mount --bind /etc \"$2/mounted-etc\"; mount -t proc proc \"$2/mounted-proc\"; shift 2; exec \"$@\"";
        machine.wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
            .map(str::to_owned)
            .into();
        machine.wrapper.push(self.state.to_string_lossy().into_owned());
        machine.wrapper.push(self.root.to_string_lossy().into_owned());
        true
    }

    fn lay_allowed(&self) -> anyhow::Result<()> {
        let log = format!("first\n{VISIBLE}\nlast\n");
        fs::write(self.at("app.log"), &log)?;
        fs::write(self.at("app.log.gz"), gzipped(log.as_bytes())?)?;
        symlink(self.at("app.log"), self.at("log-link"))?;
        for folder in ["mounted-state", "mounted-etc", "mounted-proc", "programs"] {
            fs::create_dir(self.at(folder))?;
        }
        fs::write(self.at("mounted-file"), "")?;
        for program in ["systemctl", "journalctl"] {
            let file = self.programs().join(program);
            fs::write(
                &file,
                format!("#!/bin/sh\nenv >'{}'\nexit 1\n", self.at(&format!("{program}.env")).display()),
            )?;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    }

    /// Denied by where they lie: what is in them looks harmless.
    fn lay_denied_paths(&mut self) -> anyhow::Result<()> {
        for path in DENIED_PATHS {
            self.deny(path, format!("harmless {}\n", self.canary).as_bytes())?;
        }
        Ok(())
    }

    /// Denied by what they hold: where they lie looks harmless.
    fn lay_keys(&mut self, pem: &str) -> anyhow::Result<()> {
        let canary = self.canary.clone();
        let wide: Vec<u8> = pem.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let filler = "a line of a log\n".repeat(8_000);
        let der = [b"\x30\x82\x00\x80\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70", canary.as_bytes()].concat();
        let files: [(&str, Vec<u8>); 15] = [
            ("pem.log", pem.into()),
            ("rsa.txt", pem.replace("BEGIN PRIVATE", "BEGIN RSA PRIVATE").into()),
            ("openssh.txt", pem.replace("BEGIN PRIVATE", "BEGIN OPENSSH PRIVATE").into()),
            (
                "pgp.txt",
                pem.replace("PRIVATE KEY-", "PRIVATE KEY BLOCK-").replace("BEGIN ", "BEGIN PGP ").into(),
            ),
            ("windows.txt", wide),
            ("late.log", format!("{filler}{pem}").into()),
            ("putty.txt", format!("PuTTY-User-Key-File-3: ssh-ed25519\n{canary}\n").into()),
            ("age.txt", format!("AGE-SECRET-KEY-1{canary}\n").into()),
            ("der.bin", der),
            ("hashes.txt", format!("root:$6$saltsalt${canary}:19000:0:99999:7:::\n").into()),
            ("identity.json", format!("{{\"signing_seed\":[1,2],\"note\":\"{canary}\"}}\n").into()),
            ("pem.log.gz", gzipped(pem.as_bytes())?),
            ("pem.log.gz.gz", gzipped(&gzipped(pem.as_bytes())?)?),
            ("packed.xz", [b"\xfd7zXZ\0", canary.as_bytes()].concat()),
            ("packed.zip", [b"PK\x03\x04", canary.as_bytes()].concat()),
        ];
        for (name, content) in files {
            self.deny(name, &content)?;
        }
        Ok(())
    }

    /// Copies of the state, the control plane's data and their logs, as a backup or a careless person makes them.
    fn lay_copies(&self, data: &Path) -> anyhow::Result<()> {
        let state = fs::read(self.state.join("state.db"))?;
        fs::write(self.at("state-copy.db"), &state)?;
        fs::write(self.at("harmless.log"), &state)?;
        fs::write(self.at("state.gz"), gzipped(&state)?)?;
        let mut tar = vec![0; 512];
        tar[..8].copy_from_slice(b"state.db");
        tar.extend(&state);
        fs::write(self.at("backup.tar"), &tar)?;
        fs::write(self.at("backup.tgz"), gzipped(&tar)?)?;
        let log = fs::read(self.state.join("state.db-wal")).unwrap_or_default();
        let log = if log.is_empty() { b"\x37\x7f\x06\x83\x00\x2d\xe2\x18".to_vec() } else { log };
        fs::write(self.at("log-copy"), log)?;
        fs::write(self.at("journal-copy"), b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7 and pages")?;
        fs::write(self.at("plane-copy.db"), fs::read(data.join("tidegate.db"))?)?;
        Ok(())
    }

    fn lay_links(&self, data: &Path) -> anyhow::Result<()> {
        symlink(self.state.join("state.db"), self.at("link"))?;
        symlink(self.at("link"), self.at("link-of-link"))?;
        symlink(&self.state, self.at("linked-folder"))?;
        symlink(data, self.at("linked-data"))?;
        symlink("/", self.at("linked-root"))?;
        fs::hard_link(self.state.join("state.db"), self.at("hard-link"))?;
        fs::hard_link(self.state.join("lock"), self.at("hard-lock"))?;
        fs::hard_link(data.join("tidegate.db"), self.at("hard-data"))?;
        Ok(())
    }

    fn deny(&mut self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(&path, content)?;
        self.denied.push(path);
        Ok(())
    }
}

/// Denied wherever they stand.
pub(super) const DENIED_PATHS: [&str; 16] = [
    "etc/shadow",
    "etc/shadow-",
    "etc/gshadow",
    "etc/ssh/ssh_host_rsa_key",
    "etc/ssl/private/server.pem",
    "etc/tidegate/runtime.env",
    "etc/wireguard/wg0.conf",
    "etc/NetworkManager/system-connections/plant",
    "etc/ppp/chap-secrets",
    "home/.ssh/id_ed25519",
    "home/.gnupg/secring.gpg",
    "home/.aws/credentials",
    "home/.bash_history",
    "home/.config/tidegate/credentials.json",
    "server.key",
    "run/secrets/token",
];

fn gzipped(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

/// A web server on loopback that answers everybody with `page`, as long as this program runs.
fn serve(page: &str) -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let answer =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}", page.len());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4_096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    Ok(port)
}
