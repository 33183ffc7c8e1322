//! At which names this control plane answers, and over what.
//!
//! A page of another site can have its own name lead to this machine (DNS rebinding) and then read what a browser in
//! the plant's network may. The name is in the request all the same, so only names that are ours are answered to.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::uri::{Authority, Uri};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use tidegate_core::entropy::Entropy;
use tidegate_core::error::Code;
use tidegate_core::id::RequestId;

use crate::host::{Host, RouteClass};
use crate::problem::Problem;

/// Longest host and port that is taken.
const AUTHORITY_BYTES_MAX: usize = 300;

/// The address at which people reach the control plane, such as `https://tidegate.example:8443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    is_https: bool,
    /// Host and port in lower case; a port that the scheme implies is left out.
    authority: String,
}

/// A text that is no public URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write it as `https://HOST` or `https://HOST:PORT`, without a path, a user or anything else")]
pub struct InvalidPublicUrl;

/// The address of this machine at which a connection arrived. The listener puts it into the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerAddress(pub IpAddr);

/// How people reach the control plane.
pub struct Front {
    public_url: Option<PublicUrl>,
    is_tls: bool,
    certifies: Box<dyn Fn(&str) -> bool + Send + Sync>,
}

impl FromStr for PublicUrl {
    type Err = InvalidPublicUrl;

    fn from_str(text: &str) -> Result<Self, InvalidPublicUrl> {
        let uri: Uri = text.trim().parse().map_err(|_| InvalidPublicUrl)?;
        let is_https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(InvalidPublicUrl),
        };
        let is_bare = matches!(uri.path(), "" | "/") && uri.query().is_none() && !text.contains('#');
        let authority = uri.authority().filter(|_| is_bare).ok_or(InvalidPublicUrl)?;
        let authority = normal(authority.as_str(), is_https).ok_or(InvalidPublicUrl)?;
        Ok(Self { is_https, authority })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        write!(formatter, "{scheme}://{}", self.authority)
    }
}

impl PublicUrl {
    /// Whether browsers reach it over TLS.
    pub fn is_https(&self) -> bool {
        self.is_https
    }
}

impl Front {
    /// A front at `public_url`, where one is configured; `is_tls`: the listeners speak TLS themselves; `certifies`:
    /// whether their certificate is for a name.
    pub fn new(
        public_url: Option<PublicUrl>,
        is_tls: bool,
        certifies: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { public_url, is_tls, certifies: Box::new(certifies) }
    }

    /// Whether browsers reach it over TLS, here or at a proxy in front.
    pub(crate) fn is_secure(&self) -> bool {
        self.is_tls || self.public_url.as_ref().is_some_and(|url| url.is_https)
    }

    /// The address that links and commands lead to, without a slash at its end, for a request whose host was checked.
    pub(crate) fn address(&self, headers: &HeaderMap, uri: &Uri) -> Option<String> {
        if let Some(url) = &self.public_url {
            return Some(url.to_string());
        }
        let scheme = if self.is_tls { "https" } else { "http" };
        let authority = authority(headers, uri).ok()?;
        Some(format!("{scheme}://{authority}"))
    }

    /// Whether people and their programs are answered at `authority`.
    fn admits(&self, authority: &str, listener: Option<IpAddr>) -> bool {
        match &self.public_url {
            Some(url) => normal(authority, url.is_https).as_deref() == Some(&url.authority),
            None => self.is_own(authority, listener),
        }
    }

    /// Whether the operator's tools are answered at `authority`.
    fn admits_tools(&self, authority: &str, listener: Option<IpAddr>) -> bool {
        self.admits(authority, listener) || self.is_own(authority, listener)
    }

    /// Whether `authority` is an address of the listener, this computer's own name for itself, or in the certificate.
    fn is_own(&self, authority: &str, listener: Option<IpAddr>) -> bool {
        let Ok(parsed) = authority.parse::<Authority>() else { return false };
        let host = parsed.host().trim_matches(['[', ']']).to_ascii_lowercase();
        match host.parse::<IpAddr>() {
            Ok(address) => {
                let address = address.to_canonical();
                address.is_loopback() || listener.map(|listener| listener.to_canonical()) == Some(address)
            }
            Err(_) => host == "localhost" || host.ends_with(".localhost") || (self.certifies)(&host),
        }
    }
}

/// Refuses a request that names no host, two, or one that is not ours. Machines are answered at every name: they prove
/// who they are, and some were enrolled at an earlier one.
pub(crate) fn check(front: &Front, request: &Request, class: RouteClass) -> Result<(), Problem> {
    let authority = authority(request.headers(), request.uri())?;
    let listener = request.extensions().get().map(|ListenerAddress(address)| *address);
    let is_ours = match class {
        RouteClass::Sync | RouteClass::Time | RouteClass::Enrol => true,
        RouteClass::Api
        | RouteClass::Page
        | RouteClass::SignIn
        | RouteClass::SignInLink
        | RouteClass::Other => front.admits(&authority, listener),
    };
    if is_ours { Ok(()) } else { Err(foreign(front, &authority)) }
}

/// The refusal of a request for the operator's tools that names another host; `None`: it may be answered.
pub fn refuse_foreign_host(host: &dyn Host, request: &Request) -> Option<Response> {
    let listener = request.extensions().get().map(|ListenerAddress(address)| *address);
    let problem = match authority(request.headers(), request.uri()) {
        Ok(authority) if host.front().admits_tools(&authority, listener) => return None,
        Ok(authority) => foreign(host.front(), &authority),
        Err(problem) => problem,
    };
    let request_id = RequestId::fresh(&mut Entropy::new(host.entropy())).to_string();
    let mut response = Response::new(axum::body::Body::empty());
    problem.write(&request_id, &mut response);
    response.headers_mut().insert("x-request-id", HeaderValue::from_str(&request_id).ok()?);
    Some(response)
}

/// The one host that a request names (RFC 9110, section 7.2; RFC 9112, section 3.2).
pub(crate) fn authority(headers: &HeaderMap, uri: &Uri) -> Result<String, Problem> {
    let wrong =
        |what| Problem::invalid(format!("{what}: send one `Host` header with the control plane's name"));
    let mut values = headers.get_all(HOST).iter();
    let named = match (values.next(), values.next()) {
        (_, Some(_)) => return Err(wrong("the request names two hosts")),
        (None, None) => None,
        (Some(value), None) => Some(value.to_str().map_err(|_| wrong("the `Host` header is no name"))?),
    };
    let target = uri.authority().map(Authority::as_str);
    let authority = match (target, named) {
        (Some(target), Some(named)) if !target.eq_ignore_ascii_case(named) => {
            return Err(wrong("the request names two hosts"));
        }
        (Some(authority), _) | (None, Some(authority)) => authority,
        (None, None) => return Err(wrong("the request names no host")),
    };
    if is_authority(authority) {
        Ok(authority.to_owned())
    } else {
        Err(wrong("the `Host` header is no name"))
    }
}

fn foreign(front: &Front, authority: &str) -> Problem {
    let next = match &front.public_url {
        Some(url) => format!("open {url}; a proxy in front must pass `Host` on as the browser sent it"),
        None => "open it by its address, or start `tidegate serve` with `--public-url` and the name that people use"
            .to_owned(),
    };
    Problem::new(Code::Misdirected, format!("this control plane does not answer at `{authority}`: {next}"))
}

/// A host with a port or without, of letters that mean nothing to a shell.
fn is_authority(text: &str) -> bool {
    (1..=AUTHORITY_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
        && text.parse::<Authority>().is_ok_and(|authority| !authority.host().is_empty())
}

/// Host and port in lower case, without the port that the scheme implies.
fn normal(authority: &str, is_https: bool) -> Option<String> {
    if !is_authority(authority) {
        return None;
    }
    let implied = if is_https { ":443" } else { ":80" };
    let lower = authority.to_ascii_lowercase();
    let parsed: Authority = lower.parse().ok()?;
    let host = parsed.host().trim_end_matches('.');
    match parsed.port_u16() {
        Some(port) if implied != format!(":{port}") => Some(format!("{host}:{port}")),
        Some(_) => Some(host.to_owned()),
        None if lower.ends_with(':') || parsed.port().is_some() => None,
        None => Some(host.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn front(public_url: Option<&str>) -> Front {
        Front::new(public_url.map(|url| url.parse().unwrap()), false, |name| name == "certified.example")
    }

    fn checked(front: &Front, uri: &str, hosts: &[&str], class: RouteClass) -> Result<(), Code> {
        let mut request = Request::builder().uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(ListenerAddress("192.0.2.7".parse().unwrap()));
        check(front, &request, class).map_err(|problem| problem.code)
    }

    #[test]
    fn without_a_public_url_addresses_of_the_listener_and_this_computers_names_are_ours() {
        let front = front(None);
        for host in [
            "localhost",
            "LOCALHOST:9",
            "a.localhost:1",
            "127.0.0.1:8080",
            "[::1]:8080",
            "192.0.2.7",
            "certified.example:1",
        ] {
            assert_eq!(checked(&front, "/", &[host], RouteClass::Page), Ok(()), "{host}");
        }
        for host in
            ["evil.example", "192.0.2.8", "localhost.evil.example", "[2001:db8::1]", "evil.example:8080"]
        {
            for class in [RouteClass::Page, RouteClass::Api, RouteClass::SignIn, RouteClass::Other] {
                assert_eq!(checked(&front, "/", &[host], class), Err(Code::Misdirected), "{host}");
            }
            assert_eq!(checked(&front, "/", &[host], RouteClass::Sync), Ok(()), "{host}");
        }
    }

    #[test]
    fn with_a_public_url_people_are_answered_there_alone() {
        let front = front(Some("https://Desk.example/"));
        for host in ["desk.example", "DESK.example:443", "desk.example."] {
            assert_eq!(checked(&front, "/", &[host], RouteClass::Page), Ok(()), "{host}");
        }
        for host in ["desk.example:8443", "localhost", "192.0.2.7", "certified.example"] {
            assert_eq!(checked(&front, "/", &[host], RouteClass::Api), Err(Code::Misdirected), "{host}");
        }
        let tools = |host| front.admits_tools(host, Some("192.0.2.7".parse().unwrap()));
        assert!(tools("desk.example") && tools("192.0.2.7:8080") && tools("localhost:8080"));
        assert!(!tools("evil.example"));
    }

    #[test]
    fn a_request_names_one_host() {
        let front = front(None);
        for (uri, hosts) in [
            ("/", &[][..]),
            ("/", &["localhost", "localhost"]),
            ("http://localhost/", &["evil.example"]),
            ("/", &[""]),
            ("/", &["a b"]),
            ("/", &["user@localhost"]),
            ("/", &[":80"]),
        ] {
            for class in [RouteClass::Page, RouteClass::Sync] {
                assert_eq!(checked(&front, uri, hosts, class), Err(Code::InvalidRequest), "{uri} {hosts:?}");
            }
        }
        assert_eq!(checked(&front, "http://localhost/", &[], RouteClass::Page), Ok(()));
        assert_eq!(checked(&front, "http://localhost/", &["localhost"], RouteClass::Page), Ok(()));
    }

    #[test]
    fn a_public_url_is_a_scheme_and_a_host() {
        for (text, shown) in [
            ("https://desk.example", "https://desk.example"),
            ("https://desk.example:8443/", "https://desk.example:8443"),
            ("http://desk.example:80", "http://desk.example"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().to_string(), shown);
        }
        for text in [
            "desk.example",
            "ftp://desk",
            "https://desk/path",
            "https://a@desk",
            "https://desk?a",
            "https://",
            "https://d$k",
            "https://desk#x",
        ] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }
}
