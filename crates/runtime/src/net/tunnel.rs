//! `CONNECT` through a proxy (RFC 9110, section 9.3.6). Reaching the control plane this way costs one small exchange,
//! so it is also the probe of a path that is closed.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use tidegate_core::words::one_line;

use super::{NetError, Proxy};

/// Longest head of an answer: an NTLM challenge and a page of headers fit.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most headers of it.
const HEADERS_MAX: usize = 64;

/// Asks the proxy on `stream` for a connection to `target`, `host:port`. Afterwards the stream leads there.
///
/// # Errors
///
/// What the proxy said instead.
pub(crate) async fn open_tunnel<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    proxy: &Proxy,
    target: &str,
) -> Result<(), NetError> {
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
    if let Some(authorization) = &proxy.authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    let cut = |error: std::io::Error| NetError::Cut(format!("by the proxy {}: {error}", proxy.name()));
    stream.write_all(&request).await.map_err(cut)?;
    let mut head = Vec::with_capacity(512);
    // Byte by byte in form only: nothing of what follows the head may be taken from the stream.
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= HEAD_BYTES_MAX {
            return Err(strange(proxy, "its answer has no end"));
        }
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) if head.is_empty() => return Err(cut(error)),
            Err(_) => return Err(strange(proxy, "its answer breaks off")),
        }
        if head.len() == 5 && !head.eq_ignore_ascii_case(b"HTTP/") {
            return Err(strange(proxy, "its answer is not HTTP"));
        }
    }
    judge(&head, proxy, target)
}

fn judge(head: &[u8], proxy: &Proxy, target: &str) -> Result<(), NetError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut answer = httparse::Response::new(&mut headers);
    if answer.parse(head).is_err() {
        return Err(strange(proxy, "its answer does not read"));
    }
    let status = answer.code.unwrap_or(0);
    match status {
        200..=299 => Ok(()),
        407 => {
            let offered =
                answer.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("proxy-authenticate"));
            let mut schemes: Vec<String> = offered.filter_map(|header| scheme(header.value)).collect();
            schemes.dedup();
            let takes_basic = schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("basic"));
            let wants =
                if schemes.is_empty() { "of a kind it does not name".into() } else { schemes.join(", ") };
            let tried = match &proxy.authorization {
                Some(_) if takes_basic => "; it does not accept the name and password that were sent",
                Some(_) => "; it does not take the name and password that were sent",
                None => "",
            };
            Err(NetError::ProxyAuthentication { proxy: proxy.name(), wants, tried, takes_basic })
        }
        _ => {
            let answer = format!("{status} {}", printable(answer.reason.unwrap_or_default().as_bytes()));
            let answer = answer.trim().to_owned();
            Err(NetError::ProxyRefused { proxy: proxy.name(), target: target.to_owned(), answer })
        }
    }
}

/// The scheme of a challenge: its first word.
fn scheme(value: &[u8]) -> Option<String> {
    let first = value.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-').next()?;
    (!first.is_empty()).then(|| printable(first))
}

fn printable(bytes: &[u8]) -> String {
    let first: String = String::from_utf8_lossy(bytes).chars().take(80).collect();
    one_line(&first).chars().take(80).collect()
}

fn strange(proxy: &Proxy, problem: &str) -> NetError {
    NetError::ProxyStrange { proxy: proxy.name(), problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(has_password: bool) -> Proxy {
        let authorization = has_password.then(|| hyper::header::HeaderValue::from_static("Basic eA=="));
        Proxy { host: "10.0.0.9".into(), port: 3128, setting: "HTTPS_PROXY".into(), authorization }
    }

    /// What comes of a proxy that answers with these bytes, and what it was sent.
    async fn answered(bytes: &[u8], has_password: bool) -> (Result<(), NetError>, String) {
        let (mut near, mut far) = tokio::io::duplex(64 * 1024);
        far.write_all(bytes).await.unwrap();
        far.shutdown().await.unwrap();
        let result = open_tunnel(&mut near, &proxy(has_password), "tidegate.example:443").await;
        drop(near);
        let mut sent = String::new();
        far.read_to_string(&mut sent).await.unwrap();
        (result, sent)
    }

    #[tokio::test]
    async fn nothing_behind_the_head_is_taken_from_the_stream() {
        let (mut near, mut far) = tokio::io::duplex(1024);
        far.write_all(b"HTTP/1.1 200 Connection established\r\nX: y\r\n\r\nhello").await.unwrap();
        open_tunnel(&mut near, &proxy(false), "tidegate.example:443").await.unwrap();
        let mut rest = [0; 5];
        near.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"hello");
    }

    #[tokio::test]
    async fn the_password_goes_to_the_proxy() {
        let (result, sent) = answered(b"HTTP/1.0 200 OK\r\n\r\n", true).await;
        assert!(result.is_ok());
        assert_eq!(
            sent,
            "CONNECT tidegate.example:443 HTTP/1.1\r\nHost: tidegate.example:443\r\nProxy-Authorization: Basic eA==\r\n\r\n"
        );
    }

    #[tokio::test]
    async fn every_refusal_has_its_words() {
        let basic = b"HTTP/1.1 407 Nope\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n";
        let ntlm = b"HTTP/1.1 407 Nope\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n";
        for (bytes, has_password, code, words) in [
            (&basic[..], false, "proxy_authentication", "wants authentication (Basic)"),
            (&basic[..], true, "proxy_authentication", "does not accept the name and password"),
            (&ntlm[..], true, "proxy_authentication", "(Negotiate, NTLM)"),
            (b"HTTP/1.1 403 Forbidden\x1b[2J\r\n\r\n", false, "proxy_strange", "does not read"),
            (b"HTTP/1.1 403 Forbidden\r\n\r\n", false, "proxy_refused", "`403 Forbidden`"),
            (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", false, "proxy_strange", "is not HTTP"),
            (b"HTTP/1.1 200", false, "proxy_strange", "breaks off"),
            (b"", false, "connection_cut", "by the proxy"),
        ] {
            let error = answered(bytes, has_password).await.0.unwrap_err();
            assert_eq!(error.obstacle().as_str(), code, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
        let endless = [b"HTTP/1.1 200 ".as_slice(), &vec![b'a'; 2 * HEAD_BYTES_MAX]].concat();
        assert_eq!(answered(&endless, false).await.0.unwrap_err().obstacle().as_str(), "proxy_strange");
    }
}
