//! Certificates that prove nothing, at a machine and at a desk.

use std::path::Path;

use super::book::{Book, program, text};
use super::enrolment::enrol;
use crate::harness::{Certificates, Validity, World, binary};

pub(super) const CODES: &[&str] = &[
    "certificate_untrusted",
    "certificate_name",
    "certificate_expired",
    "certificate_not_yet_valid",
    "tls_failed",
    "no_trusted_certificates",
];

pub(super) fn provoke(book: &mut Book) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let certificates = Certificates::new(directory.path(), "plant")?;
    let mut world = World::with_tls(&certificates)?;
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
    Ok(())
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
