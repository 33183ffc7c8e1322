//! What is broken on the way: address, certificate, proxy, clock.

use std::process::Command;

use super::super::front::{self, Authority, Front, Kind};
use super::super::{Clinic, PRIVATE_CA, closed_port};
use super::{Case, case};
use crate::harness::{ControlPlane, binary};

const HEALTHY: Kind = Kind { name: "localhost", until: 2080 };
const NTLM: &str = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\n\
                    Proxy-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n";
const BASIC: &str = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"plant\"\r\n\
                     Content-Length: 0\r\n\r\n";
const NO_WAY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
const PORTAL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n<h1>Please log in</h1>";

pub(super) fn addresses(clinic: &mut Clinic) -> anyhow::Result<Vec<Case>> {
    let closed = format!("http://127.0.0.1:{}", closed_port()?);
    let portal = format!("http://{}", front::always(PORTAL)?);
    let folder = clinic.world.directory.path().join("another");
    let mut another = ControlPlane::create(&folder, &binary("tidegate")?)?;
    another.start()?;
    let elsewhere = another.url();
    clinic.planes.push(another);
    let at = |address: &str| clinic.doctor(&["--server", address]);
    Ok(vec![
        case(
            "a name that does not exist",
            at("https://no.such.name.invalid"),
            "dns",
            "`no.such.name.invalid` could not be resolved",
            "check the address for a typing error",
        ),
        case("a port where nobody listens", at(&closed), "tcp", "Connection refused", "check the port"),
        case(
            "a captive portal",
            at(&portal),
            "control_plane",
            "not a control plane",
            "a captive portal or a proxy",
        ),
        case(
            "the control plane of somebody else",
            at(&elsewhere),
            "control_plane",
            "another control plane answers",
            "check the address",
        ),
    ])
}

pub(super) fn certificates(clinic: &mut Clinic) -> anyhow::Result<Vec<Case>> {
    let ca = clinic.ca();
    let mut signed_by = |authority: &str| {
        let authority = Authority::new(authority)?;
        let front = Front::start(&clinic.tokio, &authority, HEALTHY, clinic.world.plane.port())?;
        let url = front.url();
        clinic.fronts.push(front);
        Ok::<_, anyhow::Error>(clinic.doctor(&["--server", &url, "--ca", &ca]))
    };
    let (stranger, anew) = (signed_by("A stranger")?, signed_by(PRIVATE_CA)?);
    let plain = format!("https://127.0.0.1:{}", clinic.world.plane.port());
    Ok(vec![
        case(
            "a certificate of a CA that nobody here trusts",
            stranger,
            "tls",
            "unknown issuer",
            "give its certificate with `enrol --ca FILE`",
        ),
        case(
            "a private CA that was made anew",
            anew,
            "tls",
            "was the CA made anew?",
            "give its certificate with `enrol --ca FILE`",
        ),
        case(
            "a certificate that expired",
            clinic.doctor_over_tls(Kind { until: 2025, ..HEALTHY })?,
            "tls",
            "expired on 2025-01-01",
            "renew the control plane's certificate",
        ),
        case(
            "a certificate for another name",
            clinic.doctor_over_tls(Kind { name: "other.example", ..HEALTHY })?,
            "tls",
            "it is for `other.example`",
            "use a name that the certificate has",
        ),
        case(
            "https:// to a port that speaks plain HTTP",
            clinic.doctor(&["--server", &plain, "--ca", &ca]),
            "tls",
            "no TLS with 127.0.0.1",
            "check that TLS is spoken at this port",
        ),
    ])
}

pub(super) fn proxies(clinic: &mut Clinic) -> anyhow::Result<Vec<Case>> {
    let url = clinic.front(HEALTHY)?;
    let ca = clinic.ca();
    let through = |proxy: &str| {
        let mut command = clinic.doctor(&["--server", &url, "--ca", &ca]);
        command.env("HTTPS_PROXY", proxy);
        command
    };
    let answering =
        |answer: &'static str| Ok::<_, anyhow::Error>(through(&format!("http://{}", front::always(answer)?)));
    let down = format!("http://127.0.0.1:{}", closed_port()?);
    Ok(vec![
        case(
            "a proxy that is down",
            through(&down),
            "proxy",
            "named by HTTPS_PROXY, cannot be reached",
            "check HTTPS_PROXY, or name the control plane in NO_PROXY",
        ),
        case(
            "a proxy whose name does not exist",
            through("http://proxy.invalid:3128"),
            "proxy",
            "`proxy.invalid` could not be resolved",
            "check HTTPS_PROXY",
        ),
        case(
            "a proxy that wants NTLM",
            answering(NTLM)?,
            "proxy",
            "wants authentication (Negotiate, NTLM)",
            "only Basic is spoken",
        ),
        case(
            "a proxy that wants a password",
            answering(BASIC)?,
            "proxy",
            "wants authentication (Basic)",
            "set HTTPS_PROXY=http://name:password@",
        ),
        case(
            "a proxy that forbids it",
            answering(FORBIDDEN)?,
            "proxy",
            "`403 Forbidden`",
            "ask who runs the proxy to allow CONNECT",
        ),
        case(
            "a proxy that finds no way",
            answering(NO_WAY)?,
            "tcp",
            "the proxy found no way to localhost",
            "can be reached from the proxy",
        ),
        case(
            "a proxy of a kind that is not spoken",
            through("socks5://127.0.0.1:1080"),
            "proxy",
            "`socks5://` is not spoken",
            "write HTTPS_PROXY as http://",
        ),
    ])
}

/// The clock is the doctor's alone: nothing else on this computer sees it changed.
pub(super) fn clocks(clinic: &mut Clinic) -> anyhow::Result<Vec<Case>> {
    if Command::new("faketime").arg("--version").output().is_err() {
        return Ok(Vec::new());
    }
    let shifted = |command: &Command, by: &str| {
        let mut faked = Command::new("faketime");
        faked.args(["--exclude-monotonic", "-f", by]).arg(command.get_program()).args(command.get_args());
        faked
    };
    let over_tls = clinic.doctor_over_tls(HEALTHY)?;
    let remedy = "set the clock";
    Ok(vec![
        case(
            "a clock two hours ahead",
            shifted(&clinic.doctor(&[]), "+2h"),
            "clock",
            "ahead of the control plane's signed time",
            remedy,
        ),
        case(
            "a clock before the certificate's first day",
            shifted(&over_tls, "-3650d"),
            "clock",
            "behind the control plane's signed time",
            remedy,
        ),
    ])
}
