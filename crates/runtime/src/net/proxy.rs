//! Which proxy stands between, as the environment says: `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, read as curl does.

use hyper::Uri;
use hyper::header::HeaderValue;
use hyper_util::client::proxy::matcher::Matcher;

use super::address::{host, port};
use super::{NetError, ServerAddress};

/// The variables that may name a proxy for `https://`, the first that is set wins.
const SETTINGS: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// A proxy to go through.
#[derive(Clone)]
pub(crate) struct Proxy {
    /// Its host.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// The variable that names it.
    pub(crate) setting: String,
    /// What `Proxy-Authorization` says; holds a password.
    pub(crate) authorization: Option<HeaderValue>,
}

/// What the environment says about a way to one address.
#[derive(Clone, Debug)]
pub(crate) enum ProxyChoice {
    /// None is set, or the address is excepted.
    Direct,
    /// Through this one.
    Through(Proxy),
}

impl Proxy {
    /// Its address without a password.
    pub(crate) fn name(&self) -> String {
        format!("http://{}:{}", self.host, self.port)
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let has_password = self.authorization.is_some();
        formatter
            .debug_struct("Proxy")
            .field("name", &self.name())
            .field("has_password", &has_password)
            .finish()
    }
}

impl ProxyChoice {
    /// Reads the environment. A control plane at `http://` is reached directly.
    ///
    /// # Errors
    ///
    /// [`NetError::ProxySetting`] for one that does not read or is of a kind that is not spoken.
    pub(crate) fn from_environment(server: &ServerAddress) -> Result<Self, NetError> {
        // What is not UTF-8 does not read, which is another thing than not being set.
        Self::read(server, |name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    fn read(server: &ServerAddress, variable: impl Fn(&str) -> Option<String>) -> Result<Self, NetError> {
        let found = SETTINGS.iter().find_map(|name| {
            let value =
                variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())?;
            Some((*name, value))
        });
        let Some((setting, value)) = found.filter(|_| server.is_tls) else { return Ok(Self::Direct) };
        let wrong = |problem: &str| NetError::ProxySetting {
            setting: setting.to_owned(),
            problem: problem.to_owned(),
        };
        let (scheme, place) = value
            .split_once("://")
            .filter(|(scheme, _)| scheme.chars().all(|character| character.is_ascii_alphanumeric()))
            .unwrap_or(("http", &value));
        if place.split_once(['/', '?', '#']).is_some_and(|(_, behind)| behind.contains('@')) {
            // Else the name would be taken for the proxy, and what follows it, shown as its port, for no secret.
            return Err(wrong("in a name or password `/`, `?` and `#` are written `%2F`, `%3F` and `%23`"));
        }
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(wrong(&format!(
                "`{}://` is not spoken to a proxy, only http://",
                scheme.to_lowercase()
            )));
        }
        let excepted = variable("NO_PROXY").or_else(|| variable("no_proxy")).unwrap_or_default();
        let target: Uri = server.uri("/").map_err(|_| wrong("the control plane's address does not read"))?;
        // A matcher drops what does not read: it then intercepts nothing, exceptions or not.
        let intercepts =
            |excepted: &str| Matcher::builder().https(value.as_str()).no(excepted).build().intercept(&target);
        if intercepts("").is_none() {
            return Err(wrong("it is not the address of a proxy"));
        }
        let Some(intercept) = intercepts(&excepted) else { return Ok(Self::Direct) };
        let host = host(intercept.uri().host().unwrap_or_default()).unwrap_or_default();
        let authority = intercept.uri().authority().map(hyper::http::uri::Authority::as_str);
        let Some(port) = port(authority.unwrap_or_default(), 80).filter(|_| !host.is_empty()) else {
            return Err(wrong("it names no host, or no port between 1 and 65535"));
        };
        let authorization = intercept.basic_auth().cloned();
        Ok(Self::Through(Proxy { host, port, setting: setting.to_owned(), authorization }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(server: &str, settings: &[(&str, &str)]) -> Result<ProxyChoice, NetError> {
        let server = ServerAddress::parse(server).unwrap();
        ProxyChoice::read(&server, |name| {
            settings.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn proxy(server: &str, settings: &[(&str, &str)]) -> Option<Proxy> {
        match choice(server, settings).unwrap() {
            ProxyChoice::Direct => None,
            ProxyChoice::Through(proxy) => Some(proxy),
        }
    }

    #[test]
    fn the_environment_names_the_proxy_and_the_exceptions() {
        let server = "https://tidegate.example";
        assert!(proxy(server, &[]).is_none());
        let found = proxy(server, &[("HTTPS_PROXY", "http://10.0.0.9:3128")]).unwrap();
        assert_eq!((found.name().as_str(), found.setting.as_str()), ("http://10.0.0.9:3128", "HTTPS_PROXY"));
        assert!(found.authorization.is_none());
        assert_eq!(
            proxy(server, &[("https_proxy", "proxy.plant:8080")]).unwrap().name(),
            "http://proxy.plant:8080"
        );
        let excepted = [("HTTPS_PROXY", "http://10.0.0.9:3128"), ("NO_PROXY", ".example,10.0.0.0/8")];
        assert!(proxy(server, &excepted).is_none());
        assert!(proxy("https://10.1.2.3", &excepted).is_none());
        assert!(proxy("https://elsewhere.test", &excepted).is_some());
        assert!(proxy("http://tidegate.example", &[("HTTPS_PROXY", "http://10.0.0.9:3128")]).is_none());
    }

    #[test]
    fn a_password_is_sent_and_never_shown() {
        let found =
            proxy("https://a.example", &[("ALL_PROXY", "http://line3:s%40cret@10.0.0.9:3128")]).unwrap();
        let authorization = found.authorization.clone().unwrap();
        assert_eq!(
            authorization.to_str().unwrap(),
            format!("Basic {}", data_encoding::BASE64.encode(b"line3:s@cret"))
        );
        let shown = format!("{found:?} {}", found.name());
        assert!(!shown.contains("cret") && !shown.contains("line3"), "{shown}");
    }

    #[test]
    fn what_is_not_a_proxy_is_named() {
        for (value, word) in
            [("socks5://10.0.0.9", "socks5"), ("https://10.0.0.9", "https"), ("http://", "not the address")]
        {
            let error = choice("https://a.example", &[("HTTPS_PROXY", value)]).unwrap_err();
            assert_eq!(error.obstacle().as_str(), "proxy_setting");
            assert!(error.to_string().contains(word) && error.to_string().contains("HTTPS_PROXY"), "{error}");
        }
    }

    #[test]
    fn a_password_that_is_not_written_as_one_is_refused_and_not_shown() {
        for value in [
            "line3:s3cret@10.0.0.9:3128/http://x",
            "http://line3:12/s3cret@10.0.0.9:3128",
            "http://line3:12#s3cret@10.0.0.9:3128",
            "http://line3:12?s3cret@10.0.0.9:3128",
            "line3:s3cret://x@10.0.0.9:3128",
        ] {
            match choice("https://a.example", &[("HTTPS_PROXY", value)]) {
                Err(error) => {
                    let shown = format!("{error} {error:?}");
                    assert!(!shown.contains("12") && !shown.contains("s3cret"), "{value}: {shown}");
                }
                Ok(choice) => panic!("{value}: {choice:?}"),
            }
        }
    }

    #[test]
    fn strange_settings_are_named_and_never_passed_over() {
        let long = format!("http://{}", "a".repeat(1 << 20));
        for value in [
            "http://10.0.0.9:99999",
            "http://[::1",
            "http://[fe80::1%25eth0]:3128",
            "\u{202e}",
            "http://:3128",
            "://",
            &long,
        ] {
            let read = choice("https://a.example", &[("HTTPS_PROXY", value)]);
            let error = read.expect_err(value.get(..20).unwrap_or(value));
            assert!(error.obstacle().as_str() == "proxy_setting" && error.to_string().len() < 300, "{error}");
        }
    }
}
