//! The PROXY protocol, versions 1 and 2: a proxy that passes bytes on says first whose they are (HAProxy,
//! `proxy-protocol.txt`).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Longest line of version 1, its end included (section 2.1).
const LINE_BYTES_MAX: usize = 107;
/// Most bytes of addresses and extensions of version 2: proxies send at most a few hundred.
const EXTENSION_BYTES_MAX: usize = 1024;

/// Reads the header from the start of a connection, and nothing behind it; `None`: the proxy speaks for itself, as when
/// it checks whether this program lives.
///
/// # Errors
///
/// Where the connection ends, or does not begin with such a header.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<IpAddr>> {
    let mut start = [0; SIGNATURE.len()];
    stream.read_exact(&mut start).await?;
    if start == SIGNATURE {
        return read_binary(stream).await;
    }
    if !start.starts_with(b"PROXY ") {
        return Err(strange());
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() == LINE_BYTES_MAX {
            return Err(strange());
        }
        line.push(stream.read_u8().await?);
    }
    let line = std::str::from_utf8(&line).map_err(|_| strange())?;
    let mut parts = line.trim_end().split(' ').skip(1);
    let (family, source) = (parts.next(), parts.next());
    if family == Some("UNKNOWN") {
        return Ok(None);
    }
    let source: IpAddr = source.and_then(|text| text.parse().ok()).ok_or_else(strange)?;
    let fits = match family {
        Some("TCP4") => source.is_ipv4(),
        Some("TCP6") => source.is_ipv6(),
        _ => false,
    };
    if fits && parts.count() == 3 { Ok(Some(source)) } else { Err(strange()) }
}

async fn read_binary(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<IpAddr>> {
    let (command, family) = (stream.read_u8().await?, stream.read_u8().await?);
    let length = usize::from(stream.read_u16().await?);
    if length > EXTENSION_BYTES_MAX {
        return Err(strange());
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    match (command, family) {
        (0x20, _) => Ok(None),
        (0x21, 0x11) => {
            let source: [u8; 4] = bytes.get(..4).and_then(|part| part.try_into().ok()).ok_or_else(strange)?;
            if bytes.len() < 12 { Err(strange()) } else { Ok(Some(Ipv4Addr::from(source).into())) }
        }
        (0x21, 0x21) => {
            let source: [u8; 16] =
                bytes.get(..16).and_then(|part| part.try_into().ok()).ok_or_else(strange)?;
            if bytes.len() < 36 { Err(strange()) } else { Ok(Some(Ipv6Addr::from(source).into())) }
        }
        // Another family, such as a Unix socket's, names no address.
        (0x21, _) => Ok(None),
        _ => Err(strange()),
    }
}

fn strange() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the connection does not begin with a PROXY header")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn parsed(bytes: &[u8]) -> Result<(Option<String>, usize), io::ErrorKind> {
        let mut rest = bytes;
        let source = read(&mut rest).await.map_err(|error| error.kind())?;
        Ok((source.map(|address| address.to_string()), rest.len()))
    }

    fn binary(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, addresses, b"GET /"].concat()
    }

    #[tokio::test]
    async fn both_versions_name_the_source_and_leave_what_follows() {
        let line = |text: &str| [text.as_bytes(), b"\r\nGET /"].concat();
        let four = line("PROXY TCP4 192.0.2.1 10.0.0.1 4711 443");
        assert_eq!(parsed(&four).await, Ok((Some("192.0.2.1".into()), 5)));
        let six = line("PROXY TCP6 2001:db8::1 2001:db8::2 4711 443");
        assert_eq!(parsed(&six).await, Ok((Some("2001:db8::1".into()), 5)));
        assert_eq!(parsed(&line("PROXY UNKNOWN")).await, Ok((None, 5)));
        let four = binary(0x21, 0x11, &[192, 0, 2, 1, 10, 0, 0, 1, 1, 2, 3, 4, 0xee, 0, 1, 0]);
        assert_eq!(parsed(&four).await, Ok((Some("192.0.2.1".into()), 5)), "extensions are passed over");
        let six =
            binary(0x21, 0x21, &[[0x20; 16], [1; 16]].concat().into_iter().chain([0; 4]).collect::<Vec<_>>());
        assert_eq!(parsed(&six).await.unwrap().1, 5);
        assert_eq!(parsed(&binary(0x20, 0, &[])).await, Ok((None, 5)), "a health check");
    }

    #[tokio::test]
    async fn garbage_is_refused() {
        for bytes in [
            b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::1 10.0.0.1 1 2\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 10.0.0.1 1 2 3\r\n".to_vec(),
            b"PROXY UDP4 192.0.2.1 10.0.0.1 1 2\r\n".to_vec(),
            [b"PROXY TCP4 ".to_vec(), vec![b'1'; 200]].concat(),
            binary(0x31, 0x11, &[0; 12]),
            binary(0x21, 0x11, &[0; 11]),
            binary(0x21, 0x21, &[0; 35]),
            binary(0x21, 0x11, &[0; 1025]),
        ] {
            assert_eq!(parsed(&bytes).await, Err(io::ErrorKind::InvalidData), "{bytes:?}");
        }
        assert_eq!(parsed(b"PROXY TCP4").await, Err(io::ErrorKind::UnexpectedEof));
    }
}
