//! A kept HTTP/1.1 connection that sends bytes made beforehand and reads no more of an answer than it must.
//!
//! A load generator that parses and formats would take the processor that it measures. This one also sends what no
//! HTTP client would.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// The most of one answer that is read: more ends the connection.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// One connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer's head and body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// The body; empty where its length was not announced.
    pub body: &'a [u8],
    /// Whether another request can follow on this connection.
    pub is_kept: bool,
}

struct Head {
    status: u16,
    bytes: usize,
    body_bytes: usize,
    is_kept: bool,
}

impl Connection {
    /// Connects to `to`; `from` chooses the source address.
    ///
    /// # Errors
    ///
    /// When nobody listens there.
    pub async fn open(to: SocketAddr, from: IpAddr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(from, 0))?;
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(8 * 1024) })
    }

    /// Sends a request and waits for its whole answer, whose head and body are in the buffer until the next one.
    ///
    /// # Errors
    ///
    /// When the connection ends first.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.send(request).await?;
        self.answer().await
    }

    /// Sends bytes.
    ///
    /// # Errors
    ///
    /// When the other side does not take them.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.buffer.clear();
        self.stream.write_all(bytes).await
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub async fn finish_sending(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// Waits for a whole answer.
    ///
    /// # Errors
    ///
    /// When the connection ends first.
    pub async fn answer(&mut self) -> io::Result<Answer<'_>> {
        let head = loop {
            match read_head(&self.buffer) {
                Some(head) => break head,
                None => self.more().await?,
            }
        };
        while self.buffer.len() < head.bytes + head.body_bytes {
            self.more().await?;
        }
        let body = &self.buffer[head.bytes..head.bytes + head.body_bytes];
        Ok(Answer { status: head.status, body, is_kept: head.is_kept })
    }

    /// Reads whatever comes until the other side closes or `at_most` is over.
    pub async fn drain(&mut self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, async { while self.more().await.is_ok() {} }).await;
    }

    /// What was read since something was last sent.
    pub fn received(&self) -> &[u8] {
        &self.buffer
    }

    async fn more(&mut self) -> io::Result<()> {
        if self.buffer.len() > ANSWER_BYTES_MAX {
            return Err(io::Error::other("the answer is too large"));
        }
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// Reads the head of an answer, past interim ones; `None`: it is not whole.
fn read_head(buffer: &[u8]) -> Option<Head> {
    let mut from = 0;
    loop {
        let length = buffer[from..].windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let head = &buffer[from..from + length];
        let status: u16 = std::str::from_utf8(head.get(9..12)?).ok()?.parse().ok()?;
        from += length;
        if (100..200).contains(&status) {
            continue;
        }
        let announced = header(head, b"\ncontent-length:")
            .and_then(|value| std::str::from_utf8(value).ok()?.trim().parse().ok());
        let closes = header(head, b"\nconnection:").is_some_and(|value| value.trim_ascii() == b"close");
        let has_no_body = matches!(status, 204 | 304);
        return Some(Head {
            status,
            bytes: from,
            body_bytes: if has_no_body { 0 } else { announced.unwrap_or(0) },
            is_kept: !closes && (announced.is_some() || has_no_body),
        });
    }
}

/// The value of a header, whose name is given in lower case with what surrounds it.
fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let at = head.windows(name.len()).position(|window| window.eq_ignore_ascii_case(name))?;
    let value = &head[at + name.len()..];
    value.split(|byte| *byte == b'\r').next()
}

/// A request as bytes, to `localhost` unless a header names another host. `Content-Length` is added where there is a
/// body or the method has one.
pub fn request_bytes(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
    if !headers.iter().any(|(name, _)| *name == "host") {
        bytes.extend_from_slice(b"host: localhost\r\n");
    }
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    if !body.is_empty() || method != "GET" {
        bytes.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// One of the addresses of loopback, so that limits for one address meet many.
pub fn loopback(number: usize) -> IpAddr {
    let [_, high, middle, low] = (number as u32 % 0x00ff_ff00 + 2).to_be_bytes();
    Ipv4Addr::new(127, high, middle, low).into()
}
