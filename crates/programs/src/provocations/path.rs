//! What a machine meets on its way, through real proxies that refuse and listeners that fail.

use std::path::Path;

use anyhow::ensure;

use super::book::Book;
use super::enrolment::enrol;
use super::front::{Swallowing, always, hanging_up, silent};
use crate::harness::{World, free_port};

pub(super) const CODES: &[&str] = &[
    "name_not_resolved",
    "connection_refused",
    "connection_timeout",
    "connection_cut",
    "no_answer",
    "not_a_control_plane",
    "proxy_unreachable",
    "proxy_setting",
    "proxy_authentication",
    "proxy_refused",
    "proxy_strange",
];

const NTLM: &str = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\n\
                    Proxy-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n";
const BASIC: &str = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"plant\"\r\n\
                     Content-Length: 0\r\n\r\n";
const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
const SSH: &str = "SSH-2.0-OpenSSH_9.2\r\n";
const PORTAL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n<h1>Please log in</h1>";
/// How much faster than usual a machine gives up.
const FASTER: &str = "100";

pub(super) fn provoke(book: &mut Book) -> anyhow::Result<()> {
    let mut world = World::new()?;
    let (state, code) = (world.directory.path().join("machine"), world.code()?);
    enrolments(book, &state, &code)?;
    proxies(book, &state, &code)?;
    ensure!(world.api.get("/api/v1/endpoints")?.to_string().contains("\"items\":[]"), "nobody is enrolled");
    let done = enrol(&state, &world.plane.url(), &code)?.output()?;
    ensure!(done.status.success(), "the same state and code enrol once the path is there: {done:?}");
    runs(book, &mut world)
}

fn enrolments(book: &mut Book, state: &Path, code: &str) -> anyhow::Result<()> {
    let mut met = |obstacle, how, server: &str, exit, parts: &[&str]| {
        book.command(obstacle, how, &mut enrol(state, server, code)?, exit, parts)
    };
    let how = "a name that does not exist";
    met("name_not_resolved", how, "https://no.such.name.invalid", 3, &["`no.such.name.invalid`", "DNS"])?;
    let port = free_port()?;
    let closed = format!("http://127.0.0.1:{port}");
    met(
        "connection_refused",
        "a control plane that is not there",
        &closed,
        3,
        &[&port.to_string(), "is running"],
    )?;
    let portal = format!("http://127.0.0.1:{}", always(PORTAL)?);
    met("not_a_control_plane", "a captive portal", &portal, 4, &["not a control plane", "browser"])?;
    let cut = format!("http://127.0.0.1:{}", hanging_up()?);
    met("connection_cut", "a connection that is cut", &cut, 3, &["was cut", "tried again"])
}

fn proxies(book: &mut Book, state: &Path, code: &str) -> anyhow::Result<()> {
    let mut met = |obstacle, how, proxy: &str, parts: &[&str]| {
        let mut command = enrol(state, "https://tidegate.example", code)?;
        book.command(obstacle, how, command.env("HTTPS_PROXY", proxy), 3, parts)
    };
    let at = |answer| Ok::<_, anyhow::Error>(format!("http://127.0.0.1:{}", always(answer)?));
    let down = format!("http://127.0.0.1:{}", free_port()?);
    met("proxy_unreachable", "a proxy that is down", &down, &[&down, "HTTPS_PROXY", "NO_PROXY"])?;
    let how = "a proxy of a kind that is not spoken";
    met(
        "proxy_setting",
        how,
        "socks5://127.0.0.1:1080",
        &["HTTPS_PROXY", "`socks5://`", "http://name:password@"],
    )?;
    met(
        "proxy_authentication",
        "a proxy that wants NTLM (407)",
        &at(NTLM)?,
        &["Negotiate, NTLM", "only Basic"],
    )?;
    let basic = at(BASIC)?;
    met(
        "proxy_authentication",
        "a proxy that wants a password (407)",
        &basic,
        &["Basic", "HTTPS_PROXY=http://name"],
    )?;
    let with_password = basic.replace("http://", "http://kim:s3cret-word@");
    let mut command = enrol(state, "https://tidegate.example", code)?;
    let said =
        String::from_utf8_lossy(&command.env("HTTPS_PROXY", &with_password).output()?.stderr).into_owned();
    ensure!(
        said.contains("(proxy_authentication)") && !said.contains("s3cret-word"),
        "no password is told: {said}"
    );
    let mut met = |obstacle, how, proxy: &str, parts: &[&str]| {
        let mut command = enrol(state, "https://tidegate.example", code)?;
        book.command(obstacle, how, command.env("HTTPS_PROXY", proxy), 3, parts)
    };
    let refused = ["403 Forbidden", "tidegate.example:443", "allow CONNECT"];
    met("proxy_refused", "a proxy that forbids it", &at(FORBIDDEN)?, &refused)?;
    met("proxy_strange", "a proxy that is something else", &at(SSH)?, &["not an HTTP proxy", "host and port"])
}

/// What shows only with time, on a machine that gives up a hundred times as fast.
fn runs(book: &mut Book, world: &mut World) -> anyhow::Result<()> {
    let swallowing = Swallowing::start()?;
    let (dark, mute) = (swallowing.port()?, silent()?);
    for (code, how, port, parts) in [
        (
            "connection_timeout",
            "packets that a firewall swallows",
            dark,
            ["nobody answered within", "firewall"],
        ),
        ("no_answer", "a path that swallows what is sent", mute, ["no answer within", "tried again"]),
    ] {
        let mut machine = world.machine()?;
        machine.move_path(&format!("http://127.0.0.1:{port}"))?;
        machine.pace.extend(["--interval-divisor".to_owned(), FASTER.to_owned()]);
        machine.start()?;
        let words = format!("code=\"{code}\"");
        machine.says(&words, 30)?;
        machine.stop()?;
        let said = machine.said()?;
        let line = said.lines().find(|line| line.contains(&words)).unwrap_or_default().to_owned();
        let parts = ["no path to the control plane; trying on", "remedy=", parts[0], parts[1]];
        book.said(code, how, line, &parts)?;
        ensure!(said.matches(&words).count() == 1, "it says so once: {said}");
    }
    Ok(())
}
