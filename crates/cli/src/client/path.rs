//! Why there is no path to the control plane, in the words and codes that the runtime has too.

use std::error::Error;

use tidegate_core::obstacle::Obstacle;

const CHECK_URL: &str =
    "check the URL, and that the control plane runs; then repeat the command: it is safe to repeat";
const REPEAT: &str = "check the network, then repeat the command: it is safe to repeat";
const AUTHORITY: &str = "if the control plane, or a proxy that inspects TLS, has a private certificate authority, name it \
                         with --ca FILE or TIDEGATE_CA";
const PROXY: &str = "check HTTPS_PROXY, its name and password included; NO_PROXY=HOST goes without it";

/// What libraries say of a failure that only their words tell apart, what it is, and what to do.
const WORDS: [(&str, Obstacle, &str); 10] = [
    ("proxy authorization required", Obstacle::ProxyAuthentication, PROXY),
    ("unsuccessful", Obstacle::ProxyRefused, PROXY),
    ("UnknownIssuer", Obstacle::CertificateUntrusted, AUTHORITY),
    ("BadSignature", Obstacle::CertificateUntrusted, AUTHORITY),
    ("not valid for name", Obstacle::CertificateName, "use a name that the control plane's certificate has"),
    (
        "certificate expired",
        Obstacle::CertificateExpired,
        "renew the control plane's certificate; or check this computer's clock",
    ),
    ("certificate not valid yet", Obstacle::CertificateNotYetValid, "check this computer's clock"),
    ("invalid peer certificate", Obstacle::CertificateUntrusted, AUTHORITY),
    (
        "failed to lookup address",
        Obstacle::NameNotResolved,
        "check the URL for a typing error, and this computer's DNS server",
    ),
    (
        "corrupt message",
        Obstacle::TlsFailed,
        "check that TLS is spoken at this port: else the URL begins with http://",
    ),
];

/// What it is, and what to do about it.
pub(super) fn obstacle(error: &reqwest::Error) -> (Obstacle, &'static str) {
    if error.is_timeout() {
        let obstacle = if error.is_connect() { Obstacle::ConnectionTimeout } else { Obstacle::NoAnswer };
        return (obstacle, REPEAT);
    }
    let (mut cause, mut texts): (Option<&dyn Error>, _) = (Some(error), Vec::new());
    while let Some(error) = cause {
        texts.push(error.to_string());
        cause = error.source();
    }
    let said = texts.join("\n");
    if let Some((_, obstacle, next)) = WORDS.iter().find(|(words, ..)| said.contains(words)) {
        return (*obstacle, next);
    }
    if error.is_connect() {
        (Obstacle::ConnectionRefused, CHECK_URL)
    } else {
        (Obstacle::ConnectionCut, REPEAT)
    }
}
