//! One question to one server: over UDP, and over TCP where the answer was cut (RFC 7766).

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant as Deadline, timeout_at};

use super::message::{Answer, Malformed, Question};

/// Largest datagram read. A server must not send more than 512 bytes to who did not offer more.
const DATAGRAM_BYTES_MAX: usize = 4096;

/// How a question was carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::probes) enum Transport {
    Udp,
    Tcp,
}

/// What came back.
#[derive(Debug)]
pub(in crate::probes) struct Told {
    pub(in crate::probes) answer: Answer,
    pub(in crate::probes) transport: Transport,
    /// From the question to the whole answer.
    pub(in crate::probes) time: Duration,
}

/// Why there is no answer, as part of a sentence about the server.
#[derive(Debug, thiserror::Error)]
pub(in crate::probes) enum ExchangeError {
    /// Nothing came in time.
    #[error("it did not answer")]
    Silent,
    /// Something came, and it was no answer to the question.
    #[error("what answered does not speak DNS")]
    Strange,
    /// This machine or the way refused.
    #[error("{0}")]
    System(#[from] io::Error),
}

/// Asks `server` and waits for `patience` at most.
pub(in crate::probes) async fn ask(
    server: SocketAddr,
    question: &Question,
    patience: Duration,
) -> Result<Told, ExchangeError> {
    let (begin, deadline) = (Instant::now(), Deadline::now() + patience);
    let answer = over_udp(server, question, deadline).await?;
    if !answer.is_cut {
        return Ok(Told { answer, transport: Transport::Udp, time: begin.elapsed() });
    }
    match timeout_at(deadline, over_tcp(server, question)).await {
        Ok(Ok(answer)) => Ok(Told { answer, transport: Transport::Tcp, time: begin.elapsed() }),
        // What was cut is worth more than nothing, as long as it says so.
        Ok(Err(_)) | Err(_) => Ok(Told { answer, transport: Transport::Udp, time: begin.elapsed() }),
    }
}

async fn over_udp(
    server: SocketAddr,
    question: &Question,
    deadline: Deadline,
) -> Result<Answer, ExchangeError> {
    let any: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await?;
    // Connected, so that the kernel hands over nothing from anybody else.
    socket.connect(server).await?;
    socket.send(&question.encode()).await?;
    let mut datagram = [0; DATAGRAM_BYTES_MAX];
    let mut heard_something = false;
    loop {
        let Ok(received) = timeout_at(deadline, socket.recv(&mut datagram)).await else {
            return Err(if heard_something { ExchangeError::Strange } else { ExchangeError::Silent });
        };
        let message = &datagram[..received?];
        // A forged or late datagram must not keep the true answer out.
        if let Ok(Some(answer)) = question.read_answer(message) {
            return Ok(answer);
        }
        heard_something = true;
    }
}

async fn over_tcp(server: SocketAddr, question: &Question) -> Result<Answer, ExchangeError> {
    let mut stream = TcpStream::connect(server).await?;
    let message = question.encode();
    let length = message.len() as u16;
    stream.write_all(&[&length.to_be_bytes()[..], &message].concat()).await?;
    let length = stream.read_u16().await?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await?;
    match question.read_answer(&message) {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) | Err(Malformed) => Err(ExchangeError::Strange),
    }
}
