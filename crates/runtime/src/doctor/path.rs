//! The way to the control plane, walked as the runtime walks it, and each part of it named.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::check::{Check, Finding, Subject};
use super::conversation::converse;
use super::environment;
use super::state::Found;
use crate::net::{
    Intervals, KeepAlive, NetError, Proxy, ProxyChoice, ServerAddress, TlsClock, Trust, dial,
    handshake_error, open_tunnel, resolve,
};

/// Where the control plane is and whom to trust.
pub(super) struct Target {
    pub(super) server: ServerAddress,
    /// A private CA, PEM.
    pub(super) ca_pem: Option<String>,
}

/// What the control plane thinks of this machine's enrolment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It listens to this machine.
    Admitted,
    /// Its enrolment was revoked.
    Revoked,
    /// It never heard of it.
    Unknown,
}

/// What came of the walk.
pub(super) struct Walk {
    /// `None`: it could not be asked.
    pub(super) standing: Option<Standing>,
}

/// Whom a check is told to.
pub(super) type Tell<'a> = &'a mut dyn FnMut(Check);

impl Target {
    /// From the arguments, else from the state; `None` where neither names an address.
    ///
    /// # Errors
    ///
    /// When the address or the file does not read.
    pub(super) fn of(
        server: Option<&str>,
        ca: Option<&Path>,
        found: Option<&Found>,
    ) -> anyhow::Result<Option<Self>> {
        let identity = found.and_then(|found| found.identity.as_ref());
        let Some(address) = server.or(identity.map(|identity| identity.server.as_str())) else {
            return Ok(None);
        };
        let ca_pem = match ca {
            Some(file) => Some(
                std::fs::read_to_string(file)
                    .with_context(|| format!("failed to read `{}`", file.display()))?,
            ),
            None => identity.and_then(|identity| identity.ca_pem.clone()),
        };
        Ok(Some(Self { server: ServerAddress::parse(address)?, ca_pem }))
    }

    /// For people.
    pub(super) fn address(&self) -> String {
        self.server.to_string()
    }
}

/// Tells every part of the way, in order; what lies behind a broken part is not checked.
pub(super) async fn walk(target: &Target, found: Option<&Found>, tell: Tell<'_>) -> Walk {
    let mut told = Vec::new();
    let mut broken = None;
    let ended = steps(target, found, &mut |check: Check| {
        told.push(check.subject);
        if matches!(check.finding, Finding::Broken(_)) {
            broken.get_or_insert(check.subject);
        }
        tell(check);
    })
    .await;
    for subject in Subject::OF_THE_PATH.into_iter().filter(|subject| !told.contains(subject)) {
        let because = broken.map_or("nothing before it could be checked", Subject::title);
        tell(Finding::NotChecked(format!("{because} comes first")).of(subject));
    }
    Walk { standing: ended.unwrap_or_default() }
}

/// Goes as far as it gets; `None` where a part is broken.
async fn steps(target: &Target, found: Option<&Found>, tell: Tell<'_>) -> Option<Option<Standing>> {
    let choice = match ProxyChoice::from_environment(&target.server) {
        Ok(choice) => choice,
        Err(error) => {
            tell(Finding::NotChecked("the proxy's setting comes first".into()).of(Subject::Dns));
            tell(net_broken(&error).of(Subject::Proxy));
            return None;
        }
    };
    let stream = match choice {
        ProxyChoice::Direct => direct(&target.server, tell).await?,
        ProxyChoice::Through(proxy) => through(&proxy, &target.server, tell).await?,
    };
    let tls = match greet(target, stream).await {
        Ok(tls) => tls,
        Err(error) => {
            tell(net_broken(&error).of(Subject::Tls));
            return None;
        }
    };
    // Dates that do not fit are the certificate's fault or the clock's: the control plane's signed time decides.
    if let Tls::Judged(finding) = &tls {
        tell(finding.clone().of(Subject::Tls));
    }
    converse(target, found, matches!(tls, Tls::DatesUnclear), tell).await
}

async fn direct(server: &ServerAddress, tell: Tell<'_>) -> Option<TcpStream> {
    let intervals = Intervals::default();
    let looked_up = resolve(&server.host, server.port, intervals).await;
    let is_address = server.host.parse::<std::net::IpAddr>().is_ok();
    tell(
        match &looked_up {
            Ok(_) if is_address => {
                Finding::Well(format!("{} is an address: no name to look up", server.host))
            }
            Ok(addresses) => {
                let shown: Vec<_> =
                    addresses.iter().take(4).map(|address| address.ip().to_string()).collect();
                Finding::Well(format!("{} is {}", server.host, shown.join(", ")))
            }
            Err(error) => net_broken(error),
        }
        .of(Subject::Dns),
    );
    tell(Finding::Well(no_proxy(server)).of(Subject::Proxy));
    let addresses = looked_up.ok()?;
    let started = Instant::now();
    let stream = dial(&server.host, &addresses, KeepAlive::Silent, intervals).await;
    tell(
        match &stream {
            Ok(stream) => {
                let peer = stream.peer_addr().map_or_else(|_| server.authority(), |peer| peer.to_string());
                Finding::Well(format!("{peer} answers, {} ms", started.elapsed().as_millis()))
            }
            Err(error) => net_broken(error),
        }
        .of(Subject::Tcp),
    );
    stream.ok()
}

/// Why no proxy is used, since that may be the mistake.
fn no_proxy(server: &ServerAddress) -> String {
    let names =
        crate::service::PROXY_VARIABLES.into_iter().filter(|name| !name.eq_ignore_ascii_case("NO_PROXY"));
    let mut set = names.filter(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    match set.next() {
        None => "none is set: the way is direct".to_owned(),
        Some(name) if server.is_tls => {
            format!(
                "NO_PROXY excepts {}: the way is direct, past {name}{}",
                server.host,
                environment::source()
            )
        }
        Some(name) => format!(
            "not used for http://, although {name} is set{}: the way is direct",
            environment::source()
        ),
    }
}

async fn through(proxy: &Proxy, server: &ServerAddress, tell: Tell<'_>) -> Option<TcpStream> {
    let named = format!("{}, named by {}{}", proxy.name(), proxy.setting, environment::source());
    tell(Finding::Well(format!("the proxy looks up {}", server.host)).of(Subject::Dns));
    let started = Instant::now();
    match tunnel(proxy, server).await {
        Ok(stream) => {
            tell(Finding::Well(format!("{named}, takes the connection")).of(Subject::Proxy));
            let took = started.elapsed().as_millis();
            tell(
                Finding::Well(format!("{} answers through the proxy, {took} ms", server.authority()))
                    .of(Subject::Tcp),
            );
            Some(stream)
        }
        // A gateway's own words that it could not get through (RFC 9110, section 15.6): the proxy does its part.
        Err(NetError::ProxyRefused { answer, target, .. }) if answer.starts_with('5') => {
            tell(Finding::Well(format!("{named}, answers")).of(Subject::Proxy));
            let said = format!("the proxy found no way to {target}: it answered `{answer}`");
            let remedy = "check host and port, and that the control plane is running and can be reached from the proxy";
            tell(Finding::broken(said, remedy).of(Subject::Tcp));
            None
        }
        Err(error) => {
            tell(net_broken(&error).of(Subject::Proxy));
            None
        }
    }
}

async fn tunnel(proxy: &Proxy, server: &ServerAddress) -> Result<TcpStream, NetError> {
    let intervals = Intervals::default();
    let unreachable = |cause| NetError::ProxyUnreachable {
        proxy: proxy.name(),
        setting: format!("{}{}", proxy.setting, environment::source()),
        cause: Box::new(cause),
    };
    let addresses = resolve(&proxy.host, proxy.port, intervals).await.map_err(unreachable)?;
    let mut stream =
        dial(&proxy.host, &addresses, KeepAlive::Silent, intervals).await.map_err(unreachable)?;
    match timeout(intervals.tunnel(), open_tunnel(&mut stream, proxy, &server.authority())).await {
        Ok(opened) => opened.map(|()| stream),
        Err(_) => Err(unreachable(NetError::NoAnswer { seconds: intervals.tunnel().as_secs() })),
    }
}

/// What TLS came to.
enum Tls {
    Judged(Finding),
    /// Everything but the dates holds.
    DatesUnclear,
}

async fn greet(target: &Target, stream: TcpStream) -> Result<Tls, NetError> {
    let host = &target.server.host;
    if !target.server.is_tls {
        return Ok(Tls::Judged(if target.server.is_here() {
            Finding::Well("not used: the control plane is on this computer".into())
        } else {
            Finding::noted(
                "not used: what is sent over http:// can be read and changed on the way",
                "use https://, unless the path is protected otherwise",
            )
        }));
    }
    let trust = Trust::new(target.ca_pem.as_deref(), TlsClock::default().into())?;
    let name = ServerName::try_from(host.clone())
        .map_err(|error| NetError::Tls { host: host.clone(), problem: error.to_string() })?;
    let judgement = trust.judge();
    let limit = Intervals::default().handshake();
    let greeting = TlsConnector::from(judgement.config.clone()).connect(name, stream);
    let stream = match timeout(limit, greeting).await {
        Ok(greeted) => greeted.map_err(|error| handshake_error(host, &error))?,
        Err(_) => return Err(NetError::NoAnswer { seconds: limit.as_secs() }),
    };
    if judgement.is_time_only() {
        return Ok(Tls::DatesUnclear);
    }
    let version = match stream.get_ref().1.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
        Some(_) | None => "TLS",
    };
    Ok(Tls::Judged(Finding::Well(format!("{version}; the certificate for {host} is trusted"))))
}

/// A part of the way that failed, in the path's own words.
pub(super) fn net_broken(error: &NetError) -> Finding {
    Finding::broken(error.to_string(), error.remedy())
}
