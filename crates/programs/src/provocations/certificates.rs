//! Certificates that prove nothing, at a machine and at a desk.

use std::path::Path;

use anyhow::{Context as _, ensure};

use super::book::{Book, program, text};
use super::enrolment::enrol;
use super::front;
use crate::harness::{Certificates, Machine, Surroundings, Validity, World, binary};

pub(super) const CODES: &[&str] = &[
    "certificate_untrusted",
    "certificate_name",
    "certificate_expired",
    "certificate_not_yet_valid",
    "clock_unknown",
    "tls_failed",
    "no_trusted_certificates",
];

pub(super) fn provoke(book: &mut Book) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let certificates = Certificates::new(directory.path(), "plant")?;
    let mut world = World::with_tls(&certificates)?;
    let surroundings = Surroundings { ca: Some(certificates.ca_file("plant")), ..Surroundings::default() };
    let server = world.plane.runtime_url();
    let mut machine = world.machine_in(&surroundings, &server)?;
    let (state, code) = (world.directory.path().join("machine"), world.code()?);
    let ca = certificates.ca_file("plant");

    let met = |book: &mut Book, code_of, how, url: &str, ca: Option<&Path>, parts: &[&str]| {
        let mut command = enrol(&state, url, &code)?;
        if let Some(ca) = ca {
            command.arg("--ca").arg(ca);
        }
        book.command(code_of, how, &mut command, 3, parts)
    };
    let url = world.plane.url();
    let how = "a private CA that the machine was not told of";
    met(book, "certificate_untrusted", how, &url, None, &["localhost", "unknown issuer", "--ca FILE"])?;
    desk(book, &world, "certificate_untrusted", "the same at a desk", None, &["UnknownIssuer", "--ca FILE"])?;
    let mut blind = enrol(&state, &url, &code)?;
    blind.env("SSL_CERT_FILE", "/no/such/roots.pem").env("SSL_CERT_DIR", "/no/such/roots");
    let how = "a machine without any trusted certificates";
    book.command(
        "no_trusted_certificates",
        how,
        &mut blind,
        3,
        &["trusted certificates", "ca-certificates"],
    )?;

    let plain = World::new()?;
    let spoken = format!("https://localhost:{}", plain.plane.port());
    let how = "https:// to a port that speaks plain HTTP";
    met(book, "tls_failed", how, &spoken, Some(&ca), &["no TLS with localhost", "TLS is spoken"])?;

    for (code_of, how, names, validity, says) in [
        (
            "certificate_name",
            "a certificate for another name",
            "other.example",
            Validity::Now,
            "`other.example`",
        ),
        (
            "certificate_expired",
            "a certificate that expired",
            "localhost",
            Validity::Past,
            "expired on 2020-01-01",
        ),
        (
            "certificate_not_yet_valid",
            "a certificate of the future",
            "localhost",
            Validity::Future,
            "until 2090-01-01",
        ),
    ] {
        world.plane.stop()?;
        world.plane.use_tls(certificates.issue(&[names], validity)?, certificates.ca_pem());
        world.plane.start_unseen()?;
        met(book, code_of, how, &url, Some(&ca), &["localhost", says])?;
        desk(book, &world, code_of, "the same at a desk", Some(&ca), &["localhost"])?;
    }
    unknown_clock(book, &mut world, &mut machine)
}

/// A machine that was rebooted in the dark meets dates of the future when its path opens: its clock may be wrong, so it
/// asks for the signed time, and judges by that.
fn unknown_clock(book: &mut Book, world: &mut World, machine: &mut Machine) -> anyhow::Result<()> {
    if !front::may_mount() {
        return front::not_here(book, &["clock_unknown"]);
    }
    world.plane.stop()?;
    let boot = world.directory.path().join("boot_id");
    std::fs::write(&boot, "5f0c2b1e-0d6a-4a53-9a4e-2f6c1a7be001\n")?;
    let reboot = "mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\"";
    machine.wrapper = ["unshare", "--mount", "sh", "-c", reboot, &text(&boot)].map(str::to_owned).to_vec();
    machine.start()?;
    machine.says("code=\"connection_refused\"", 30)?;
    world.plane.start_unseen()?;
    machine.says("code=\"certificate_not_yet_valid\"", 30)?;
    let said = machine.said()?;
    let at = |code: &str| said.lines().position(|line| line.contains(&format!("code=\"{code}\"")));
    let asked = at("clock_unknown").with_context(|| format!("it does not ask for the time first: {said}"))?;
    ensure!(Some(asked) < at("certificate_not_yet_valid"), "first the time, then a verdict: {said}");
    let line = said.lines().nth(asked).unwrap_or_default().to_owned();
    let how = "dates that do not fit, and a time that nobody has told yet";
    book.said("clock_unknown", how, line, &["do not fit this machine's clock", "signed time first"])
}

fn desk(
    book: &mut Book,
    world: &World,
    code: &'static str,
    how: &'static str,
    ca: Option<&Path>,
    parts: &[&str],
) -> anyhow::Result<()> {
    let mut command = program(&binary("tidegate")?);
    command.args(["clients", "--url", &world.plane.url()]).env("TIDEGATE_TOKEN", &world.plane.token);
    command.env("XDG_CONFIG_HOME", world.directory.path());
    if let Some(ca) = ca {
        command.args(["--ca", &text(ca)]);
    }
    book.command(code, how, &mut command, 3, parts)
}
