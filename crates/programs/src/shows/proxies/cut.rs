//! What cuts held requests: a link that ends idle connections, and nginx in front, which gives up and says so.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tidegate_cli::link::{Conditions, Link, LinkOptions};

use super::peer::Peer;
use super::{Stage, figure};
use crate::harness::{Certificates, Machine, Surroundings, Validity, free_port, wait_for};

/// One thing that cuts after so many seconds, and how much faster its machine lives.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    pub(super) after_seconds: u32,
    pub(super) divisor: u32,
    pub(super) is_nginx: bool,
}

/// A machine behind something that cuts.
pub(super) struct Behind {
    cut: Cut,
    machine: Machine,
    started: Instant,
    _nginx: Option<Peer>,
    _link: Option<Link>,
}

impl Stage {
    /// Starts a machine behind each; they learn side by side.
    pub(super) fn behind_each(
        &mut self,
        tokio: &tokio::runtime::Runtime,
        cuts: &[Cut],
    ) -> anyhow::Result<Vec<Behind>> {
        cuts.iter().map(|cut| self.behind(tokio, *cut)).collect()
    }

    fn behind(&mut self, tokio: &tokio::runtime::Runtime, cut: Cut) -> anyhow::Result<Behind> {
        let after = Duration::from_secs(u64::from(cut.after_seconds)) / cut.divisor;
        let plane_port = self.world.plane.runtime_port();
        let (mut nginx, mut link) = (None, None);
        let port = if cut.is_nginx {
            let name = format!("nginx-{}", cut.after_seconds);
            let started =
                start_nginx(&self.directory.join(name), &self.certificates, &self.ca, plane_port, after)?;
            nginx.insert(started).port
        } else {
            let conditions = Conditions { cut_idle: Some(after), ..Conditions::default() };
            let options = LinkOptions {
                listen: SocketAddr::from(([127, 0, 0, 1], 0)),
                to: format!("127.0.0.1:{plane_port}"),
                conditions,
                open: true,
            };
            link.insert(tokio.block_on(Link::start(options))?).address().port()
        };
        let surroundings = Surroundings { ca: Some(self.ca.clone()), ..self.direct() };
        let mut machine = self.world.machine_in(&surroundings, &format!("https://127.0.0.1:{port}"))?;
        machine.pace = vec!["--interval-divisor".to_owned(), cut.divisor.to_string()];
        machine.environment.push(("TIDEGATE_LOG".to_owned(), "info,tidegate_runtime=debug".to_owned()));
        machine.start()?;
        Ok(Behind { cut, machine, started: Instant::now(), _nginx: nginx, _link: link })
    }

    /// Waits until the machine was cut, and then held its whole length twice; work is delivered meanwhile and after.
    pub(super) fn settles(&self, behind: &mut Behind) -> anyhow::Result<()> {
        let Cut { after_seconds, divisor, is_nginx } = behind.cut;
        let machine = &mut behind.machine;
        let first = self.work(machine)?;
        let limit = u64::from(after_seconds * 8 / divisor) + 60;
        let settled = wait_for("the machine to hold shorter than what cuts", limit, || {
            let said = machine.said()?;
            let Some((_, after)) = said.rsplit_once("holding shorter from here on") else { return Ok(false) };
            Ok(after.matches("a sync was held its whole length").count() >= 2)
        });
        settled.with_context(|| machine.said().unwrap_or_default())?;
        let said = machine.said()?;
        let cuts = said.matches("holding shorter from here on").count();
        let holds: Vec<&str> =
            said.lines().filter_map(|line| Some(line.split_once("hold_ms=")?.1.trim())).collect();
        ensure!(cuts <= 2, "it took {cuts} cuts to learn: {holds:?}");
        let second = self.work(machine)?;
        self.world.verified(&machine.endpoint)?;
        machine.stop()?;
        let who = if is_nginx { "nginx, buffering, that gives up" } else { "a proxy that cuts" };
        let pace = if divisor == 1 { String::new() } else { format!(" (everything 1/{divisor})") };
        figure(
            &format!("{who} after {after_seconds} s{pace}: settled"),
            format!(
                "after {cuts} cut, {:.0} s; last hold {}; work in {} and {} ms",
                behind.started.elapsed().as_secs_f64(),
                holds.last().map_or_else(|| "?".to_owned(), |hold| format!("{hold} ms")),
                first.as_millis(),
                second.as_millis()
            ),
        );
        Ok(())
    }
}

/// nginx before the control plane: it ends TLS, keeps whole requests and answers before it passes them on, and gives an
/// answer up after `patience`.
fn start_nginx(
    directory: &Path,
    certificates: &Certificates,
    ca: &Path,
    to: u16,
    patience: Duration,
) -> anyhow::Result<Peer> {
    std::fs::create_dir_all(directory)?;
    let files = certificates.issue(&["localhost", "127.0.0.1"], Validity::Now)?;
    let (port, folder) = (free_port()?, directory.display());
    let configuration: PathBuf = directory.join("nginx.conf");
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {folder}/{kind};\n"))
        .concat();
    std::fs::write(
        &configuration,
        format!(
            "daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\nhttp {{\n\
             {temporary}  access_log {folder}/access.log;\n  server {{\n    listen 127.0.0.1:{port} ssl http2;\n    \
             ssl_certificate {cert};\n    ssl_certificate_key {key};\n    location / {{\n      \
             proxy_pass https://127.0.0.1:{to};\n      proxy_ssl_trusted_certificate {ca};\n      proxy_ssl_verify on;\n      \
             proxy_ssl_name localhost;\n      proxy_http_version 1.1;\n      proxy_buffering on;\n      \
             proxy_request_buffering on;\n      proxy_read_timeout {patience_ms}ms;\n      client_max_body_size 16m;\n    }}\n  }}\n}}\n",
            cert = files.cert.display(),
            key = files.key.display(),
            ca = ca.display(),
            patience_ms = patience.as_millis(),
        ),
    )?;
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-p").arg(directory).arg("-c").arg(&configuration);
    Peer::start(command, port, directory)
}
